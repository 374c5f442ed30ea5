"""Derived points: sums, means and extremes over other points, once a minute of event time.

Pure and deterministic: the same state gives the same totals, so a replay repeats them exactly.
Stored back as readings of the source "twin" by the caller. A late reading corrects history only,
never a total that was already computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.model.rules import TotalRow
from twin.quality import BAD, COMMS, SEVERITY_MASK, UNCERTAIN
from twin.state import LiveState, usable

MINUTE_MS: Final = 60_000


class Totals(NamedTuple):
    """Totals of one minute; arrays of length k. ts is the minute's end for all, Unix ms.

    quality: good when every part is; uncertain when a part is bad, stale or itself uncertain; bad
    (comms) with value NaN when no part can be used.
    """

    point: NDArray[np.int32]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]


class _Level(NamedTuple):
    """Totals that depend only on measured points and on earlier levels."""

    target: NDArray[np.int32]
    function: NDArray[np.str_]
    part: NDArray[np.int32]  # all parts, one total after the other
    total: NDArray[np.intp]  # which total each part belongs to
    begin: NDArray[np.intp]


class TotalsPlan:
    """All totals of a park, compiled to index lists in the order of their dependencies."""

    def __init__(
        self,
        totals: Sequence[TotalRow],
        index: Callable[[str], int | None],
        stale_ms: NDArray[np.int64],
    ) -> None:
        """stale_ms: by point index, how long a part's reading is trusted.

        Raises ValueError for a point without an index, a total without parts, or a circle.
        """
        self._stale_ms = stale_ms
        self._levels = [_level(rows, index) for rows in _ordered(totals)]

    def __len__(self) -> int:
        return sum(len(level.target) for level in self._levels)

    def compute(self, state: LiveState, minute: int) -> Totals:
        """The totals of the minute that ends at ``minute * 60 s``, from the state as it is now.

        Call it when the event time of the park has passed that end.
        """
        end = minute * MINUTE_MS
        value, quality = state.value.copy(), state.quality.copy()
        fresh = end - state.ts <= self._stale_ms
        results: list[tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.uint8]]] = []
        for level in self._levels:
            part = level.part
            sound = fresh[part] & usable(value[part], quality[part])
            doubted = ~sound | ((quality[part] & SEVERITY_MASK) != 0)
            k = len(level.target)
            count = np.bincount(level.total, sound, k).astype(np.float64)
            result = _reduce(level, np.where(sound, value[part], np.nan), count)
            mark = np.where(np.bincount(level.total, doubted, k) > 0, UNCERTAIN, 0)
            mark = np.where(count > 0, mark, BAD | COMMS).astype(np.uint8)
            value[level.target], quality[level.target] = result, mark
            fresh[level.target] = True
            results.append((level.target, result, mark))
        point = np.concatenate([r[0] for r in results]) if results else np.zeros(0, np.int32)
        return Totals(
            point,
            np.full(len(point), end, np.int64),
            np.concatenate([r[1] for r in results]) if results else np.zeros(0),
            np.concatenate([r[2] for r in results]) if results else np.zeros(0, np.uint8),
        )


def _reduce(
    level: _Level, part: NDArray[np.float64], count: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One value for each total from its usable parts (NaN: not usable); NaN without any."""
    total = np.bincount(level.total, np.nan_to_num(part), len(level.target))
    some = np.maximum(count, 1)
    result = np.select(
        [level.function == "sum", level.function == "mean", level.function == "min"],
        [total, total / some, np.fmin.reduceat(part, level.begin)],
        np.fmax.reduceat(part, level.begin),
    )
    return np.where(count > 0, result, np.nan)


def _level(rows: Sequence[TotalRow], index: Callable[[str], int | None]) -> _Level:
    def place(point: str, of: TotalRow) -> int:
        found = index(point)
        if found is None:
            raise ValueError(f"total {of.point}: point {point} has no index")
        return found

    lengths = np.array([len(row.parts) for row in rows])
    return _Level(
        target=np.array([place(row.point, row) for row in rows], np.int32),
        function=np.array([row.function for row in rows]),
        part=np.array([place(p, row) for row in rows for p in row.parts], np.int32),
        total=np.repeat(np.arange(len(rows)), lengths),
        begin=np.cumsum(lengths) - lengths,
    )


def _ordered(totals: Sequence[TotalRow]) -> list[list[TotalRow]]:
    """The totals in levels: each level needs only measured points and the levels before it."""
    for row in totals:
        if not row.parts:
            raise ValueError(f"total {row.point} has no parts")
    waiting = {row.point: row for row in totals}
    levels: list[list[TotalRow]] = []
    while waiting:
        ready = [r for r in waiting.values() if not any(p in waiting for p in r.parts)]
        if not ready:
            raise ValueError(f"totals depend on each other: {', '.join(sorted(waiting))}")
        levels.append(ready)
        for row in ready:
            del waiting[row.point]
    return levels
