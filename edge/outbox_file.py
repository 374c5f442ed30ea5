"""The outbox on disk: boxes of sequenced readings in one SQLite file, one transaction a commit.

Owns schema, bounds and marks; it has no threads and reads no clock. A commit that returned is on
disk (WAL, synchronous=FULL).
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from edge.config import OutboxLimits
from edge.parcel import Chunk

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS boxes(
    box TEXT PRIMARY KEY, opened_at INTEGER NOT NULL, sealed INTEGER NOT NULL,
    acked INTEGER NOT NULL, newest INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS rows(
    id INTEGER PRIMARY KEY, box TEXT NOT NULL, first INTEGER NOT NULL, n INTEGER NOT NULL,
    at INTEGER NOT NULL, reason TEXT, blob BLOB);
CREATE UNIQUE INDEX IF NOT EXISTS rows_by_sequence ON rows(box, first);
"""
OVERFLOW: Final = "overflow"
_BATCH: Final = 32


class BoxMark(NamedTuple):
    """One box: sequences oldest..newest are kept, up to `acked` the platform has committed."""

    box: str
    opened_at: int
    oldest: int
    newest: int
    acked: int
    sealed: bool


class Changes(NamedTuple):
    """What one commit does, in this order: marks, epoch, seal, declared loss, readings."""

    chunks: Sequence[Chunk] = ()
    lost: int = 0
    marks: Mapping[str, int] = {}
    epoch: str = ""
    seal: bool = False


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection as the outbox uses it; it may move between threads but not be shared."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA journal_size_limit=4194304")
    if read_only:
        connection.execute("PRAGMA query_only=ON")
    return connection


def new_box(now_ms: int) -> str:
    """A box id that never comes again, reinstalled gateways included."""
    return f"{now_ms:x}-{secrets.token_hex(5)}"


class OutboxFile:
    """One open outbox file; every method belongs to one thread."""

    def __init__(self, path: Path, limits: OutboxLimits) -> None:
        """Open or create; raises sqlite3.Error when the file is damaged (see `outbox_repair`)."""
        self.path = path
        self._limit = limits.max_mb * 1_000_000
        self._drop = limits.when_full == "drop_oldest"
        self._retain_ms = int(limits.retain_hours * 3_600_000)
        self._next_trim_ms = 0
        fresh = not path.exists()
        self._db = connect(path)
        try:
            self._db.executescript(_SCHEMA)
            if fresh:
                _sync_folder(path.parent)
            self.boxes: dict[str, BoxMark] = {}
            self.live = ""
            self.full = False
            self._load()
            self.used = self._used()
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """Close; nothing is pending, because every commit is already on disk."""
        self._db.close()

    def rewrite(self) -> None:
        """Write every page of the log again and sync it: those of a failed sync may be lost.

        Raises sqlite3.Error, and closes, when the disk does not take them.
        """
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error:
            self._db.close()
            raise

    @property
    def epoch(self) -> str:
        """The platform's ledger epoch that the marks belong to; empty before the first ack."""
        row = self._db.execute("SELECT value FROM meta WHERE key='epoch'").fetchone()
        return str(row[0]) if row else ""

    def _load(self) -> None:
        """Earlier boxes are sealed: a sequence that a torn disk forgot is never given out again."""
        with self._transaction():
            self._db.execute("UPDATE boxes SET sealed=1")
        for box, opened, acked, newest in self._db.execute(
            "SELECT box, opened_at, acked, newest FROM boxes ORDER BY opened_at, rowid"
        ).fetchall():
            first, last = self._db.execute(
                "SELECT min(first), max(first + n) - 1 FROM rows WHERE box=?", (box,)
            ).fetchone()
            newest = max(newest, last or 0)
            oldest = newest + 1 if first is None else first
            self.boxes[box] = BoxMark(box, opened, oldest, newest, acked, True)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def write(self, changes: Changes, now_ms: int) -> int:
        """One commit; when it returns all of it is on disk, when it raises nothing of it is.

        Returns how many readings it declared lost to make room. Raises sqlite3.Error (disk full,
        I/O error).
        """
        boxes, live = dict(self.boxes), self.live
        with self._transaction():
            if changes.epoch:
                self._db.execute("REPLACE INTO meta VALUES('epoch', ?)", (changes.epoch,))
            for box, acked in changes.marks.items():
                if box in boxes:
                    mark = boxes[box]
                    boxes[box] = mark._replace(acked=min(max(acked, 0), mark.newest))
            if changes.seal and live:
                boxes[live] = boxes[live]._replace(sealed=True)
                live = ""
            if changes.lost or changes.chunks:
                live = self._insert(changes, boxes, live, now_ms)
            if now_ms >= self._next_trim_ms or changes.marks:
                self._trim(boxes, live, now_ms)
            used, dropped, full = self._make_room(boxes)
            for box, mark in boxes.items():
                if self.boxes.get(box) != mark:
                    self._db.execute(
                        "INSERT INTO boxes VALUES(?, ?, ?, ?, ?) ON CONFLICT(box) DO UPDATE SET"
                        " sealed=excluded.sealed, acked=excluded.acked, newest=excluded.newest",
                        (box, mark.opened_at, mark.sealed, mark.acked, mark.newest),
                    )
        self.boxes, self.live = boxes, live
        self.used, self.full = used, full
        if now_ms >= self._next_trim_ms:
            self._next_trim_ms = now_ms + 5000
        return dropped

    def _insert(self, changes: Changes, boxes: dict[str, BoxMark], live: str, now_ms: int) -> str:
        if not live:
            live = new_box(now_ms)
            boxes[live] = BoxMark(live, now_ms, 1, 0, 0, False)
        mark = boxes[live]
        next_sequence = mark.newest + 1
        rows: list[tuple[str, int, int, int, str | None, bytes | None]] = []
        if changes.lost:
            rows.append((live, next_sequence, changes.lost, now_ms, OVERFLOW, None))
            next_sequence += changes.lost
        for chunk in changes.chunks:
            rows.append((live, next_sequence, chunk.n, now_ms, None, chunk.blob))
            next_sequence += chunk.n
        self._db.executemany(
            "INSERT INTO rows(box, first, n, at, reason, blob) VALUES(?, ?, ?, ?, ?, ?)", rows
        )
        boxes[live] = mark._replace(newest=next_sequence - 1)
        return live

    def _trim(self, boxes: dict[str, BoxMark], live: str, now_ms: int) -> None:
        """Delete acknowledged rows past their retention, then boxes that hold nothing."""
        for box, mark in list(boxes.items()):
            if mark.acked >= mark.oldest:
                self._db.execute(
                    "DELETE FROM rows WHERE box=? AND first<=? AND first+n-1<=? AND at<=?",
                    (box, mark.acked, mark.acked, now_ms - self._retain_ms),
                )
                boxes[box] = mark = self._aged(mark)
            if mark.sealed and box != live and mark.oldest > mark.newest <= mark.acked:
                self._db.execute("DELETE FROM boxes WHERE box=?", (box,))
                del boxes[box]

    def _aged(self, mark: BoxMark) -> BoxMark:
        first = self._db.execute("SELECT min(first) FROM rows WHERE box=?", (mark.box,)).fetchone()
        return mark._replace(oldest=mark.newest + 1 if first[0] is None else first[0])

    def _used(self) -> int:
        pages = self._db.execute("PRAGMA page_count").fetchone()[0]
        free = self._db.execute("PRAGMA freelist_count").fetchone()[0]
        size = self._db.execute("PRAGMA page_size").fetchone()[0]
        return int((pages - free) * size)

    def _make_room(self, boxes: dict[str, BoxMark]) -> tuple[int, int, bool]:
        """Keep within the limit: kept acknowledged rows go first, then by policy the oldest.

        Returns (bytes used, readings declared lost, full).
        """
        dropped = 0
        while (used := self._used()) > self._limit:
            if self._forget_acknowledged(boxes):
                continue
            if not self._drop:
                return used, dropped, True
            lost = self._drop_oldest(boxes)
            if not lost:
                break
            dropped += lost
        return used, dropped, self.full and not self._drop and used > self._limit * 0.95

    def _forget_acknowledged(self, boxes: dict[str, BoxMark]) -> bool:
        for box, mark in boxes.items():
            if mark.acked < mark.oldest:
                continue
            gone = self._db.execute(
                "DELETE FROM rows WHERE id IN (SELECT id FROM rows WHERE box=? AND first<=?"
                " AND first+n-1<=? ORDER BY first LIMIT ?)",
                (box, mark.acked, mark.acked, _BATCH),
            ).rowcount
            if gone:
                boxes[box] = self._aged(mark)
                return True
        return False

    def _drop_oldest(self, boxes: dict[str, BoxMark]) -> int:
        """Replace the oldest rows by a declared loss in their own sequence."""
        dropped = 0
        for key, box, first, n, at in self._db.execute(
            "SELECT id, box, first, n, at FROM rows WHERE reason IS NULL ORDER BY id LIMIT ?",
            (_BATCH,),
        ).fetchall():
            self._db.execute("DELETE FROM rows WHERE id=?", (key,))
            begin = max(first, boxes[box].acked + 1)
            lost = first + n - begin
            merged = self._db.execute(
                "UPDATE rows SET n=n+? WHERE box=? AND first=(SELECT max(first) FROM rows"
                " WHERE box=? AND first<?) AND first+n=? AND reason=?",
                (lost, box, box, begin, begin, OVERFLOW),
            ).rowcount
            if not merged:
                self._db.execute(
                    "INSERT INTO rows(box, first, n, at, reason) VALUES(?, ?, ?, ?, ?)",
                    (box, begin, lost, at, OVERFLOW),
                )
                boxes[box] = self._aged(boxes[box])
            dropped += lost
        return dropped


def _sync_folder(folder: Path) -> None:
    """Make the new file's directory entry durable too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
