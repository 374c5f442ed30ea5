"""The live state of every point as columns by point index; a tick over 100,000 points costs ms.

Pure: receive times are arguments. The newest event time wins; a reading older than its point's
current one corrects history only and never changes the state.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.quality import BAD, SEVERITY_MASK

NEVER: Final = -(1 << 62)
"""A time before every other one, with room to add any duration to it."""

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Byte = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Applied(NamedTuple):
    """What a call of `LiveState.apply` did.

    points: the indices whose state changed, each once; late: one flag per reading handed in, True
    where it was older than its point's state.
    """

    points: NDArray[np.intp]
    late: Mask


class Snapshot(NamedTuple):
    """Copies of the state by point index; at: Unix ms; version: for `changed_since`."""

    at: int
    value: Float
    ts: Int
    quality: Byte
    version: int


def usable(value: Float, quality: Byte) -> Mask:
    """True where a value may be reasoned with: not null and not of bad quality."""
    sound: Mask = ((quality & SEVERITY_MASK) != BAD) & ~np.isnan(value)
    return sound


def alone(point: NDArray[np.intp], scratch: NDArray[np.intp]) -> bool:
    """Whether no point occurs twice; scratch: one place per point of the park, overwritten."""
    place = np.arange(len(point))
    scratch[point] = place
    return bool(np.array_equal(scratch[point], place))


class LiveState:
    """`n` points. All arrays have length n; times are Unix ms, `NEVER` before the first reading.

    value: float64, NaN for null; ts: event time; quality: uint8; received_at: when the current
    reading came; version: the call that changed the point last; heard_at: when a reading with a
    value came last.
    """

    COLUMNS: Final = ("value", "ts", "quality", "received_at", "heard_at")

    def __init__(self, n: int) -> None:
        self.value = np.full(n, np.nan)
        self.ts = np.full(n, NEVER, np.int64)
        self.quality = np.full(n, BAD, np.uint8)
        self.received_at = np.full(n, NEVER, np.int64)
        self.heard_at = np.full(n, NEVER, np.int64)
        self.version = np.zeros(n, np.int64)
        self.clock = 0
        self._place = np.zeros(n, np.intp)

    def __len__(self) -> int:
        return len(self.value)

    def apply(
        self, point: NDArray[np.int32], ts: Int, value: Float, quality: Byte, received_at: int | Int
    ) -> Applied:
        """Take readings in, in the order of their arrival.

        Of several readings of one point the newest event time wins, and of equal times the later
        one (a correction). `received_at` is one time for all or one per reading.
        """
        place = point.astype(np.intp)  # once, not by every use as an index
        late = ts < self.ts[place]
        if not len(place):
            return Applied(place, late)
        self.clock += 1
        heard = ~(late | np.isnan(value))
        if heard.all() and alone(place, self._place):
            self.heard_at[place] = received_at
        else:
            received = np.broadcast_to(np.asarray(received_at, np.int64), len(place))
            self.heard_at[place[heard]] = received[heard]
            win = self._winners(place, ts, late)
            place, ts, value, quality = place[win], ts[win], value[win], quality[win]
            received_at = received[win]
        self.value[place] = value
        self.ts[place] = ts
        self.quality[place] = quality
        self.received_at[place] = received_at
        self.version[place] = self.clock
        return Applied(place, late)

    def stale(self, now_ms: int, stale_ms: Int) -> Mask:
        """True where nothing came for longer than `stale_ms` (per point) of receive time."""
        return now_ms - self.received_at > stale_ms

    def snapshot(self, at: int) -> Snapshot:
        """Copies for a reader that goes on while the state changes."""
        return Snapshot(at, self.value.copy(), self.ts.copy(), self.quality.copy(), self.clock)

    def changed_since(self, version: int) -> tuple[int, NDArray[np.intp]]:
        """The present version, and the indices of the points that changed after `version`."""
        return self.clock, np.flatnonzero(self.version > version)

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """The arrays that a checkpoint keeps, by name (not copied)."""
        return {name: getattr(self, name) for name in self.COLUMNS}

    def restore(self, columns: dict[str, NDArray[np.generic]]) -> None:
        """Take over checkpointed arrays; they may be shorter when points were added since.

        Every known point counts as changed, so that readers fetch it.
        """
        self.clock += 1
        for name in self.COLUMNS:
            kept = columns[name]
            getattr(self, name)[: len(kept)] = kept
        self.version[self.ts > NEVER] = self.clock

    def _winners(self, point: NDArray[np.intp], ts: Int, late: Mask) -> NDArray[np.intp]:
        """Positions of the readings that become the state: one per point, none of them late."""
        at = np.flatnonzero(~late)
        if alone(point[at], self._place):
            return at
        # Several readings of a point: keep those of its newest time, then the last of these.
        np.maximum.at(self.ts, point[at], ts[at])
        at = at[ts[at] == self.ts[point[at]]]
        self._place[point[at]] = at
        winners: NDArray[np.intp] = at[self._place[point[at]] == at]
        return winners
