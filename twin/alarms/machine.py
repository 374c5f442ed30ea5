"""The alarm state machine: independent memories, from which the ISA-18.2 state is derived.

Follows ISA-18.2-2016 figure 2 and the orthogonal states of OPC UA Part 9. Owns no timers, limits
or clocks: whether a condition has lasted long enough is decided by `twin.alarms.engine`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum


class State(StrEnum):
    """The derived state, named as ISA-18.2 names it."""

    NORM = "NORM"
    UNACK = "UNACK"
    ACKED = "ACKED"
    RTN_UNACK = "RTN-UNACK"
    LATCHED_UNACK = "LATCHED-UNACK"
    LATCHED_ACKED = "LATCHED-ACKED"
    SHELVED = "SHELVED"
    SUPPRESSED = "SUPPRESSED-BY-DESIGN"
    OUT_OF_SERVICE = "OUT-OF-SERVICE"


class Event(StrEnum):
    """What can happen to an alarm. RAISE and CLEAR come after deadband and delays."""

    RAISE = "raise"
    CLEAR = "clear"
    ACKNOWLEDGE = "acknowledge"


@dataclass(frozen=True, slots=True)
class Shelve:
    """Put aside by an operator. until: Unix ms of wall time, None for one-shot."""

    until: int | None
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class OutOfService:
    """Taken out of service under a permit."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What an alarm remembers. `occurrence` counts its raises; 0 = never raised."""

    active: bool = False
    unacked: bool = False
    latched: bool = False
    shelve: Shelve | None = None
    suppressed_by: frozenset[str] = field(default_factory=frozenset)
    out_of_service: OutOfService | None = None
    occurrence: int = 0

    @property
    def state(self) -> State:
        """The derived ISA state."""
        return derive(self)

    @property
    def annunciated(self) -> bool:
        """False while the operator or the design keeps it from the alarm list."""
        return not (self.out_of_service or self.suppressed_by or self.shelve)

    @property
    def open(self) -> bool:
        """Active, waiting for an acknowledgement, or waiting for a reset."""
        return self.active or self.unacked or self.latched


@dataclass(frozen=True, slots=True)
class Step:
    """One step taken: the memories after it, and whether anything happened at all.

    changed: False when the event means nothing in that state (the memories are then the same);
    annunciate: True when an operator is to be told.
    """

    memory: Memory
    changed: bool
    annunciate: bool = False


def derive(memory: Memory) -> State:
    """The ISA state of some memories; who keeps an alarm quiet goes before what it is."""
    if memory.out_of_service is not None:
        return State.OUT_OF_SERVICE
    if memory.suppressed_by:
        return State.SUPPRESSED
    if memory.shelve is not None:
        return State.SHELVED
    if memory.active:
        return State.UNACK if memory.unacked else State.ACKED
    if memory.latched:
        return State.LATCHED_UNACK if memory.unacked else State.LATCHED_ACKED
    return State.RTN_UNACK if memory.unacked else State.NORM


def step(memory: Memory, event: Event, *, latching: bool = False) -> Step:
    """The memories after an event; every pair of state and event has an answer.

    A raise always begins a new occurrence, also from RTN-UNACK and from a latched alarm, which
    then goes to UNACK. An acknowledgement never clears. A quiet alarm (shelved, suppressed, out of
    service) goes on being evaluated; it is only not annunciated.
    """
    if event is Event.RAISE:
        if memory.active:
            return Step(memory, changed=False)
        after = replace(
            memory, active=True, unacked=True, latched=latching, occurrence=memory.occurrence + 1
        )
        return Step(after, changed=True, annunciate=after.annunciated)
    if event is Event.CLEAR:
        if not memory.active:
            return Step(memory, changed=False)
        return Step(replace(memory, active=False), changed=True)
    if not memory.unacked:
        return Step(memory, changed=False)
    return Step(replace(memory, unacked=False), changed=True)
