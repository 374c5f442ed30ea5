"""Consumers: each goes on from its own mark, at its own pace, and says what holds it up."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ingest.consume import ConsumerThread, RetriableError
from ingest.cursor import Cursors
from ingest.group import Group
from ingest.history.feed import Note, RollupFeed
from ingest.journal import Journal
from ingest.readings import Readings


class Collector:
    """Keeps what it is given, durably as far as the test cares."""

    name = "collector"

    def __init__(self) -> None:
        self.values: list[float] = []
        self.offered: list[int] = []
        self.fail: list[BaseException] = []
        self.ticks = 0

    def position(self) -> int:
        return len(self.values)

    def consume(self, groups: Sequence[Group]) -> None:
        self.offered.append(sum(len(g.readings) for g in groups))
        if self.fail:
            raise self.fail.pop(0)
        for group in groups:
            assert group.start == len(self.values)
            self.values += group.readings.value.tolist()

    def tick(self) -> None:
        self.ticks += 1


def some(n: int, start: int = 0) -> Readings:
    return Readings.of(
        [0] * n, [start + i for i in range(n)], [float(start + i) for i in range(n)], [0] * n
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite", synchronous="OFF") as journal:
        yield journal


def test_every_reading_is_passed_on_once_and_in_order(journal: Journal) -> None:
    journal.append(some(500))
    collector = Collector()
    thread = ConsumerThread(journal, collector, min_batch_ms=1)
    assert thread.lag() == 500
    thread.start()
    for start in range(500, 2000, 100):
        journal.append(some(100, start))
    assert thread.drain(10)
    thread.stop()
    assert collector.values == [float(i) for i in range(2000)]
    assert (thread.lag(), thread.readings, thread.error) == (0, 2000, None)


def test_a_restart_goes_on_at_the_durable_position(journal: Journal) -> None:
    journal.append(some(10))
    collector = Collector()
    first = ConsumerThread(journal, collector)
    first.start()
    assert first.drain(10)
    first.stop()
    journal.append(some(10, 10))
    second = ConsumerThread(journal, collector)
    second.start()
    assert second.drain(10)
    second.stop()
    assert collector.values == [float(i) for i in range(20)]


def test_reads_are_bounded(journal: Journal) -> None:
    for start in range(0, 1000, 10):
        journal.append(some(10, start))
    collector = Collector()
    thread = ConsumerThread(journal, collector, limit=50)
    thread.start()
    assert thread.drain(10)
    thread.stop()
    assert max(collector.offered) <= 50
    assert len(collector.values) == 1000


def test_a_retriable_error_is_shown_and_tried_again_until_it_works(journal: Journal) -> None:
    journal.append(some(10))
    collector = Collector()
    collector.fail = [RetriableError("the disk is full") for _ in range(4)]
    thread = ConsumerThread(journal, collector, backoff_base=0.02)
    thread.start()
    until = time.monotonic() + 5
    while thread.error is None and time.monotonic() < until and thread.retries < 4:
        time.sleep(0.001)
    assert thread.drain(10)
    thread.stop()
    assert thread.retries == 4
    assert thread.error is None
    assert collector.values == [float(i) for i in range(10)]


def test_the_pause_that_the_other_side_asks_for_is_kept(journal: Journal) -> None:
    journal.append(some(10))
    collector = Collector()
    collector.fail = [RetriableError("busy", retry_after=0.5)]
    thread = ConsumerThread(journal, collector, min_batch_ms=0)
    began = time.monotonic()
    thread.start()
    assert thread.drain(10)
    thread.stop()
    assert time.monotonic() - began >= 0.5


def test_an_unexpected_error_stops_this_consumer_and_is_kept_for_the_operator(
    journal: Journal,
) -> None:
    journal.append(some(10))
    broken, sound = Collector(), Collector()
    broken.fail = [ZeroDivisionError("never foreseen")]
    threads = [ConsumerThread(journal, broken), ConsumerThread(journal, sound)]
    for thread in threads:
        thread.start()
    assert threads[1].drain(10)
    assert not threads[0].drain(2)
    assert threads[0].failed
    assert threads[0].error == "ZeroDivisionError: never foreseen"
    for thread in threads:
        thread.stop()
    assert len(sound.values) == 10


def test_the_clock_reaches_a_consumer_without_readings(journal: Journal) -> None:
    collector = Collector()
    thread = ConsumerThread(journal, collector, tick_s=0.02)
    thread.start()
    until = time.monotonic() + 5
    while collector.ticks < 3 and time.monotonic() < until:
        time.sleep(0.01)
    thread.stop()
    assert collector.ticks >= 3


def test_stopping_is_quick_while_it_waits_to_try_again(journal: Journal) -> None:
    journal.append(some(1))
    collector = Collector()
    collector.fail = [RetriableError("down", retry_after=3600.0)]
    thread = ConsumerThread(journal, collector)
    thread.start()
    while thread.retries == 0:
        time.sleep(0.005)
    began = time.monotonic()
    thread.stop()
    assert time.monotonic() - began < 2
    assert not thread.alive


def test_a_damaged_group_of_the_journal_does_not_stop_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path, synchronous="OFF") as journal:
        for start in range(0, 300, 100):
            journal.append(some(100, start))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE groups SET blob = x'00' WHERE start = 100")
    db.close()

    class Loose(Collector):
        upto = 0

        def position(self) -> int:
            return self.upto

        def consume(self, groups: Sequence[Group]) -> None:
            for group in groups:
                self.values += group.readings.value.tolist()
            self.upto = groups[-1].end

    with Journal(path, synchronous="OFF") as journal:
        loose = Loose()
        thread = ConsumerThread(journal, loose)
        thread.start()
        assert thread.drain(10)
        thread.stop()
    assert loose.values == [float(i) for i in [*range(100), *range(200, 300)]]


def test_what_follows_a_long_run_of_damage_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path, synchronous="OFF") as journal:
        for start in range(0, 500, 100):
            journal.append(some(100, start))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE groups SET blob = x'00' WHERE start IN (100, 200)")
    db.close()
    with Journal(path, synchronous="OFF") as journal:
        assert [g.start for g in journal.read(100, 150, skip_damaged=True)] == [300, 400]
        assert [g.start for g in journal.read(100, 100, skip_damaged=True)] == [300]


def test_a_journal_that_cannot_be_read_for_a_moment_stops_no_consumer(journal: Journal) -> None:
    journal.append(some(10))
    failures = [sqlite3.OperationalError("unable to open database file")] * 2

    class Unreadable:
        end = property(lambda _: journal.end)
        oldest = property(lambda _: journal.oldest)
        wait = staticmethod(journal.wait)

        def read(
            self, start: int, limit: int = 200_000, *, skip_damaged: bool = False
        ) -> list[Group]:
            if failures:
                raise failures.pop()
            return journal.read(start, limit, skip_damaged=skip_damaged)

    collector = Collector()
    thread = ConsumerThread(Unreadable(), collector, backoff_base=0.01)
    thread.start()
    assert thread.drain(10)
    thread.stop()
    assert len(collector.values) == 10
    assert thread.retries == 2
    assert not thread.failed


def test_a_damaged_cursor_file_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "cursors.sqlite"
    cursors = Cursors(path)
    cursors.set(influx=7)
    cursors.close()
    path.write_bytes(b"not a database at all" * 100)
    again = Cursors(path)
    assert again.get("influx") == 0
    again.set(influx=3)
    again.close()
    assert len(list(tmp_path.glob("cursors.sqlite.damaged-*"))) == 1


def test_a_file_that_another_process_holds_is_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    note = Note("1m", 0, 60_000, np.array([3], np.int32))
    for path, kind in ((tmp_path / "c.db", Cursors), (tmp_path / "f.db", RollupFeed)):
        made = kind(path)
        if isinstance(made, Cursors):
            made.set(influx=7)
        else:
            made.add([note])
        made.close()
        holder = connect(path, isolation_level=None)
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute("CREATE TABLE IF NOT EXISTS held (a)")
        with monkeypatch.context() as patch:
            patch.setattr(sqlite3, "connect", partial(connect, timeout=0.01))
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                kind(path)
        holder.execute("ROLLBACK")
        holder.close()
        again = kind(path)
        assert again.get("influx") == 7 if isinstance(again, Cursors) else len(again) == 1
        again.close()
    assert not list(tmp_path.glob("*damaged*"))


def test_notes_that_cannot_be_forgotten_now_are_forgotten_later(tmp_path: Path) -> None:
    feed = RollupFeed(tmp_path / "f.db")
    feed.add([Note("1m", 0, 60_000, np.array([3], np.int32))])
    feed._db.execute("PRAGMA busy_timeout=10")
    holder = sqlite3.connect(tmp_path / "f.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(RetriableError, match="locked"):
        feed.done(1)
    holder.execute("ROLLBACK")
    holder.close()
    feed.done(1)
    assert len(feed) == 0
    feed.close()


def test_marks_can_be_set_from_many_threads(tmp_path: Path) -> None:
    cursors = Cursors(tmp_path / "cursors.sqlite")

    def work(name: str) -> None:
        for i in range(20):
            cursors.set(**{name: i})

    threads = [threading.Thread(target=work, args=(f"c{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [cursors.get(f"c{i}") for i in range(4)] == [19] * 4
    cursors.close()
