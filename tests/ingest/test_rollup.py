"""Roll-ups: whatever order readings arrive in, they say what one pass over the sorted data says."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.history.feed import RollupFeed
from ingest.history.local import LocalHistory
from ingest.history.protocol import LEVELS, RESET, UNEXPLAINED, Buckets, Every
from ingest.history.roller import Roller
from ingest.history.rollup import Traits
from ingest.journal import Journal
from ingest.readings import Readings
from tests.ingest.rollup_reference import MINUTE, Bucket, Reading, reference

# 2026-11-23 00:00 in Shanghai.
MIDNIGHT = 1_795_363_200_000
GAUGE, SLOW, COUNTER = 0, 1, 2
TRAITS = Traits(np.array([150_000, 1_500_000, 600_000], np.int64), np.array([False, False, True]))


class Clock:
    """Wall time in seconds, moved by the test."""

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def __call__(self) -> float:
        return self.ms / 1000


class Plant:
    """A journal, a history and its roll-ups, fed by hand."""

    def __init__(self, folder: Path, start: int = MIDNIGHT, feed: RollupFeed | None = None) -> None:
        self.folder = folder
        self.clock = Clock(start)
        self.journal = Journal(folder / "journal.sqlite", synchronous="OFF")
        self.feed = feed
        self.open()

    def open(self) -> None:
        self.history = LocalHistory(
            self.folder / "history",
            "Asia/Shanghai",
            journal=self.journal,
            traits=TRAITS,
            flush_rows=10_000,
            clock=self.clock,
        )
        self.roller = Roller(self.history, feed=self.feed, settle_s=0, clock=self.clock)

    def store(self, readings: list[tuple[int, int, float, int]]) -> None:
        """(point, ts, value, quality) rows through the journal into history and roll-ups."""
        if readings:
            point, ts, value, quality = zip(*readings, strict=True)
            self.journal.append(Readings.of(point, ts, value, quality), received_at=self.clock.ms)
        self.follow()

    def follow(self) -> None:
        self.history.consume(self.journal.read(self.history.seen))
        self.roller.consume(self.journal.read(self.roller._seen))
        self.roller.tick()

    def kill(self) -> None:
        """The process ends between two statements; what was in memory is gone."""
        self.history.store.clear()
        self.history._seen = self.history._position
        for store in self.history.rolled.stores.values():
            store.clear()
        self.history.cursors.close()
        self.history.engine.close()

    def close(self) -> None:
        self.history.close()
        self.journal.close()

    def __enter__(self) -> Plant:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def said(self, point: int, start: int, end: int, every: Every) -> dict[int, Bucket]:
        return plain(self.history.buckets([point], start, end, every)[point])


def plain(b: Buckets) -> dict[int, Bucket]:
    columns = zip(
        b.start.tolist(),
        b.covered_s.tolist(),
        b.count.tolist(),
        b.good.tolist(),
        b.minimum.tolist(),
        b.maximum.tolist(),
        b.last.tolist(),
        b.mean.tolist(),
        b.increment.tolist(),
        b.flags.tolist(),
        strict=True,
    )
    return {row[0]: Bucket(round(row[1] * 1000), *row[2:]) for row in columns}


def agree(said: dict[int, Bucket], meant: dict[int, Bucket]) -> None:
    assert sorted(said) == sorted(meant)
    for start, bucket in meant.items():
        for name, a, b in zip(bucket._fields, said[start], bucket, strict=True):
            same = (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9)
            assert same, (start, name, said[start], bucket)


def meant(readings: list[Reading], point: int, start: int, end: int) -> dict[int, Bucket]:
    """Every minute of the range by the reference."""
    stale, counter = int(TRAITS.stale_ms[point]), bool(TRAITS.counter[point])
    found = {}
    for minute in range(start, end, MINUTE):
        bucket = reference(readings, minute, minute + MINUTE, stale, counter)
        if bucket is not None:
            found[minute] = bucket
    return found


row = st.tuples(
    st.integers(0, 2),
    st.integers(0, 40 * 60),  # second
    st.sampled_from([0.0, 0.005, 1.0, 2.5, 400.0, math.nan]),
    st.sampled_from([0, 0, 0, 69, 134]),
)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(row, max_size=60), seed=st.integers(0, 1 << 30), crash=st.booleans())
def test_any_order_of_arrival_gives_the_roll_ups_of_one_sorted_pass(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, int, float, int]],
    seed: int,
    crash: bool,
) -> None:
    unique = {(p, MIDNIGHT + s * 1000): (v, q) for p, s, v, q in rows}
    arrival = [(p, ts, v, q) for (p, ts), (v, q) in unique.items()]
    order = random.Random(seed)
    order.shuffle(arrival)
    end = MIDNIGHT + 75 * MINUTE
    with Plant(tmp_path_factory.mktemp("plant")) as plant:
        while arrival:
            n = order.randint(1, 12)
            batch, arrival = arrival[:n], arrival[n:]
            plant.clock.ms = min(plant.clock.ms + order.randint(0, 9 * MINUTE), end)
            plant.store(batch)
            if order.random() < 0.3:
                plant.history.flush()
            if order.random() < 0.3:
                plant.roller.flush()
            if crash and order.random() < 0.2:
                plant.kill()
                plant.open()
        plant.clock.ms = end + 10_000
        plant.follow()
        assert plant.roller._rolled.frontier["1m"] == end
        for point in (GAUGE, SLOW, COUNTER):
            sorted_rows = sorted(
                Reading(ts, v, q) for (p, ts), (v, q) in unique.items() if p == point
            )
            agree(plant.said(point, MIDNIGHT, end, "1m"), meant(sorted_rows, point, MIDNIGHT, end))
            quarters = plant.said(point, MIDNIGHT, end, "15m")
            for start, bucket in quarters.items():
                stale, counter = int(TRAITS.stale_ms[point]), bool(TRAITS.counter[point])
                whole = reference(sorted_rows, start, start + 15 * MINUTE, stale, counter)
                assert whole is not None
                assert bucket.count == whole.count
                assert bucket.good == whole.good
                assert bucket.covered_ms == whole.covered_ms
                assert bucket.mean == pytest.approx(whole.mean, nan_ok=True)
                assert bucket.increment == pytest.approx(whole.increment, nan_ok=True)


def test_a_value_holds_until_the_next_reading_or_until_it_is_stale(tmp_path: Path) -> None:
    with Plant(tmp_path) as plant:
        at = MIDNIGHT + 30_000
        plant.store([(GAUGE, at, 10.0, 0), (GAUGE, at + 15_000, 20.0, 0)])
        plant.clock.ms = MIDNIGHT + 10 * MINUTE
        plant.follow()
        said = plant.said(GAUGE, MIDNIGHT, plant.clock.ms, "1m")
        assert said[MIDNIGHT].covered_ms == 30_000
        assert said[MIDNIGHT].mean == 15.0
        assert said[MIDNIGHT + MINUTE] == pytest.approx(
            (60_000, 0, 0, math.nan, math.nan, math.nan, 20.0, math.nan, 0), nan_ok=True
        )
        # 150 s after the second reading it is stale: 45 + 150 = 195 s after midnight.
        assert said[MIDNIGHT + 3 * MINUTE].covered_ms == 15_000
        assert sorted(said) == [MIDNIGHT + i * MINUTE for i in range(4)]


def test_bad_readings_count_but_do_not_enter_the_mean_and_end_what_was_held(
    tmp_path: Path,
) -> None:
    with Plant(tmp_path) as plant:
        plant.store(
            [
                (GAUGE, MIDNIGHT, 4.0, 0),
                (GAUGE, MIDNIGHT + 20_000, 1000.0, 129),
                (GAUGE, MIDNIGHT + 30_000, math.nan, 134),
                (GAUGE, MIDNIGHT + 40_000, 6.0, 69),
            ]
        )
        plant.clock.ms = MIDNIGHT + 2 * MINUTE
        plant.follow()
        bucket = plant.said(GAUGE, MIDNIGHT, MIDNIGHT + MINUTE, "1m")[MIDNIGHT]
        assert (bucket.count, bucket.good, bucket.covered_ms) == (4, 1, 40_000)
        assert (bucket.minimum, bucket.maximum, bucket.last, bucket.mean) == (4.0, 6.0, 6.0, 5.0)


def test_a_counter_that_falls_has_no_increment_and_says_why(tmp_path: Path) -> None:
    with Plant(tmp_path) as plant:
        hour = 60 * MINUTE
        plant.store(
            [
                (COUNTER, MIDNIGHT + 1_000, 1000.0, 0),
                (COUNTER, MIDNIGHT + hour, 1005.0, 0),
                (COUNTER, MIDNIGHT + 2 * hour, 3.0, 0),
                (COUNTER, MIDNIGHT + 3 * hour, 9.0, 0),
                (COUNTER, MIDNIGHT + 4 * hour, 8.0, 0),
                (COUNTER, MIDNIGHT + 5 * hour, 10.0, 0),
            ]
        )
        plant.clock.ms = MIDNIGHT + 7 * hour
        plant.follow()
        said = plant.said(COUNTER, MIDNIGHT, MIDNIGHT + 6 * hour, "1h")
        assert [b.increment for b in said.values()] == pytest.approx(
            [0.0, 5.0, math.nan, 6.0, math.nan, 2.0], nan_ok=True
        )
        assert [b.flags for b in said.values()] == [0, 0, RESET, 0, UNEXPLAINED, 0]
        day = plant.said(COUNTER, MIDNIGHT, MIDNIGHT + 6 * hour, "1d")[MIDNIGHT]
        assert math.isnan(day.increment)
        assert day.flags == RESET | UNEXPLAINED


def test_a_late_meter_reading_moves_growth_to_the_hour_it_belongs_to(tmp_path: Path) -> None:
    with Plant(tmp_path) as plant:
        hour = 60 * MINUTE
        plant.store([(COUNTER, MIDNIGHT, 0.0, 0), (COUNTER, MIDNIGHT + 9 * hour, 90.0, 0)])
        plant.clock.ms = MIDNIGHT + 10 * hour
        plant.follow()
        before = plant.said(COUNTER, MIDNIGHT, MIDNIGHT + 10 * hour, "1h")
        assert before[MIDNIGHT + 9 * hour].increment == 90.0
        plant.store([(COUNTER, MIDNIGHT + 4 * hour, 30.0, 0)])
        after = plant.said(COUNTER, MIDNIGHT, MIDNIGHT + 10 * hour, "1h")
        assert after[MIDNIGHT + 4 * hour].increment == 30.0
        assert after[MIDNIGHT + 9 * hour].increment == 60.0


def test_the_next_minute_begins_at_a_late_reading_not_at_the_one_remembered(tmp_path: Path) -> None:
    with Plant(tmp_path) as plant:
        hour = MIDNIGHT + 60 * MINUTE
        plant.store([(COUNTER, MIDNIGHT + 10_000, 1.0, 0)])
        plant.clock.ms = hour + 10_000
        plant.follow()
        plant.store([(COUNTER, MIDNIGHT + 50_000, 5.0, 0)])
        plant.store([(COUNTER, hour + 30_000, 9.0, 0)])
        plant.clock.ms = hour + 2 * MINUTE
        plant.follow()
        said = plant.said(COUNTER, MIDNIGHT, hour + MINUTE, "1m")
        assert said[MIDNIGHT].increment == 4.0
        assert said[hour].increment == 4.0


def test_a_recomputed_bucket_has_the_next_revision_and_is_announced_again(tmp_path: Path) -> None:
    feed = RollupFeed(tmp_path / "feed.sqlite")
    with Plant(tmp_path, feed=feed) as plant:
        plant.store([(GAUGE, MIDNIGHT, 1.0, 0)])
        plant.clock.ms = MIDNIGHT + 5 * MINUTE
        plant.follow()
        plant.roller.flush()
        feed.done(feed.take(1000)[-1][0])
        plant.store([(GAUGE, MIDNIGHT + 10_000, 3.0, 0)])
        plant.roller.flush()
        stored = plant.history.rolled.stored(
            "1m", np.array([GAUGE], np.int32), MIDNIGHT, MIDNIGHT + 5 * MINUTE
        )
        assert stored.rows["revision"][:3].tolist() == [2, 2, 2]
        notes = [note for _, note in feed.take(1000)]
        assert {note.level for note in notes} == {"1m"}
        assert min(note.start for note in notes) == MIDNIGHT
        plant.store([(GAUGE, MIDNIGHT + 10_000, 3.0, 0)])  # the same again changes nothing
        plant.roller.flush()
        assert len(feed.take(1000)) == len(notes)
    feed.close()


def test_days_follow_the_park_not_utc(tmp_path: Path) -> None:
    with Plant(tmp_path, start=MIDNIGHT - 2 * 3_600_000) as plant:
        plant.store(
            [
                (COUNTER, MIDNIGHT - 3_600_000, 10.0, 0),
                (COUNTER, MIDNIGHT - 1, 14.0, 0),
                (COUNTER, MIDNIGHT, 15.0, 0),
                (COUNTER, MIDNIGHT + 3_600_000, 21.0, 0),
            ]
        )
        plant.clock.ms = MIDNIGHT + 25 * 3_600_000
        plant.follow()
        days = plant.said(COUNTER, MIDNIGHT - 86_400_000, MIDNIGHT + 86_400_000, "1d")
        assert {start: b.increment for start, b in days.items()} == {
            MIDNIGHT - 86_400_000: 4.0,
            MIDNIGHT: 7.0,
        }


@pytest.mark.parametrize("every", LEVELS)
def test_an_open_bucket_is_answered_from_the_readings(tmp_path: Path, every: Every) -> None:
    with Plant(tmp_path) as plant:
        plant.store([(COUNTER, MIDNIGHT, 5.0, 0)])
        plant.clock.ms = MIDNIGHT + 20_000
        plant.store([(COUNTER, MIDNIGHT + 18_000, 6.5, 0)])
        said = plant.said(COUNTER, MIDNIGHT, MIDNIGHT + 86_400_000, every)
        assert said[MIDNIGHT].increment == 1.5
        assert said[MIDNIGHT].covered_ms == 20_000, "nothing is known to hold in the future"


def test_a_value_that_was_held_when_the_process_was_killed_is_held_on(tmp_path: Path) -> None:
    with Plant(tmp_path) as plant:
        plant.store([(SLOW, MIDNIGHT, 7.0, 0)])
        plant.clock.ms = MIDNIGHT + 3 * MINUTE + 10_000
        plant.follow()
        plant.roller.flush()
        assert plant.roller.position() == 1
        plant.kill()
        plant.open()
        plant.clock.ms = MIDNIGHT + 40 * MINUTE
        plant.follow()
        said = plant.said(SLOW, MIDNIGHT, MIDNIGHT + 40 * MINUTE, "1m")
        assert sorted(said) == [MIDNIGHT + i * MINUTE for i in range(25)]
        quarter = plant.said(SLOW, MIDNIGHT, MIDNIGHT + 40 * MINUTE, "15m")[MIDNIGHT]
        assert (quarter.covered_ms, quarter.mean) == (15 * MINUTE, 7.0)


@pytest.mark.parametrize("level", LEVELS)
def test_a_damaged_roll_up_file_is_computed_again(tmp_path: Path, level: Every) -> None:
    day = 86_400_000
    with Plant(tmp_path) as plant:
        plant.store([(COUNTER, MIDNIGHT + i * 900_000, float(i), 0) for i in range(120)])
        plant.clock.ms = MIDNIGHT + 2 * day
        plant.follow()
        plant.roller.flush()
        whole = plant.said(COUNTER, MIDNIGHT, MIDNIGHT + day, level)
        assert len(whole) > 0
        plant.history.flush()
        plant.kill()
        victim = sorted((tmp_path / "history" / "rollup" / level).glob("*/*.npz"))[0]
        victim.write_bytes(victim.read_bytes()[:200])
        plant.open()
        plant.follow()
        agree(plant.said(COUNTER, MIDNIGHT, MIDNIGHT + day, level), whole)
        assert not plant.history.rolled.stores[level].archive.lost


def test_readings_older_than_the_history_keeps_do_not_spoil_old_roll_ups(tmp_path: Path) -> None:
    day = 86_400_000
    with Plant(tmp_path) as plant:
        plant.store([(GAUGE, MIDNIGHT + i * 10_000, 5.0, 0) for i in range(6)])
        plant.clock.ms = MIDNIGHT + 10 * MINUTE
        plant.follow()
        plant.clock.ms = MIDNIGHT + 100 * day
        plant.history.flush()
        plant.history.upkeep()
        assert not list((tmp_path / "history" / "raw").iterdir())
        plant.store([(GAUGE, MIDNIGHT + 55_000, 9.0, 0)])
        bucket = plant.said(GAUGE, MIDNIGHT, MIDNIGHT + MINUTE, "1m")[MIDNIGHT]
        assert (bucket.count, bucket.mean) == (6, 5.0)
