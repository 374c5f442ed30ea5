"""The quality byte: severity in the two high bits, a reason in the low six.

The same codes as on the wire (a contract test holds them equal); the twin imports nothing of ours.
"""

from __future__ import annotations

from typing import Final

GOOD: Final = 0
UNCERTAIN: Final = 64
BAD: Final = 128
SEVERITY_MASK: Final = 0xC0

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

REASONS: Final = {
    RANGE: "range",
    RATE: "rate",
    STUCK: "stuck",
    MANUAL: "manual",
    CLOCK: "clock",
    COMMS: "comms",
    DEVICE: "device",
    OVER_RANGE: "over-range",
    MAINTENANCE: "maintenance",
    CALIBRATION: "calibration",
    STOPPED: "stopped",
}


def severity(quality: int) -> int:
    """`GOOD`, `UNCERTAIN` or `BAD`."""
    return quality & SEVERITY_MASK


def describe(quality: int) -> str:
    """A quality byte in words: ``describe(134) == "bad (comms)"``."""
    word = {GOOD: "good", UNCERTAIN: "uncertain", BAD: "bad"}.get(severity(quality), "invalid")
    reason = REASONS.get(quality & 0x3F)
    return f"{word} ({reason})" if reason else word
