"""The conditions of rules, evaluated for many readings at once. No memory but the rate windows."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.alarms.rule import Rules
from twin.state import NEVER

ANCHORS: Final = 9
"""Earlier values that a rate compares with: one for each eighth of its window, and one to spare,

so that the one given up is always older than the window."""


class Spread(NamedTuple):
    """Readings spread over the instances of their points: row i is reading[i] for instance[i]."""

    reading: NDArray[np.intp]
    instance: NDArray[np.int64]


def spread(rules: Rules, point: NDArray[np.intp]) -> Spread:
    """Every (reading, event-time instance) pair, in the order of the readings."""
    first = rules.offsets[point]
    count = rules.offsets[point + 1] - first
    total = int(count.sum())
    reading = np.repeat(np.arange(len(point)), count)
    within = np.arange(total) - np.repeat(np.cumsum(count) - count, count)
    return Spread(reading, np.repeat(first, count) + within)


class RateWindows:
    """By how much values moved within a window, for `k` instances.

    The signal is the largest distance of a value from the earlier ones inside its window; the
    reading before it counts too when it is older than the window, scaled down to it. Arrays have
    length k, those of the anchors the shape (ANCHORS, k).
    """

    COLUMNS: Final = (
        "anchor_ts",
        "anchor_value",
        "head",
        "last_ts",
        "last_value",
        "prior_ts",
        "prior_value",
        "signal",
    )

    def __init__(self, window_ms: NDArray[np.int64]) -> None:
        k = len(window_ms)
        self.window = window_ms
        self.anchor_ts = np.full((ANCHORS, k), NEVER, np.int64)
        self.anchor_value = np.full((ANCHORS, k), np.nan)
        self.head = np.zeros(k, np.int64)
        self.last_ts = np.full(k, NEVER, np.int64)
        self.last_value = np.full(k, np.nan)
        self.prior_ts = np.full(k, NEVER, np.int64)  # the reading before the last
        self.prior_value = np.full(k, np.nan)
        self.signal = np.full(k, np.nan)

    def push(
        self, rows: NDArray[np.int64], ts: NDArray[np.int64], value: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The signal of each row after a usable value; NaN when there is nothing to compare.

        rows: each at most once, with times that do not run backwards from call to call.
        """
        window = self.window[rows]
        onward = ts > self.last_ts[rows]  # else the last reading again, or its correction
        moved_on = rows[onward]
        self.prior_ts[moved_on] = self.last_ts[moved_on]
        self.prior_value[moved_on] = self.last_value[moved_on]
        prior = self.prior_ts[rows]
        scale = np.minimum(1.0, window / np.maximum(ts - prior, 1))
        step = np.abs(value - self.prior_value[rows]) * scale
        signal = np.where(prior > NEVER, step, np.nan)
        for anchor_ts, anchor_value in zip(self.anchor_ts, self.anchor_value, strict=True):
            age = ts - anchor_ts[rows]
            moved = np.abs(value - anchor_value[rows])
            signal = np.fmax(signal, np.where((age > 0) & (age <= window), moved, np.nan))

        newest = self.anchor_ts[self.head[rows], rows]
        due = ts - newest >= np.maximum(window // (ANCHORS - 1), 1)
        head = np.where(due, (self.head[rows] + 1) % ANCHORS, self.head[rows])
        write = due | (newest == ts)
        self.head[rows] = head
        self.anchor_ts[head[write], rows[write]] = ts[write]
        self.anchor_value[head[write], rows[write]] = value[write]
        self.last_ts[rows] = ts
        self.last_value[rows] = value
        self.signal[rows] = signal
        return signal

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """The arrays that a checkpoint keeps, by name (not copied)."""
        return {name: getattr(self, name) for name in self.COLUMNS}

    def restore(self, rows: list[int], columns: dict[str, NDArray[np.generic]]) -> None:
        """Take over checkpointed arrays, whose last axis is these `rows` now."""
        for name in self.COLUMNS:
            getattr(self, name)[..., rows] = columns[name]
