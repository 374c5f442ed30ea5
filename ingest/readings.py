"""Readings as columns: the one shape in which readings move through the platform.

Points are integers here, from `ingest.points.PointIndex`; a point's index never changes within a
store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Readings:
    """`n` readings, all arrays of length n.

    point: int32 index; ts: int64 event time in Unix ms (corrected where the clock was wrong);
    value: float64 in the point's unit, NaN for null; quality: uint8.
    """

    point: NDArray[np.int32]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.point)

    def __getitem__(self, part: slice) -> Readings:
        return Readings(self.point[part], self.ts[part], self.value[part], self.quality[part])

    @classmethod
    def empty(cls) -> Readings:
        """No readings."""
        return cls.of([], [], [], [])

    @classmethod
    def of(
        cls,
        point: Sequence[int],
        ts: Sequence[int],
        value: Sequence[float],
        quality: Sequence[int],
    ) -> Readings:
        """Columns from plain sequences of equal length."""
        return cls(
            np.asarray(point, np.int32),
            np.asarray(ts, np.int64),
            np.asarray(value, np.float64),
            np.asarray(quality, np.uint8),
        )

    @classmethod
    def concat(cls, parts: Sequence[Readings]) -> Readings:
        """One after the other, order kept."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([p.point for p in parts]),
            np.concatenate([p.ts for p in parts]),
            np.concatenate([p.value for p in parts]),
            np.concatenate([p.quality for p in parts]),
        )
