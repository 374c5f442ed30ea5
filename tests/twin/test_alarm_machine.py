"""The state machine: every state meets every event, and the derived state is ISA-18.2's."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from twin.alarms.machine import Event, Memory, OutOfService, Shelve, State, derive, step

SHELVE = Shelve(until=None, by="li", reason="works")
OUT = OutOfService(by="li", reason="permit 7")
EXAMPLES = {
    State.NORM: Memory(),
    State.UNACK: Memory(active=True, unacked=True, occurrence=3),
    State.ACKED: Memory(active=True, occurrence=3),
    State.RTN_UNACK: Memory(unacked=True, occurrence=3),
    State.LATCHED_UNACK: Memory(latched=True, unacked=True, occurrence=3),
    State.LATCHED_ACKED: Memory(latched=True, occurrence=3),
    State.SHELVED: Memory(shelve=SHELVE),
    State.SUPPRESSED: Memory(suppressed_by=frozenset({"gateway-lost"})),
    State.OUT_OF_SERVICE: Memory(out_of_service=OUT),
}
R, C, A = Event.RAISE, Event.CLEAR, Event.ACKNOWLEDGE
# (from, event) -> to, whether anything changed, whether an operator is told
TABLE: dict[tuple[State, Event], tuple[State, bool, bool]] = {
    (State.NORM, R): (State.UNACK, True, True),
    (State.NORM, C): (State.NORM, False, False),
    (State.NORM, A): (State.NORM, False, False),
    (State.UNACK, R): (State.UNACK, False, False),
    (State.UNACK, C): (State.RTN_UNACK, True, False),
    (State.UNACK, A): (State.ACKED, True, False),
    (State.ACKED, R): (State.ACKED, False, False),
    (State.ACKED, C): (State.NORM, True, False),
    (State.ACKED, A): (State.ACKED, False, False),
    (State.RTN_UNACK, R): (State.UNACK, True, True),
    (State.RTN_UNACK, C): (State.RTN_UNACK, False, False),
    (State.RTN_UNACK, A): (State.NORM, True, False),
    (State.LATCHED_UNACK, R): (State.UNACK, True, True),
    (State.LATCHED_UNACK, C): (State.LATCHED_UNACK, False, False),
    (State.LATCHED_UNACK, A): (State.LATCHED_ACKED, True, False),
    (State.LATCHED_ACKED, R): (State.UNACK, True, True),
    (State.LATCHED_ACKED, C): (State.LATCHED_ACKED, False, False),
    (State.LATCHED_ACKED, A): (State.LATCHED_ACKED, False, False),
    (State.SHELVED, R): (State.SHELVED, True, False),
    (State.SHELVED, C): (State.SHELVED, False, False),
    (State.SHELVED, A): (State.SHELVED, False, False),
    (State.SUPPRESSED, R): (State.SUPPRESSED, True, False),
    (State.SUPPRESSED, C): (State.SUPPRESSED, False, False),
    (State.SUPPRESSED, A): (State.SUPPRESSED, False, False),
    (State.OUT_OF_SERVICE, R): (State.OUT_OF_SERVICE, True, False),
    (State.OUT_OF_SERVICE, C): (State.OUT_OF_SERVICE, False, False),
    (State.OUT_OF_SERVICE, A): (State.OUT_OF_SERVICE, False, False),
}


def test_the_table_has_every_state_and_every_event() -> None:
    assert set(TABLE) == set(product(State, Event))
    assert {derive(memory) for memory in EXAMPLES.values()} == set(State)


@pytest.mark.parametrize(("state", "event"), sorted(TABLE), ids=lambda v: str(v))
def test_each_state_answers_each_event_as_the_table_says(state: State, event: Event) -> None:
    before = EXAMPLES[state]
    assert before.state is state
    done = step(before, event)
    assert (done.memory.state, done.changed, done.annunciate) == TABLE[state, event]
    if not done.changed:
        assert done.memory == before


@pytest.mark.parametrize("state", list(State))
def test_only_a_raise_begins_an_occurrence(state: State) -> None:
    before = EXAMPLES[state]
    for event in Event:
        done = step(before, event)
        begun = done.memory.occurrence - before.occurrence
        assert begun == (1 if event is R and done.changed else 0)


def test_an_acknowledgement_never_clears_and_a_clear_never_acknowledges() -> None:
    for memory in EXAMPLES.values():
        assert step(memory, A).memory.active == memory.active
        assert step(memory, C).memory.unacked == memory.unacked


def test_a_latching_alarm_waits_for_its_reset_after_it_cleared() -> None:
    raised = step(Memory(), R, latching=True).memory
    assert raised.state is State.UNACK
    cleared = step(raised, C).memory
    assert cleared.state is State.LATCHED_UNACK
    assert step(cleared, A).memory.state is State.LATCHED_ACKED
    assert cleared.open


@pytest.mark.parametrize(
    "quiet",
    [
        {"shelve": SHELVE},
        {"suppressed_by": frozenset({"feeder-tripped"})},
        {"out_of_service": OUT},
    ],
)
def test_a_quiet_alarm_is_still_evaluated_and_comes_back_as_it_then_is(
    quiet: dict[str, object],
) -> None:
    memory = replace(Memory(), **quiet)  # type: ignore[arg-type]
    done = step(memory, R)
    assert done.changed
    assert not done.annunciate
    back = replace(done.memory, shelve=None, suppressed_by=frozenset(), out_of_service=None)
    assert back.state is State.UNACK


def test_who_keeps_an_alarm_quiet_goes_before_what_it_is() -> None:
    memory = Memory(active=True, unacked=True, shelve=SHELVE)
    assert memory.state is State.SHELVED
    memory = replace(memory, suppressed_by=frozenset({"x"}))
    assert memory.state is State.SUPPRESSED
    assert replace(memory, out_of_service=OUT).state is State.OUT_OF_SERVICE
