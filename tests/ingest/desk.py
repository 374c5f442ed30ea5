"""What the committer's tests share: a gateway's messages, and an outlet that listens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingest.arrivals import Inbound, Mark
from ingest.bindings import Bindings
from ingest.columns import Limits
from ingest.committer import Committer
from ingest.journal import Journal
from twin.model import Binding

POINTS = tuple(f"MH-{i:03d}.level" for i in range(50))


def now_ms() -> int:
    """Unix ms."""
    return time.time_ns() // 1_000_000


def until(condition: Callable[[], Any], timeout: float = 30.0) -> None:
    """Wait for a condition; fails the test after `timeout` s."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def up(first: int, items: Sequence[Any], *, box: str = "box-1", **more: Any) -> bytes:
    """A payload of ``park/{gateway}/up``; `sent` is now unless given."""
    frame = {"v": 1, "box": box, "first": first, "sent": now_ms(), "readings": list(items)}
    return json.dumps({k: v for k, v in (frame | more).items() if v is not ...}).encode()


def good(count: int, *, at: int | None = None, value: float = 0.5) -> list[list[Any]]:
    """`count` good readings."""
    ts = at if at is not None else now_ms()
    return [[POINTS[i % len(POINTS)], ts + i, value + i, 0] for i in range(count)]


class Ear:
    """An outlet that remembers what was settled, in order."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.journal_end: list[int] = []
        self.journal: Journal | None = None
        self._lock = threading.Lock()

    def settle(self, marks: Sequence[Mark], publications: Sequence[tuple[str, bytes]]) -> None:
        with self._lock:
            self.marks += marks
            self.said += [(topic, json.loads(payload)) for topic, payload in publications]
            if self.journal is not None:
                self.journal_end.append(self.journal.end)

    def acks(self, gateway: str = "GW-1") -> list[tuple[str, int]]:
        """(box, committed) acknowledged to a gateway."""
        return [(x["box"], x["committed"]) for t, x in self.said if t == f"park/{gateway}/ack"]


class Desk:
    """A running committer with its journal; `send` waits until a message is settled."""

    def __init__(self, journal: Journal, committer: Committer, ear: Ear) -> None:
        self.journal = journal
        self.committer = committer
        self.ear = ear
        self._mid = 0

    def mark(self) -> Mark:
        self._mid += 1
        return Mark(1, self._mid)

    def send(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """One message, settled."""
        mark = self.mark()
        self.committer.submit(Inbound(topic, payload, now_ms(), mark, retained))
        until(lambda: mark in self.ear.marks)

    def values(self) -> list[float]:
        """All stored values in order."""
        return [v for g in self.journal.read(0) for v in g.readings.value.tolist()]

    def qualities(self) -> list[int]:
        """All stored qualities in order."""
        return [v for g in self.journal.read(0) for v in g.readings.quality.tolist()]

    def times(self) -> list[int]:
        """All stored times in order."""
        return [v for g in self.journal.read(0) for v in g.readings.ts.tolist()]

    def reasons(self) -> list[tuple[str, str]]:
        """(code, reason) of what is in quarantine."""
        return [(row.code, row.reason) for row in self.journal.quarantine(limit=10_000)]


@contextmanager
def desk(path: Path, bindings: Sequence[Binding] = (), **settings: Any) -> Iterator[Desk]:
    """A committer over the journal at `path`; every point is limited to 0..100."""
    with Journal(path) as journal:
        journal.points.ensure(POINTS)
        ear = Ear()
        ear.journal = journal
        limits = Limits.of([(0.0, 100.0)] * len(journal.points))
        committer = Committer(
            journal,
            bindings=Bindings(bindings, journal.points.lookup()),
            limits=limits,
            **settings,
        )
        committer.attach(ear)
        committer.start()
        try:
            yield Desk(journal, committer, ear)
        finally:
            committer.stop()
