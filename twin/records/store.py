"""Opens the records database and hands out units of work, each one transaction.

Owns connections, durability settings and migrations. What is written in a unit belongs to the
other modules of this package, which take the unit as their first argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

Unit = Session
"""A unit of work: everything done with it is committed together, or not at all."""

_BUSY_MS = 10_000
_MIGRATION_LOCK = 0x5041524B  # any fixed number: two nodes starting at once migrate one by one


class RecordsConfigError(Exception):
    """The records URL cannot be used as it is; says what to write instead."""


class RecordsUnavailable(Exception):
    """The database did not answer or refused the transaction; nothing of the unit was kept.

    Retriable: the same unit may be tried again.
    """


class Records:
    """The records database. Any thread; each unit has its own connection from a small pool."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> Records:
        """Connect, and bring the tables up to date.

        url: ``sqlite:////path/to/records.db`` or ``postgresql://user:password@host/name``.
        Raises `RecordsConfigError` for a URL we do not serve, `RecordsUnavailable` otherwise.
        """
        target = _target(url)
        engine = _sqlite(target) if target.get_backend_name() == "sqlite" else _postgres(target)
        try:
            with engine.begin() as connection:
                _migrate(connection)
        except SQLAlchemyError as error:
            engine.dispose()
            raise RecordsUnavailable(f"records database {target!r}: {_reason(error)}") from error
        return cls(engine)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        """One writing transaction: committed durably at the end, rolled back on any exception.

        SQLite takes its write lock at the start, so a unit never fails half-way for a lock.
        Raises `RecordsUnavailable` when the database fails.
        """
        with self._session(self._engine) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Unit]:
        """A transaction that only reads; it never waits for a writer on SQLite."""
        with self._session(self._engine.execution_options(parktwin_read=True)) as session:
            yield session

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        session = Session(engine, expire_on_commit=False)
        try:
            with session, session.begin():
                yield session
        except (DBAPIError, PoolTimeout) as error:
            if isinstance(error, DBAPIError) and _our_fault(error):
                raise
            raise RecordsUnavailable(_reason(error)) from error


def _our_fault(error: DBAPIError) -> bool:
    """A broken constraint or statement is a defect or a conflict, not an outage."""
    return type(error).__name__ in {"IntegrityError", "ProgrammingError", "DataError"}


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__


def _target(url: str) -> URL:
    try:
        target = make_url(url)
    except ArgumentError as error:
        raise RecordsConfigError(
            f"not a database URL: {url!r}; write sqlite:////path/records.db "
            "or postgresql://user:password@host/name"
        ) from error
    backend = target.drivername.split("+")[0]
    if backend == "sqlite":
        if not target.database or target.database == ":memory:":
            raise RecordsConfigError("records need a file: write sqlite:////path/records.db")
        return target.set(drivername="sqlite")
    if backend in {"postgresql", "postgres"}:
        return target.set(drivername="postgresql+psycopg")
    raise RecordsConfigError(
        f"records are kept in SQLite or PostgreSQL, not in {backend!r}; write "
        "sqlite:////path/records.db or postgresql://user:password@host/name"
    )


def _sqlite(target: URL) -> Engine:
    assert target.database is not None
    path = Path(target.database)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # password hashes are nobody else's to read
    engine = create_engine(target, pool_size=4, max_overflow=8)

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; `_begin` does
        for line in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            f"PRAGMA busy_timeout={_BUSY_MS}",
            "PRAGMA foreign_keys=ON",
        ):
            connection.execute(line)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read = connection.get_execution_options().get("parktwin_read")
        connection.exec_driver_sql("BEGIN" if read else "BEGIN IMMEDIATE")

    return engine


def _postgres(target: URL) -> Engine:
    return create_engine(
        target,
        pool_size=4,
        max_overflow=8,
        pool_pre_ping=True,  # a restarted server must not cost the next unit
        connect_args={"connect_timeout": 5, "application_name": "parktwin"},
    )


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
