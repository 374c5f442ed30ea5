"""Tables and statements of the journal's SQLite file; `ingest.journal` owns when they run."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from ingest import quarantine
from ingest.clock import ClockMemory
from ingest.ledger import Box, Loss

VERSION: Final = "1"
PAGE_SIZE: Final = 4096  # a small commit writes whole pages: small ones spare the disk

_TABLES: Final = (
    """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS points (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS groups (
    start INTEGER PRIMARY KEY, n INTEGER NOT NULL, received_at INTEGER NOT NULL,
    blob BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS boxes (
    number INTEGER PRIMARY KEY, source TEXT NOT NULL, box TEXT NOT NULL, kind TEXT NOT NULL,
    first INTEGER NOT NULL, committed INTEGER NOT NULL, stored INTEGER NOT NULL,
    quarantined INTEGER NOT NULL, lost INTEGER NOT NULL, missing INTEGER NOT NULL,
    duplicates INTEGER NOT NULL, corrections INTEGER NOT NULL, refused INTEGER NOT NULL,
    last_received_at INTEGER NOT NULL, gaps TEXT NOT NULL, UNIQUE (source, box));
CREATE TABLE IF NOT EXISTS losses (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, box TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
    at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clocks (
    gateway TEXT PRIMARY KEY, boot INTEGER NOT NULL, uptime INTEGER NOT NULL) WITHOUT ROWID;
"""
    + quarantine.SCHEMA
)

_INSERT_BOX: Final = (
    "INSERT INTO boxes (kind, first, committed, stored, quarantined, lost, missing, duplicates,"
    " corrections, refused, last_received_at, gaps, number, source, box)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_UPDATE_BOX: Final = (
    "UPDATE boxes SET kind = ?, first = ?, committed = ?, stored = ?, quarantined = ?, lost = ?,"
    " missing = ?, duplicates = ?, corrections = ?, refused = ?, last_received_at = ?, gaps = ?"
    " WHERE number = ?"
)


def connect(path: Path, synchronous: str, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode; raises `sqlite3.Error`."""
    db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        if read_only:
            db.execute("PRAGMA query_only = ON")
        else:
            db.execute(f"PRAGMA page_size = {PAGE_SIZE}")
            db.execute("PRAGMA journal_mode = WAL").fetchone()
            db.execute(f"PRAGMA synchronous = {synchronous}")
            db.execute("PRAGMA wal_autocheckpoint = 2000")
            db.execute("PRAGMA journal_size_limit = 67108864").fetchone()
    except sqlite3.Error:
        db.close()
        raise
    return db


def prepare(db: sqlite3.Connection, new_epoch: Callable[[], str]) -> str:
    """Create what is missing; returns the epoch made when the journal was created."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
        db.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
    with db:
        db.execute("BEGIN IMMEDIATE")
        rows = (
            ("version", VERSION),
            ("epoch", new_epoch()),
            ("created_at", str(time.time_ns() // 1_000_000)),
        )
        db.executemany("INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)", rows)
    meta: dict[str, str] = dict(db.execute("SELECT key, value FROM meta"))
    if meta["version"] != VERSION:
        raise ValueError(f"journal format {meta['version']}; this program reads {VERSION}")
    return meta["epoch"]


def load_points(db: sqlite3.Connection) -> list[str]:
    """Point ids by number."""
    return [row[0] for row in db.execute("SELECT id FROM points ORDER BY number")]


def load_boxes(db: sqlite3.Connection) -> list[Box]:
    """Every account."""
    rows = db.execute(
        "SELECT number, source, box, kind, first, committed, stored, quarantined, lost, missing,"
        " duplicates, corrections, refused, last_received_at, gaps FROM boxes"
    )
    return [Box(*(*row[:14], _gaps(row[14]))) for row in rows]


def _gaps(text: str) -> tuple[tuple[int, int], ...]:
    spans = (part.split("-") for part in text.split())
    return tuple((int(low), int(high)) for low, high in spans)


def write_boxes(db: sqlite3.Connection, boxes: Iterable[Box], first_new: int) -> None:
    """Write accounts whole; those numbered from `first_new` on are new rows.

    An update leaves the index of names alone: with thousands of sources it is most of the pages.
    """
    old, new = [], []
    for b in boxes:
        row = (
            b.kind,
            b.first,
            b.committed,
            b.stored,
            b.quarantined,
            b.lost,
            b.missing,
            b.duplicates,
            b.corrections,
            b.refused,
            b.last_received_at,
            " ".join(f"{low}-{high}" for low, high in b.gaps) if b.gaps else "",
            b.number,
        )
        if b.number >= first_new:
            new.append((*row, b.source, b.name))
        else:
            old.append(row)
    if old:
        db.executemany(_UPDATE_BOX, old)
    if new:
        db.executemany(_INSERT_BOX, new)


def load_range(db: sqlite3.Connection) -> tuple[int, int]:
    """(next ordinal, first ordinal kept)."""
    last = db.execute("SELECT start + n FROM groups ORDER BY start DESC LIMIT 1").fetchone()
    first = db.execute("SELECT start FROM groups ORDER BY start LIMIT 1").fetchone()
    return (last[0] if last else 0, first[0] if first else 0)


def insert_group(db: sqlite3.Connection, start: int, n: int, received_at: int, blob: bytes) -> None:
    """One group; fails when the ordinal is taken."""
    db.execute("INSERT INTO groups VALUES (?,?,?,?)", (start, n, received_at, blob))


def select_groups(
    db: sqlite3.Connection, start: int, limit: int | None
) -> Iterator[tuple[int, int, bytes]]:
    """(start, n, blob) from the group that holds ordinal `start` on, up to `limit` readings."""
    holder = db.execute("SELECT max(start) FROM groups WHERE start <= ?", (start,)).fetchone()[0]
    rows = db.execute(
        "SELECT start, n, blob FROM groups WHERE start >= ? ORDER BY start",
        (start if holder is None else holder,),
    )
    count = 0
    try:
        for at, n, blob in rows:
            if at + n <= start:
                continue
            yield at, n, blob
            count += at + n - max(at, start)
            if limit is not None and count >= limit:
                return
    finally:
        rows.close()


def delete_groups(db: sqlite3.Connection, keep_from: int, received_before: int) -> int:
    """Delete old groups in front of the first one to keep, never the newest; readings deleted."""
    keep = db.execute(
        "SELECT min(start) FROM groups WHERE start + n > ? OR received_at >= ?"
        " OR start = (SELECT max(start) FROM groups)",
        (keep_from, received_before),
    ).fetchone()[0]
    if keep is None:
        return 0
    gone: int = db.execute(
        "SELECT coalesce(sum(n), 0) FROM groups WHERE start < ?", (keep,)
    ).fetchone()[0]
    db.execute("DELETE FROM groups WHERE start < ?", (keep,))
    return gone


def insert_losses(db: sqlite3.Connection, losses: Sequence[Loss]) -> None:
    """Append ranges."""
    db.executemany(
        "INSERT INTO losses (source, box, first, last, kind, reason, at) VALUES (?,?,?,?,?,?,?)",
        [(x.source, x.box, x.first, x.last, x.kind, x.reason, x.at) for x in losses],
    )


def select_losses(db: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, Loss]]:
    """(id, range), oldest first."""
    rows = db.execute(
        "SELECT id, source, box, first, last, kind, reason, at FROM losses WHERE id > ?"
        " ORDER BY id LIMIT ?",
        (after, limit),
    )
    return [(row[0], Loss(*row[1:])) for row in rows]


def load_clocks(db: sqlite3.Connection) -> dict[str, ClockMemory]:
    """What is known of gateway clocks."""
    rows = db.execute("SELECT gateway, boot, uptime FROM clocks")
    return {gateway: ClockMemory(boot, uptime) for gateway, boot, uptime in rows}


def upsert_clocks(db: sqlite3.Connection, clocks: Mapping[str, ClockMemory]) -> None:
    """Keep what is known of gateway clocks."""
    db.executemany(
        "INSERT OR REPLACE INTO clocks (gateway, boot, uptime) VALUES (?,?,?)",
        [(gateway, clock.boot, clock.uptime) for gateway, clock in clocks.items()],
    )
