"""How wrong a gateway's clock is, told from `sent` and `uptime` against the arrival of messages.

Let the gateway's clock lag the platform's by `offset`. A message sent at `sent` on that clock
arrives at ``sent + offset + delay``, so every message gives an upper bound,
``received_at - sent >= offset``, tight when the message was not delayed.

* A bound within the tolerance: the clock is right. (It could be ahead by just the delay; we do not
  believe in such accidents.)
* A negative bound needs no second opinion: a delay only adds, so the clock is ahead.
* A large positive bound is a late clock, or a message that waited in the broker while the node
  was down. While such a queue drains, messages arrive faster than they were sent and the smallest
  bound keeps falling; live messages leave it. Only a smallest bound that several messages over
  `STEADY_MS` of arrival could not lower is believed; until then the device's time stands.
* `uptime` does not jump when somebody sets the clock: ``received_at - uptime`` bounds the moment of
  boot in platform time by the same argument, and ``offset = boot - (sent - uptime)`` follows a step
  of the clock at once. It also outlives a restart of the node, so `memory` is kept in the journal:
  with it even the first message out of a queue is corrected.

The smallest bound is taken over the present and the last window, so that a clock set back, or our
own clock set, is learned within two windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

TOLERANCE_MS: Final = 5 * 60_000
"""Up to this much the device's time is stored as it came."""

STEADY_MS: Final = 5_000
STEADY_MESSAGES: Final = 3
JITTER_MS: Final = 1_000
WINDOW_MS: Final = {True: 600_000, False: 60_000}  # with uptime, without
REMEMBER_STEP_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ClockMemory:
    """What is worth keeping over a restart: its boot in platform time, its uptime then."""

    boot: int
    uptime: int


class GatewayClock:
    """Estimates the offset of one gateway's clock; feed it every message in order of arrival."""

    def __init__(self, memory: ClockMemory | None = None) -> None:
        self.offset = 0
        """Platform time minus gateway time in ms as far as it is known, else 0."""
        self._floor: int | None = None  # smallest bound of this window and the last
        self._window_floor: int | None = None
        self._window_end = 0
        self._steady = False
        self._steady_since = 0
        self._steady_count = 0
        self._uptime: int | None = None
        if memory is not None:
            self._floor = memory.boot
            self._uptime = memory.uptime
            self._steady = True

    @property
    def memory(self) -> ClockMemory | None:
        """What to keep; None while nothing is believed or the gateway sends no uptime."""
        if self._floor is None or not self._steady or self._uptime is None:
            return None
        return ClockMemory(self._floor, self._uptime)

    def observe(self, sent: int | None, uptime: int | None, received_at: int) -> int:
        """Take a message in; returns the correction in ms to add to its readings' times.

        0 when the clock is right within `TOLERANCE_MS`, or not known to be wrong.
        """
        if sent is None:
            return 0
        known = self._uptime
        rebooted = known is not None and uptime is not None and uptime < known - TOLERANCE_MS
        if rebooted or (known is None) != (uptime is None):
            self._floor = self._window_floor = None
            self._steady = False
            known = None
        self._uptime = uptime if known is None or uptime is None else max(uptime, known)
        floor = self._lower(received_at - (sent if uptime is None else uptime), received_at)
        offset = floor if uptime is None else floor - (sent - uptime)
        bound = received_at - sent
        if abs(bound) <= TOLERANCE_MS:
            self.offset = min(offset, bound) if self._steady else 0
            return 0
        self.offset = min(offset, bound) if bound < 0 or self._steady else 0
        return self.offset if abs(self.offset) > TOLERANCE_MS else 0

    def _lower(self, bound: int, received_at: int) -> int:
        """Take a bound into the smallest one, and judge whether that one stands still."""
        if received_at >= self._window_end or self._window_floor is None:
            if self._window_floor is not None:
                self._floor = self._window_floor
            self._window_floor = bound
            self._window_end = received_at + WINDOW_MS[self._uptime is not None]
        self._window_floor = min(self._window_floor, bound)
        if self._floor is None or bound < self._floor - JITTER_MS:
            # Far below what was known: what came before was delayed, or the clock was set.
            self._floor = bound
            self._steady = False
            self._steady_since = received_at
            self._steady_count = 0
        self._floor = min(self._floor, bound)
        if bound - self._floor <= JITTER_MS:
            self._steady_count += 1
            lasting = received_at - self._steady_since >= STEADY_MS
            if lasting and self._steady_count >= STEADY_MESSAGES:
                self._steady = True
        return self._floor


class Clocks:
    """The clocks of all gateways (bounded; the one known longest is forgotten first)."""

    def __init__(self, memories: Mapping[str, ClockMemory] | None = None, limit: int = 20_000):
        self._limit = limit
        self._kept = dict(memories or {})
        self._clocks = {name: GatewayClock(memory) for name, memory in self._kept.items()}

    def observe(self, gateway: str, sent: int | None, uptime: int | None, received_at: int) -> int:
        """As `GatewayClock.observe`."""
        clock = self._clocks.get(gateway)
        if clock is None:
            if len(self._clocks) >= self._limit:
                self._clocks.pop(next(iter(self._clocks)))
            clock = self._clocks[gateway] = GatewayClock()
        return clock.observe(sent, uptime, received_at)

    def offset(self, gateway: str) -> int:
        """Platform minus gateway clock in ms; 0 when unknown."""
        clock = self._clocks.get(gateway)
        return clock.offset if clock else 0

    def to_keep(self, gateways: Iterable[str]) -> dict[str, ClockMemory]:
        """Memories among `gateways` that changed enough to be written again."""
        changed = {}
        for gateway in gateways:
            clock = self._clocks.get(gateway)
            memory = clock.memory if clock else None
            old = self._kept.get(gateway)
            if memory is not None and (
                old is None or abs(memory.boot - old.boot) > REMEMBER_STEP_MS
            ):
                changed[gateway] = memory
        return changed

    def kept(self, memories: Mapping[str, ClockMemory]) -> None:
        """Note that these are durable now."""
        self._kept.update(memories)
