"""The outbox in a process: appending never blocks, commits are grouped, a stalled disk is told."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import msgspec
import pytest

from edge import outbox as outbox_module
from edge.config import OutboxLimits
from edge.outbox import Outbox, OutboxInUse
from edge.outbox_file import Changes, OutboxFile
from edge.wire import Reading
from tests.edge.platform import wait_for

LIMITS = OutboxLimits(max_mb=64)


def readings(first: int, n: int) -> list[Reading]:
    return [("MH-1.level", 1_795_000_000_000 + first + i, float(first + i), 0) for i in range(n)]


def values(outbox: Outbox) -> list[object]:
    """Everything kept, boxes one after the other."""
    reader = outbox.reader()
    found: list[object] = []
    try:
        for mark in outbox.boxes():
            first = 1
            while first <= mark.newest:
                parcel = reader.read(mark.box, first, mark.newest)
                if parcel.body is None:
                    found += [parcel.reason] * parcel.n
                else:
                    rows = msgspec.json.decode(parcel.body, type=list[Reading])
                    found += [row[2] for row in rows]
                first = parcel.last + 1
    finally:
        reader.close()
    return found


def test_readings_of_many_moments_share_one_commit(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, LIMITS, group_s=0.3)
    for i in range(100):
        assert outbox.append(readings(i + 1, 1))
    wait_for(lambda: outbox.counters.collected == 100)
    assert outbox.counters.commits == 1
    assert outbox.counters.waiting == 0
    assert values(outbox) == [float(i + 1) for i in range(100)]
    outbox.close()


def test_a_commit_is_announced_only_after_it_is_on_disk(tmp_path: Path) -> None:
    seen: list[int] = []

    def look() -> None:
        database = sqlite3.connect(tmp_path / "outbox.sqlite")
        seen.append(database.execute("SELECT coalesce(sum(n), 0) FROM rows").fetchone()[0])
        database.close()

    outbox = Outbox(tmp_path, LIMITS, group_s=0.01, on_commit=look)
    outbox.append(readings(1, 7))
    wait_for(lambda: bool(seen))
    assert seen[0] == 7
    outbox.close()


def test_closing_puts_what_waits_on_disk(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, LIMITS, group_s=60)
    outbox.append(readings(1, 1234))
    outbox.close()
    again = Outbox(tmp_path, LIMITS)
    assert values(again) == [float(i + 1) for i in range(1234)]
    again.close()


def test_two_processes_cannot_share_an_outbox(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, LIMITS)
    with pytest.raises(OutboxInUse):
        Outbox(tmp_path, LIMITS)
    outbox.close()
    Outbox(tmp_path, LIMITS).close()


def test_sealing_and_marks_reach_the_disk(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, LIMITS, group_s=0.01)
    outbox.append(readings(1, 10))
    assert outbox.flush(5)
    (first,) = outbox.boxes()
    outbox.mark(first.box, 4)
    outbox.set_epoch("e9")
    outbox.seal()
    outbox.append(readings(11, 5))
    assert outbox.flush(5)
    assert [(m.newest, m.acked, m.sealed) for m in outbox.boxes()] == [(10, 4, True), (5, 0, False)]
    outbox.close()
    again = Outbox(tmp_path, LIMITS)
    assert again.epoch == "e9"
    assert [(m.newest, m.acked, m.sealed) for m in again.boxes()] == [(10, 4, True), (5, 0, True)]
    again.close()


def test_a_stalled_disk_never_blocks_the_poll_loop_and_its_losses_are_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "MAX_WAITING", 1000)
    outbox = Outbox(tmp_path, LIMITS, group_s=0.01)
    outbox.append(readings(1, 100))
    assert outbox.flush(5)
    blocker = sqlite3.connect(tmp_path / "outbox.sqlite", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")  # the disk's writer is stuck behind this
    begun = time.monotonic()
    accepted = [outbox.append(readings(101 + 100 * i, 100)) for i in range(30)]
    assert time.monotonic() - begun < 0.5
    assert accepted == [True] * 10 + [False] * 20
    blocker.execute("ROLLBACK")
    blocker.close()
    assert outbox.flush(15)
    kept = [value for value in values(outbox) if value != "overflow"]
    assert kept == [float(i + 1) for i in range(1100)]
    assert values(outbox).count("overflow") == 2000
    assert outbox.counters.lost == 2000
    outbox.close()


def test_a_commit_that_fails_is_tried_again_and_counted(tmp_path: Path) -> None:
    told: list[int] = []
    outbox = Outbox(tmp_path, LIMITS, group_s=0.01, on_commit=lambda: told.append(1))
    blocker = sqlite3.connect(tmp_path / "outbox.sqlite", isolation_level=None)
    blocker.execute("CREATE TRIGGER no BEFORE INSERT ON rows BEGIN SELECT RAISE(FAIL, 'x'); END")
    outbox.append(readings(1, 10))
    wait_for(lambda: not outbox.healthy)
    outbox.append(readings(11, 10))
    assert outbox.counters.collected == 0
    assert told == []
    blocker.execute("DROP TRIGGER no")
    blocker.close()
    assert outbox.flush(10)
    assert outbox.healthy
    assert outbox.counters.failed_commits >= 1
    assert values(outbox) == [float(i + 1) for i in range(20)]
    outbox.close()


def test_a_commit_that_reached_the_disk_though_it_failed_is_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a failed fsync: the transaction is in the log, its writer was told otherwise."""
    write = OutboxFile.write
    errors = 2

    def lie(file: OutboxFile, changes: Changes, now_ms: int) -> int:
        nonlocal errors
        if not errors or not changes.chunks:
            return write(file, changes, now_ms)
        errors -= 1
        before = file.boxes, file.live, file.used, file.full
        write(file, changes, now_ms)
        file.boxes, file.live, file.used, file.full = before
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(OutboxFile, "write", lie)
    told: list[int] = []
    outbox = Outbox(tmp_path, LIMITS, group_s=0.01, on_commit=lambda: told.append(1))
    outbox.append(readings(1, 10))
    assert outbox.flush(10)
    outbox.append(readings(11, 10))
    assert outbox.flush(10)
    outbox.append(readings(21, 10))
    assert outbox.flush(10)
    assert values(outbox) == [float(i + 1) for i in range(30)]
    assert outbox.counters.collected == 30
    assert outbox.counters.failed_commits == 2
    assert outbox.healthy
    wait_for(lambda: len(told) == 3)
    outbox.close()


def test_many_threads_may_append_at_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, LIMITS, group_s=0.01)

    def feed(start: int) -> None:
        for i in range(50):
            outbox.append(readings(start + i * 10, 10))

    threads = [threading.Thread(target=feed, args=(1 + 500 * t,)) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outbox.flush(10)
    assert sorted(v for v in values(outbox) if isinstance(v, float)) == [
        float(i + 1) for i in range(4000)
    ]
    outbox.close()
