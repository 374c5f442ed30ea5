"""One contract for every history: the local files and a real InfluxDB give the same answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from ingest.cursor import Cursors
from ingest.forward import Forwarder
from ingest.history.feed import RollupFeed
from ingest.history.influx import InfluxHistory
from ingest.history.influx_client import InfluxLink
from ingest.history.lineprotocol import Lines
from ingest.history.local import LocalHistory
from ingest.history.protocol import LEVELS, Every, History
from ingest.history.roller import Roller
from ingest.history.rollup import Traits
from ingest.journal import Journal
from ingest.readings import Readings
from tests.peers.influxd import running_influxd

MIDNIGHT = 1_795_363_200_000
HOUR = 3_600_000
DAY = 24 * HOUR


class Meant(NamedTuple):
    """A point of the model, as far as line protocol cares."""

    domain: str
    asset: str
    property: str


MODEL = {
    "MH-1.level": Meant("sewer", "MH-1", "level"),
    "MH-1.flow": Meant("sewer", "MH-1", "flow"),
    "E 7,x=1.energy_total": Meant("energy", "E 7,x=1", "energy_total"),
    "空气站-1.pm25": Meant("environment", "空气站-1", "pm25"),
}
IDS = list(MODEL)
LEVEL, FLOW, ENERGY, AIR = range(4)
TRAITS = Traits(
    np.array([60_000, 60_000, 1_800_000, 60_000], np.int64), np.array([False, False, True, False])
)


class Kept(NamedTuple):
    """A history of one kind, and how to put readings into it."""

    history: History
    store: Callable[[Readings], None]
    roll_up: Callable[[int], None]


class Clock:
    """Wall time in seconds, moved by the test."""

    ms = MIDNIGHT

    def __call__(self) -> float:
        return self.ms / 1000


@pytest.fixture(params=["local", "influx"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    clock = Clock()
    journal = Journal(tmp_path / "journal.sqlite", synchronous="OFF")
    local = LocalHistory(
        tmp_path / "history", "Asia/Shanghai", journal=journal, traits=TRAITS, clock=clock
    )
    feed = RollupFeed(tmp_path / "feed.sqlite")
    roller = Roller(local, feed=feed, settle_s=0, clock=clock)

    def store(readings: Readings) -> None:
        journal.append(readings)
        local.consume(journal.read(local.seen))

    def roll_up(now: int) -> None:
        clock.ms = now
        roller.consume(journal.read(roller.position()))
        roller.tick()
        roller.flush()

    try:
        if request.param == "local":
            yield Kept(local, store, roll_up)
            return
        with running_influxd(tmp_path) as engine:
            link = InfluxLink(engine.url)
            forwarder = Forwarder(
                link,
                lambda: Lines(IDS, MODEL),
                local.cursors,
                rolled=local.rolled,
                feed=feed,
            )

            def forward(readings: Readings) -> None:
                store(readings)
                forwarder.consume(journal.read(forwarder.position()))

            def forward_roll_ups(now: int) -> None:
                roll_up(now)
                forwarder.tick()

            history = InfluxHistory(link, IDS, MODEL, position=forwarder.position)
            yield Kept(history, forward, forward_roll_ups)
            link.close()
    finally:
        local.close()
        feed.close()
        journal.close()


def test_readings_come_back_by_time_with_value_and_quality(kept: Kept) -> None:
    kept.store(
        Readings.of(
            [LEVEL, FLOW, LEVEL, AIR, LEVEL],
            [MIDNIGHT + 2, MIDNIGHT, MIDNIGHT, MIDNIGHT + 7, MIDNIGHT + 1],
            [1.25, -3e-7, 0.1, 1e9, math.nan],
            [0, 65, 0, 0, 134],
        )
    )
    series = kept.history.raw(LEVEL, MIDNIGHT, MIDNIGHT + 3)
    assert series.ts.tolist() == [MIDNIGHT, MIDNIGHT + 1, MIDNIGHT + 2]
    np.testing.assert_array_equal(series.value, [0.1, math.nan, 1.25])
    assert series.quality.tolist() == [0, 134, 0]
    assert kept.history.raw(FLOW, 0, 1 << 50).value.tolist() == [-3e-7]
    assert kept.history.raw(AIR, 0, 1 << 50).value.tolist() == [1e9]


def test_the_range_includes_its_start_and_not_its_end(kept: Kept) -> None:
    ts = [MIDNIGHT + i for i in range(5)]
    kept.store(Readings.of([LEVEL] * 5, ts, [float(i) for i in range(5)], [0] * 5))
    assert kept.history.raw(LEVEL, ts[1], ts[4]).ts.tolist() == ts[1:4]
    assert kept.history.raw(LEVEL, ts[1], ts[4], limit=2).ts.tolist() == ts[1:3]
    assert kept.history.raw(LEVEL, ts[4] + 1, ts[4] + DAY).ts.tolist() == []
    assert kept.history.raw(ENERGY, 0, 1 << 50).ts.tolist() == []


def test_a_correction_replaces_the_value_of_its_millisecond(kept: Kept) -> None:
    kept.store(Readings.of([LEVEL, LEVEL], [MIDNIGHT, MIDNIGHT], [1.0, 2.0], [0, 0]))
    assert kept.history.raw(LEVEL, 0, 1 << 50).value.tolist() == [2.0]
    kept.store(Readings.of([LEVEL], [MIDNIGHT], [3.0], [64]))
    series = kept.history.raw(LEVEL, 0, 1 << 50)
    assert (series.value.tolist(), series.quality.tolist()) == ([3.0], [64])
    assert kept.history.count(0, 1 << 50) == {LEVEL: 1}


def test_names_with_commas_spaces_equals_signs_and_chinese_survive(kept: Kept) -> None:
    kept.store(Readings.of([ENERGY, AIR], [MIDNIGHT, MIDNIGHT], [12.0, 13.0], [0, 0]))
    assert kept.history.raw(ENERGY, 0, 1 << 50).value.tolist() == [12.0]
    assert kept.history.raw(AIR, 0, 1 << 50).value.tolist() == [13.0]


def test_readings_are_counted_by_point_from_the_data(kept: Kept) -> None:
    n = 3000
    point = np.arange(n, dtype=np.int32) % 3
    ts = MIDNIGHT + np.arange(n) * 100
    value = np.where(np.arange(n) % 10 == 0, math.nan, 1.0)
    quality = np.where(np.isnan(value), 134, 0).astype(np.uint8)
    readings = Readings(point, ts, value, quality)
    kept.store(readings)
    kept.store(readings[:500])  # sent twice
    assert kept.history.count(0, 1 << 50) == {0: 1000, 1: 1000, 2: 1000}
    assert kept.history.count(MIDNIGHT + 300, MIDNIGHT + 600) == {0: 1, 1: 1, 2: 1}
    assert kept.history.count(MIDNIGHT - DAY, MIDNIGHT) == {}


def test_the_latest_reading_of_each_point_is_known_by_event_time(kept: Kept) -> None:
    kept.store(
        Readings.of(
            [LEVEL, LEVEL, FLOW, FLOW],
            [MIDNIGHT + 9, MIDNIGHT + 5, MIDNIGHT, MIDNIGHT + 1],
            [1.0, 2.0, 3.0, math.nan],
            [0, 0, 0, 134],
        )
    )
    latest, upto = kept.history.latest()
    assert upto == 4
    assert latest.point.tolist() == [LEVEL, FLOW]
    assert latest.ts.tolist() == [MIDNIGHT + 9, MIDNIGHT + 1]
    np.testing.assert_array_equal(latest.value, [1.0, math.nan])
    assert latest.quality.tolist() == [0, 134]


@pytest.mark.parametrize("every", LEVELS)
def test_roll_ups_of_closed_buckets_agree(kept: Kept, every: Every) -> None:
    rng = np.random.default_rng(3)
    n = 26 * 4
    ts = MIDNIGHT + np.arange(n) * 900_000
    energy = np.cumsum(rng.integers(0, 9, n)).astype(float)
    kept.store(Readings(np.full(n, ENERGY, np.int32), ts, energy, np.zeros(n, np.uint8)))
    kept.store(Readings.of([LEVEL] * 2, [MIDNIGHT, MIDNIGHT + 30_000], [1.0, 2.0], [0, 0]))
    kept.roll_up(MIDNIGHT + 27 * HOUR)
    found = kept.history.buckets([LEVEL, ENERGY, AIR], MIDNIGHT, MIDNIGHT + DAY, every)
    width = {"1m": 60_000, "15m": 900_000, "1h": HOUR, "1d": DAY}[every]
    level, meter = found[LEVEL], found[ENERGY]
    assert len(found[AIR].start) == 0
    assert level.start[0] == MIDNIGHT
    assert (level.count[0], level.minimum[0], level.maximum[0]) == (2, 1.0, 2.0)
    assert level.covered_s[0] == (60.0 if every == "1m" else 90.0)
    assert level.mean[0] == pytest.approx(1.5 if every == "1m" else 5 / 3)
    grown = np.diff(energy, prepend=energy[0])
    begin = ts // 1  # ends of the intervals belong to the later reading
    for start, increment in zip(meter.start.tolist(), meter.increment.tolist(), strict=True):
        inside = (begin >= start) & (begin < start + width)
        assert increment == pytest.approx(
            grown[inside].sum() if inside.any() else math.nan, nan_ok=True
        )
    assert np.nansum(meter.increment) == pytest.approx(grown[ts < MIDNIGHT + DAY].sum())


def test_cursors_are_kept_apart(tmp_path: Path) -> None:
    cursors = Cursors(tmp_path / "cursors.sqlite")
    cursors.set(history=5, influx=3)
    cursors.set(influx=4)
    cursors.close()
    again = Cursors(tmp_path / "cursors.sqlite")
    assert (again.get("history"), again.get("influx"), again.get("new", 9)) == (5, 4, 9)
    again.close()
