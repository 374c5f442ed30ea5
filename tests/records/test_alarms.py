"""Standings, transitions and notifications in the records."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from twin.alarms.machine import Memory, OutOfService, Shelve, State
from twin.alarms.standing import Kind, Pending, Standing, Transition
from twin.model.names import Name
from twin.records import Records
from twin.records.alarms import (
    alarm_history,
    append_transitions,
    load_standings,
    open_occurrences,
    queue_notifications,
    save_standings,
)
from twin.records.cursors import Cursor, forget_derived, queue_derived, queued_derived, write_cursor

ALARM = "level-high:MH-012.level"
RAISED = Transition(
    alarm=ALARM,
    rule="level-high",
    point="MH-012.level",
    occurrence=1,
    kind=Kind.RAISED,
    before=State.NORM,
    after=State.UNACK,
    at=100,
    recorded_at=105,
    value=2.61,
    limit=2.5,
    unit="m",
    priority="high",
    message=Name("MH-012 液位 2.61 m，高于 2.50 m", "MH-012 level 2.61 m, above 2.50 m"),
    annunciate=True,
)
STANDING = Standing(
    ALARM,
    "level-high",
    "MH-012.level",
    Memory(active=True, unacked=True, occurrence=1),
    since=90,
    raised_at=105,
    value=2.61,
)


@pytest.mark.parametrize(
    "standing",
    [
        STANDING,
        replace(STANDING, pending=Pending(1, 1 << 60), value=None),
        replace(STANDING, acked_by="李", acked_at=7, ack_comment="在路上"),
        replace(
            STANDING,
            memory=Memory(
                latched=True,
                shelve=Shelve(None, "li", "works"),
                suppressed_by=frozenset({"feeder", "gateway"}),
                out_of_service=OutOfService("li", "permit 7"),
                occurrence=9,
            ),
        ),
        Standing("r:p", "r", "p"),
    ],
)
def test_a_standing_comes_back_as_it_was_saved(records: Records, standing: Standing) -> None:
    with records.unit() as unit:
        save_standings(unit, [replace(standing, since=1)])
        save_standings(unit, [standing])
    with records.reading() as unit:
        assert load_standings(unit) == [standing]


def test_thousands_of_standings_are_saved_at_once(records: Records) -> None:
    many = [replace(STANDING, id=f"level-high:MH-{n:05d}.level") for n in range(2_300)]
    with records.unit() as unit:
        save_standings(unit, many)
        save_standings(unit, [])
    with records.reading() as unit:
        assert load_standings(unit) == many


def test_transitions_come_back_newest_first_and_by_filter(records: Records) -> None:
    cleared = replace(RAISED, kind=Kind.CLEARED, before=State.UNACK, after=State.RTN_UNACK, at=200)
    other = replace(RAISED, alarm="level-low:MH-2.level", point="MH-2.level", at=300, value=None)
    with records.unit() as unit:
        append_transitions(unit, [RAISED, cleared])
        append_transitions(unit, [other])
        append_transitions(unit, [])
    with records.reading() as unit:
        every = alarm_history(unit)
        assert [r.transition for r in every] == [other, cleared, RAISED]
        assert [r.seq for r in alarm_history(unit, before_seq=every[0].seq)] == [
            r.seq for r in every[1:]
        ]
        assert [r.transition for r in alarm_history(unit, point="MH-2.level")] == [other]
        assert [r.transition for r in alarm_history(unit, alarm=ALARM, limit=1)] == [cleared]
        assert [r.transition for r in alarm_history(unit, from_ms=200, to_ms=300)] == [cleared]


def test_an_occurrence_cannot_be_raised_twice_and_takes_the_whole_unit_with_it(
    records: Records,
) -> None:
    with records.unit() as unit:
        append_transitions(unit, [RAISED])

    def raise_again() -> None:
        with records.unit() as unit:
            write_cursor(unit, "twin", Cursor("e", 99), 1)
            append_transitions(unit, [replace(RAISED, at=101)])

    with pytest.raises(IntegrityError):
        raise_again()
    with records.reading() as unit:
        assert len(alarm_history(unit)) == 1
        assert unit.scalar(text("SELECT count(*) FROM cursor")) == 0


def test_the_raise_of_each_open_alarm_is_found(records: Records) -> None:
    closed = replace(STANDING, id="x:p", memory=Memory(occurrence=1))
    again = replace(RAISED, occurrence=2, at=400)
    with records.unit() as unit:
        save_standings(unit, [replace(STANDING, memory=Memory(unacked=True, occurrence=2)), closed])
        append_transitions(unit, [RAISED, replace(RAISED, alarm="x:p"), again])
    with records.reading() as unit:
        assert [r.transition for r in open_occurrences(unit)] == [again]


def test_a_raise_that_is_annunciated_queues_one_notification_for_each_channel(
    records: Records,
) -> None:
    quiet = replace(RAISED, alarm="x:p", annunciate=False)
    cleared = replace(RAISED, kind=Kind.CLEARED)
    with records.unit() as unit:
        queue_notifications(unit, [RAISED, quiet, cleared], ["mail", "sms"], 50)
    with pytest.raises(IntegrityError), records.unit() as unit:
        queue_notifications(unit, [RAISED], ["mail"], 60)
    with records.reading() as unit:
        rows = unit.execute(
            text("SELECT alarm, occurrence, step, channel, sent_at FROM notification ORDER BY id")
        )
        assert [tuple(r) for r in rows] == [(ALARM, 1, 0, "mail", None), (ALARM, 1, 0, "sms", None)]


def test_derived_readings_wait_until_they_are_forgotten(records: Records) -> None:
    with records.unit() as unit:
        queue_derived(unit, 2, b"two")
        queue_derived(unit, 1, b"\x00one")
        queue_derived(unit, 2, b"two again")
    with records.unit() as unit:
        assert queued_derived(unit) == [(1, b"\x00one"), (2, b"two again")]
        forget_derived(unit, 1)
        forget_derived(unit, 77)
    with records.reading() as unit:
        assert queued_derived(unit) == [(2, b"two again")]
