"""The columnar state of all points: which reading wins, what is late, what is stale."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.state import NEVER, Applied, LiveState

Reading = tuple[int, int, float, int]


def feed(state: LiveState, readings: list[Reading], received_at: int = 1000) -> Applied:
    point, ts, value, quality = ([r[i] for r in readings] for i in range(4))
    return state.apply(
        np.array(point, np.int32),
        np.array(ts, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint8),
        received_at,
    )


def test_a_point_without_a_reading_is_null_and_bad_and_from_before_all_time() -> None:
    state = LiveState(2)
    assert np.isnan(state.value).all()
    assert (state.quality == 128).all()
    assert (state.ts == NEVER).all()
    assert state.stale(0, np.array([1000, 1000])).all()


def test_the_newest_event_time_wins_and_an_older_reading_is_reported_late() -> None:
    state = LiveState(3)
    feed(state, [(0, 100, 1.0, 0), (1, 100, 5.0, 0)])
    done = feed(state, [(0, 90, 9.0, 0), (1, 110, 6.0, 64)], received_at=2000)
    assert state.value[:2].tolist() == [1.0, 6.0]
    assert state.quality[:2].tolist() == [0, 64]
    assert done.late.tolist() == [True, False]
    assert done.points.tolist() == [1]
    assert state.received_at.tolist() == [1000, 2000, NEVER]


def test_an_equal_time_is_a_correction_and_the_later_one_wins() -> None:
    state = LiveState(1)
    feed(state, [(0, 100, 1.0, 0)])
    feed(state, [(0, 100, 2.0, 0)])
    assert state.value[0] == 2.0
    feed(state, [(0, 100, 3.0, 0), (0, 100, 4.0, 128)])
    assert (state.value[0], state.quality[0]) == (4.0, 128)


def test_of_several_readings_in_one_call_the_newest_wins_in_whatever_order_they_come() -> None:
    state = LiveState(2)
    done = feed(state, [(0, 30, 3.0, 0), (1, 5, 7.0, 0), (0, 10, 1.0, 0), (0, 20, 2.0, 0)])
    assert state.value.tolist() == [3.0, 7.0]
    assert sorted(done.points.tolist()) == [0, 1]
    assert not done.late.any()


def test_a_failed_read_is_shown_but_counts_as_silence() -> None:
    state = LiveState(1)
    feed(state, [(0, 100, 1.0, 0)], received_at=1000)
    feed(state, [(0, 200, float("nan"), 134)], received_at=9000)
    assert np.isnan(state.value[0])
    assert state.received_at[0] == 9000
    assert state.heard_at[0] == 1000


def test_staleness_is_measured_in_receive_time() -> None:
    state = LiveState(2)
    feed(state, [(0, 5, 1.0, 0)], received_at=100_000)
    limit = np.array([30_000, 30_000])
    assert state.stale(130_000, limit).tolist() == [False, True]
    assert state.stale(130_001, limit).tolist() == [True, True]


def test_readers_learn_which_points_changed_since_they_looked() -> None:
    state = LiveState(4)
    feed(state, [(0, 1, 1.0, 0), (2, 1, 1.0, 0)])
    version, changed = state.changed_since(0)
    assert changed.tolist() == [0, 2]
    feed(state, [(2, 2, 1.5, 0), (0, 0, 1.0, 0)])
    version, changed = state.changed_since(version)
    assert changed.tolist() == [2]
    assert state.changed_since(version)[1].tolist() == []


def test_a_snapshot_does_not_move_with_the_state() -> None:
    state = LiveState(1)
    feed(state, [(0, 1, 1.0, 0)])
    before = state.snapshot(5)
    feed(state, [(0, 2, 2.0, 0)])
    assert (before.at, before.value[0], before.ts[0]) == (5, 1.0, 1)


def test_restored_columns_may_be_shorter_than_a_park_that_grew() -> None:
    old, new = LiveState(1), LiveState(3)
    feed(old, [(0, 7, 1.5, 64)])
    new.restore(old.columns())
    assert new.ts.tolist() == [7, NEVER, NEVER]
    assert new.changed_since(0)[1].tolist() == [0]


readings = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 8),
        st.one_of(st.floats(-5, 5), st.just(float("nan"))),
        st.sampled_from([0, 64, 128, 134]),
    ),
    max_size=30,
)


def by_hand(calls: list[list[Reading]]) -> dict[int, Reading]:
    state: dict[int, Reading] = {}
    for call in calls:
        for reading in call:
            if reading[0] not in state or reading[1] >= state[reading[0]][1]:
                state[reading[0]] = reading
    return state


def image(state: LiveState) -> list[tuple[int, str, int]]:
    return [
        (int(t), repr(float(v)), int(q))
        for t, v, q in zip(state.ts, state.value, state.quality, strict=True)
    ]


@given(st.lists(readings, max_size=6))
def test_calls_of_many_readings_give_what_one_reading_after_the_other_gives(
    calls: list[list[Reading]],
) -> None:
    state, single = LiveState(4), LiveState(4)
    for call in calls:
        feed(state, call)
        for reading in call:
            feed(single, [reading])
    assert image(state) == image(single)
    expected = by_hand(calls)
    for p in range(4):
        if p in expected:
            assert image(state)[p] == (expected[p][1], repr(expected[p][2]), expected[p][3])


@given(st.lists(readings, max_size=4), st.randoms(use_true_random=False))
def test_permuted_split_and_doubled_deliveries_give_the_same_state(
    calls: list[list[Reading]], shuffle: random.Random
) -> None:
    # One value for each point and time, as the platform promises: then order cannot matter.
    unique = list({(r[0], r[1]): r for call in calls for r in call}.values())
    state = LiveState(4)
    feed(state, unique)
    again = unique + unique[: len(unique) // 2]
    shuffle.shuffle(again)
    other, at = LiveState(4), 0
    while at < len(again):
        size = shuffle.randint(1, 5)
        feed(other, again[at : at + size])
        at += size
    assert image(other) == image(state)


@pytest.mark.parametrize("n", [0, 1])
def test_a_park_of_no_or_one_point_works(n: int) -> None:
    state = LiveState(n)
    assert feed(state, [(0, 1, 1.0, 0)] * n).points.tolist() == [0] * n
