"""Answers: what gateways are told once a group is on disk, and what callers are told meanwhile.

Builds acknowledgements, nacks and requests for replay; sends nothing itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from edge.wire import HELLO, Ack, topic
from ingest.arrivals import Mark, Told
from ingest.assembly import Plan
from ingest.gateways import GatewayBook
from ingest.journal import Journal

REPLAY_EVERY_S: Final = 60.0


class Busy(Exception):
    """The queue is full or the disk does not take anything; come back in `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"not accepting readings now; try again in {retry_after:g} s")
        self.retry_after = retry_after


class Outlet(Protocol):
    """Where acknowledgements go (`ingest.mqtt.MqttSource`)."""

    def settle(self, marks: Sequence[Mark], publications: Sequence[tuple[str, bytes]]) -> None:
        """Acknowledge messages to the broker in this order, and publish."""


@dataclass(slots=True)
class Counters:
    """Totals since start, for /metrics."""

    messages: int = 0
    readings: int = 0
    groups: int = 0
    commit_seconds: float = 0.0
    commit_failures: int = 0
    quarantined: int = 0
    refused: int = 0
    ahead: int = 0
    ignored_fields: int = 0
    internal_errors: int = 0


class Answers:
    """Publications that follow from a committed plan; a box is asked for a gap once a minute."""

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.monotonic) -> None:
        self._journal = journal
        self._clock = clock
        self._asked: dict[tuple[str, str], float] = {}

    def of(self, plan: Plan) -> list[tuple[str, bytes]]:
        """(topic, payload): one acknowledgement a box, cumulative; then nacks; then replays."""
        encode = msgspec.json.encode
        epoch = self._journal.epoch
        out = []
        for gateway, name in plan.acks:
            if name == HELLO:
                out.append((topic(gateway, "ack"), encode(Ack(HELLO, 0, epoch))))
                continue
            box = plan.draft.changed.get((gateway, name)) or self._journal.account(gateway, name)
            if box is not None and box.first >= 0:
                payload = encode(Ack(name, box.committed, epoch))
                out.append((topic(gateway, "ack"), payload))
        out += [(topic(gateway, "nack"), encode(nack)) for gateway, nack in plan.nacks]
        if plan.replays:
            now = self._clock()
            self._asked = {k: at for k, at in self._asked.items() if now - at < REPLAY_EVERY_S}
            recent = set(self._asked)
            for gateway, replay in plan.replays:
                if (gateway, replay.box) not in recent:
                    self._asked[gateway, replay.box] = now
                    out.append((topic(gateway, "replay"), encode(replay)))
        return out


def note(book: GatewayBook, told: Told) -> None:
    """Write what a gateway said about itself into the book."""
    message = told.message
    if told.state is not None:
        book.state(told.gateway, told.state, message.received_at, retained=message.retained)
    elif told.online is not None:
        book.presence(told.gateway, told.online, message.received_at, retained=message.retained)
    elif told.reported is not None:
        book.configured(told.gateway, told.reported)
