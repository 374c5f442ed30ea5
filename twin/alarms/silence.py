"""No-data rules: which points have been silent too long, in receive time.

A failed read (a reading without a value) is silence too. Silence counts only while the platform
listens: not before start-up has caught up, and not for points whose gateway is known to be behind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.alarms.book import AlarmBook, Found
from twin.alarms.delay import NOT_DUE, Delays
from twin.alarms.rule import Rules
from twin.state import NEVER, LiveState


class Silence:
    """The no-data instances of a park. A scan costs time only when one may have fallen silent."""

    def __init__(self, rules: Rules, state: LiveState, delays: Delays, book: AlarmBook) -> None:
        self._event = rules.event
        self._state = state
        self._delays = delays
        self._book = book
        self._point = rules.point[rules.event :]
        self._span = rules.silence_ms[rules.event :] + rules.on_ms[rules.event :]
        self._quiet_until = np.full(len(self._point), NEVER, np.int64)
        self._next = NEVER  # no point can fall silent before this time

    def listen_anew(self) -> None:
        """The platform has just begun to listen: what was known about the next silence is void."""
        self._next = NEVER

    def tick(
        self, now: int, since: int, held: NDArray[np.bool_] | None, wall: int, found: Found
    ) -> None:
        """Raise and clear as of `now`; `since`: when the platform began to listen."""
        if not len(self._point):
            return
        event, delays = self._event, self._delays
        condition = delays.condition[event:]
        if held is None and now < self._next and not delays.active[event:].any():
            return
        if held is not None:
            self._quiet_until[held[self._point]] = now
        heard = self._state.heard_at[self._point]
        base = np.maximum(np.maximum(heard, since), self._quiet_until)
        silent = np.where(condition, now - heard >= self._span, now - base >= self._span)
        for k in np.flatnonzero(silent & ~condition).tolist():
            i = event + k
            begun = int(heard[k]) if heard[k] > NEVER else int(base[k])
            delays.turn(i, begun)
            if not delays.active[i]:
                self._book.fire(i, int(base[k] + self._span[k]), np.nan, wall, found)
            self._book.note(i)
        for k in np.flatnonzero(~silent & condition).tolist():
            delays.turn(event + k, int(heard[k]))
            self._book.note(event + k)
        for k in np.flatnonzero(delays.due[event:] <= now).tolist():
            self._book.fire(event + k, int(delays.due[event + k]), np.nan, wall, found)
        waiting = ~delays.condition[event:]
        self._next = int((base + self._span)[waiting].min(initial=NOT_DUE))
