"""Consumers of the journal: each reads by its own durable position, at its own pace.

Owns the loop (bounded reads, back-off, lag), not what a consumer does with the readings. One
consumer that fails or stops costs the others nothing.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import structlog

from ingest.group import DamagedGroup, Group

log = structlog.get_logger(__name__)


class RetriableError(Exception):
    """It may work later: the same groups are offered again after a pause.

    retry_after: seconds that the other side asked for, None when it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GroupSource(Protocol):
    """What a consumer needs of the journal."""

    @property
    def end(self) -> int: ...
    @property
    def oldest(self) -> int: ...
    def read(self, start: int, limit: int = ..., *, skip_damaged: bool = ...) -> list[Group]: ...
    def wait(self, after: int, timeout: float) -> bool: ...


class Consumer(Protocol):
    """Something that must see every reading.

    `position` is the next ordinal wanted after a restart; everything before it is durable on the
    consumer's side, so the journal may forget it. `consume` takes the groups that follow the ones
    before, or raises `RetriableError`; a consumer that gathers readings before it makes them
    durable must answer queries from what it gathered and may move `position` later.
    """

    name: str

    def position(self) -> int: ...
    def consume(self, groups: Sequence[Group]) -> None: ...


@runtime_checkable
class Ticking(Protocol):
    """A consumer with work that waits for the clock: called about once a second."""

    def tick(self) -> None: ...


def backoff(attempt: int, base: float = 1.0, cap: float = 60.0) -> float:
    """Seconds to wait before attempt `attempt` (0, 1, ...): full jitter, doubling up to `cap`."""
    return random.uniform(0, min(cap, base * 2.0 ** min(attempt, 16)))


class ConsumerThread:
    """Feeds one consumer from the journal until stopped.

    min_batch_ms: after new readings it waits this long, so that a slow trickle is passed on in
    batches; limit: readings offered at once. A retriable error pauses with full jitter between
    1 and 60 s and no attempt limit. Any other error stops the thread and stays in `error`.
    """

    def __init__(
        self,
        journal: GroupSource,
        consumer: Consumer,
        *,
        min_batch_ms: int = 50,
        limit: int = 200_000,
        tick_s: float = 1.0,
        backoff_base: float = 1.0,
    ) -> None:
        self.journal = journal
        self.consumer = consumer
        self.error: str | None = None
        self.failed = False
        self.readings = 0
        self.batches = 0
        self.retries = 0
        self.skipped = 0
        self._min_batch = min_batch_ms / 1000
        self._limit = limit
        self._tick_s = tick_s
        self._base = backoff_base
        self._next = consumer.position()
        self._ticking = consumer if isinstance(consumer, Ticking) else None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def next(self) -> int:
        """The ordinal that will be offered next."""
        return self._next

    def lag(self) -> int:
        """Readings in the journal that the consumer has not taken yet."""
        return max(0, self.journal.end - self._next)

    @property
    def alive(self) -> bool:
        """True while the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin at the consumer's position."""
        self._next = self.consumer.position()
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._run, name=f"consumer-{self.consumer.name}", daemon=True
        )
        self._thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """End after the batch under way. What was not taken is offered at the next start."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def drain(self, timeout: float = 30.0) -> bool:
        """Wait until the consumer has taken all there is now; False when time ran out."""
        target, until = self.journal.end, time.monotonic() + timeout
        while self._next < target and time.monotonic() < until and self.alive:
            time.sleep(0.005)
        return self._next >= target

    def _run(self) -> None:
        attempt = 0
        next_tick = time.monotonic() + self._tick_s
        try:
            while not self._stop.is_set():
                try:
                    self._step()
                    if self._ticking is not None and time.monotonic() >= next_tick:
                        next_tick = time.monotonic() + self._tick_s
                        self._ticking.tick()
                    if attempt:
                        log.info("consumer recovered", consumer=self.consumer.name)
                    attempt, self.error = 0, None
                except RetriableError as error:
                    if attempt == 0 or self.error != str(error):
                        log.warning(
                            "consumer waits", consumer=self.consumer.name, reason=str(error)
                        )
                    self.error = str(error)
                    self.retries += 1
                    pause = error.retry_after
                    self._stop.wait(backoff(attempt, self._base) if pause is None else pause)
                    attempt += 1
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
            self.failed = True
            log.exception("consumer stopped", consumer=self.consumer.name)

    def _step(self) -> None:
        if not self.journal.wait(self._next, min(self._tick_s, 0.25)):
            return
        if self._min_batch and self.journal.end - self._next < self._limit // 4:
            self._stop.wait(self._min_batch)
        start = max(self._next, self.journal.oldest)
        if start > self._next:
            self._skip(start, "older than the journal keeps")
        try:
            groups = self._read(start)
        except sqlite3.Error as error:  # the file may be readable again in a moment
            raise RetriableError(f"the journal cannot be read: {error}") from error
        if not groups:
            return
        self.consumer.consume(groups)
        self._next = groups[-1].end
        self.batches += 1
        self.readings += sum(len(g.readings) for g in groups)

    def _read(self, start: int) -> list[Group]:
        try:
            return self.journal.read(start, self._limit)
        except DamagedGroup as damage:
            # Everything around a damaged group is still good and must not wait for it.
            log.error("damaged journal group", consumer=self.consumer.name, start=damage.start)
            end = self.journal.end  # what is committed from here on is not behind the damage
            groups = self.journal.read(start, self._limit, skip_damaged=True)
            if not groups:
                self._skip(end, "nothing readable is left behind the damage")
            return groups

    def _skip(self, to: int, why: str) -> None:
        log.error(
            "readings passed over",
            consumer=self.consumer.name,
            start=self._next,
            end=to,
            why=why,
        )
        self.skipped += to - self._next
        self._next = to
