"""The live twin as a consumer: what it shows, records, acknowledges and survives."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from ingest.consume import ConsumerThread, RetriableError
from ingest.live import LiveSettings, StaleOccurrence, UnknownAlarm
from ingest.readings import Readings
from tests.ingest.live_bench import POINTS, T0, TOTAL, Bench, bench, demo_park
from tests.twin import small_park
from twin.records import Records, RecordsUnavailable, Unit
from twin.records.alarms import load_standings
from twin.records.cursors import queued_derived

HIGH = "level-high-high:MH-0.level"


def test_a_reading_is_in_the_snapshot_and_its_alarm_in_the_list_and_in_the_records(
    tmp_path: Path,
) -> None:
    with bench(tmp_path) as b:
        woken: list[int] = []
        end = b.live.subscribe(lambda: woken.append(1))
        b.feed((1, 0, 3.3), (1, 1, 1.0))
        snapshot = b.live.snapshot()
        assert snapshot.value[:2].tolist() == [3.3, 1.0]
        assert snapshot.at == b.now
        (alarm,) = b.live.alarms()
        assert (alarm.id, alarm.occurrence, alarm.state) == (HIGH, 1, "UNACK")
        assert (alarm.active, alarm.unacked, alarm.asset) == (True, True, "MH-0")
        assert alarm.message.zh == "MH-0 液位 3.30 m，高于 3.00 m"
        assert (alarm.value, alarm.limit, alarm.unit, alarm.since) == (3.3, 3.0, "m", T0 + 1000)
        assert alarm.consequence == small_park.CONSEQUENCE
        assert [(t.alarm, t.kind.value) for t in b.history()] == [(HIGH, "raised")]
        assert b.live.position() == b.journal.end
        assert woken
        end()
        seen = len(woken)
        b.tick(2)
        assert len(woken) == seen


def test_deltas_name_the_points_that_changed(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        b.feed((1, 0, 1.0), (1, 3, 1.0))
        version, changed = b.live.changed_since(0)
        assert changed.tolist() == [0, 3]
        b.feed((2, 3, 1.1))
        assert b.live.changed_since(version)[1].tolist() == [3]


def test_an_on_delay_survives_a_restart_and_raises_on_time(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        b.feed((1, 0, 2.7))
        b.tick(3)
        assert b.history() == []
    with bench(tmp_path, start=T0 + 5000) as b:
        b.feed((12, 0, 2.8))
        assert b.told() == [("level-high:MH-0.level", 1, "raised", T0 + 11_000, 2.7)]
        assert b.live.alarms()[0].since == T0 + 1000


def test_a_restart_shows_the_same_and_raises_nothing_twice(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        b.feed((1, 0, 3.3), (1, 1, 1.0))
        before, alarms = b.live.snapshot(), b.live.alarms()
    for _ in range(2):
        with bench(tmp_path, start=T0 + 60_000) as b:
            after = b.live.snapshot()
            assert np.array_equal(after.value, before.value, equal_nan=True)
            assert after.ts.tolist() == before.ts.tolist()
            assert b.live.alarms() == alarms
            assert len(b.history()) == 1


def test_acknowledging_is_recorded_with_the_user_and_only_for_what_was_seen(
    tmp_path: Path,
) -> None:
    with bench(tmp_path) as b:
        with pytest.raises(UnknownAlarm):
            b.live.acknowledge(HIGH, 1, "li", None, b.now)
        b.feed((1, 0, 3.3))
        b.feed((2, 0, 1.0))
        b.feed((3, 0, 3.4))
        with pytest.raises(StaleOccurrence) as refused:
            b.live.acknowledge(HIGH, 1, "li", None, b.now)
        assert refused.value.current == 2
        seen = b.live.acknowledge(HIGH, 2, "li", "在路上", b.now + 5)
        assert (seen.state, seen.acked_by, seen.acked_at) == ("ACKED", "li", b.now + 5)
        last = b.history()[-1]
        assert (last.kind.value, last.user, last.comment) == ("acknowledged", "li", "在路上")
        again = b.live.acknowledge(HIGH, 2, "wang", None, b.now + 9)
        assert again.acked_by == "li"
        recorded = len(b.history())
    with bench(tmp_path) as b:
        acked = next(a for a in b.live.alarms() if a.id == HIGH)
        assert (acked.state, acked.acked_by) == ("ACKED", "li")
        b.feed((4, 0, 1.0))
        assert HIGH not in [a.id for a in b.live.alarms()]
        assert len(b.history()) == recorded + 1


def test_acknowledging_in_a_race_with_new_raises_never_hits_what_was_not_seen(
    tmp_path: Path,
) -> None:
    with bench(tmp_path) as b:
        stop, wrong = threading.Event(), []
        acked: list[int] = []

        def operator() -> None:
            while not stop.is_set():
                for alarm in b.live.alarms():
                    if alarm.id != HIGH or not alarm.unacked:
                        continue
                    try:
                        seen = b.live.acknowledge(HIGH, alarm.occurrence, "li", None, T0)
                    except StaleOccurrence:
                        continue
                    acked.append(alarm.occurrence)
                    if seen.occurrence != alarm.occurrence:
                        wrong.append(alarm)

        threads = [threading.Thread(target=operator) for _ in range(2)]
        for thread in threads:
            thread.start()
        for second in range(60):
            b.feed((second, 0, 3.4 if second % 2 else 1.0))
        stop.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        story = [t for t in b.history() if t.alarm == HIGH]
        raised = [t.occurrence for t in story if t.kind.value == "raised"]
        acks = [t.occurrence for t in story if t.kind.value == "acknowledged"]
        assert raised == list(range(1, 31))
        assert len(acks) == len(set(acks))
        assert set(acks) == set(acked)
        for before, after in pairwise(story):
            assert after.before == before.after


class Flaky(Records):
    """Records that can be switched off."""

    down = False

    def unit(self):  # type: ignore[no-untyped-def]
        if self.down:
            raise RecordsUnavailable("switched off")
        return super().unit()


def test_while_the_records_are_down_alarms_go_on_and_are_recorded_afterwards(
    tmp_path: Path,
) -> None:
    with bench(tmp_path, records=Flaky) as b:
        assert isinstance(b.records, Flaky)
        b.feed((1, 1, 1.0))
        b.tick(2.5)
        settled = b.live.position()
        b.records.down = True
        with capture_logs() as logs:
            b.feed((3, 0, 3.3))
            b.feed((4, 1, 3.4))
            b.tick(5)
        assert len([line for line in logs if line["log_level"] == "error"]) == 1
        assert [a.id for a in b.live.alarms() if "high-high" in a.id] == [
            "level-high-high:MH-1.level",
            HIGH,
        ]
        assert b.live.position() == settled
        with pytest.raises(RecordsUnavailable):
            b.live.acknowledge(HIGH, 1, "li", None, b.now)
        assert all(a.unacked for a in b.live.alarms())
        b.tick(9)
        b.records.down = False
        b.tick(15)
        assert {t.alarm for t in b.history()} >= {HIGH, "level-high-high:MH-1.level"}
        assert all(t.kind.value == "raised" for t in b.history())
        assert b.live.position() == b.journal.end
        assert b.live.counters.failed_commits >= 2


def test_an_acknowledgement_that_the_records_cannot_hold_leaves_no_trace(tmp_path: Path) -> None:
    class Picky(Records):
        refuse = False

        def unit(self):  # type: ignore[no-untyped-def]
            if self.refuse:
                raise ValueError("text fields cannot contain NUL")
            return super().unit()

    with bench(tmp_path, records=Picky) as b:
        assert isinstance(b.records, Picky)
        b.feed((1, 0, 3.3))
        b.records.refuse = True
        with pytest.raises(ValueError, match="NUL"):
            b.live.acknowledge(HIGH, 1, "li", "a\0b", b.now)
        b.records.refuse = False
        assert [(a.state, a.acked_by) for a in b.live.alarms()] == [("UNACK", None)]
        b.live.acknowledge(HIGH, 1, "li", "on my way", b.now)
        b.feed((2, 0, 1.0))
        steps = [t.kind.value for t in b.history() if t.alarm == HIGH]
        assert steps == ["raised", "acknowledged", "cleared"]


def test_too_many_unrecorded_transitions_stop_the_consumer_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.live.MOST_UNRECORDED", 3)
    with bench(tmp_path, records=Flaky) as b:
        assert isinstance(b.records, Flaky)
        b.records.down = True
        for second in range(1, 4):
            b.feed((second, 3, 3.3 if second % 2 else 1.0), (second, 4, 3.3))
        with pytest.raises(RetriableError):
            b.feed((9, 3, 1.0))
        b.records.down = False
        b.live.consume(b.journal.read(b.journal.end - 1))
        assert [t.kind.value for t in b.history() if t.alarm.endswith("high:MH-3.level")][:3] == [
            "raised",
            "cleared",
            "raised",
        ]


def test_the_consumer_thread_drives_it_and_an_alarm_is_recorded_at_once(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        thread = ConsumerThread(b.journal, b.live, min_batch_ms=5, tick_s=0.02)
        told = threading.Event()
        b.live.subscribe(lambda: told.set() if b.live.alarms() else None)
        thread.start()
        b.append([(1, 0, 3.3, 0)])
        assert told.wait(5)
        assert [t.alarm for t in b.history()] == [HIGH]
        b.now += 400_000  # silence is found by ticks alone
        until = threading.Event()
        b.live.subscribe(lambda: until.set() if len(b.live.alarms()) > 5 else None)
        assert until.wait(5)
        thread.stop()
        assert thread.error is None


def test_silence_is_held_for_points_whose_gateway_is_behind(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        b.live.hold(POINTS[:5])
        b.tick(0)
        b.tick(301)
        assert [a.id for a in b.live.alarms()] == [f"level-silent:{POINTS[5]}"]
        b.live.hold([])
        b.tick(302)
        b.tick(600)
        assert len(b.live.alarms()) == 1
        b.tick(602)
        assert len(b.live.alarms()) == 6


def test_a_reading_that_comes_at_the_moment_of_a_tick_puts_no_silence_off(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        b.feed(*((0, point, 1.0) for point in range(len(POINTS))))
        b.feed((250, 0, 1.0))
        start = b.journal.end
        b.tick(251)
        b.live.consume(b.journal.read(start))  # the minute's totals
        start = b.journal.end
        b.append([(280, 0, 1.0, 0)])
        b.tick(280)  # thirty quiet seconds, and a commit between the wait and the tick
        assert b.live.caught_up
        b.live.consume(b.journal.read(start))
        b.tick(299)
        assert b.told() == []
        b.tick(301)
        silent = {(alarm, at) for alarm, _, _, at, _ in b.told()}
        assert silent == {(f"level-silent:{point}", T0 + 300_000) for point in POINTS[1:]}
        b.append([(302, 0, 1.0, 0)])
        b.tick(309)
        assert not b.live.caught_up


def test_old_readings_at_start_up_raise_no_silence(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        for second in range(0, 50, 5):
            b.append([(second, n, 1.0, 0) for n in range(6)])
        b.now = T0 + 3_600_000
        first, *rest = b.journal.read(0)
        b.live.consume([first])
        seen = [b.live.caught_up]
        b.live.tick()
        assert b.live.alarms() == []
        b.live.consume(rest)
        assert [*seen, b.live.caught_up] == [False, True]
        b.tick(3600 + 299)
        assert b.live.alarms() == []
        b.tick(3600 + 301)
        assert len(b.live.alarms()) == 6


# Derived readings ----------------------------------------------------------------------------


def derived(b: Bench) -> list[tuple[int, float, int]]:
    index = b.journal.points.index(TOTAL)
    return [
        ((int(t) - T0) // 1000, float(v), int(q))
        for g in b.journal.read(b.journal.oldest)
        for p, t, v, q in zip(
            g.readings.point, g.readings.ts, g.readings.value, g.readings.quality, strict=True
        )
        if p == index
    ]


def test_a_minutes_totals_are_stored_once_when_event_time_has_passed_it(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        for second in (1, 30, 59):
            b.feed(*[(second, n, float(n)) for n in range(6)])
        assert derived(b) == []
        b.feed((61, 0, 6.0))
        b.tick(61)
        b.tick(62.5)
        assert derived(b) == [(60, 3.5, 0)]
        b.run()
        assert b.live.snapshot().value[6] == 3.5
        b.tick(64)
        b.tick(66)
        assert b.count("derived") == 0
    with bench(tmp_path, start=T0 + 67_000) as b:
        b.feed((70, 1, 1.0))
        b.tick(70)
        assert len(derived(b)) == 1


def test_totals_wait_for_a_journal_that_is_busy_and_survive_a_crash_meanwhile(
    tmp_path: Path,
) -> None:
    b = Bench(tmp_path)
    b.busy = True
    b.feed(*[(1, n, float(n)) for n in range(6)])
    b.feed((61, 0, 6.0))
    b.tick(61)
    b.tick(63)
    with b.records.reading() as unit:
        assert [minute for minute, _ in queued_derived(unit)] == [T0 // 60_000 + 1]
    b.close(gently=False)
    with bench(tmp_path, start=T0 + 64_000) as b:
        b.tick(64)
        b.tick(66)
        assert derived(b) == [(60, 3.5, 0)]
        b.tick(68)
        assert b.count("derived") == 0


# Restoring -----------------------------------------------------------------------------------


def image(b: Bench) -> list[tuple[int, str, int]]:
    s = b.live.snapshot()
    return [
        (int(t), repr(float(v)), int(q)) for t, v, q in zip(s.ts, s.value, s.quality, strict=True)
    ]


def spoil(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "flipped":
        data[len(data) // 2] ^= 1
    elif how == "head":
        data[30] ^= 1
    elif how == "cut":
        data = data[: len(data) // 2]
    else:
        data = bytearray(b"")
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["flipped", "head", "cut", "empty", "gone"])
def test_a_damaged_checkpoint_costs_nothing_but_time(tmp_path: Path, how: str) -> None:
    with bench(tmp_path) as b:
        b.feed(*[(1, n, 2.7) for n in range(6)])
        b.feed((8, 0, 3.3))
        b.tick(9)
        before, alarms = image(b), b.live.alarms()
    path = tmp_path / "live.ckpt"
    if how == "gone":
        path.unlink()
    else:
        spoil(path, how)
    with capture_logs() as logs, bench(tmp_path, start=T0 + 9000) as b:
        assert image(b) == before
        assert b.live.alarms() == alarms
        b.feed((12, 1, 2.7))
        assert ("level-high:MH-1.level", 1, "raised", T0 + 11_000, 2.7) in b.told()
    assert any(line["log_level"] == "error" for line in logs) is (how != "gone")


def test_points_that_the_journal_no_longer_has_come_from_history(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        b.feed((1, 5, 1.5))
        b.feed((2, 0, 1.0))
        b.tick(5)
    (tmp_path / "live.ckpt").unlink()

    def latest() -> tuple[Readings, int]:
        return Readings.of([5, 3, 0], [T0 - 5, T0 - 9000, T0 + 1], [9.9, 0.7, 8.8], [0, 64, 0]), 2

    with bench(tmp_path, latest=latest) as b:
        state = b.live.snapshot()
        assert state.value[[0, 3, 5]].tolist() == [1.0, 0.7, 1.5]
        assert (state.ts[3], state.quality[3]) == (T0 - 9000, 64)


def test_history_is_not_taken_for_points_whose_newer_readings_are_still_to_come(
    tmp_path: Path,
) -> None:
    b = Bench(tmp_path)
    b.feed((1, 1, 1.0))
    b.tick(5)
    b.append([(10, 0, 3.3, 0)])
    b.append([(11, 0, 1.0, 0)])
    b.close(gently=False)
    (tmp_path / "live.ckpt").unlink(missing_ok=True)

    def latest() -> tuple[Readings, int]:
        return Readings.of([0, 1], [T0 + 11_000, T0 + 1000], [1.0, 1.0], [0, 0]), 3

    with bench(tmp_path, latest=latest, start=T0 + 12_000) as b:
        b.run()
        assert [t.kind.value for t in b.history() if t.alarm == HIGH] == ["raised", "cleared"]


def test_records_of_another_journal_start_at_its_end_with_what_history_knows(
    tmp_path: Path,
) -> None:
    with bench(tmp_path) as b:
        b.feed((1, 0, 3.3))
    for path in tmp_path.glob("journal.db*"):
        path.unlink()

    def latest() -> tuple[Readings, int]:
        return Readings.of([0, 1], [T0 + 9000, T0 + 9000], [1.0, 3.4], [0, 0]), 0

    with bench(tmp_path, latest=latest, start=T0 + 10_000) as b:
        assert [a.id for a in b.live.alarms() if a.active] == ["level-high-high:MH-1.level"]
        assert [(t.alarm, t.kind.value) for t in b.history() if t.alarm == HIGH] == [
            (HIGH, "raised"),
            (HIGH, "cleared"),
        ]


def test_an_open_alarm_whose_rule_left_the_model_is_retired(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        b.feed((1, 0, 3.3))
    park = small_park.park(list(demo_park().points.values()), [])
    for _ in range(2):
        with bench(tmp_path, park=park) as b:
            assert b.live.alarms() == []
            assert [t.kind.value for t in b.history()] == ["raised", "retired"]
            with b.records.reading() as unit:
                assert not any(s.memory.open for s in load_standings(unit))


def test_a_rate_goes_on_across_a_restart(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        b.feed((1, 0, 1.0))
    with bench(tmp_path, start=T0 + 2000) as b:
        b.feed((11, 0, 2.2))
        assert [t.rule for t in b.history()] == ["level-jump"]


def test_notifications_are_queued_with_the_raise_for_each_channel(tmp_path: Path) -> None:
    with bench(tmp_path, settings=LiveSettings(channels=("mail", "sms"))) as b:
        b.feed((1, 4, 3.3))
        b.feed((2, 4, 1.0))
        assert b.count("notification") == 2


def test_a_listener_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        woken: list[int] = []
        b.live.subscribe(lambda: [][1])
        b.live.subscribe(lambda: woken.append(1))
        with capture_logs() as logs:
            b.feed((1, 0, 1.0))
        assert woken
        assert any("listener" in line["event"] for line in logs)


def test_a_unit_of_records_is_one_transaction_of_everything(tmp_path: Path) -> None:
    class Half(Records):
        fail = False

        def unit(self):  # type: ignore[no-untyped-def]
            return _failing(super().unit(), lambda: self.fail)

    with bench(tmp_path, records=Half) as b:
        assert isinstance(b.records, Half)
        b.feed((1, 1, 1.0))
        b.tick(3)
        before = b.live.position()
        b.records.fail = True
        b.feed((4, 0, 3.3))
        assert (b.history(), b.count("alarm"), b.live.position()) == ([], 0, before)
        b.records.fail = False
        b.tick(10)
        assert [t.alarm for t in b.history() if t.alarm == HIGH] == [HIGH]


class _failing:
    def __init__(self, inner, fails) -> None:  # type: ignore[no-untyped-def]
        self._inner, self._fails = inner, fails

    def __enter__(self) -> Unit:
        unit: Unit = self._inner.__enter__()
        return unit

    def __exit__(self, *details: object) -> object:
        if self._fails() and details[0] is None:
            error = RecordsUnavailable("the commit failed")
            self._inner.__exit__(RecordsUnavailable, error, None)
            raise error
        return self._inner.__exit__(*details)
