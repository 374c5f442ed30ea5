"""The wire between gateways and the platform: topics, message structs and quality codes.

Owns the contract only; reading the struct's fields is all a peer needs to interoperate. It works
on MQTT 3.1.1 with QoS 1. Times are Unix milliseconds (UTC), values are numbers or null.
"""

from __future__ import annotations

from typing import Final

import msgspec

WIRE_VERSION: Final = 1

# Severity lives in the two high bits of the quality byte, the reason in the low six.
GOOD: Final = 0
UNCERTAIN: Final = 64
BAD: Final = 128

RANGE: Final = 1
RATE: Final = 2
STUCK: Final = 3
MANUAL: Final = 4
CLOCK: Final = 5
COMMS: Final = 6
DEVICE: Final = 7
OVER_RANGE: Final = 8
MAINTENANCE: Final = 9
CALIBRATION: Final = 10
STOPPED: Final = 11

# A failed read travels as a reading: null value, quality 134. Never a zero, never silence.
READ_FAILED: Final = BAD | COMMS

Reading = tuple[str, int, float | None, int]
"""(point id, event time in Unix ms, value or None, quality byte)."""


class Up(msgspec.Struct, omit_defaults=True):
    """Payload of ``park/{gateway}/up``: exactly one of `readings`, `lost` and `poison` is given.

    Reading i has sequence ``first + i`` within `box`. `lost` declares that many sequence numbers
    from `first` as gone, with `reason`. `poison` is one message part that the platform refused,
    base64; it takes one sequence number and is quarantined.
    """

    box: str
    first: int
    v: int = 0
    sent: int | None = None
    uptime: int | None = None
    readings: list[Reading] | None = None
    lost: int | None = None
    reason: str | None = None
    poison: str | None = None


HELLO: Final = ""
"""Box of an ack that knows no box yet: the platform listens, what was sent before may be gone."""


class Ack(msgspec.Struct):
    """Payload of ``park/{gateway}/ack``: every sequence <= `committed` of `box` is on disk."""

    box: str
    committed: int
    epoch: str


class Nack(msgspec.Struct):
    """Payload of ``park/{gateway}/nack``: the message with this digest could not be decoded."""

    digest: str
    reason: str


class BoxState(msgspec.Struct):
    """One outbox box: sequences `oldest`..`newest` are kept, up to `acked` they are confirmed."""

    box: str
    oldest: int
    newest: int
    acked: int


class State(msgspec.Struct):
    """Payload of ``park/{gateway}/state`` (retained)."""

    boxes: list[BoxState]
    v: int = WIRE_VERSION
    config: str = ""
    software: str = ""


class Replay(msgspec.Struct):
    """Payload of ``park/{gateway}/replay``: send sequences `from_`..`to` of `box` again."""

    box: str
    from_: int = msgspec.field(name="from")
    to: int = 0
    repair: bool = True


class ConfigDesired(msgspec.Struct):
    """Payload of ``park/{gateway}/config/desired`` (retained)."""

    version: int
    hash: str
    yaml: str


class ConfigReported(msgspec.Struct):
    """Payload of ``park/{gateway}/config/reported`` (retained)."""

    version: int
    status: str
    at: int
    error: str | None = None


ONLINE: Final = b"online"
OFFLINE: Final = b"offline"


def topic(gateway: str, leaf: str) -> str:
    """Topic of one gateway, e.g. ``topic("GW-1", "up") == "park/GW-1/up"``."""
    return f"park/{gateway}/{leaf}"


# Generated access rules and the topic table in docs/architecture.md both come from these.
GATEWAY_WRITES: Final = ("up", "state", "alive", "config/reported")
GATEWAY_READS: Final = ("ack", "nack", "replay", "config/desired")
NODE_READS: Final = (
    "park/+/up",
    "park/+/state",
    "park/+/alive",
    "park/+/config/reported",
    "in/#",
    "spBv1.0/#",
)
NODE_WRITES: Final = ("park/+/ack", "park/+/nack", "park/+/replay", "park/+/config/desired")
