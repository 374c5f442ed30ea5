"""Alarms in the records: how each stands, the transitions that led there, notifications to send.

Written by the live twin together with its cursor, in one unit; read by the API.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from twin.alarms.machine import Memory, OutOfService, Shelve, State
from twin.alarms.standing import Kind, Pending, Standing, Transition
from twin.model.names import Name
from twin.records.schema import AlarmRow, NotificationRow, TransitionRow
from twin.records.store import Unit


@dataclass(frozen=True, slots=True)
class RecordedTransition:
    """A transition with its number in the record."""

    seq: int
    transition: Transition


def save_standings(unit: Unit, standings: Iterable[Standing]) -> None:
    """Write how these alarms stand now; one row for each, whatever was there before."""
    rows = [_alarm_values(standing) for standing in standings]
    if not rows:
        return
    postgres = unit.get_bind().dialect.name == "postgresql"
    statement = (postgresql.insert if postgres else sqlite.insert)(AlarmRow)
    changed = {name: statement.excluded[name] for name in rows[0] if name != "id"}
    upsert = statement.on_conflict_do_update(index_elements=["id"], set_=changed)
    unit.connection().execute(upsert, rows)


def load_standings(unit: Unit) -> list[Standing]:
    """Every alarm that ever stood, by id."""
    return [_standing(row) for row in unit.scalars(select(AlarmRow).order_by(AlarmRow.id))]


def append_transitions(unit: Unit, transitions: Sequence[Transition]) -> None:
    """Add transitions in their order.

    Raises sqlalchemy's IntegrityError when an occurrence is raised a second time: that is a defect
    of the caller, and the whole unit is undone.
    """
    if transitions:
        unit.execute(insert(TransitionRow), [_transition_values(t) for t in transitions])


def queue_notifications(
    unit: Unit, transitions: Sequence[Transition], channels: Sequence[str], now_ms: int
) -> None:
    """One outbox row per annunciated raise and channel, in the unit of the transition."""
    rows = [
        {
            "alarm": t.alarm,
            "occurrence": t.occurrence,
            "step": 0,
            "channel": channel,
            "created_at": now_ms,
            "due_at": now_ms,
            "attempts": 0,
        }
        for t in transitions
        if t.kind is Kind.RAISED and t.annunciate
        for channel in channels
    ]
    if rows:
        unit.execute(insert(NotificationRow), rows)


def alarm_history(
    unit: Unit,
    *,
    limit: int = 200,
    before_seq: int | None = None,
    point: str | None = None,
    alarm: str | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> list[RecordedTransition]:
    """Transitions, the newest first; page on with the `seq` of the last one.

    from_ms (inclusive) and to_ms (exclusive) bound the event time.
    """
    query = select(TransitionRow).order_by(TransitionRow.seq.desc()).limit(limit)
    if before_seq is not None:
        query = query.where(TransitionRow.seq < before_seq)
    if point is not None:
        query = query.where(TransitionRow.point == point)
    if alarm is not None:
        query = query.where(TransitionRow.alarm == alarm)
    if from_ms is not None:
        query = query.where(TransitionRow.at >= from_ms)
    if to_ms is not None:
        query = query.where(TransitionRow.at < to_ms)
    return [_recorded(row) for row in unit.scalars(query)]


def open_occurrences(unit: Unit) -> list[RecordedTransition]:
    """The raise of the present occurrence of every open alarm, the newest first."""
    query = (
        select(TransitionRow)
        .join(
            AlarmRow,
            (AlarmRow.id == TransitionRow.alarm)
            & (AlarmRow.occurrence == TransitionRow.occurrence),
        )
        .where(
            TransitionRow.kind == Kind.RAISED.value,
            or_(AlarmRow.active, AlarmRow.unacked, AlarmRow.latched),
        )
        .order_by(TransitionRow.seq.desc())
    )
    return [_recorded(row) for row in unit.scalars(query)]


def _alarm_values(standing: Standing) -> dict[str, Any]:
    memory, pending = standing.memory, standing.pending
    shelve, out = memory.shelve, memory.out_of_service
    return {
        "id": standing.id,
        "rule": standing.rule,
        "point": standing.point,
        "occurrence": memory.occurrence,
        "active": memory.active,
        "unacked": memory.unacked,
        "latched": memory.latched,
        "shelve": shelve and {"until": shelve.until, "by": shelve.by, "reason": shelve.reason},
        "suppressed_by": " ".join(sorted(memory.suppressed_by)),
        "out_of_service": out and {"by": out.by, "reason": out.reason},
        "pending_since": pending and pending.since,
        "pending_due": pending and pending.due,
        "since": standing.since,
        "raised_at": standing.raised_at,
        "value": standing.value,
        "acked_by": standing.acked_by,
        "acked_at": standing.acked_at,
        "ack_comment": standing.ack_comment,
    }


def _standing(row: AlarmRow) -> Standing:
    memory = Memory(
        active=row.active,
        unacked=row.unacked,
        latched=row.latched,
        shelve=Shelve(**row.shelve) if row.shelve else None,
        suppressed_by=frozenset(row.suppressed_by.split()),
        out_of_service=OutOfService(**row.out_of_service) if row.out_of_service else None,
        occurrence=row.occurrence,
    )
    pending = None
    if row.pending_since is not None and row.pending_due is not None:
        pending = Pending(row.pending_since, row.pending_due)
    return Standing(
        row.id,
        row.rule,
        row.point,
        memory,
        pending,
        row.since,
        row.raised_at,
        row.value,
        row.acked_by,
        row.acked_at,
        row.ack_comment,
    )


def _transition_values(t: Transition) -> dict[str, Any]:
    return {
        "alarm": t.alarm,
        "rule": t.rule,
        "point": t.point,
        "occurrence": t.occurrence,
        "kind": t.kind.value,
        "before": t.before.value,
        "after": t.after.value,
        "at": t.at,
        "recorded_at": t.recorded_at,
        "value": t.value,
        "limit": t.limit,
        "unit": t.unit,
        "priority": t.priority,
        "message_zh": t.message.zh,
        "message_en": t.message.en,
        "annunciate": t.annunciate,
        "user": t.user,
        "comment": t.comment,
    }


def _recorded(row: TransitionRow) -> RecordedTransition:
    transition = Transition(
        alarm=row.alarm,
        rule=row.rule,
        point=row.point,
        occurrence=row.occurrence,
        kind=Kind(row.kind),
        before=State(row.before),
        after=State(row.after),
        at=row.at,
        recorded_at=row.recorded_at,
        value=row.value,
        limit=row.limit,
        unit=row.unit,
        priority=row.priority,
        message=Name(row.message_zh, row.message_en),
        annunciate=row.annunciate,
        user=row.user,
        comment=row.comment,
    )
    return RecordedTransition(row.seq, transition)
