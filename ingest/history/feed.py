"""What changed in the roll-ups and is still to be forwarded: notes in a small SQLite file. A note
names buckets, not values, so the newest values are sent, whenever that is.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from ingest.consume import RetriableError
from ingest.history.protocol import Every
from ingest.small_file import open_or_set_aside

log = structlog.get_logger(__name__)


_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " level TEXT, start INTEGER, end INTEGER, points BLOB)"
)


@dataclass(frozen=True, slots=True)
class Note:
    """Buckets of `level` with start <= bucket < end of these points."""

    level: Every
    start: int
    end: int
    points: NDArray[np.int32]


class RollupFeed:
    """A durable first-in-first-out list of notes. Use from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._db = open_or_set_aside(path, _TABLE, "roll-up feed")

    def add(self, notes: Sequence[Note]) -> None:
        """Append durably; raises `RetriableError` when the disk refuses."""
        if not notes:
            return
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(
                    "INSERT INTO notes (level, start, end, points) VALUES (?,?,?,?)",
                    [(n.level, n.start, n.end, n.points.astype("<i4").tobytes()) for n in notes],
                )
                self._db.execute("COMMIT")
            except sqlite3.OperationalError as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise RetriableError(f"{self.path}: {error}") from error

    def take(self, limit: int) -> list[tuple[int, Note]]:
        """The oldest notes with their ids; they stay until `done`. Raises `RetriableError`."""
        with self._lock:
            try:
                rows = self._db.execute(
                    "SELECT id, level, start, end, points FROM notes ORDER BY id LIMIT ?", (limit,)
                ).fetchall()
            except sqlite3.OperationalError as error:
                raise RetriableError(f"{self.path}: {error}") from error
        return [
            (number, Note(level, start, end, np.frombuffer(points, "<i4").astype(np.int32)))
            for number, level, start, end, points in rows
        ]

    def done(self, up_to: int) -> None:
        """Forget notes up to this id; raises `RetriableError` when the disk refuses."""
        with self._lock:
            try:
                self._db.execute("DELETE FROM notes WHERE id <= ?", (up_to,))
            except sqlite3.OperationalError as error:
                raise RetriableError(f"{self.path}: {error}") from error

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM notes").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
