"""What the live twin makes durable in one transaction of the records, and reads at its start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.live_checkpoint import Checkpoint
from twin.alarms.standing import Standing, Transition
from twin.records import Records
from twin.records import alarms as alarm_records
from twin.records.cursors import (
    Cursor,
    forget_derived,
    queue_derived,
    queued_derived,
    read_cursor,
    write_cursor,
)


@dataclass(slots=True)
class Effect:
    """All that came of the readings before ordinal `position`, since the last transaction.

    minute: the last whose totals were computed; derived: minutes to queue, and those to forget;
    checkpoint: the live state as of `position`, to be written after the transaction.
    """

    position: int
    minute: int | None
    transitions: list[Transition]
    standings: list[Standing]
    derived: tuple[dict[int, bytes], set[int]]
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded before a restart; raises: of the present occurrence of open alarms."""

    cursor: Cursor | None
    standings: list[Standing]
    raises: list[Transition]
    derived: list[tuple[int, bytes]]


def write_effect(
    records: Records, name: str, epoch: str, channels: Sequence[str], effect: Effect, now_ms: int
) -> None:
    """Make an effect durable, all of it or nothing. Raises RecordsUnavailable."""
    with records.unit() as unit:
        alarm_records.save_standings(unit, effect.standings)
        alarm_records.append_transitions(unit, effect.transitions)
        alarm_records.queue_notifications(unit, effect.transitions, channels, now_ms)
        queued, forgotten = effect.derived
        for minute, readings in queued.items():
            queue_derived(unit, minute, readings)
        for minute in forgotten:
            forget_derived(unit, minute)
        cursor = Cursor(epoch, effect.position, {"minute": effect.minute})
        write_cursor(unit, name, cursor, now_ms)


def read_recorded(records: Records, name: str) -> Recorded:
    """What the last transaction before a restart left. Raises RecordsUnavailable."""
    with records.reading() as unit:
        return Recorded(
            read_cursor(unit, name),
            alarm_records.load_standings(unit),
            [row.transition for row in alarm_records.open_occurrences(unit)],
            queued_derived(unit),
        )
