"""The journal on a real disk: append, read, wait, reopen, trim, damage."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from ingest.group import DamagedGroup
from ingest.journal import Journal, JournalInUse
from ingest.ledger import Rejected
from ingest.quarantine import Quarantine
from ingest.readings import Readings


def some(count: int, seed: int = 0, received_at: int = 1_763_890_000_000) -> Readings:
    """`count` readings that differ in every column."""
    random = np.random.default_rng(seed)
    return Readings(
        random.integers(0, 50, count).astype(np.int32),
        received_at - random.integers(0, 5_000, count),
        random.normal(20, 5, count),
        random.choice(np.array([0, 65, 134], np.uint8), count),
    )


def same(left: Readings, right: Readings) -> bool:
    """Equal in every column; null equals null."""
    return (
        np.array_equal(left.point, right.point)
        and np.array_equal(left.ts, right.ts)
        and np.array_equal(left.value, right.value, equal_nan=True)
        and np.array_equal(left.quality, right.quality)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path) as opened:
        yield opened


def test_readings_come_back_from_memory_and_from_disk_as_they_went_in(path: Path) -> None:
    parts = [some(n, seed=n) for n in (1, 700, 3, 5_000)]
    with Journal(path) as journal:
        for part in parts:
            journal.append(part, source="GW-1")
        assert journal.end == 5_704
        from_memory = journal.read(0)
    with Journal(path) as reopened:
        assert reopened.end == 5_704
        from_disk = reopened.read(0)
    for groups in (from_memory, from_disk):
        assert [g.start for g in groups] == [0, 1, 701, 704]
        assert all(same(g.readings, p) for g, p in zip(groups, parts, strict=True))
        assert [g.heads[0].source for g in groups] == ["GW-1"] * 4
        assert [g.heads[0].n for g in groups] == [1, 700, 3, 5_000]


def test_null_travels_as_nan_and_keeps_its_quality(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(Readings.of([1], [1_763_890_000_000], [float("nan")], [134]))
    with Journal(path) as journal:
        readings = journal.read(0)[0].readings
    assert np.isnan(readings.value[0])
    assert readings.quality[0] == 134


@pytest.mark.parametrize("tail", [1, 1_000_000])
def test_reading_from_inside_a_group_trims_it(path: Path, tail: int) -> None:
    part = some(10)
    with Journal(path, tail_readings=tail) as journal:
        journal.append(part, source="A")
        journal.append(some(5), source="B")
        journal.append(some(5), source="C")
        first, *rest = journal.read(4)
        assert (first.start, first.end) == (4, 10)
        assert same(first.readings, part[4:])
        assert (first.heads[0].offset, first.heads[0].n) == (0, 6)
        assert [g.start for g in rest] == [10, 15]
        assert [g.start for g in journal.read(0, limit=11)] == [0, 10]
        assert journal.read(20) == []


def test_a_consumer_far_behind_the_tail_reads_on_into_it_without_a_seam(path: Path) -> None:
    with Journal(path, tail_readings=50) as journal:
        for seed in range(30):
            journal.append(some(10, seed))
        seen, at = [], 0
        while groups := journal.read(at, limit=35):
            seen += [g.start for g in groups]
            at = groups[-1].end
    assert seen == list(range(0, 300, 10))


def test_wait_returns_when_something_was_committed(journal: Journal) -> None:
    assert journal.wait(after=0, timeout=0.01) is False
    thread = threading.Timer(0.05, lambda: journal.append(some(1)))
    thread.start()
    assert journal.wait(after=0, timeout=5) is True
    thread.join()


def test_the_epoch_is_made_once_and_stays(path: Path) -> None:
    with Journal(path) as journal:
        epoch = journal.epoch
    with Journal(path) as journal:
        assert journal.epoch == epoch
    with Journal(path.with_name("other.db")) as other:
        assert other.epoch != epoch


def test_point_numbers_survive_reopening_and_a_longer_model(path: Path) -> None:
    with Journal(path) as journal:
        journal.points.ensure(["B.level", "A.level"])
        assert journal.points.index("A.level") == 1
    with Journal(path) as journal:
        journal.points.ensure(["A.flow", "A.level", "B.level"])
        assert journal.points.ids() == ["B.level", "A.level", "A.flow"]
        assert journal.points.index("C.flow") is None


def test_a_flipped_bit_is_reported_and_skipped_only_on_request(path: Path) -> None:
    with Journal(path) as journal:
        for seed in range(3):
            journal.append(some(1_000, seed))
    db = sqlite3.connect(path)
    blob = bytearray(db.execute("SELECT blob FROM groups WHERE start = 1000").fetchone()[0])
    blob[len(blob) // 2] ^= 0x04
    db.execute("UPDATE groups SET blob = ? WHERE start = 1000", (bytes(blob),))
    db.commit()
    db.close()
    with Journal(path) as journal:
        with pytest.raises(DamagedGroup, match="ordinal 1000 is damaged"):
            journal.read(0)
        assert [g.start for g in journal.read(0, skip_damaged=True)] == [0, 2000]
        assert [d.start for d in journal.verify()] == [1000]


def test_a_group_in_the_wrong_place_is_reported(path: Path) -> None:
    with Journal(path) as journal:
        for seed in range(2):
            journal.append(some(10, seed))
    db = sqlite3.connect(path)
    db.execute("UPDATE groups SET blob = (SELECT blob FROM groups WHERE start = 10)")
    db.commit()
    db.close()
    with Journal(path) as journal, pytest.raises(DamagedGroup, match="ordinal 0"):
        journal.read(0)


def test_trim_deletes_only_what_is_old_and_passed(path: Path) -> None:
    old, now = 1_600_000_000_000, time.time_ns() // 1_000_000
    with Journal(path) as journal:
        for at in (old, old, now, now):
            journal.append(some(10, received_at=at), received_at=at)
        day = 24 * 3600 * 1000
        assert journal.trim(keep_from=15, older_than_ms=day) == 10
        assert (journal.oldest, journal.end) == (10, 40)
        assert journal.trim(keep_from=40, older_than_ms=day) == 10
        assert journal.trim(keep_from=40, older_than_ms=-day) == 10
        assert journal.read(0)[0].start == 30
    with Journal(path) as journal:
        assert (journal.oldest, journal.end) == (30, 40)


def test_readers_on_other_threads_see_every_reading_once_while_it_is_written(
    path: Path,
) -> None:
    failures: list[str] = []

    def follow(journal: Journal) -> None:
        at = 0
        while at < 2_000:
            journal.wait(at, 5)
            for group in journal.read(at, limit=30):
                if group.start != at:
                    failures.append(f"expected {at}, got {group.start}")
                at = group.end

    with Journal(path, tail_readings=40, synchronous="OFF") as journal:
        threads = [threading.Thread(target=follow, args=(journal,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for seed in range(200):
            journal.append(some(10, seed))
        for thread in threads:
            thread.join(20)
    assert not failures
    assert not any(t.is_alive() for t in threads)


def test_a_second_writer_is_refused_until_the_first_has_closed(path: Path) -> None:
    with Journal(path), pytest.raises(JournalInUse, match="in use by another process"):
        Journal(path)
    Journal(path).close()


def test_a_file_that_is_no_journal_is_not_opened_as_one(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"something else" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        Journal(path)
    path.unlink()
    Journal(path).close()


def test_quarantine_drops_released_rows_first_and_then_the_oldest(path: Path) -> None:
    def rejected(number: int) -> Rejected:
        return Rejected("GW-1", "", -1, "t", "code", "reason", b"%d" % number, 0)

    with Journal(path, keep=Quarantine(cap_rows=16)) as journal:

        def put(numbers: Iterable[int], released: Sequence[int] = ()) -> list[int]:
            draft = journal.draft()
            draft.box("GW-1", "", "foreign").quarantined += 1
            draft.rejected += [rejected(n) for n in numbers]
            draft.released += released
            journal.commit(draft)
            return [int(row.raw) for row in journal.quarantine(limit=100)]

        assert put(range(16)) == list(range(16))
        assert put([], released=[5, 6]) == list(range(16))
        assert put([16]) == [1, 2, 3, *range(6, 17)]  # 14 rows: an eighth below the cap
        assert put(range(17, 20)) == list(range(6, 20))
        assert put([20] * 100) == [20] * 14
        assert [row.box for row in journal.quarantine(source="GW-2")] == []
