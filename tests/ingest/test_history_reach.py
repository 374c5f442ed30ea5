"""Readings older than the local history come from a real InfluxDB, joined without a seam."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.consume import RetriableError
from ingest.history.influx import InfluxHistory
from ingest.history.influx_client import InfluxLink
from ingest.history.lineprotocol import Lines
from ingest.history.local import LocalHistory
from ingest.history.reach import FarHistory
from ingest.journal import Journal
from ingest.readings import Readings
from tests.peers.influxd import Influxd, running_influxd

POINT = "MH-1.level"
DAY = 86_400_000


class Place:
    """What line protocol needs to know of the point."""

    domain, asset, property = "sewer", "MH-1", "level"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Influxd]:
    with running_influxd(tmp_path) as engine:
        yield engine


@pytest.fixture
def history(tmp_path: Path, engine: Influxd) -> Iterator[FarHistory]:
    """Ten readings an hour apart in InfluxDB, the newest four of them kept locally as well."""
    now = int(time.time() * 1000) // 1000 * 1000
    rows = Readings.of(
        [0] * 10, [now - (10 - i) * 3_600_000 for i in range(10)], range(10), [0] * 10
    )
    with Journal(tmp_path / "journal.db") as journal:
        journal.points.ensure([POINT])
        journal.append(rows[6:])
        near = LocalHistory(tmp_path / "history", "Asia/Shanghai", journal=journal)
        near.consume(journal.read(0))
        link = InfluxLink(engine.url)
        link.write("raw", "\n".join(Lines([POINT], {POINT: Place()}).readings(rows)).encode())
        far = InfluxHistory(link, [POINT], {POINT: Place()})
        yield FarHistory(near, far, near.store.oldest)
        link.close()
        near.close()


def values(history: FarHistory, limit: int | None = None) -> list[float]:
    end = int(time.time() * 1000)
    return [float(v) for v in history.raw(0, end - DAY, end, limit).value]


def test_old_and_new_readings_join_without_a_seam(history: FarHistory) -> None:
    assert values(history) == [float(i) for i in range(10)]


@pytest.mark.parametrize("limit", [1, 6, 7, 10])
def test_a_limit_counts_over_both_parts(history: FarHistory, limit: int) -> None:
    assert values(history, limit) == [float(i) for i in range(limit)]


def test_a_recent_range_does_not_need_influxdb(history: FarHistory, engine: Influxd) -> None:
    engine.kill9()
    end = int(time.time() * 1000)
    assert list(history.raw(0, end - 3 * 3_600_000, end).value) == [8.0, 9.0]


def test_an_influxdb_that_is_away_is_an_error_not_a_shorter_history(
    history: FarHistory, engine: Influxd
) -> None:
    engine.kill9()
    with pytest.raises(RetriableError):
        values(history)
