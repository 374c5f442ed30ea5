"""Derived readings on their way back into the journal.

They are queued in the records with the cursor that passed their minute, and forgotten when the
journal has them: a crash between the two stores them again, which the journal takes as duplicates.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from itertools import pairwise
from typing import Any, Final

import numpy as np
import structlog

from ingest.readings import Readings
from twin.state import LiveState
from twin.totals import MINUTE_MS, Totals, TotalsPlan

log = structlog.get_logger(__name__)

Store = Callable[[Readings], Future[Any]]
"""Stores derived readings; the future is done when the journal has them. May raise when busy."""

RETRY_MS: Final = 5_000
MOST_WAITING: Final = 1_440
"""Minutes kept for a journal that takes nothing; the oldest go first."""


class DerivedReadings:
    """Computes each minute's totals once and sees them into the journal. Times are Unix ms.

    minute: the last one computed, None before the first reading.
    """

    def __init__(self, plan: TotalsPlan, store: Store | None, minute: int | None) -> None:
        self.minute = minute
        self.failed = 0
        self.dropped = 0
        self._plan = plan
        self._store = store
        self._waiting: dict[int, bytes] = {}
        self._under_way: dict[int, Future[Any]] = {}
        self._queued: dict[int, bytes] = {}
        self._forget: set[int] = set()
        self._next_try = 0

    def load(self, queued: list[tuple[int, bytes]]) -> None:
        """Take over what the records still queue."""
        self._waiting = dict(queued)

    def pass_time(self, state: LiveState, event_ms: int) -> None:
        """The park's event time has reached `event_ms`: compute the minute that just ended.

        Where several minutes passed at once only the last is computed: the state knows no earlier
        one.
        """
        minute = event_ms // MINUTE_MS
        if self.minute is None or not len(self._plan):
            self.minute = max(minute, self.minute or minute)
            return
        if minute <= self.minute:
            return
        self.minute = minute
        if self._store is not None:
            packed = pack(self._plan.compute(state, minute))
            self._queued[minute] = self._waiting[minute] = packed

    def send(self, now_ms: int) -> None:
        """Hand to the journal what it does not have yet; call it after the records committed."""
        for minute, future in list(self._under_way.items()):
            if future.done():
                del self._under_way[minute]
                error = None if future.cancelled() else future.exception()
                if error is None and not future.cancelled():
                    self._waiting.pop(minute, None)
                    self._forget.add(minute)
                else:
                    self.failed += 1
                    self._next_try = now_ms + RETRY_MS
                    log.warning("derived readings wait", minute=minute, reason=str(error))
        if self._store is None or now_ms < self._next_try:
            return
        while len(self._waiting) > MOST_WAITING:
            oldest = min(self._waiting)
            del self._waiting[oldest]
            self._forget.add(oldest)
            self.dropped += 1
        for minute in sorted(self._waiting.keys() - self._under_way.keys() - self._queued.keys()):
            try:
                self._under_way[minute] = self._store(unpack(self._waiting[minute]))
            except Exception as error:  # noqa: BLE001  a busy store says so in its own way
                self.failed += 1
                self._next_try = now_ms + RETRY_MS
                log.warning("derived readings wait", minute=minute, reason=str(error))
                return

    def take_changes(self) -> tuple[dict[int, bytes], set[int]]:
        """(minutes to queue in the records, minutes to forget there) since the last call."""
        changes = self._queued, self._forget
        self._queued, self._forget = {}, set()
        return changes

    def put_back(self, changes: tuple[dict[int, bytes], set[int]]) -> None:
        """These changes could not be recorded."""
        self._queued = changes[0] | self._queued
        self._forget |= changes[1]

    @property
    def changed(self) -> bool:
        """Whether there is something to record."""
        return bool(self._queued or self._forget)


def pack(totals: Totals) -> bytes:
    """Readings as bytes: n, then the columns."""
    return b"".join(
        (
            len(totals.point).to_bytes(4, "little"),
            totals.point.astype("<i4").tobytes(),
            totals.ts.astype("<i8").tobytes(),
            totals.value.astype("<f8").tobytes(),
            totals.quality.tobytes(),
        )
    )


def unpack(data: bytes) -> Readings:
    """The readings of `pack`."""
    n = int.from_bytes(data[:4], "little")
    ends = [4, 4 + 4 * n, 4 + 12 * n, 4 + 20 * n, 4 + 21 * n]
    parts = [data[a:b] for a, b in pairwise(ends)]
    return Readings(
        np.frombuffer(parts[0], "<i4"),
        np.frombuffer(parts[1], "<i8"),
        np.frombuffer(parts[2], "<f8"),
        np.frombuffer(parts[3], np.uint8),
    )
