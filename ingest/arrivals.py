"""Arrivals: what came in, read once and sorted by kind, before any ledger is asked.

Pure but for what it remembers of topics and gateway clocks. It decides from a message alone; the
same arrivals can be judged against the ledger again after a failed commit.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import msgspec

from edge.wire import OFFLINE, ONLINE, ConfigReported, State
from ingest import decode, foreign
from ingest.bindings import Bindings
from ingest.clock import Clocks
from ingest.decode import Fault, Refused, Up
from ingest.foreign import Found
from ingest.ledger import Kind
from ingest.readings import Readings

MAX_NAME: Final = 64
_TOPIC_CACHE: Final = 50_000


class Mark(NamedTuple):
    """Which message is to be acknowledged: on which connection, under which number."""

    connection: int
    mid: int


class Inbound(NamedTuple):
    """A message from the broker; received_at in Unix ms; mark None when nothing is owed (QoS 0)."""

    topic: str
    payload: bytes
    received_at: int
    mark: Mark | None = None
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of readings handed over in-process: they lie at ordinals from `start` on."""

    start: int
    stored: int
    duplicates: int
    corrections: int
    rejected: int


class Native(NamedTuple):
    """A readable message of a gateway. shift: ms to add to its times."""

    message: Inbound
    gateway: str
    up: Up
    faults: dict[int, Fault] | None
    shift: int


class Foreign(NamedTuple):
    """A readable message of a foreign source."""

    message: Inbound
    source: str
    found: Found


class Bad(NamedTuple):
    """A message without a readable frame."""

    message: Inbound
    source: str
    refused: Refused
    native: bool


class Told(NamedTuple):
    """A gateway spoke of itself: one of its state, its presence and its configuration."""

    message: Inbound
    gateway: str
    state: State | None = None
    online: bool | None = None
    reported: ConfigReported | None = None


class Handed(NamedTuple):
    """Readings from inside the process."""

    source: str
    kind: Kind
    readings: Readings
    received_at: int
    future: Future[Receipt]


class Retry(NamedTuple):
    """Quarantined rows to be read again; the future gets id -> reason, "" when it was stored."""

    ids: tuple[int, ...]
    received_at: int
    future: Future[dict[int, str]]


Arrival = Native | Foreign | Bad | Told | Handed | Retry


class Leaf(IntEnum):
    """What a topic carries."""

    UP = 0
    STATE = 1
    ALIVE = 2
    REPORTED = 3
    JSON = 4
    LINES = 5
    UNKNOWN = 6


_PARK_LEAVES: Final = {
    "up": Leaf.UP,
    "state": Leaf.STATE,
    "alive": Leaf.ALIVE,
    "config/reported": Leaf.REPORTED,
}
_IN_LEAVES: Final = {"json": Leaf.JSON, "lp": Leaf.LINES}


def classify(topic: str) -> tuple[Leaf, str]:
    """(what it carries, who sent it) of a topic."""
    root, _, rest = topic.partition("/")
    if root == "park":
        name, _, leaf = rest.partition("/")
        kind = _PARK_LEAVES.get(leaf, Leaf.UNKNOWN)
    elif root == "in":
        # A source may contain slashes: in/{source}/json.
        name, _, leaf = rest.rpartition("/")
        kind = _IN_LEAVES.get(leaf, Leaf.UNKNOWN)
    else:
        name, kind = "", Leaf.UNKNOWN
    if not name or len(name) > MAX_NAME or not name.isprintable():
        return Leaf.UNKNOWN, "?"
    return kind, name


class Sorter:
    """Turns inbound messages into arrivals."""

    def __init__(self, clocks: Clocks, bindings: Bindings) -> None:
        self.clocks = clocks
        self.bindings = bindings
        self._topics: dict[str, tuple[Leaf, str]] = {}

    def sort(self, message: Inbound) -> Arrival:
        """Read one message; never raises for what is in it."""
        topic = message.topic
        known = self._topics.get(topic)
        if known is None:
            if len(self._topics) >= _TOPIC_CACHE:
                self._topics.clear()
            known = self._topics[topic] = classify(topic)
        leaf, name = known
        if leaf is Leaf.UP:
            parsed = decode.parse(message.payload)
            if type(parsed) is tuple:
                up, faults = parsed
                shift = self.clocks.observe(name, up.sent, up.uptime, message.received_at)
                return Native(message, name, up, faults, shift)
            assert isinstance(parsed, Refused)
            return Bad(message, name, parsed, native=True)
        if leaf is Leaf.JSON or leaf is Leaf.LINES:
            read = foreign.read_json if leaf is Leaf.JSON else foreign.read_lines
            found = read(message.payload, self.bindings.of(name), message.received_at)
            if isinstance(found, Refused):
                return Bad(message, name, found, native=False)
            return Foreign(message, name, found)
        return self._word(message, leaf, name)

    def _word(self, message: Inbound, leaf: Leaf, name: str) -> Arrival:
        """Presence, state and reported configuration."""
        payload = message.payload
        if leaf is Leaf.ALIVE and payload in (ONLINE, OFFLINE):
            return Told(message, name, online=payload == ONLINE)
        try:
            if leaf is Leaf.STATE:
                return Told(message, name, state=msgspec.json.decode(payload, type=State))
            if leaf is Leaf.REPORTED:
                reported = msgspec.json.decode(payload, type=ConfigReported)
                return Told(message, name, reported=reported)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return Bad(message, name, Refused("frame", f"unreadable {leaf.name}: {error}"), False)
        refused = Refused("topic", f"nothing is expected on {decode.show(message.topic)}")
        return Bad(message, name, refused, native=False)
