"""Alarm conditions over time: deadband, delays, rates, silence, bad quality, late readings."""

from __future__ import annotations

import numpy as np
import pytest

from tests.twin import small_park
from tests.twin.small_park import high, rule
from twin.alarms.book import StaleOccurrence, UnknownAlarm
from twin.alarms.engine import AlarmEngine
from twin.alarms.machine import State
from twin.alarms.standing import Kind, Transition
from twin.model.rules import Condition, RuleRow

LEVEL = "MH-012.level"
T0 = 1_000_000


class Bench:
    """An engine under test; times are seconds after T0, readings arrive when they are measured."""

    def __init__(
        self, *rules: RuleRow, stale_s: float = 3600, points: tuple[str, ...] = ()
    ) -> None:
        self.names = points or (LEVEL,)
        rows = [small_park.point(name, stale_s) for name in self.names]
        self.engine: AlarmEngine = small_park.engine(rows, rules)
        self.log: list[Transition] = []
        self.tick(0)

    def read(
        self, at: float, value: float | None, quality: int = 0, *, name: str = "", late: float = 0
    ) -> list[Transition]:
        return self.reads([(at, value, quality, name or self.names[0])], late=late)

    def reads(
        self, readings: list[tuple[float, float | None, int, str]], late: float = 0
    ) -> list[Transition]:
        point = np.array([self.names.index(r[3]) for r in readings], np.int32)
        ts = np.array([T0 + round(r[0] * 1000) for r in readings], np.int64)
        value = np.array([np.nan if r[1] is None else r[1] for r in readings])
        quality = np.array([r[2] for r in readings], np.uint8)
        now = int(ts.max()) + round(late * 1000)
        found = self.engine.apply(point, ts, value, quality, now)
        self.engine.state.apply(point, ts, value, quality, now)
        self.log += found
        return found

    def tick(
        self, at: float, *, caught_up: bool = True, held: list[bool] | None = None
    ) -> list[Transition]:
        mask = None if held is None else np.array(held)
        found = self.engine.tick(T0 + round(at * 1000), caught_up=caught_up, held=mask)
        self.log += found
        return found

    @property
    def kinds(self) -> list[str]:
        return [t.kind.value for t in self.log]

    def times(self) -> list[float]:
        return [(t.at - T0) / 1000 for t in self.log]


def test_a_value_beyond_the_limit_raises_and_the_message_names_what_where_and_how_much() -> None:
    bench = Bench(high([LEVEL]))
    (raised,) = bench.read(1, 2.61)
    assert raised.kind is Kind.RAISED
    assert raised.message.zh == "MH-012 液位 2.61 m，高于 2.50 m"
    assert raised.message.en == "MH-012 level 2.61 m, above 2.50 m"
    assert (raised.value, raised.limit, raised.unit, raised.occurrence) == (2.61, 2.5, "m", 1)
    assert (raised.before, raised.after, raised.annunciate) == (State.NORM, State.UNACK, True)


def test_a_value_on_the_limit_is_not_beyond_it() -> None:
    bench = Bench(high([LEVEL]))
    assert bench.read(1, 2.5) == []


def test_the_deadband_keeps_an_alarm_until_the_value_is_well_back() -> None:
    bench = Bench(high([LEVEL], deadband=0.05))
    bench.read(1, 2.6)
    assert bench.read(2, 2.49) == []
    assert bench.read(3, 2.46) == []
    (cleared,) = bench.read(4, 2.45)
    assert (cleared.kind, cleared.after) == (Kind.CLEARED, State.RTN_UNACK)


def test_a_low_limit_is_the_mirror_of_a_high_one() -> None:
    bench = Bench(rule("level-low", [LEVEL], Condition("limit", 0.2, "low", 0.05)))
    (raised,) = bench.read(1, 0.1)
    assert raised.message.zh == "MH-012 液位 0.10 m，低于 0.20 m"
    assert raised.message.en == "MH-012 level 0.10 m, below 0.20 m"
    assert bench.read(2, 0.24) == []
    assert [t.kind for t in bench.read(3, 0.26)] == [Kind.CLEARED]


def test_the_on_delay_runs_in_event_time_and_needs_no_further_reading_than_one_at_its_end() -> None:
    bench = Bench(high([LEVEL], on_s=60))
    assert bench.read(10, 2.6) == []
    assert bench.read(40, 2.7) == []
    (raised,) = bench.read(70, 2.8)
    assert (raised.at, raised.value) == (T0 + 70_000, 2.8)
    standing = bench.engine.book.standing("level-high:MH-012.level")
    assert standing is not None
    assert standing.since == T0 + 10_000


def test_a_dip_back_within_the_on_delay_begins_it_anew() -> None:
    bench = Bench(high([LEVEL], on_s=60))
    bench.read(10, 2.6)
    bench.read(40, 2.0)
    assert bench.read(80, 2.6) == []
    assert [t.at for t in bench.read(140, 2.6)] == [T0 + 140_000]


def test_the_delay_ran_out_before_a_reading_that_says_otherwise() -> None:
    bench = Bench(high([LEVEL], on_s=60, off_s=30))
    bench.read(10, 2.6)
    bench.read(75, 1.0)
    assert bench.kinds == ["raised"]
    assert bench.times() == [70]
    assert bench.log[0].value == 2.6
    bench.read(200, 1.0)
    assert bench.times() == [70, 105]


def test_a_delay_runs_out_without_a_reading_while_the_point_is_fresh() -> None:
    bench = Bench(high([LEVEL], on_s=60), stale_s=90)
    bench.read(10, 2.6)
    assert bench.tick(69.9) == []
    (raised,) = bench.tick(70.5)
    assert (raised.at, raised.value) == (T0 + 70_000, 2.6)


def test_a_delay_does_not_run_out_on_a_stale_value() -> None:
    bench = Bench(high([LEVEL], on_s=60), stale_s=30)
    bench.read(10, 2.6)
    assert bench.tick(500) == []
    # The next reading that still is beyond the limit raises at once, at its own time.
    assert [t.at for t in bench.read(600, 2.6)] == [T0 + 600_000]


def test_a_gateway_whose_clock_is_behind_keeps_its_full_delay() -> None:
    bench = Bench(high([LEVEL], on_s=60))
    bench.read(10, 2.6, late=240)
    assert bench.tick(251) == []
    assert bench.tick(309) == []
    assert len(bench.tick(310.5)) == 1


def test_the_off_delay_cures_chatter() -> None:
    calm, nervous = Bench(high([LEVEL], off_s=60)), Bench(high([LEVEL], deadband=0))
    for second in range(600):
        value = 2.5 + (0.06 if second % 2 else -0.06)
        calm.read(second, value)
        nervous.read(second, value)
    assert calm.kinds == ["raised"]
    assert len(nervous.kinds) > 500


def test_noise_inside_the_deadband_does_not_chatter() -> None:
    bench = Bench(high([LEVEL], deadband=0.1))
    for second in range(600):
        bench.read(second, 2.5 + (0.04 if second % 2 else -0.04))
    assert bench.kinds == ["raised"]


@pytest.mark.parametrize(
    ("value", "quality"), [(9.0, 128), (None, 134), (None, 0), (9.0, 137)], ids=str
)
def test_bad_or_missing_values_do_not_raise(value: float | None, quality: int) -> None:
    bench = Bench(high([LEVEL], on_s=60))
    assert bench.read(1, value, quality) == []
    assert bench.tick(100) == []
    assert bench.read(120, value, quality) == []


@pytest.mark.parametrize(("value", "quality"), [(0.0, 128), (None, 134), (None, 0)], ids=str)
def test_bad_or_missing_values_do_not_clear(value: float | None, quality: int) -> None:
    bench = Bench(high([LEVEL]))
    bench.read(1, 2.6)
    assert bench.read(2, value, quality) == []
    assert bench.tick(100) == []
    assert [t.kind for t in bench.read(101, 1.0)] == [Kind.CLEARED]


def test_a_point_that_turned_bad_does_not_raise_when_its_delay_ends() -> None:
    bench = Bench(high([LEVEL], on_s=60))
    bench.read(10, 2.6)
    bench.read(20, None, 134)
    assert bench.tick(100) == []
    assert [t.at for t in bench.read(110, 2.6)] == [T0 + 110_000]


def test_an_uncertain_value_counts() -> None:
    bench = Bench(high([LEVEL]))
    assert len(bench.read(1, 2.6, 69)) == 1


def test_a_late_reading_never_annunciates_and_never_clears() -> None:
    bench = Bench(high([LEVEL]))
    bench.read(100, 1.0)
    assert bench.read(50, 5.0) == []
    bench.read(110, 2.6)
    assert bench.read(105, 1.0) == []
    assert bench.kinds == ["raised"]


def test_a_correction_of_the_same_time_is_evaluated() -> None:
    bench = Bench(high([LEVEL]))
    bench.read(100, 2.6)
    assert [t.kind for t in bench.read(100, 1.0)] == [Kind.CLEARED]


def test_a_backlog_in_one_delivery_tells_the_whole_story_in_event_time() -> None:
    bench = Bench(high([LEVEL], on_s=60, off_s=60))
    story = [
        (s, 2.6 if 100 <= s < 300 or 500 <= s < 530 else 1.0, 0, LEVEL) for s in range(0, 600, 5)
    ]
    bench.reads([*story[60:], *story[:60]])
    assert list(zip(bench.kinds, bench.times(), strict=True)) == [("raised", 160), ("cleared", 360)]


def test_a_new_raise_is_a_new_occurrence() -> None:
    bench = Bench(high([LEVEL]))
    for second, value in [(1, 2.6), (2, 1.0), (3, 2.6)]:
        bench.read(second, value)
    assert [(t.kind.value, t.occurrence, t.after.value) for t in bench.log] == [
        ("raised", 1, "UNACK"),
        ("cleared", 1, "RTN-UNACK"),
        ("raised", 2, "UNACK"),
    ]


def test_each_rule_and_point_is_an_alarm_of_its_own() -> None:
    points = ("MH-1.level", "MH-2.level", "MH-3.level")
    bench = Bench(high(points[:2]), high(points, value=3.0, name="level-high-high"), points=points)
    bench.reads([(1, 2.6, 0, "MH-1.level"), (1, 3.5, 0, "MH-2.level"), (1, 2.9, 0, "MH-3.level")])
    assert [t.alarm for t in bench.log] == [
        "level-high:MH-1.level",
        "level-high:MH-2.level",
        "level-high-high:MH-2.level",
    ]


# Rates ---------------------------------------------------------------------------------------


def test_a_value_that_moves_too_far_within_the_window_raises_and_says_so() -> None:
    bench = Bench(rule("level-jump", [LEVEL], Condition("rate", 0.5, per_s=60)))
    for second in range(0, 60, 5):
        bench.read(second, 1.0 + 0.001 * second)
    (raised,) = bench.read(60, 1.7)
    assert raised.message.zh == "MH-012 液位 60 秒内变化 0.70 m，超过 0.50 m"
    assert raised.message.en == "MH-012 level changed by 0.70 m within 60 s, more than 0.50 m"
    quiet = [bench.read(second, 1.7) for second in range(65, 140, 5)]
    assert [t.kind for found in quiet for t in found] == [Kind.CLEARED]


@pytest.mark.parametrize(("per_minute", "raises"), [(0.4, False), (0.7, True), (-0.7, True)])
def test_a_slow_ramp_is_measured_over_the_window_not_between_readings(
    per_minute: float, raises: bool
) -> None:
    bench = Bench(rule("level-jump", [LEVEL], Condition("rate", 0.5, per_s=60)))
    for second in range(0, 300, 5):
        bench.read(second, 3 + per_minute * second / 60)
    assert bool(bench.log) is raises


def test_a_change_over_a_longer_gap_is_scaled_down_to_the_window() -> None:
    bench = Bench(rule("level-jump", [LEVEL], Condition("rate", 0.5, per_s=60)))
    bench.read(0, 1.0)
    assert bench.read(600, 3.0) == []  # 0.2 m a minute
    assert len(bench.read(660, 3.6)) == 1


# Silence -------------------------------------------------------------------------------------


def silent(on_s: float = 0, off_s: float = 0) -> RuleRow:
    return rule("level-silent", [LEVEL], Condition("no_data", 300), on_s, off_s)


def test_silence_is_measured_in_receive_time() -> None:
    bench = Bench(silent())
    bench.read(10, 1.0, late=90)
    assert bench.tick(399.9) == []
    (raised,) = bench.tick(400.1)
    assert raised.at == T0 + 400_000
    assert raised.message.zh == "MH-012 液位 已 5 分钟无数据"
    assert raised.message.en == "MH-012 level: no data for 5 min"
    assert (raised.value, raised.limit, raised.unit) == (None, 300, "s")
    bench.read(500, 1.0)
    assert [t.kind for t in bench.tick(500)] == [Kind.CLEARED]


def test_failed_reads_are_silence_too() -> None:
    bench = Bench(silent())
    bench.read(10, 1.0)
    for second in range(20, 310, 10):
        bench.read(second, None, 134)
        assert bench.tick(second) == []
    assert bench.tick(311)[0].kind is Kind.RAISED


def test_a_point_that_never_spoke_is_silent_from_when_the_platform_began_to_listen() -> None:
    bench = Bench(silent())
    assert bench.tick(299) == []
    assert len(bench.tick(300)) == 1


def test_silence_waits_until_start_up_has_caught_up() -> None:
    bench = Bench(silent())
    bench.read(10, 1.0)
    assert bench.tick(10_000, caught_up=False) == []
    assert bench.tick(10_001) == []
    assert bench.tick(10_300) == []
    assert len(bench.tick(10_301)) == 1


def test_delays_wait_until_start_up_has_caught_up() -> None:
    bench = Bench(high([LEVEL], on_s=60))
    bench.read(10, 2.6)
    assert bench.tick(500, caught_up=False) == []
    assert bench.tick(501) == []
    assert len(bench.tick(561.5)) == 1


def test_silence_and_delays_are_held_for_a_gateway_that_is_behind() -> None:
    bench = Bench(silent(), high([LEVEL], on_s=60))
    bench.read(10, 2.6)
    for second in range(20, 1000, 10):
        assert bench.tick(second, held=[True]) == []
    assert [t.rule for t in bench.tick(1000)] == ["level-high"]
    assert bench.tick(1289) == []
    assert [t.rule for t in bench.tick(1290)] == ["level-silent"]


def test_a_single_sign_of_life_does_not_clear_within_the_off_delay() -> None:
    bench = Bench(silent(off_s=60))
    bench.tick(300)
    bench.read(400, 1.0)
    assert bench.tick(400) == []
    assert bench.tick(459) == []
    assert [t.kind for t in bench.tick(461)] == [Kind.CLEARED]


# Acknowledgement and what is kept ------------------------------------------------------------


def test_acknowledging_is_for_the_occurrence_that_was_seen() -> None:
    bench = Bench(high([LEVEL]))
    book, alarm = bench.engine.book, "level-high:MH-012.level"
    with pytest.raises(UnknownAlarm):
        book.acknowledge(alarm, 1, "li", None, 5)
    with pytest.raises(UnknownAlarm):
        book.acknowledge("no-such:rule", 1, "li", None, 5)
    bench.read(1, 2.6)
    bench.read(2, 1.0)
    bench.read(3, 2.6)
    with pytest.raises(StaleOccurrence) as refused:
        book.acknowledge(alarm, 1, "li", None, 5)
    assert refused.value.current == 2
    done = book.acknowledge(alarm, 2, "li", "on my way", 5)
    assert done is not None
    assert (done.after, done.user, done.comment) == (State.ACKED, "li", "on my way")
    assert done.message.zh == bench.log[-1].message.zh
    assert book.acknowledge(alarm, 2, "li", None, 6) is None
    bench.read(4, 1.0)
    assert bench.log[-1].after is State.NORM
    assert book.open() == []


def test_a_restarted_engine_goes_on_with_the_recorded_standings_and_timers() -> None:
    rules = (high([LEVEL], on_s=60, off_s=60),)
    bench = Bench(*rules)
    bench.read(10, 2.6)
    kept = bench.engine.book.take_dirty()
    assert kept[0].pending is not None
    assert bench.engine.book.take_dirty() == []
    again = Bench(*rules)
    again.engine.state.restore(bench.engine.state.columns())
    assert again.engine.restore(kept, [], T0) == ([], [])
    (raised,) = again.read(70, 2.6)
    third = Bench(*rules)
    third.engine.state.restore(again.engine.state.columns())
    third.engine.restore(again.engine.book.take_dirty(), [raised], T0)
    assert third.read(80, 2.7) == []
    ((standing, told),) = third.engine.book.open()
    assert told == raised
    assert standing.since == T0 + 10_000
    third.read(90, 1.0)
    (cleared,) = third.read(150, 1.0)
    assert (cleared.occurrence, cleared.message) == (1, raised.message)


def test_an_alarm_whose_rule_left_the_model_is_retired_with_a_transition() -> None:
    bench = Bench(high([LEVEL]), high([LEVEL], on_s=60, name="level-slow"))
    (raised,) = bench.read(1, 2.6)
    kept = bench.engine.book.take_dirty()
    other = Bench(high([LEVEL], name="level-new"))
    gone, steps = other.engine.restore(kept, [raised], T0 + 9)
    assert [(s.id, s.memory.open, s.pending) for s in gone] == [
        ("level-high:MH-012.level", False, None),
        ("level-slow:MH-012.level", False, None),
    ]
    assert [(t.kind, t.before, t.after) for t in steps] == [(Kind.RETIRED, State.UNACK, State.NORM)]
    assert steps[0].message == raised.message
