"""Records on both databases: every test of `records` runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.peers.postgres import Postgres, postgres
from twin.records import Records
from twin.records.schema import Table


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One server for all tests of a worker."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def records_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    server = request.getfixturevalue("postgres_server")
    assert isinstance(server, Postgres)
    return server.new_database()


@pytest.fixture(scope="session")
def migrated_url(postgres_server: Postgres) -> str:
    """A PostgreSQL database with all tables, shared by the tests of a worker one by one."""
    url = postgres_server.new_database()
    Records.open(url).close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Records]:
    """An open, empty records database."""
    if request.param == "sqlite":
        store = Records.open(f"sqlite:///{tmp_path}/records.db")
    else:
        store = Records.open(str(request.getfixturevalue("migrated_url")))
        names = ", ".join(table.name for table in Table.metadata.sorted_tables)
        with store.unit() as unit:
            unit.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    yield store
    store.close()
