"""On-delays and off-delays of all instances as columns, and the one reading that may end them.

Pure bookkeeping of conditions and due times; raising and clearing is `twin.alarms.book`'s.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from twin.alarms.rule import Rules
from twin.alarms.standing import Pending, Standing
from twin.state import NEVER

NOT_DUE: Final = 1 << 62
"""The due time of a delay that is not running."""


class Delays:
    """Arrays by instance. condition: beyond the limit, with deadband, before any delay; active:

    after the delays; since: when the condition last turned; due: when its delay ends, `NOT_DUE`
    when none runs; edge: what a signal has to pass to turn the condition, times the rule's sign.
    Times are ms: event time, or receive time for no-data.
    """

    def __init__(self, rules: Rules) -> None:
        m = len(rules)
        self._rules = rules
        self.condition = np.zeros(m, np.bool_)
        self.active = np.zeros(m, np.bool_)
        self.since = np.full(m, NEVER, np.int64)
        self.due = np.full(m, NOT_DUE, np.int64)
        self.edge = rules.limit.copy()

    def turning(
        self,
        instance: slice | NDArray[np.int64],
        signal: NDArray[np.float64],
        moved: NDArray[np.float64] | None = None,
        turned: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.bool_]:
        """True where a signal ends the present condition of its instance, or begins it.

        signal: in the rule's unit, NaN where the reading says nothing; moved, turned: arrays of
        its length to work in. Between the limit and the deadband's end a condition stays.
        """
        moved = np.multiply(self._rules.sign[instance], signal, out=moved)
        turned = np.greater(moved, self.edge[instance], out=turned)
        np.not_equal(turned, self.condition[instance], out=turned)
        turned &= ~np.isnan(moved)
        return turned

    def turn(self, i: int, at: int) -> None:
        """The condition begins or ends: a delay begins, or the one that was running is over."""
        now = not self.condition[i]
        self._set(i, now)
        if now == bool(self.active[i]):
            self.due[i] = NOT_DUE
            return
        self.since[i] = at
        self.due[i] = at + int(self._rules.on_ms[i] if now else self._rules.off_ms[i])

    def pending(self, i: int) -> Pending | None:
        """The delay that is running."""
        due = int(self.due[i])
        return None if due >= NOT_DUE else Pending(int(self.since[i]), due)

    def load(self, i: int, standing: Standing) -> None:
        """Take over what was recorded."""
        active, pending = standing.memory.active, standing.pending
        self.active[i] = active
        self._set(i, active != (pending is not None))
        if pending is not None:
            self.since[i], self.due[i] = pending.since, pending.due
        elif active:
            self.since[i] = standing.since

    def _set(self, i: int, condition: bool) -> None:
        self.condition[i] = condition
        self.edge[i] = (self._rules.back if condition else self._rules.limit)[i]
