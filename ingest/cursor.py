"""Durable marks of consumers whose effect is not in a database of their own: one small SQLite
file with a number per name. A damaged file is moved aside: consumers then begin again at the
oldest reading of the journal, and because every effect is idempotent that costs time only.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Final

import structlog

from ingest.consume import RetriableError
from ingest.small_file import open_or_set_aside

log = structlog.get_logger(__name__)


_TABLE: Final = "CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, position INTEGER)"


class Cursors:
    """Named int64 marks; `set` returns after they are on disk. Use from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._db = open_or_set_aside(path, _TABLE, "cursor file")

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
