"""Opens the outbox, and when its file is damaged moves it aside and recovers what can be read.

Owns the check at start and the report of what was lost; the damaged file is kept for inspection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.config import OutboxLimits
from edge.outbox_file import OutboxFile, connect
from edge.parcel import Damaged, count, unpack

_PROBES: Final = 2_000_000
_COLUMNS: Final = "id, box, first, n, at, reason, blob"


@dataclass(frozen=True, slots=True)
class Repair:
    """What happened to a damaged file: where it lies now, what came back, what was declared."""

    moved_to: Path
    problem: str
    rows: int
    readings: int
    declared_lost: int


def open_outbox(path: Path, limits: OutboxLimits, now_ms: int) -> tuple[OutboxFile, Repair | None]:
    """Open the outbox file; a damaged one is moved aside, recovered, and reported."""
    problem = _damage(path)
    if not problem:
        try:
            return OutboxFile(path, limits), None
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # no rights, disk full: not damage
            problem = str(error)
    aside = _move_aside(path, now_ms)
    OutboxFile(path, limits).close()  # makes the tables
    with closing(connect(path)) as target:
        rows, readings, lost = _recover(aside, target)
    return OutboxFile(path, limits), Repair(aside, problem, rows, readings, lost)


def _damage(path: Path) -> str:
    """What PRAGMA quick_check says, or empty when the file is sound or absent."""
    if not path.exists():
        return ""
    try:
        with closing(connect(path)) as database:
            answer = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if "disk I/O" in str(error) or "malformed" in str(error):
            return str(error)
        raise
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if answer == "ok" else answer


def _move_aside(path: Path, now_ms: int) -> Path:
    aside = path.with_name(f"{path.stem}.damaged-{now_ms}{path.suffix}")
    for suffix in ("", "-wal"):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{aside}{suffix}")
    Path(f"{path}-shm").unlink(missing_ok=True)
    return aside


def _recover(source: Path, target: sqlite3.Connection) -> tuple[int, int, int]:
    """Copy every readable row and mark; declare what is missing between them as lost.

    Returns (rows, readings, sequences declared lost).
    """
    rows = readings = 0
    target.execute("BEGIN IMMEDIATE")
    try:
        with closing(connect(source)) as damaged:
            marks = _marks(damaged)
            for row in _rows(damaged):
                if _sound(row):
                    target.execute("INSERT OR IGNORE INTO rows VALUES(?, ?, ?, ?, ?, ?, ?)", row)
                    rows += 1
                    readings += row[3] if row[5] is None else 0
            epoch = _try(damaged, "SELECT value FROM meta WHERE key='epoch'", ())
    except sqlite3.DatabaseError:
        marks, epoch = {}, []  # not even a database any more: nothing to recover
    for value in epoch:
        target.execute("REPLACE INTO meta VALUES('epoch', ?)", value)
    lost = _declare(target, marks)
    target.execute("COMMIT")
    return rows, readings, lost


def _try(database: sqlite3.Connection, query: str, values: tuple[object, ...]) -> list[Any]:
    try:
        return database.execute(query, values).fetchall()
    except sqlite3.DatabaseError:
        return []


def _marks(damaged: sqlite3.Connection) -> dict[str, tuple[int, int, int]]:
    """box -> (opened_at, acked, newest), as far as they can be read."""
    query = "SELECT box, opened_at, acked, newest FROM boxes"
    return {
        str(box): (int(opened), int(acked), int(newest))
        for box, opened, acked, newest in _try(damaged, query, ())
    }


def _rows(damaged: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Rows by id from below, from above, and one by one between where both ways break off."""
    low, high = 0, 1 << 62
    for order, compare in (("ASC", ">"), ("DESC", "<")):
        while True:
            edge = low if order == "ASC" else high
            query = (
                f"SELECT {_COLUMNS} FROM rows NOT INDEXED WHERE id{compare}?"
                f" ORDER BY id {order} LIMIT 1"
            )
            try:
                row = damaged.execute(query, (edge,)).fetchone()
            except sqlite3.DatabaseError:
                break
            if row is None or not low < row[0] < high:
                if order == "ASC":
                    return  # reached the end from below: all has been read
                break
            yield row
            if order == "ASC":
                low = row[0]
            else:
                high = row[0]
    if high < 1 << 62:
        for key in range(low + 1, min(high, low + _PROBES)):
            yield from _try(damaged, f"SELECT {_COLUMNS} FROM rows WHERE id=?", (key,))


def _sound(row: tuple[Any, ...]) -> bool:
    _, box, first, n, _, reason, blob = row
    if not isinstance(box, str) or not isinstance(first, int) or not isinstance(n, int) or n < 1:
        return False
    if reason is not None:
        return isinstance(reason, str)
    try:
        return isinstance(blob, bytes) and count(unpack(blob)) == n
    except Damaged:
        return False


def _declare(target: sqlite3.Connection, marks: dict[str, tuple[int, int, int]]) -> int:
    """Write the recovered boxes, and a loss ``damaged`` for each hole after their acked mark."""
    found: dict[str, list[tuple[int, int, int]]] = {box: [] for box in marks}
    for box, first, n, at in target.execute(
        "SELECT box, first, n, at FROM rows ORDER BY box, first"
    ).fetchall():
        found.setdefault(box, []).append((first, n, at))
    total = 0
    for box, rows in found.items():
        first_at = rows[0][2] if rows else 0
        opened, acked, newest = marks.get(box, (first_at, rows[0][0] - 1 if rows else 0, 0))
        begin, holes = acked + 1, []
        for first, n, _ in rows:
            if first > begin:
                holes.append((begin, first - begin))
            begin = max(begin, first + n)
        if newest >= begin:
            holes.append((begin, newest - begin + 1))
        newest = max(newest, begin - 1)
        for first, n in holes:
            target.execute(
                "INSERT INTO rows(box, first, n, at, reason) VALUES(?, ?, ?, ?, 'damaged')",
                (box, first, n, opened),
            )
            total += n
        target.execute("REPLACE INTO boxes VALUES(?, ?, 1, ?, ?)", (box, opened, acked, newest))
    return total
