"""The live twin: consumes the journal, keeps state, alarms and totals, and records what happened.

Transitions, standings with their timers, derived readings and the cursor go into one transaction
of the records, so a crash anywhere loses no alarm and raises none twice. Any thread may read.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from ingest import live_checkpoint
from ingest.consume import RetriableError
from ingest.group import Group
from ingest.live_checkpoint import Checkpoint
from ingest.live_record import Effect, read_recorded, write_effect
from ingest.live_restore import JournalView, Latest, restore_state
from ingest.live_totals import DerivedReadings, Store
from twin.alarms.book import StaleOccurrence, UnknownAlarm
from twin.alarms.engine import AlarmEngine
from twin.alarms.rule import compile_rules
from twin.alarms.standing import Transition
from twin.alarms.view import AlarmView, view
from twin.model.park import Park
from twin.records import Records, RecordsUnavailable
from twin.state import LiveState, Snapshot
from twin.totals import TotalsPlan

__all__ = ["AlarmView", "LiveTwin", "StaleOccurrence", "UnknownAlarm"]

log = structlog.get_logger(__name__)

BEHIND_MS: Final = 5_000
"""Unread readings older than this mean that the twin is catching up: then no time passes."""

MOST_UNRECORDED: Final = 50_000


@dataclass(slots=True)
class LiveCounters:
    """For /metrics."""

    readings: int = 0
    late: int = 0
    transitions: int = 0
    commits: int = 0
    failed_commits: int = 0
    checkpoints: int = 0


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """record_every_ms: how often the cursor is recorded when no alarm changes; retry_ms: pause

    after the records failed; checkpoint_every_ms: how often the state is written to its file;
    channels: of notifications, one outbox row for each raise and channel.
    """

    record_every_ms: int = 1_000
    retry_ms: int = 5_000
    checkpoint_every_ms: int = 60_000
    channels: tuple[str, ...] = ()


_DEFAULTS: Final = LiveSettings()


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class LiveTwin:
    """Consumer "twin". Make it with `open`; `close` it after its consumer thread stopped."""

    name = "twin"

    def __init__(
        self,
        park: Park,
        journal: JournalView,
        records: Records,
        checkpoint: Path,
        *,
        store: Store | None = None,
        settings: LiveSettings = _DEFAULTS,
        clock_ms: Callable[[], int] = _wall_ms,
    ) -> None:
        n, index = len(journal.points), journal.points.index
        self.park = park
        self.state = LiveState(n)
        self.counters = LiveCounters()
        self.stale_ms: NDArray[np.int64] = np.full(n, 1 << 40, np.int64)
        for point in park.points.values():
            place = index(point.id)
            if place is not None:
                self.stale_ms[place] = round(point.stale_s * 1000)
        rules = compile_rules(park.rules, park.points, park.assets, index, n)
        self._engine = AlarmEngine(rules, self.state)
        plan = TotalsPlan(park.totals, index, self.stale_ms)
        self._derived = DerivedReadings(plan, store, None)
        self._journal = journal
        self._records = records
        self._checkpoint = checkpoint
        self._settings = settings
        self._clock = clock_ms
        self._lock = threading.Lock()  # state, engine and everything below
        self._recording = threading.Lock()  # one transaction at a time; taken before _lock
        self._next = 0
        self._position = 0  # durable
        self._heard_at = 0
        self._caught_up = False
        self._held: NDArray[np.bool_] | None = None
        self._unrecorded: list[Transition] = []
        self._recorded_at = 0
        self._checkpointed_at = 0
        self._failing = False
        self._wakes: list[Callable[[], None]] = []

    @classmethod
    def open(
        cls,
        park: Park,
        journal: JournalView,
        records: Records,
        checkpoint: Path,
        *,
        latest: Latest | None = None,
        store: Store | None = None,
        settings: LiveSettings = _DEFAULTS,
        clock_ms: Callable[[], int] = _wall_ms,
    ) -> LiveTwin:
        """Restored to where it was. checkpoint: path of the state's file, need not exist;

        latest: `History.latest`, for points that the journal no longer has; store: takes derived
        readings, as ``lambda r: committer.store("twin", r)``. Raises RecordsUnavailable.
        """
        twin = cls(
            park, journal, records, checkpoint, store=store, settings=settings, clock_ms=clock_ms
        )
        twin._restore(latest)
        return twin

    # The consumer --------------------------------------------------------------------------

    def position(self) -> int:
        """The next ordinal wanted after a restart; everything before it is recorded."""
        return self._position

    def consume(self, groups: Sequence[Group]) -> None:
        """Take readings in; transitions are recorded before this returns, unless the records are

        down: then they wait in memory, and the position does not move. Raises RetriableError when
        too many wait.
        """
        if len(self._unrecorded) > MOST_UNRECORDED and not self._record(force=True):
            raise RetriableError("too many alarm transitions wait for the records database")
        with self._lock:
            now = self._clock()
            for group in groups:
                self._take(group, now)
            self._pass_time(now)
        self._record()
        self._wake()

    def tick(self) -> None:
        """Let time pass: delays, silence, derived readings, recording. Call it when idle."""
        with self._lock:
            self._pass_time(self._clock())
        self._record()
        self._wake()

    def close(self) -> None:
        """Record what is left and write a checkpoint."""
        with self._lock:
            self._checkpointed_at = 0
        if not self._record(force=True):
            log.error("records database is down; the rest is repeated from the journal")

    # Readers -------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The state now, copied; by point index."""
        with self._lock:
            return self.state.snapshot(self._clock())

    def changed_since(self, version: int) -> tuple[int, NDArray[np.intp]]:
        """The present version, and the indices of points that changed after `version`."""
        with self._lock:
            return self.state.changed_since(version)

    def alarms(self) -> list[AlarmView]:
        """Open alarms (active or unacknowledged), the newest raise first."""
        with self._lock:
            found = self._engine.book.open()
        return [view(self._engine.rules, standing, raised) for standing, raised in found]

    def acknowledge(
        self, alarm_id: str, occurrence: int, user: str, comment: str | None, now_ms: int
    ) -> AlarmView:
        """Acknowledge the occurrence that the operator saw; durable when this returns.

        Acknowledging it again changes nothing. Raises UnknownAlarm, StaleOccurrence, and
        RecordsUnavailable; after that, and after any other error of the records, it is not
        acknowledged.
        """
        book = self._engine.book
        with self._recording, self._lock:
            before = book.standing(alarm_id)
            done = book.acknowledge(alarm_id, occurrence, user, comment, now_ms)
            if done is not None:
                self._unrecorded.append(done)
                effect = self._collect(now_ms)
                try:
                    self._write(effect, now_ms)
                except Exception:  # also a word that the database cannot hold
                    effect.transitions.pop()
                    self._put_back(effect)
                    assert before is not None
                    book.put_back(before)
                    raise
                self._done(effect, now_ms)
            standing = book.standing(alarm_id)
            assert standing is not None
            raised = book.raised(alarm_id)
        if done is not None:
            self._save(effect.checkpoint)
            self._wake()
        return view(self._engine.rules, standing, raised)

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called, from any thread, after new readings, transitions and ticks.

        It must return at once. Returns the function that ends the subscription.
        """
        with self._lock:
            self._wakes = [*self._wakes, wake]

        def unsubscribe() -> None:
            with self._lock:
                self._wakes = [known for known in self._wakes if known is not wake]

        return unsubscribe

    def hold(self, points: Iterable[str]) -> None:
        """These points' gateways are known to be behind: no silence and no delay counts there."""
        places = [self._journal.points.index(point) for point in points]
        with self._lock:
            self._held = None
            if places:
                self._held = np.zeros(len(self.state), np.bool_)
                self._held[[place for place in places if place is not None]] = True

    @property
    def caught_up(self) -> bool:
        """False while old readings are being taken in."""
        return self._caught_up

    # Inside --------------------------------------------------------------------------------

    def _take(self, group: Group, now: int) -> None:
        r = group.readings
        self._unrecorded += self._engine.apply(r.point, r.ts, r.value, r.quality, now)
        applied = self.state.apply(r.point, r.ts, r.value, r.quality, group.received_at)
        self._next = group.end
        self._heard_at = group.received_at
        self.counters.readings += len(r)
        self.counters.late += int(applied.late.sum())
        if len(r):
            # A gateway whose clock is ahead does not make the park's minute end sooner.
            self._derived.pass_time(self.state, min(int(r.ts.max()), group.received_at))

    def _pass_time(self, now: int) -> None:
        unread = self._next < self._journal.end
        behind = unread and now - self._heard_at > BEHIND_MS
        if behind and self._caught_up:
            # It may have come just now, after a quiet time: that is not being behind.
            behind = now - self._unread_since() > BEHIND_MS
        self._caught_up = not behind
        # With readings unread the twin's time is that of the last one read: no delay may run out
        # on time for which the journal already knows better.
        time = min(now, self._heard_at) if unread else now
        self._unrecorded += self._engine.tick(
            time, caught_up=not behind, held=self._held, wall_ms=now
        )
        self._derived.send(now)

    def _unread_since(self) -> int:
        """When the oldest unread group came; as if long ago when the journal cannot tell."""
        try:
            waiting = self._journal.read(self._next, 1, skip_damaged=True)
        except sqlite3.Error:
            return self._heard_at
        return waiting[0].received_at if waiting else self._heard_at

    def _record(self, force: bool = False) -> bool:
        """Commit when there is something to tell, or once a second; False when it failed."""
        now = self._clock()
        with self._recording:
            with self._lock:
                settings = self._settings
                pause = settings.retry_ms if self._failing else settings.record_every_ms
                due = now - self._recorded_at >= pause
                moved = self._next > self._position or self._derived.changed
                urgent = bool(self._unrecorded) and not (self._failing and not due)
                if not (force or urgent or (due and (moved or self._unrecorded))):
                    return True
                effect = self._collect(now)
            try:
                self._write(effect, now)
            except RecordsUnavailable as error:
                with self._lock:
                    self._put_back(effect)
                    self._recorded_at = now
                self.counters.failed_commits += 1
                if not self._failing:
                    log.error("alarms cannot be recorded, they wait in memory", reason=str(error))
                self._failing = True
                return False
            with self._lock:
                self._done(effect, now)
        self._save(effect.checkpoint)
        return True

    def _collect(self, now: int) -> Effect:
        """Everything that is to be made durable, as of this moment; needs both locks."""
        effect = Effect(
            self._next,
            self._derived.minute,
            self._unrecorded,
            self._engine.book.take_dirty(),
            self._derived.take_changes(),
        )
        self._unrecorded = []
        if now - self._checkpointed_at >= self._settings.checkpoint_every_ms:
            self._checkpointed_at = now
            alarms, windows = self._engine.windows()
            effect.checkpoint = Checkpoint(
                self._journal.epoch,
                self._next,
                {name: column.copy() for name, column in self.state.columns().items()},
                alarms,
                {name: column.copy() for name, column in windows.items()},
            )
        return effect

    def _write(self, effect: Effect, now: int) -> None:
        channels, epoch = self._settings.channels, self._journal.epoch
        write_effect(self._records, self.name, epoch, channels, effect, now)

    def _put_back(self, effect: Effect) -> None:
        self._unrecorded = effect.transitions + self._unrecorded
        self._engine.book.mark_dirty(effect.standings)
        self._derived.put_back(effect.derived)
        if effect.checkpoint is not None:
            self._checkpointed_at = 0

    def _done(self, effect: Effect, now: int) -> None:
        self._position = effect.position
        self._recorded_at = now
        self.counters.commits += 1
        self.counters.transitions += len(effect.transitions)
        if self._failing:
            self._failing = False
            log.info("alarms are recorded again")

    def _save(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            return
        try:
            live_checkpoint.write(self._checkpoint, checkpoint)
        except OSError as error:
            log.error("live checkpoint not written, a restart takes longer", reason=str(error))
            return
        self.counters.checkpoints += 1

    def _wake(self) -> None:
        for wake in self._wakes:
            try:
                wake()
            except Exception:  # one listener's fault must not stop the twin
                log.exception("a listener of the live twin failed")

    def _restore(self, latest: Latest | None) -> None:
        journal, now = self._journal, self._clock()
        recorded = read_recorded(self._records, self.name)
        cursor = recorded.cursor
        gone, steps = self._engine.book.restore(recorded.standings, recorded.raises, now)
        self._derived.load(recorded.derived)
        self._recorded_at = self._checkpointed_at = now
        if cursor is None:
            self._next = journal.oldest
            origin = "nothing"
        elif cursor.epoch != journal.epoch or cursor.position > journal.end:
            # The journal was replaced: ordinals mean other readings now. Start from what is known.
            log.warning("the records belong to another journal; starting at its end")
            self._next = journal.end
            origin = "history"
            if latest is not None:
                r = latest()[0]
                self._unrecorded += self._engine.apply(r.point, r.ts, r.value, r.quality, now)
                self.state.apply(r.point, r.ts, r.value, r.quality, r.ts)
        else:
            self._next = max(cursor.position, journal.oldest)
            self._derived.minute = cursor.detail.get("minute")
            origin = restore_state(
                journal, self.state, self._engine, self._next, self._checkpoint, latest
            )
        self._position = self._next
        self._unrecorded += steps
        if gone or self._unrecorded or cursor is None or self._position != cursor.position:
            effect = self._collect(now)
            effect.standings += gone
            self._write(effect, now)
            self._done(effect, now)
        log.info(
            "live twin restored", origin=origin, position=self._next, alarms=len(recorded.raises)
        )
