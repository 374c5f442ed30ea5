"""The alarm engine: readings and time in, transitions out.

Conditions are evaluated for all readings at once; only instances near a transition cost Python
time. On-delay and off-delay run in event time, no-data in receive time. What is durable, and when,
is the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.alarms.book import AlarmBook, Found, in_order
from twin.alarms.condition import RateWindows, spread
from twin.alarms.delay import NOT_DUE, Delays
from twin.alarms.rule import Rules
from twin.alarms.silence import Silence
from twin.alarms.standing import Standing, Transition
from twin.state import NEVER, LiveState, alone, usable


class _Batch(NamedTuple):
    """Readings that are not late; value: NaN where unusable; first: where each point begins."""

    point: NDArray[np.intp]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    first: NDArray[np.intp]


class _Near(NamedTuple):
    """Readings that may turn a condition or end a delay, by instance and time."""

    instance: NDArray[np.int64]
    ts: NDArray[np.int64]
    signal: NDArray[np.float64]


class _Work:
    """Arrays of the dense evaluation: value and ts by point, the others by instance."""

    def __init__(self, points: int, instances: int) -> None:
        self.value = np.empty(points)
        self.ts = np.empty(points, np.int64)
        self.signal = np.empty(instances)
        self.moved = np.empty(instances)
        self.times = np.empty(instances, np.int64)
        self.near = np.empty(instances, np.bool_)
        self.over = np.empty(instances, np.bool_)


class AlarmEngine:
    """All alarms of a park over one `LiveState`. Not thread-safe; the caller holds a lock.

    The order of calls for new readings: `apply` (it compares with the state before them), then
    `LiveState.apply`, then `tick`. book: the standings, for reading, acknowledging and recording.
    """

    def __init__(self, rules: Rules, state: LiveState) -> None:
        self.rules = rules
        self.state = state
        self._delays = Delays(rules)
        self.book = AlarmBook(rules, self._delays)
        self._silence = Silence(rules, state, self._delays, self.book)
        rated = np.flatnonzero(rules.is_rate[: rules.event])
        self._rates = RateWindows(rules.window_ms[rated])
        self._rate_row = np.full(len(rules), -1, np.int64)
        self._rate_row[rated] = np.arange(len(rated))
        self._listening_since = NOT_DUE
        self._rated = rated
        self._points = rules.point[: rules.event].astype(np.intp)
        self._place = np.zeros(len(state), np.intp)
        self._work = _Work(len(state), rules.event)

    def apply(
        self,
        point: NDArray[np.int32],
        ts: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint8],
        wall_ms: int,
    ) -> list[Transition]:
        """The transitions that some readings cause, by event time; wall_ms is only noted in them.

        Readings older than their point's state are ignored. Readings of bad quality or without a
        value neither raise nor clear. The order of readings inside a call does not matter, but
        for equal times of a point: there the last one counts.
        """
        batch = self._batch(point, ts, value, quality)
        before = self._rates.signal.copy()
        near = self._near_dense(batch) if self._dense(batch) else self._near_sparse(batch)
        if not len(near.instance):
            return []
        found: Found = []
        last, held = -1, (NEVER, np.nan)
        for i, t, x in zip(*(column.tolist() for column in near), strict=True):
            if i != last:
                last, held = i, self._standing_signal(i, before)
            self._read(i, t, x, held, wall_ms, found)
            held = (t, x)
        return in_order(found)

    def observe(
        self,
        point: NDArray[np.int32],
        ts: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint8],
    ) -> None:
        """Take note of readings that were evaluated before a restart: rates need what was."""
        if len(self._rates.window):
            batch = self._batch(point, ts, value, quality)
            self._signals(batch, *spread(self.rules, batch.point))

    def tick(
        self,
        now_ms: int,
        *,
        caught_up: bool = True,
        held: NDArray[np.bool_] | None = None,
        wall_ms: int | None = None,
    ) -> list[Transition]:
        """The transitions that time alone causes.

        A delay runs out without a new reading only while its point is fresh: the point's event
        time goes on with the receive time since its last reading, up to the point's staleness.
        caught_up: False while the journal is being caught up with: then no time passes, and both
        clocks begin anew at the end of it. held: per point, True where its gateway is known to be
        behind: neither delays nor silence count there.
        """
        wall = now_ms if wall_ms is None else wall_ms
        if not caught_up:
            self._listening_since = NOT_DUE
            return []
        if self._listening_since == NOT_DUE:
            self._listening_since = now_ms
            self._silence.listen_anew()
        found: Found = []
        self._run_delays(now_ms, held, wall, found)
        self._silence.tick(now_ms, self._listening_since, held, wall, found)
        return in_order(found) if found else []

    def windows(self) -> tuple[list[str], dict[str, NDArray[np.generic]]]:
        """The rate windows for a checkpoint: alarm ids, and arrays by row in that order."""
        return [self.rules.ids[i] for i in self._rated.tolist()], self._rates.columns()

    def restore_windows(
        self, alarms: Sequence[str], columns: dict[str, NDArray[np.generic]]
    ) -> None:
        """Take over the windows of the rules that still exist."""
        pairs = [
            (int(self._rate_row[self.rules.index[alarm]]), old)
            for old, alarm in enumerate(alarms)
            if alarm in self.rules.index and self._rate_row[self.rules.index[alarm]] >= 0
        ]
        rows, olds = [new for new, _ in pairs], [old for _, old in pairs]
        self._rates.restore(rows, {name: kept[..., olds] for name, kept in columns.items()})

    def restore(
        self, standings: Sequence[Standing], raises: Sequence[Transition], wall_ms: int
    ) -> tuple[list[Standing], list[Transition]]:
        """Take over what was recorded; see `AlarmBook.restore`."""
        return self.book.restore(standings, raises, wall_ms)

    def _batch(
        self,
        point: NDArray[np.int32],
        ts: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint8],
    ) -> _Batch:
        """Sorted by point and time where points repeat (the last of equal times stays)."""
        sound = usable(value, quality)
        if not sound.all():
            value = np.where(sound, value, np.nan)
        place = point.astype(np.intp)  # once, not by every use as an index
        keep = ts >= self.state.ts[place]
        if not keep.all():
            place, ts, value = place[keep], ts[keep], value[keep]
        return self._sorted(place, ts, value)

    def _sorted(
        self, point: NDArray[np.intp], ts: NDArray[np.int64], value: NDArray[np.float64]
    ) -> _Batch:
        if alone(point, self._place):
            return _Batch(point, ts, value, np.arange(len(point)))
        order = np.lexsort((ts, point))
        point, ts, value = point[order], ts[order], value[order]
        newest = np.ones(len(point), np.bool_)
        newest[:-1] = (point[1:] != point[:-1]) | (ts[1:] != ts[:-1])
        point, ts, value = point[newest], ts[newest], value[newest]
        begins = np.ones(len(point), np.bool_)
        begins[1:] = point[1:] != point[:-1]
        return _Batch(point, ts, value, np.flatnonzero(begins))

    def _dense(self, batch: _Batch) -> bool:
        """Whether looking at every instance in its order is cheaper than gathering the touched."""
        return len(batch.first) == len(batch.point) and 4 * len(batch.point) > len(self.state)

    def _near_dense(self, batch: _Batch) -> _Near:
        """One reading per point, for much of the park: instances in their order, no gathering.

        Works in arrays that are kept: fresh ones of this size cost more in page faults than what
        is computed in them.
        """
        work, event = self._work, slice(0, self.rules.event)
        work.value.fill(np.nan)
        work.ts.fill(NEVER)
        work.value[batch.point] = batch.value
        work.ts[batch.point] = batch.ts
        signal = np.take(work.value, self._points, out=work.signal, mode="clip")
        times = np.take(work.ts, self._points, out=work.times, mode="clip")
        if len(self._rated):
            given = self._rated[~np.isnan(signal[self._rated])]
            signal[given] = self._rates.push(self._rate_row[given], times[given], signal[given])
        near = self._delays.turning(event, signal, work.moved, work.near)
        near |= np.less_equal(self._delays.due[event], times, out=work.over)
        at = np.flatnonzero(near)
        return _Near(at, times[at], signal[at])

    def _near_sparse(self, batch: _Batch) -> _Near:
        """Few points, or several readings of one: (reading, instance) pairs."""
        rows, instance = spread(self.rules, batch.point)
        signal = self._signals(batch, rows, instance)
        near = self._delays.turning(instance, signal)
        near |= self._delays.due[instance] <= batch.ts[rows]
        at = np.flatnonzero(near)
        if len(batch.first) < len(batch.point) and len(at):
            # Several readings of a point: every one of a near instance has its say, in time order.
            chosen = np.zeros(len(self.rules), np.bool_)
            chosen[instance[at]] = True
            at = np.flatnonzero(chosen[instance])
            at = at[np.argsort(instance[at], kind="stable")]
        return _Near(instance[at], batch.ts[rows[at]], signal[at])

    def _signals(
        self, batch: _Batch, rows: NDArray[np.intp], instance: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """What each instance looks at: the value, or for a rate its movement."""
        signal = batch.value[rows]
        if not len(self._rates.window):
            return signal
        at = np.flatnonzero((self._rate_row[instance] >= 0) & ~np.isnan(signal))
        reading = rows[at]
        turn = reading - batch.first[np.searchsorted(batch.first, reading, "right") - 1]
        window = self._rate_row[instance[at]]
        for k in np.unique(turn).tolist():
            now = turn == k
            r = reading[now]
            signal[at[now]] = self._rates.push(window[now], batch.ts[r], batch.value[r])
        return signal

    def _standing_signal(self, i: int, rates: NDArray[np.float64]) -> tuple[int, float]:
        """Time and signal of an instance as of its point's state; NaN when that is unusable."""
        p = self.rules.point[i]
        value = self.state.value[p : p + 1]
        if not usable(value, self.state.quality[p : p + 1])[0]:
            return int(self.state.ts[p]), np.nan
        row = self._rate_row[i]
        return int(self.state.ts[p]), float(rates[row] if row >= 0 else value[0])

    def _read(
        self, i: int, ts: int, signal: float, held: tuple[int, float], wall: int, found: Found
    ) -> None:
        """One reading for one instance; `held` is the reading it follows (NaN: unusable)."""
        delays = self._delays
        due = int(delays.due[i])
        if due < ts and held[1] == held[1] and due <= held[0] + int(self.rules.stale_ms[i]):
            # The delay ran out before this reading, while the one before was still fresh.
            self.book.fire(i, due, held[1], wall, found)
        if signal != signal:
            return
        moved = float(self.rules.sign[i]) * signal
        if (moved > float(delays.edge[i])) != bool(delays.condition[i]):
            delays.turn(i, ts)
            self.book.note(i)
        if int(delays.due[i]) <= ts:
            self.book.fire(i, ts, signal, wall, found)

    def _run_delays(
        self, now: int, held: NDArray[np.bool_] | None, wall: int, found: Found
    ) -> None:
        running = np.flatnonzero(self._delays.due[: self.rules.event] < NOT_DUE)
        if not len(running):
            return
        state, p = self.state, self.rules.point[running]
        elapsed = now - np.maximum(state.received_at[p], self._listening_since)
        reached = state.ts[p] + np.maximum(elapsed, 0)
        due = self._delays.due[running]
        # A reading of the very moment the delay ends still has its say, so this waits for more.
        over = (due < reached) & (due <= state.ts[p] + self.rules.stale_ms[running])
        over &= usable(state.value[p], state.quality[p])
        if held is not None:
            over &= ~held[p]
        for i in running[over].tolist():
            signal = self._standing_signal(i, self._rates.signal)[1]
            self.book.fire(i, int(self._delays.due[i]), signal, wall, found)
