"""What a history answers, whoever keeps it: readings of a point, roll-ups, the latest, counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.readings import Readings

Every = Literal["1m", "15m", "1h", "1d"]
LEVELS: Final[tuple[Every, ...]] = ("1m", "15m", "1h", "1d")

RESET: Final = 1
UNEXPLAINED: Final = 2


class Series(NamedTuple):
    """Readings of one point, sorted by time, one per millisecond. value: NaN for null."""

    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]


class Buckets(NamedTuple):
    """Roll-ups of one point, sorted by start (Unix ms); buckets without any news are absent.

    covered_s: seconds in which a usable value held (until the next reading, at most the point's
    `stale_s`); count: readings; good: those of good quality with a value; minimum, maximum, last:
    of usable readings (a value, and not of bad quality); mean: by time weight over covered_s;
    increment: growth of a counter, NaN for other points and where the counter fell; flags: 1 the
    counter was reset, 2 it fell without explanation. NaN where there is nothing to say.
    """

    start: NDArray[np.int64]
    covered_s: NDArray[np.float64]
    count: NDArray[np.int64]  # type: ignore[assignment]  # hides tuple.count
    good: NDArray[np.int64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    last: NDArray[np.float64]
    mean: NDArray[np.float64]
    increment: NDArray[np.float64]
    flags: NDArray[np.uint8]


class History(Protocol):
    """Points are indices of `ingest.points.PointIndex`; times are Unix ms, ends exclusive."""

    def raw(self, point: int, start_ms: int, end_ms: int, limit: int | None = None) -> Series:
        """Readings with start <= ts < end, the earliest `limit` of them; the newest write wins."""
        ...

    def buckets(
        self, points: Sequence[int], start_ms: int, end_ms: int, every: Every
    ) -> dict[int, Buckets]:
        """Roll-ups whose start lies in the range; an open bucket is computed up to now."""
        ...

    def latest(self) -> tuple[Readings, int]:
        """The last reading of each point, and the ordinal up to which that is complete."""
        ...

    def count(self, start_ms: int, end_ms: int) -> dict[int, int]:
        """Distinct (point, ts) per point, recounted from the stored data."""
        ...
