"""Clock skew told from delay."""

from __future__ import annotations

from ingest.clock import TOLERANCE_MS, ClockMemory, GatewayClock

HOUR = 3600 * 1000
T = 1_763_890_000_000


def live(
    clock: GatewayClock, offset: int, *, begin: int = T, count: int = 10, uptime: bool = True
) -> list[int]:
    """`count` messages a second apart from a gateway whose clock lags by `offset`."""
    return [
        clock.observe(at - offset - 40, at - T + HOUR if uptime else None, at)
        for at in range(begin, begin + count * 1000, 1000)
    ]


def test_a_right_clock_is_left_alone() -> None:
    clock = GatewayClock()
    assert live(clock, 0) == [0] * 10
    assert abs(clock.offset) < 1000


def test_a_clock_ahead_is_corrected_from_the_first_message_on() -> None:
    for uptime in (True, False):
        clock = GatewayClock()
        shifts = live(clock, -2 * HOUR, uptime=uptime)
        assert all(abs(shift + 2 * HOUR) < 1000 for shift in shifts)


def test_a_clock_behind_is_corrected_once_it_is_sure_not_to_be_delay() -> None:
    for uptime in (True, False):
        clock = GatewayClock()
        shifts = live(clock, 2 * HOUR, uptime=uptime)
        assert shifts[:3] == [0, 0, 0]
        assert abs(shifts[-1] - 2 * HOUR) < 1000


def test_messages_that_waited_in_the_broker_are_delayed_not_skewed() -> None:
    for uptime in (True, False):
        clock = GatewayClock()
        # An hour of messages, one every 10 s, drained within ten seconds.
        shifts = []
        for i in range(360):
            sent, received = T - HOUR + i * 10_000, T + i * 27
            shifts.append(clock.observe(sent, i * 10_000 if uptime else None, received))
        assert shifts == [0] * 360
        assert live(clock, 0, begin=T + 20_000, uptime=uptime) == [0] * 10


def test_a_queue_after_a_restart_is_corrected_by_what_was_remembered() -> None:
    clock = GatewayClock()
    live(clock, 2 * HOUR)
    memory = clock.memory
    assert memory is not None
    again = GatewayClock(memory)
    # Sent a minute after the last one, received half an hour later: offset 2 h, delay 30 min.
    sent_at = T + 70_000
    shift = again.observe(sent_at - 2 * HOUR, sent_at - T + HOUR, sent_at + HOUR // 2)
    assert abs(shift - 2 * HOUR) < 1000


def test_a_clock_that_is_set_right_is_believed_at_once() -> None:
    for uptime in (True, False):
        clock = GatewayClock()
        live(clock, 2 * HOUR, uptime=uptime)
        assert live(clock, 0, begin=T + 60_000, uptime=uptime) == [0] * 10


def test_a_clock_that_is_set_back_is_followed() -> None:
    clock = GatewayClock()
    live(clock, 0)
    shifts = live(clock, HOUR, begin=T + 60_000)
    assert abs(shifts[0] - HOUR) < 1000
    without = GatewayClock()
    live(without, 0, uptime=False)
    shifts = live(without, HOUR, begin=T + 60_000, count=150, uptime=False)
    assert abs(shifts[-1] - HOUR) < 1000


def test_a_reboot_begins_anew() -> None:
    clock = GatewayClock(ClockMemory(boot=T - 10 * HOUR, uptime=10 * HOUR))
    assert clock.observe(T, 1_000, T + 30) == 0
    assert clock.memory is None


def test_our_own_clock_set_by_an_hour_does_not_move_readings_of_a_right_clock() -> None:
    clock = GatewayClock()
    live(clock, 0)
    shifts = [
        clock.observe(at, at - HOUR - T + HOUR, at + 30)
        for at in range(T + HOUR, T + HOUR + 10_000, 1000)
    ]
    assert shifts == [0] * 10


def test_five_minutes_are_within_tolerance() -> None:
    clock = GatewayClock()
    assert clock.observe(T + TOLERANCE_MS, None, T) == 0
    assert GatewayClock().observe(T + TOLERANCE_MS + 1, None, T) == -TOLERANCE_MS - 1


def test_without_sent_nothing_is_known() -> None:
    assert GatewayClock().observe(None, 5, T) == 0
