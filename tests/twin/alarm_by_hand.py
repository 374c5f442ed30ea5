"""One alarm evaluated the slow, obvious way: one reading at a time, one instance at a time.

Written from the rules' definition, not from the engine; the model test holds the two equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from twin.model.rules import RuleRow


@dataclass
class AlarmByHand:
    """A limit or rate rule on one point. log: (kind, event time, value) of what happened."""

    rule: RuleRow
    stale_ms: int
    ts: int | None = None
    value: float = math.nan
    received_at: int = 0
    truth: bool = False
    active: bool = False
    due: int | None = None
    anchors: list[tuple[int, float]] = field(default_factory=list)
    last: tuple[int, float] | None = None
    prior: tuple[int, float] | None = None
    signal: float = math.nan
    log: list[tuple[str, int, float]] = field(default_factory=list)

    def reading(self, ts: int, value: float, quality: int, received_at: int) -> None:
        """A reading arrives; late ones are nothing to an alarm."""
        if self.ts is not None and ts < self.ts:
            return
        good = quality < 128 and not math.isnan(value)
        if self.due is not None and self.due < ts and self._fresh_until(self.due):
            self._over(self.due)
        if good:
            self.signal = self._look(ts, value)
        self.ts, self.value, self.received_at = ts, value if good else math.nan, received_at
        if not good:
            return
        if math.isnan(self.signal):
            return
        now = self._judge(self.signal)
        if now != self.truth:
            self.truth = now
            if now == self.active:
                self.due = None
            else:
                delay = self.rule.on_delay_s if now else self.rule.off_delay_s
                self.due = ts + round(delay * 1000)
        if self.due is not None and self.due <= ts:
            self._over(ts)

    def time(self, now: int, listening_since: int) -> None:
        """Time passes without a reading."""
        if self.due is None or self.ts is None:
            return
        reached = self.ts + max(0, now - max(self.received_at, listening_since))
        if self.due < reached and self._fresh_until(self.due):
            self._over(self.due)

    def _fresh_until(self, at: int) -> bool:
        return self.ts is not None and not math.isnan(self.value) and at <= self.ts + self.stale_ms

    def _over(self, at: int) -> None:
        self.due = None
        self.active = self.truth
        self.log.append(("raised" if self.active else "cleared", at, self.signal))

    def _judge(self, signal: float) -> bool:
        condition = self.rule.condition
        limit, band = condition.value, condition.deadband
        if condition.side == "low":
            signal, limit = -signal, -limit
        return signal > limit - band if self.truth else signal > limit

    def _look(self, ts: int, value: float) -> float:
        if self.rule.condition.kind == "limit":
            return value
        window = round(self.rule.condition.per_s * 1000)
        moves = [abs(value - v) for t, v in self.anchors if 0 < ts - t <= window]
        if self.last is not None and ts > self.last[0]:
            self.prior = self.last
        if self.prior is not None:
            moves.append(abs(value - self.prior[1]) * min(1.0, window / (ts - self.prior[0])))
        if not self.anchors or ts - self.anchors[-1][0] >= max(window // 8, 1):
            self.anchors = [*self.anchors[-8:], (ts, value)]
        elif self.anchors[-1][0] == ts:
            self.anchors[-1] = (ts, value)
        self.last = (ts, value)
        return max(moves, default=math.nan)
