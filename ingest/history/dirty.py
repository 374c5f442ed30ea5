"""Which buckets are to be computed: (bucket, point) marks, with the ordinal that caused them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

NOBODY = 1 << 62


@dataclass(slots=True)
class Mark:
    """Points of one bucket. first: lowest ordinal of a reading behind it; since, last: when it was
    first and last marked (seconds).
    """

    bits: NDArray[np.bool_]
    first: int
    since: float
    last: float


@dataclass(slots=True)
class Dirty:
    """Marks by bucket start (Unix ms)."""

    marks: dict[int, Mark] = field(default_factory=dict)

    def add(self, start: int, points: NDArray[np.int32], first: int, now: float) -> None:
        """Mark `points` in the bucket that begins at `start`."""
        if not len(points):
            return
        top = int(points.max()) + 1
        mark = self.marks.get(start)
        if mark is None:
            mark = self.marks[start] = Mark(np.zeros(top, bool), first, now, now)
        elif len(mark.bits) < top:
            mark.bits = np.concatenate((mark.bits, np.zeros(top - len(mark.bits), bool)))
        mark.bits[points] = True
        mark.first = min(mark.first, first)
        mark.last = now

    def due(self, before: int, now: float, settle: float) -> list[int]:
        """Buckets that begin before `before`, oldest first, as soon as one of them has been quiet
        for `settle` s or waited 12 times that. None is passed over: a later bucket stands on it.
        """
        closed = [(start, mark) for start, mark in self.marks.items() if start < before]
        for _, mark in closed:
            if now - mark.last >= settle or now - mark.since >= 12 * settle:
                return sorted(start for start, _ in closed)
        return []

    def pop(self, starts: list[int]) -> NDArray[np.int32]:
        """Remove these buckets; the points marked in any of them, sorted."""
        taken = [self.marks.pop(start).bits for start in starts if start in self.marks]
        if not taken:
            return np.empty(0, np.int32)
        total = np.zeros(max(len(bits) for bits in taken), bool)
        for bits in taken:
            total[: len(bits)] |= bits
        return np.flatnonzero(total).astype(np.int32)

    def first(self) -> int:
        """The lowest ordinal behind any mark, NOBODY without marks."""
        return min((mark.first for mark in self.marks.values()), default=NOBODY)
