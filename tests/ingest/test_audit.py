"""The audit finds what is missing, by looking."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from ingest.audit import audit
from ingest.cursor import Cursors
from ingest.forward import Forwarder
from ingest.history.influx import InfluxHistory
from ingest.history.influx_client import InfluxLink
from ingest.history.lineprotocol import Lines
from ingest.history.local import LocalHistory
from ingest.journal import Journal
from ingest.readings import Readings
from tests.peers.influxd import running_influxd

MIDNIGHT = 1_795_363_200_000
DAY = 86_400_000
NOW = MIDNIGHT + 3 * DAY


class Meant(NamedTuple):
    """A point of the model, as far as line protocol cares."""

    domain: str
    asset: str
    property: str


MODEL = {f"MH-{i:03d}.level": Meant("sewer", f"MH-{i:03d}", "level") for i in range(30)}
LINES = Lines(list(MODEL), MODEL)


def some(n: int, seed: int) -> Readings:
    r = np.random.default_rng(seed)
    value = r.normal(size=n)
    value[::11] = np.nan
    return Readings(
        r.integers(0, 30, n).astype(np.int32),
        MIDNIGHT + r.integers(0, 2 * DAY // 1000, n) * 1000,
        value,
        np.where(np.isnan(value), 134, 0).astype(np.uint8),
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite", synchronous="OFF") as journal:
        yield journal


@pytest.fixture
def history(tmp_path: Path, journal: Journal) -> Iterator[LocalHistory]:
    history = LocalHistory(
        tmp_path / "history", "Asia/Shanghai", journal=journal, clock=lambda: NOW / 1000
    )
    yield history
    history.close()


def follow(history: LocalHistory, journal: Journal) -> None:
    history.consume(journal.read(history.seen))
    history.flush()


def test_all_that_was_acknowledged_is_found(journal: Journal, history: LocalHistory) -> None:
    journal.append(some(5000, 1), source="GW-OLD")
    journal.append(some(3000, 2), source="GW-SOUTH")
    journal.append(some(100, 2), source="GW-SOUTH")
    follow(history, journal)
    report = audit(journal, history, NOW)
    assert report.ok
    assert [(r.source, r.day) for r in report.days] == [
        ("GW-OLD", "2026-11-23"),
        ("GW-OLD", "2026-11-24"),
        ("GW-SOUTH", "2026-11-23"),
        ("GW-SOUTH", "2026-11-24"),
    ]
    assert sum(r.readings for r in report.days) == 8100
    assert "all" in report.days[0].sentence.en
    assert "全部" in report.days[0].sentence.zh
    history.upkeep()  # the days become Parquet
    assert audit(journal, history, NOW).ok


@pytest.mark.parametrize("closed", [False, True])
def test_a_history_file_that_was_deleted_is_noticed(
    journal: Journal, history: LocalHistory, closed: bool, tmp_path: Path
) -> None:
    journal.append(some(5000, 1), source="GW-OLD")
    follow(history, journal)
    if closed:
        history.upkeep()
    history.close()
    for path in (tmp_path / "history" / "raw" / "2026-11-23").iterdir():
        path.unlink()
    again = LocalHistory(tmp_path / "history", "Asia/Shanghai", clock=lambda: NOW / 1000)
    report = audit(journal, again, NOW)
    assert not report.ok
    first, second = report.days
    assert first.missing == first.distinct > 0
    assert second.missing == 0
    assert f"{first.missing} of {first.distinct}" in first.sentence.en
    again.close()


def test_readings_on_their_way_are_not_missing(journal: Journal, history: LocalHistory) -> None:
    journal.append(some(500, 1), source="GW-OLD")
    follow(history, journal)
    journal.append(some(500, 2), source="GW-OLD")
    report = audit(journal, history, NOW)
    assert report.ok
    assert report.end == 500


def test_only_the_newest_part_of_the_journal_is_read(
    journal: Journal, history: LocalHistory
) -> None:
    for seed in range(5):
        journal.append(some(1000, seed), source="GW-OLD")
    follow(history, journal)
    report = audit(journal, history, NOW, window=1500)
    assert (report.first, report.end) == (3500, 5000)
    assert sum(r.readings for r in report.days) == 1500


def test_an_account_that_does_not_balance_is_an_error(
    journal: Journal, history: LocalHistory
) -> None:
    draft = journal.draft(NOW)
    box = draft.box("GW-OLD", "box-1", "native")
    box.first, box.committed, box.stored = 1, 10, 7
    journal.commit(draft)
    report = audit(journal, history, NOW)
    assert not report.ok
    assert [(r.source, r.box, r.imbalance, r.ok) for r in report.boxes] == [
        ("GW-OLD", "box-1", 3, False)
    ]
    assert "3 sequence numbers" in report.boxes[0].sentence.en


def test_influxdb_is_recounted_from_its_own_data(
    journal: Journal, history: LocalHistory, tmp_path: Path
) -> None:
    with running_influxd(tmp_path) as engine:
        link = InfluxLink(engine.url)
        cursors = Cursors(tmp_path / "forward.sqlite")
        forwarder = Forwarder(link, lambda: LINES, cursors)
        there = InfluxHistory(link, list(MODEL), MODEL)
        journal.append(some(4000, 1), source="GW-OLD")
        follow(history, journal)
        forwarder.consume(journal.read(0))
        journal.append(some(300, 2), source="GW-OLD")
        follow(history, journal)

        report = audit(journal, history, NOW, influx=there, forwarded=forwarder.position())
        assert report.ok, [r.sentence.en for r in report.influx]
        assert sum(r.waiting for r in report.influx) > 0
        assert "still wait" in report.influx[0].sentence.en

        forwarder.consume(journal.read(forwarder.position()))
        report = audit(journal, history, NOW, influx=there, forwarded=forwarder.position())
        assert report.ok
        assert [r.influx_readings for r in report.influx] == [
            r.local_readings for r in report.influx
        ]
        assert [r.influx_values for r in report.influx] == [r.local_values for r in report.influx]

        engine.query("DELETE FROM sewer WHERE asset = 'MH-003'", method="POST")
        report = audit(journal, history, NOW, influx=there, forwarded=forwarder.position())
        assert not report.ok
        assert {r.points for r in report.influx} == {(3,)}
        assert "1 points differ" in report.influx[0].sentence.en
        link.close()
        cursors.close()
