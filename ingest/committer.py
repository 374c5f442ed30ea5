"""The committer: one thread that gathers arrivals, commits them as a group, and only then tells.

Nothing is acknowledged, to a gateway or to the broker, before its group is on disk, and then in the
order of arrival. After a failed commit it holds everything, says that it is not healthy, and tries
again against the ledger as the disk has it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final

import structlog

from ingest.answers import Answers, Busy, Counters, Outlet, note
from ingest.arrivals import (
    Arrival,
    Bad,
    Foreign,
    Handed,
    Inbound,
    Native,
    Receipt,
    Retry,
    Sorter,
)
from ingest.assembly import Assembly, Plan
from ingest.bindings import Bindings
from ingest.clock import Clocks
from ingest.columns import Limits
from ingest.decode import Refused
from ingest.gateways import GatewayBook
from ingest.group import Group
from ingest.identity import CAPACITY
from ingest.journal import CommitFailed, Journal
from ingest.ledger import Kind
from ingest.readings import Readings

GROUP_READINGS: Final = 5_000
LINGER_S: Final = 0.02
QUEUE_READINGS: Final = 500_000
_RETRY_S: Final = (0.05, 5.0)

__all__ = ["Busy", "Committer", "Counters", "Outlet"]

log = structlog.get_logger(__name__)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Committer:
    """Start it, attach an outlet, submit messages. `window` = messages that the broker may have

    under way unacknowledged: a group is closed at half of it.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        bindings: Bindings | None = None,
        limits: Limits | None = None,
        book: GatewayBook | None = None,
        window: int = 1000,
        now: Callable[[], int] = _now_ms,
    ) -> None:
        self.journal = journal
        self.book = book or GatewayBook()
        self.counters = Counters()
        self.clocks = Clocks(journal.clocks())
        bindings = bindings or Bindings((), {})
        self._sorter = Sorter(self.clocks, bindings)
        self._assembly = Assembly(journal, bindings, limits or Limits.open())
        self._relearn()
        self._half_window = max(window // 2, 1)
        self._now = now
        self._outlet: Outlet | None = None
        self._queue: deque[Inbound | Handed | Retry] = deque()
        self._waiting_readings = 0
        self._store_lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._failed = False
        self._answers = Answers(journal)
        self._beat = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    # --- what others call ----------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Commit what was submitted and end the thread."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def attach(self, outlet: Outlet) -> None:
        """Where acknowledgements and publications go."""
        self._outlet = outlet

    @property
    def healthy(self) -> bool:
        """False while commits fail, or when the thread is dead or stuck for 30 s."""
        stuck = time.monotonic() - self._beat > 30.0
        return not self._failed and self._thread.is_alive() and not stuck

    @property
    def waiting(self) -> int:
        """Messages submitted and not yet taken up."""
        return len(self._queue)

    def submit(self, message: Inbound) -> None:
        """Take a message from the broker; never blocks (the broker's window is the bound)."""
        self._queue.append(message)
        if not self._wake.is_set():
            self._wake.set()

    def submit_all(self, messages: Iterable[Inbound]) -> None:
        """As `submit`, for several in order."""
        self._queue.extend(messages)
        self._wake.set()

    def store(self, source: str, readings: Readings, *, kind: Kind = "derived") -> Future[Receipt]:
        """Store readings from inside the process, known by (source, point, time).

        The future fails with `Busy` when the commit fails for good; raises `Busy` when
        `QUEUE_READINGS` wait already, or while the disk takes nothing.
        """
        with self._store_lock:
            if self._failed or self._stopping.is_set():
                raise Busy(5)
            if self._waiting_readings + len(readings) > QUEUE_READINGS:
                raise Busy(1)
            self._waiting_readings += len(readings)
        future: Future[Receipt] = Future()
        self._queue.append(Handed(source, kind, readings, self._now(), future))
        self._wake.set()
        return future

    def retry(self, ids: Iterable[int]) -> Future[dict[int, str]]:
        """Read quarantined rows again, with the points and bindings of now.

        The future gives id -> "" when its readings are stored, else why they still cannot be.
        """
        future: Future[dict[int, str]] = Future()
        self._queue.append(Retry(tuple(ids), self._now(), future))
        self._wake.set()
        return future

    # --- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._beat = time.monotonic()
            arrivals = self._gather()
            if arrivals:
                self._settle(arrivals)
            elif self._stopping.is_set() and not self._queue:
                break
        self._fail_waiting()

    def _gather(self) -> list[Arrival]:
        """Arrivals for one group: 5,000 readings, 20 ms, or half of the broker's window."""
        queue, sort = self._queue, self._sort
        if not queue:
            self._wake.clear()
            if not queue and not self._stopping.is_set():
                self._wake.wait(0.5)
            if not queue:
                return []
        deadline = time.monotonic() + LINGER_S
        arrivals: list[Arrival] = []
        readings = 0
        while True:
            while queue and readings < GROUP_READINGS and len(arrivals) < self._half_window:
                item = queue.popleft()
                arrival = sort(item) if type(item) is Inbound else item
                arrivals.append(arrival)  # type: ignore[arg-type]
                readings += _size(arrival)  # type: ignore[arg-type]
            if readings >= GROUP_READINGS or len(arrivals) >= self._half_window:
                return arrivals
            left = deadline - time.monotonic()
            if left <= 0 or self._stopping.is_set():
                return arrivals
            self._wake.clear()
            if not queue:
                self._wake.wait(left)

    def _sort(self, message: Inbound) -> Arrival:
        try:
            return self._sorter.sort(message)
        except Exception as error:  # noqa: BLE001 - one message must never stop the others
            self.counters.internal_errors += 1
            log.error("message not read", topic=message.topic, where=_where())
            return Bad(message, "?", Refused("internal", f"internal error: {error!r}"), False)

    def _settle(self, arrivals: list[Arrival]) -> None:
        """Commit a group, however often it takes, then acknowledge it."""
        pause = _RETRY_S[0]
        while True:
            self._beat = time.monotonic()
            try:
                self.journal.ready()
                if self._failed:
                    self._relearn()
                plan = self._plan(arrivals)
                began = time.perf_counter()
                group = None if plan.draft.empty() else self.journal.commit(plan.draft)
            except (CommitFailed, sqlite3.Error) as error:
                self.counters.commit_failures += 1
                if not self._failed:
                    log.error("commit failed; nothing is acknowledged", error=str(error))
                self._failed = True
                if self._stopping.wait(pause):
                    self._refuse(arrivals)
                    return
                pause = min(pause * 2, _RETRY_S[1])
            except Exception as error:  # noqa: BLE001 - a defect is kept to its message
                self.counters.internal_errors += 1
                log.error("group not assembled", arrivals=len(arrivals), where=_where())
                self._isolate(arrivals, error)
                return
            else:
                self.counters.commit_seconds += time.perf_counter() - began
                if self._failed:
                    log.info("commits work again")
                    self._failed = False
                self._tell(arrivals, plan, group)
                return

    def _plan(self, arrivals: list[Arrival]) -> Plan:
        plan = self._assembly.plan(arrivals, self._now())
        plan.draft.clocks = self.clocks.to_keep(plan.seen)
        return plan

    def _relearn(self) -> None:
        """Fill the memory of identities from the end of the journal."""
        self._assembly.remember(max(self.journal.end - CAPACITY, self.journal.oldest))

    def _isolate(self, arrivals: list[Arrival], error: Exception) -> None:
        """Commit one by one; the one that cannot be assembled is quarantined or failed."""
        if len(arrivals) > 1:
            for arrival in arrivals:
                self._settle([arrival])
            return
        arrival = arrivals[0]
        if isinstance(arrival, Handed | Retry):
            if _wanted(arrival.future):
                arrival.future.set_exception(error)
            self._forget(arrival)
        elif not (isinstance(arrival, Bad) and arrival.refused.code == "internal"):
            refused = Refused("internal", f"internal error: {error!r}")
            self._settle([Bad(arrival.message, "?", refused, native=False)])

    def _tell(self, arrivals: list[Arrival], plan: Plan, group: Group | None) -> None:
        """Everything that may be said because the group is on disk."""
        self._assembly.committed(plan)
        self.clocks.kept(plan.draft.clocks)
        counters = self.counters
        counters.groups += group is not None
        counters.readings += len(plan.draft.readings)
        counters.quarantined += len(plan.draft.rejected)
        counters.ahead += plan.ahead
        counters.ignored_fields += plan.ignored_fields
        offset = self.clocks.offset
        self.book.seen({g: (at, offset(g)) for g, at in plan.seen.items()})
        for told in plan.told:
            note(self.book, told)
        marks = []
        for arrival in arrivals:
            if isinstance(arrival, Handed | Retry):
                self._forget(arrival)
                continue
            counters.messages += 1
            counters.refused += isinstance(arrival, Bad)
            mark = arrival[0][3]
            if mark is not None:
                marks.append(mark)
        if self._outlet is not None:
            self._outlet.settle(marks, self._answers.of(plan))
        start = group.start if group is not None else self.journal.end
        for handed, receipt in plan.receipts:
            if _wanted(handed.future):
                handed.future.set_result(replace(receipt, start=start + receipt.start))
        for retry, outcomes in plan.retried:
            if _wanted(retry.future):
                retry.future.set_result(outcomes)

    def _forget(self, arrival: Handed | Retry) -> None:
        if isinstance(arrival, Handed):
            with self._store_lock:
                self._waiting_readings -= len(arrival.readings)

    def _refuse(self, arrivals: Iterable[Arrival | Inbound]) -> None:
        for arrival in arrivals:
            if isinstance(arrival, Handed | Retry):
                if _wanted(arrival.future):
                    arrival.future.set_exception(Busy(5))
                self._forget(arrival)

    def _fail_waiting(self) -> None:
        waiting = list(self._queue)
        self._queue.clear()
        self._refuse(waiting)


def _wanted(future: Future[Any]) -> bool:
    """False when the caller gave up: to answer a cancelled future would end the thread."""
    return future.set_running_or_notify_cancel()


def _where() -> str:
    """The error being handled, by its last calls: no locals, no colours, cheap in a flood."""
    return traceback.format_exc(limit=-3)


def _size(arrival: Arrival) -> int:
    if type(arrival) is Native:
        return len(arrival.up.readings or ())
    if isinstance(arrival, Foreign):
        return len(arrival.found.rows)
    return len(arrival.readings) if isinstance(arrival, Handed) else 0
