"""The quarantine: what arrived and could not be stored, byte for byte, with the reason.

Owns the rows and their cap. A source may hold `CAP_ROWS` rows and `CAP_BYTES` bytes; beyond it the
oldest released rows go first, then the oldest others. The ledger's counts are not touched by that:
what was dropped here is still counted there. One raw value is kept up to `MAX_RAW` bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ingest.ledger import Rejected

CAP_ROWS: Final = 10_000
CAP_BYTES: Final = 16 * 1024 * 1024
MAX_RAW: Final = 64 * 1024

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, box TEXT NOT NULL,
    sequence INTEGER NOT NULL, topic TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL,
    raw BLOB NOT NULL, at INTEGER NOT NULL, shift INTEGER NOT NULL,
    whole INTEGER NOT NULL, released INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS quarantine_source ON quarantine (source, released, id);
"""
_COLUMNS = "id, at, source, box, sequence, topic, code, reason, raw, shift, whole, released"


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """One quarantined item or message; `at` is when it arrived (Unix ms)."""

    id: int
    at: int
    source: str
    box: str
    sequence: int
    topic: str
    code: str
    reason: str
    raw: bytes
    shift: int
    whole: bool
    released: bool


class Quarantine:
    """Writes and caps quarantine rows inside the journal's transactions."""

    def __init__(self, cap_rows: int = CAP_ROWS, cap_bytes: int = CAP_BYTES) -> None:
        self.cap_rows = cap_rows
        self.cap_bytes = cap_bytes
        self._held: dict[str, tuple[int, int]] = {}

    def load(self, db: sqlite3.Connection) -> None:
        """Read what each source holds; after opening and after a failed commit."""
        query = "SELECT source, count(*), sum(length(raw)) FROM quarantine GROUP BY source"
        self._held = {source: (rows, size) for source, rows, size in db.execute(query)}

    def held(self) -> dict[str, tuple[int, int]]:
        """Rows and bytes per source."""
        return self._held.copy()

    def write(self, db: sqlite3.Connection, rejected: Iterable[Rejected]) -> None:
        """Insert rows; sources over their cap lose their oldest ones."""
        touched: set[str] = set()
        rows = []
        for r in rejected:
            raw = r.raw[:MAX_RAW]
            rows.append(
                (
                    r.source,
                    r.box,
                    r.sequence,
                    r.topic,
                    r.code,
                    r.reason,
                    raw,
                    r.at,
                    r.shift,
                    r.whole,
                )
            )
            count, size = self._held.get(r.source, (0, 0))
            self._held[r.source] = (count + 1, size + len(raw))
            touched.add(r.source)
        db.executemany(
            "INSERT INTO quarantine (source, box, sequence, topic, code, reason, raw, at,"
            " shift, whole) VALUES (?,?,?,?,?,?,?,?,?,?)",
            rows,
        )
        for source in touched:
            self._cap(db, source)

    def _cap(self, db: sqlite3.Connection, source: str) -> None:
        count, size = self._held[source]
        if count <= self.cap_rows and size <= self.cap_bytes:
            return
        # An eighth below the cap, so that a flood does not prune at every commit.
        rows_over = count - self.cap_rows * 7 // 8
        bytes_over = size - self.cap_bytes * 7 // 8
        drop: list[int] = []
        oldest = db.execute(
            "SELECT id, length(raw) FROM quarantine WHERE source = ? ORDER BY released DESC, id",
            (source,),
        )
        for number, length in oldest:
            if rows_over <= 0 and bytes_over <= 0:
                break
            drop.append(number)
            rows_over, bytes_over = rows_over - 1, bytes_over - length
            count, size = count - 1, size - length
        oldest.close()
        db.executemany("DELETE FROM quarantine WHERE id = ?", [(number,) for number in drop])
        self._held[source] = (count, size)


def mark_released(db: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Note that these rows were decoded after all; they stay for the record until capped."""
    db.executemany("UPDATE quarantine SET released = 1 WHERE id = ?", [(i,) for i in ids])


def _row(r: tuple[int, int, str, str, int, str, str, str, bytes, int, int, int]) -> QuarantineRow:
    return QuarantineRow(*r[:10], whole=bool(r[10]), released=bool(r[11]))


def select(
    db: sqlite3.Connection, after: int = 0, limit: int = 100, source: str | None = None
) -> list[QuarantineRow]:
    """Rows with an id above `after`, oldest first."""
    query = f"SELECT {_COLUMNS} FROM quarantine WHERE id > ?"
    arguments: list[object] = [after]
    if source is not None:
        query += " AND source = ?"
        arguments.append(source)
    query += " ORDER BY id LIMIT ?"
    return [_row(r) for r in db.execute(query, (*arguments, limit))]


def by_ids(db: sqlite3.Connection, ids: Sequence[int]) -> list[QuarantineRow]:
    """Unreleased rows among `ids`, oldest first."""
    marks = ",".join("?" * len(ids))
    query = f"SELECT {_COLUMNS} FROM quarantine WHERE released = 0 AND id IN ({marks}) ORDER BY id"
    return [_row(r) for r in db.execute(query, list(ids))]
