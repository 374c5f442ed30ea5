"""The poll schedule: aligned, without drift, and missed slots are counted instead of queued."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.driver import Sample
from edge.poll import PollCounters, Schedule, poll_forever
from edge.wire import READ_FAILED, Reading
from tests.edge.plant import plant


@given(st.floats(0.1, 3600), st.floats(0, 1), st.floats(1e9, 2e9), st.floats(0, 1e6))
def test_the_first_slot_is_aligned_to_the_period_in_wall_time(
    period: float, phase: float, wall: float, monotonic: float
) -> None:
    schedule = Schedule(period, phase, wall, monotonic)
    wait = schedule.due() - monotonic
    assert 0 <= wait <= period * 1.0000001
    part = (wall + wait - phase) / period
    assert abs(part - round(part)) * period < 1e-3


@given(st.lists(st.floats(0.0, 3.7), max_size=60))
def test_slots_never_drift_and_every_missed_one_is_counted(durations: list[float]) -> None:
    now, missed = 0.0, 0
    schedule = Schedule(1.0, 0.0, 1_000_000.0, 0.0)
    polls = 0
    for took in durations:
        due = schedule.due()
        assert due == float(int(due)), "slots stay on whole periods"
        now = max(now, due) + took
        missed += schedule.done(now)
        polls += 1
        assert schedule.due() > now - 1.0
    assert schedule.due() == polls + missed + 1


class Scripted:
    """A driver that fails in the way a test asks for."""

    trouble = ""

    def __init__(self) -> None:
        self.polls = 0
        self.sixth = asyncio.Event()

    async def poll(self) -> list[Reading]:
        self.polls += 1
        if self.polls == 6:
            self.sixth.set()
        if self.polls == 2:
            raise ZeroDivisionError("a bug")
        if self.polls == 4:
            await asyncio.sleep(0.35)
        return [("X.a", self.polls, 1.0, 0)]

    async def sample(self) -> list[Sample]:
        return []

    async def close(self) -> None:
        return None


def test_a_drivers_bug_is_a_failed_reading_and_polling_goes_on(tmp_path: Path) -> None:
    made = plant(
        tmp_path,
        [["point: X.a, table: holding, address: 0, type: int16"]],
        "points: {X.a: {shape: constant, mean: 1}}",
        every="100ms",
    )
    taken: list[Reading] = []
    counters = PollCounters()
    full = False

    def take(readings: object) -> bool:
        assert isinstance(readings, list)
        taken.extend(readings)
        return True

    async def main() -> None:
        nonlocal full
        driver = Scripted()
        device = made.gateway.devices[0]
        task = asyncio.create_task(poll_forever(device, driver, take, lambda: full, counters))
        await asyncio.wait_for(driver.sixth.wait(), 10)
        full = True
        await asyncio.sleep(0.35)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert [(v, q) for _, _, v, q in taken[:4]] == [
        (1.0, 0),
        (None, READ_FAILED),
        (1.0, 0),
        (1.0, 0),
    ]
    assert counters.troubled == 1
    assert counters.overruns >= 2, "0.35 s at a period of 0.1 s misses slots"
    assert counters.polls == len(taken)
    assert counters.paused >= 2
