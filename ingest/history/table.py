"""Rows sorted by (point, time) with their points: the one shape in which history moves.

A row is a NumPy record that begins with `ts`; `points` is a parallel int32 array. Of rows with
the same (point, ts) the one that came last wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.void]

RAW_ROW: Final = np.dtype([("ts", "<i8"), ("value", "<f8"), ("quality", "u1")])
BUCKET_ROW: Final = np.dtype(
    [
        ("ts", "<i8"),
        ("covered_ms", "<i8"),
        ("count", "<i4"),
        ("good", "<i4"),
        ("minimum", "<f8"),
        ("maximum", "<f8"),
        ("last", "<f8"),
        ("mean", "<f8"),
        ("increment", "<f8"),
        ("flags", "u1"),
        ("revision", "<i4"),
    ]
)


class Table(NamedTuple):
    """`points` int32 (n,), `rows` records (n,), sorted by (point, ts), no key twice."""

    points: NDArray[np.int32]
    rows: Rows

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.points)

    def between(self, start: int, end: int) -> Table:
        """Rows with start <= ts < end."""
        ts = self.rows["ts"]
        keep = (ts >= start) & (ts < end)
        return self if keep.all() else Table(self.points[keep], self.rows[keep])


def empty(dtype: np.dtype[Any]) -> Table:
    """No rows."""
    return Table(np.empty(0, np.int32), np.empty(0, dtype))


def order(points: NDArray[np.int32], ts: NDArray[np.int64]) -> NDArray[np.intp]:
    """Indices that sort by (point, ts) and keep, of equal keys, the last one only."""
    if not len(points):
        return np.empty(0, np.intp)
    low = int(ts.min())
    if int(ts.max()) - low < 1 << 42 and int(points.max()) < 1 << 21:
        key = points.astype(np.int64) << 42
        key |= ts - low
        by = np.argsort(key, kind="stable")
        key = key[by]
        last = np.empty(len(key), bool)
        np.not_equal(key[1:], key[:-1], out=last[:-1])
    else:  # a clock in 1970 beside one in 2200
        by = np.lexsort((ts, points))
        last = np.empty(len(by), bool)
        a, b = by[:-1], by[1:]
        last[:-1] = (points[a] != points[b]) | (ts[a] != ts[b])
    last[-1] = True
    return by if last.all() else by[last]


def merge(parts: Sequence[Table], dtype: np.dtype[Any]) -> Table:
    """One table of many; where keys meet, the later part wins."""
    parts = [part for part in parts if part.size]
    if not parts:
        return empty(dtype)
    if len(parts) == 1:
        return parts[0]
    points = np.concatenate([part.points for part in parts])
    rows = np.concatenate([part.rows for part in parts])
    by = order(points, rows["ts"])
    return Table(points[by], rows[by])
