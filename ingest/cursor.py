"""Durable marks of consumers whose effect is not in a database of their own: one small SQLite
file with a number per name. A damaged file is moved aside: consumers then begin again at the
oldest reading of the journal, and because every effect is idempotent that costs time only.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import structlog

from ingest.consume import RetriableError

log = structlog.get_logger(__name__)


class Cursors:
    """Named int64 marks; `set` returns after they are on disk. Use from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = self._open()
        except sqlite3.OperationalError:
            raise  # locked, disk full, no rights: not damage
        except sqlite3.DatabaseError as error:
            aside = path.with_name(f"{path.name}.damaged-{time.time_ns() // 1_000_000}")
            path.rename(aside)
            for leaf in ("-wal", "-shm"):
                path.with_name(path.name + leaf).unlink(missing_ok=True)
            log.error("cursor file is damaged; starting over", moved_to=str(aside), why=str(error))
            self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute(
                "CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, position INTEGER)"
            )
            verdict = db.execute("PRAGMA quick_check").fetchone()[0]
            if verdict != "ok":
                raise sqlite3.DatabaseError(str(verdict))
        except BaseException:
            db.close()
            raise
        return db

    def get(self, name: str, default: int = 0) -> int:
        """The mark `name`, `default` when it was never set."""
        with self._lock:
            row = self._db.execute(
                "SELECT position FROM cursors WHERE name = ?", (name,)
            ).fetchone()
        return default if row is None else int(row[0])

    def set(self, **marks: int) -> None:
        """Make these marks durable together; raises `RetriableError` when the disk refuses."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(
                    "INSERT INTO cursors VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET position = excluded.position",
                    list(marks.items()),
                )
                self._db.execute("COMMIT")
            except sqlite3.OperationalError as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise RetriableError(f"{self.path}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
