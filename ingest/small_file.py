"""Small SQLite files that can be made anew: opened, or set aside when they are damaged."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


def open_or_set_aside(path: Path, table: str, what: str) -> sqlite3.Connection:
    """The database at `path` with `table` (a CREATE TABLE IF NOT EXISTS); each commit is durable.

    A damaged file is moved aside and begun anew; `what` names it in the log. Any thread may use the
    connection. Raises `sqlite3.OperationalError` when it is locked or the disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _open(path, table)
    except sqlite3.OperationalError:
        raise  # locked, disk full, no rights: not damage
    except sqlite3.DatabaseError as error:
        aside = path.with_name(f"{path.name}.damaged-{time.time_ns() // 1_000_000}")
        path.rename(aside)
        for leaf in ("-wal", "-shm"):
            path.with_name(path.name + leaf).unlink(missing_ok=True)
        log.error(f"{what} is damaged; starting over", moved_to=str(aside), why=str(error))
        return _open(path, table)


def _open(path: Path, table: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute(table)
        verdict = db.execute("PRAGMA quick_check").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(str(verdict))
    except BaseException:
        db.close()
        raise
    return db
