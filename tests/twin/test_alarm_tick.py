"""The benchmark of a tick runs, and a tick costs what its points cost, no more."""

from __future__ import annotations

import pytest

from parktwin.bench.tick import TARGET_MS, build, measure


def test_the_benchmark_measures_a_park_that_really_has_alarms_near_their_limits() -> None:
    assert len(measure(1_000, ticks=9, near=0.1)) == 4
    engine = build(100)
    assert len(engine.rules) == 310
    assert engine.rules.event == 210


@pytest.mark.serial
def test_a_tick_over_100_000_points_stays_within_reach_of_its_target() -> None:
    # The quickest of them, and twice the target: the machine may be busy with other things.
    assert min(measure(100_000, ticks=40)) < 2 * TARGET_MS
