"""Opening the records database, units of work, durability settings and migrations."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from tests.peers.postgres import Postgres
from twin.records import Records, RecordsConfigError, RecordsUnavailable
from twin.records.cursors import Cursor, read_cursor, record_model, write_cursor
from twin.records.schema import Table


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(records: Records) -> None:
    with records.reading() as unit:
        context = MigrationContext.configure(unit.connection())
        differences = [
            item
            for item in compare_metadata(context, Table.metadata)
            if "alembic_version" not in str(item)
        ]
    assert differences == []


def test_opening_twice_and_at_the_same_time_migrates_once(records_url: str) -> None:
    opened: list[Records] = []
    failed: list[Exception] = []

    def open_it() -> None:
        try:
            opened.append(Records.open(records_url))
        except RecordsUnavailable as error:
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    for records in opened:
        with records.reading() as unit:
            assert unit.scalar(text("SELECT version_num FROM alembic_version")) == "0001"
        records.close()


def test_a_unit_is_all_or_nothing(records: Records) -> None:
    with records.unit() as unit:
        write_cursor(unit, "twin", Cursor("e", 5, {"minute": 7}), 1)

    def half_way() -> None:
        with records.unit() as unit:
            write_cursor(unit, "twin", Cursor("e", 9), 2)
            raise KeyError("half-way")

    with pytest.raises(KeyError):
        half_way()
    with records.reading() as unit:
        assert read_cursor(unit, "twin") == Cursor("e", 5, {"minute": 7})
        assert read_cursor(unit, "other") is None


def test_writers_of_several_threads_wait_for_each_other(records: Records) -> None:
    postgres = records.dialect == "postgresql"
    with records.unit() as unit:
        write_cursor(unit, "count", Cursor("e", 0), 1)

    def add() -> None:
        for _ in range(20):
            with records.unit() as unit:
                # SQLite's unit is alone from its start; PostgreSQL needs a row to lock.
                lock = " FOR UPDATE" if postgres else ""
                count = unit.scalar(text(f"SELECT position FROM cursor{lock}"))
                write_cursor(unit, "count", Cursor("e", int(count or 0) + 1), 1)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with records.reading() as unit:
        cursor = read_cursor(unit, "count")
    assert cursor is not None
    assert cursor.position == 80


def test_sqlite_is_in_wal_mode_fully_synchronous_and_readable_by_its_owner_only(
    tmp_path: Path,
) -> None:
    path = tmp_path / "deep" / "records.db"
    records = Records.open(f"sqlite:///{path}")
    with records.reading() as unit:
        settings: list[Any] = [
            unit.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    records.close()
    assert settings == ["wal", 2, 1, 10_000]
    assert path.stat().st_mode & 0o077 == 0


def test_readers_do_not_wait_for_a_writer_on_sqlite(tmp_path: Path) -> None:
    records = Records.open(f"sqlite:///{tmp_path}/records.db")
    with records.unit() as writer:
        write_cursor(writer, "twin", Cursor("e", 5), 1)
        with records.reading() as reader:
            assert read_cursor(reader, "twin") is None
    records.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://host/db", "SQLite or PostgreSQL"),
        ("sqlite://", "need a file"),
        ("sqlite:///:memory:", "need a file"),
        ("not a url", "not a database URL"),
    ],
)
def test_a_url_that_cannot_work_is_refused_with_the_mend(url: str, words: str) -> None:
    with pytest.raises(RecordsConfigError, match=words):
        Records.open(url)


def test_a_damaged_file_and_an_absent_server_are_named(tmp_path: Path) -> None:
    (tmp_path / "records.db").write_bytes(b"this is no database" * 400)
    with pytest.raises(RecordsUnavailable, match="not a database"):
        Records.open(f"sqlite:///{tmp_path}/records.db")
    with pytest.raises(RecordsUnavailable, match="No such file"):
        Records.open(f"postgresql://x@/db?host={tmp_path}")


def test_a_server_that_went_away_fails_units_until_it_is_back(postgres_server: Postgres) -> None:
    records = Records.open(postgres_server.new_database())
    postgres_server.stop()
    with pytest.raises(RecordsUnavailable), records.unit() as unit:
        write_cursor(unit, "twin", Cursor("e", 5), 1)
    postgres_server.start()
    with records.unit() as unit:
        write_cursor(unit, "twin", Cursor("e", 6), 1)
    records.close()


def test_models_that_were_in_force_are_noted_once(records: Records) -> None:
    with records.unit() as unit:
        assert record_model(unit, "sha256:a", "demo", {"points": 3}, 10)
        assert not record_model(unit, "sha256:a", "demo", {"points": 3}, 20)
        assert record_model(unit, "sha256:b", "demo", {"points": 4}, 30)


def test_a_full_disk_is_unavailability_not_a_defect(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/records.db"
    Records.open(url).close()
    records = Records.open(url)
    with records.reading() as unit:
        pages = unit.scalar(text("PRAGMA page_count"))

    def fill() -> None:
        with records.unit() as unit:
            unit.execute(text(f"PRAGMA max_page_count={pages}"))
            for number in range(200):
                write_cursor(unit, f"consumer {number}", Cursor("e" * 4000, number), 1)
                unit.flush()

    with pytest.raises(RecordsUnavailable, match="full"):
        fill()
    records.close()


def test_a_file_locked_by_another_program_is_unavailability(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    records = Records.open(f"sqlite:///{path}")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with records.reading() as unit:
        unit.execute(text("PRAGMA busy_timeout=50"))
    with pytest.raises(RecordsUnavailable, match="locked"), records.unit() as unit:
        write_cursor(unit, "twin", Cursor("e", 5), 1)
    other.execute("ROLLBACK")
    other.close()
    records.close()


def test_the_migrations_can_be_taken_back(records_url: str) -> None:
    from alembic import command
    from alembic.config import Config

    import twin.records.store as store

    records = Records.open(records_url)
    records.close()
    url = records_url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    config = Config()
    folder = Path(store.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() is None
    engine.dispose()
    Records.open(records_url).close()
