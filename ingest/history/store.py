"""Rows in memory before an archive on disk: what was appended is readable at once and durable at
the next flush. One thread appends and flushes; any thread reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.history.archive import Archive
from ingest.history.table import Rows, Table, empty, merge, order


class Store:
    """`archive` with a buffer of `capacity` rows before it."""

    def __init__(self, archive: Archive, capacity: int) -> None:
        self.archive = archive
        self.dtype: np.dtype[Any] = archive.dtype
        self.capacity = capacity
        # Replaced as a whole: (points, rows, filled). Rows below `filled` never change.
        self._buffer: tuple[NDArray[np.int32], Rows, int] = (
            np.empty(0, np.int32),
            np.empty(0, self.dtype),
            0,
        )

    @property
    def held(self) -> int:
        """Rows that are not on disk yet."""
        return self._buffer[2]

    def oldest(self) -> int:
        """A time before which there is no row."""
        _, rows, filled = self._buffer
        ends = [int(rows["ts"][:filled].min())] if filled else []
        return min([*ends, *(day.begin for day in self.archive.days())], default=1 << 62)

    def append(self, points: NDArray[np.int32], **columns: NDArray[Any]) -> None:
        """Add rows by column; every field of the rows is given."""
        n = len(points)
        held_points, rows, filled = self._buffer
        if filled + n > len(held_points):
            size = max(min(max(4 * filled, 4096), self.capacity + self.capacity // 8), filled + n)
            more_points, more_rows = np.empty(size, np.int32), np.empty(size, self.dtype)
            more_points[:filled], more_rows[:filled] = held_points[:filled], rows[:filled]
            held_points, rows = more_points, more_rows
        held_points[filled : filled + n] = points
        part = rows[filled : filled + n]
        for name, column in columns.items():
            part[name] = column
        self._buffer = (held_points, rows, filled + n)

    def flush(self, first: int, end: int) -> Table:
        """Make all rows durable as sequence numbers first..end-1; returns them, sorted."""
        points, rows, filled = self._buffer
        if not filled:
            return empty(self.dtype)
        points, rows = points[:filled], rows[:filled]
        table = Table(points, rows).at(order(points, np.ascontiguousarray(rows["ts"])))
        self.archive.add(first, end, table)
        self.clear()
        return table

    def clear(self) -> None:
        """Forget what is not on disk."""
        self._buffer = (np.empty(0, np.int32), np.empty(0, self.dtype), 0)

    def pick(self, points: NDArray[np.int32], start: int, end: int) -> Table:
        """Rows of these points (sorted, no repeats) with start <= ts < end."""
        # The buffer first: a flush in between shows rows twice, never not at all.
        held, rows, filled = self._buffer
        held = held[:filled]
        if len(points) == 1:
            mask = held == points[0]
        else:
            mask = np.isin(held, points) if filled else np.empty(0, bool)
        return merge(
            [self.archive.pick(points, start, end), self._fresh(held, rows, mask, start, end)],
            self.dtype,
        )

    def block(self, low: int, high: int, start: int, end: int) -> Table:
        """Rows of low <= point < high with start <= ts < end."""
        held, rows, filled = self._buffer
        held = held[:filled]
        mask = (held >= low) & (held < high)
        return merge(
            [self.archive.block(low, high, start, end), self._fresh(held, rows, mask, start, end)],
            self.dtype,
        )

    def _fresh(
        self, held: NDArray[np.int32], rows: Rows, mask: NDArray[np.bool_], start: int, end: int
    ) -> Table:
        at = np.flatnonzero(mask)
        if not len(at):
            return empty(self.dtype)
        ts = rows["ts"][at]
        within = (ts >= start) & (ts < end)
        at = at[within]
        points = held[at]
        return Table(points, np.take(rows, at)).at(order(points, ts[within]))

    def weights(self, start: int, end: int, n_points: int) -> NDArray[np.int64]:
        """Per point, an upper bound of the rows that a read of the range would touch."""
        held, _, filled = self._buffer
        total = self.archive.weights(start, end, n_points)
        if filled:
            total += np.bincount(held[:filled], minlength=n_points)[:n_points]
        return total
