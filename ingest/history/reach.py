"""History that reaches further back than this disk: old readings come from InfluxDB.

Roll-ups are kept locally for ever, so only raw readings are asked for there. An InfluxDB that does
not answer is an error, never a shorter history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ingest.history.protocol import Buckets, Every, History, Series
from ingest.readings import Readings


class FarHistory:
    """`near` first; what lies before `begin()` (Unix ms, the oldest reading there) from `far`.

    Implements `History`; `latest` and `count` are those of `near`. `raw` raises `RetriableError`
    when `far` is needed and does not answer.
    """

    def __init__(self, near: History, far: History, begin: Callable[[], int]) -> None:
        self._near, self._far, self._begin = near, far, begin

    def raw(self, point: int, start_ms: int, end_ms: int, limit: int | None = None) -> Series:
        """See `History.raw`."""
        edge = self._begin()
        if start_ms >= edge:
            return self._near.raw(point, start_ms, end_ms, limit)
        old = self._far.raw(point, start_ms, min(end_ms, edge), limit)
        left = None if limit is None else limit - len(old.ts)
        if end_ms <= edge or left == 0:
            return old
        new = self._near.raw(point, edge, end_ms, left)
        return Series(
            np.concatenate((old.ts, new.ts)),
            np.concatenate((old.value, new.value)),
            np.concatenate((old.quality, new.quality)),
        )

    def buckets(
        self, points: Sequence[int], start_ms: int, end_ms: int, every: Every
    ) -> dict[int, Buckets]:
        """See `History.buckets`."""
        return self._near.buckets(points, start_ms, end_ms, every)

    def latest(self) -> tuple[Readings, int]:
        """See `History.latest`."""
        return self._near.latest()

    def count(self, start_ms: int, end_ms: int) -> dict[int, int]:
        """See `History.count`."""
        return self._near.count(start_ms, end_ms)
