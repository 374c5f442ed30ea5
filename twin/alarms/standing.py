"""An alarm as it stands, and one transition of it: what records keep and screens show."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from twin.alarms.machine import Memory, State
from twin.model.names import Name


class Kind(StrEnum):
    """Why a transition happened. RETIRED: its rule or point left the park model."""

    RAISED = "raised"
    CLEARED = "cleared"
    ACKNOWLEDGED = "acknowledged"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Pending:
    """A delay that is running. since: when it began; due: when it ends.

    Both are event time in Unix ms; for no-data rules they are receive time.
    """

    since: int
    due: int


@dataclass(frozen=True, slots=True)
class Standing:
    """One alarm (one rule on one point) as it stands.

    id: "rule:point". pending: the on-delay of an inactive alarm or the off-delay of an active one.
    since: when the condition of the present occurrence began (event ms, -1 never); raised_at: wall
    ms when it was raised (-1 never); value: at the raise, or at the start of a pending one.
    """

    id: str
    rule: str
    point: str
    memory: Memory = field(default_factory=Memory)
    pending: Pending | None = None
    since: int = -1
    raised_at: int = -1
    value: float | None = None
    acked_by: str | None = None
    acked_at: int | None = None
    ack_comment: str | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of one alarm, written once and never changed.

    at: event time (receive time for no-data), Unix ms; recorded_at: wall time, Unix ms; value,
    limit in `unit`; message: as annunciated; user and comment: of an acknowledgement.
    """

    alarm: str
    rule: str
    point: str
    occurrence: int
    kind: Kind
    before: State
    after: State
    at: int
    recorded_at: int
    value: float | None
    limit: float | None
    unit: str
    priority: str
    message: Name
    annunciate: bool = False
    user: str | None = None
    comment: str | None = None
