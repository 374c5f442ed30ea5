"""The local history: one value per point and millisecond, whatever happens to its files."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from ingest.consume import RetriableError
from ingest.group import Group
from ingest.history import upkeep
from ingest.history.local import LocalHistory
from ingest.journal import Journal
from ingest.readings import Readings

MIDNIGHT = 1_795_363_200_000  # 2026-11-23 00:00 in Shanghai
DAY = 86_400_000


class Clock:
    """Wall time in seconds, moved by the test."""

    def __init__(self) -> None:
        self.ms = MIDNIGHT + DAY // 2

    def __call__(self) -> float:
        return self.ms / 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite", synchronous="OFF") as journal:
        yield journal


def opened(folder: Path, journal: Journal, clock: Clock, **options: Any) -> LocalHistory:
    options = {"flush_rows": 500, "shard_rows": 2_000} | options
    return LocalHistory(
        folder / "history", "Asia/Shanghai", journal=journal, clock=clock, **options
    )


def follow(history: LocalHistory, journal: Journal) -> None:
    while history.seen < journal.end:
        history.consume(journal.read(history.seen, 300))


def some(
    n: int, points: int = 12, seed: int = 7, start: int = MIDNIGHT, span: int = DAY
) -> Readings:
    """Random readings; times repeat now and then, a tenth are nulls or bad."""
    r = np.random.default_rng(seed)
    value = r.normal(size=n)
    quality = np.zeros(n, np.uint8)
    poor = r.random(n) < 0.1
    value[poor], quality[poor] = np.nan, 134
    return Readings(
        r.integers(0, points, n).astype(np.int32),
        start + r.integers(0, span // 60_000, n) * 60_000,
        value,
        quality,
    )


def truth(journal: Journal) -> dict[tuple[int, int], tuple[float, int]]:
    """What the history must hold: the newest ordinal of each (point, ts)."""
    held: dict[tuple[int, int], tuple[float, int]] = {}
    for group in journal.read(0, 1 << 30):
        r = group.readings
        rows = zip(
            r.point.tolist(), r.ts.tolist(), r.value.tolist(), r.quality.tolist(), strict=True
        )
        for point, ts, value, quality in rows:
            held[point, ts] = (value, quality)
    return held


def check(history: LocalHistory, held: dict[tuple[int, int], tuple[float, int]]) -> None:
    """Every point in full, and the counts."""
    far = 1 << 50
    counts = history.count(0, far)
    for point in {p for p, _ in held}:
        series = history.raw(point, 0, far)
        meant = sorted((ts, *rest) for (p, ts), rest in held.items() if p == point)
        assert series.ts.tolist() == [m[0] for m in meant]
        np.testing.assert_array_equal(series.value, [m[1] for m in meant])
        assert series.quality.tolist() == [m[2] for m in meant]
        assert counts[point] == len(meant)


def files(history: LocalHistory, pattern: str) -> list[Path]:
    return sorted((history.home / "raw").glob(f"*/{pattern}"))


def test_a_reading_is_readable_before_it_is_on_disk(
    tmp_path: Path, journal: Journal, clock: Clock
) -> None:
    history = opened(tmp_path, journal, clock)
    journal.append(Readings.of([3], [MIDNIGHT], [1.5], [0]))
    follow(history, journal)
    assert history.position() == 0, "the journal is still its only durable copy"
    assert history.raw(3, MIDNIGHT, MIDNIGHT + 1).value.tolist() == [1.5]
    assert history.raw(3, MIDNIGHT + 1, MIDNIGHT + DAY).ts.tolist() == []
    clock.ms += 301_000
    history.tick()
    assert history.position() == 1
    assert history.raw(3, MIDNIGHT, MIDNIGHT + 1).value.tolist() == [1.5]
    history.close()


def test_the_newest_write_of_a_millisecond_wins_across_memory_chunks_and_parquet(
    tmp_path: Path, journal: Journal, clock: Clock
) -> None:
    history = opened(tmp_path, journal, clock)
    for round_ in range(4):
        journal.append(some(3000, seed=round_))
        follow(history, journal)
        if round_ == 1:
            clock.ms = MIDNIGHT + DAY + 3_600_000
            history.upkeep()
            assert files(history, "*.parquet")
            assert not files(history, "*.npz")
    check(history, truth(journal))
    history.close()


def test_a_restart_reads_on_where_the_files_end(
    tmp_path: Path, journal: Journal, clock: Clock
) -> None:
    rng = random.Random(5)
    for round_ in range(6):
        history = opened(tmp_path, journal, clock)
        journal.append(some(700, seed=round_, span=3 * DAY))
        follow(history, journal)
        check(history, truth(journal))
        latest, upto = history.latest()
        assert upto == journal.end
        newest: dict[int, int] = {}
        for point, ts in truth(journal):
            newest[point] = max(newest.get(point, 0), ts)
        assert dict(zip(latest.point.tolist(), latest.ts.tolist(), strict=True)) == newest
        if rng.random() < 0.5:
            history.close()
        else:  # killed
            history.cursors.close()
            history.engine.close()


@pytest.mark.parametrize("step", ["write_chunk", "save", "set"])
def test_a_crash_between_two_steps_of_a_flush_neither_loses_nor_doubles(
    tmp_path: Path, journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    history = opened(tmp_path, journal, clock)
    journal.append(some(400, span=3 * DAY))
    follow(history, journal)

    class PowerCut(BaseException):
        pass

    calls = 0

    def cut(*_: object, **__: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2 or step != "write_chunk":
            raise PowerCut
        from ingest.history.chunk import write_chunk

        return write_chunk(*_)  # type: ignore[arg-type, return-value]

    if step == "write_chunk":
        monkeypatch.setattr("ingest.history.archive.write_chunk", cut)
    elif step == "save":
        monkeypatch.setattr(history._latest, "save", cut)
    else:
        monkeypatch.setattr(history.cursors, "set", cut)
    with pytest.raises(PowerCut):
        history.flush()
    monkeypatch.undo()
    history.cursors.close()
    history.engine.close()
    history = opened(tmp_path, journal, clock)
    assert history.position() == 0
    journal.append(some(300, seed=9, span=3 * DAY))
    follow(history, journal)
    check(history, truth(journal))
    history.close()


@pytest.mark.parametrize("at", ["write", "save", "doom"])
def test_a_crash_while_a_day_is_closed_neither_loses_nor_doubles(
    tmp_path: Path, journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    history = opened(tmp_path, journal, clock)
    journal.append(some(5000))
    follow(history, journal)
    clock.ms = MIDNIGHT + DAY + 3_600_000

    class PowerCut(BaseException):
        pass

    write, calls = history.engine.write, 0

    def cut(*args: object) -> object:
        nonlocal calls
        calls += 1
        if at == "write" and calls < 2:
            return write(*args)  # type: ignore[arg-type]
        raise PowerCut

    if at == "write":
        monkeypatch.setattr(history.engine, "write", cut)
    elif at == "save":
        monkeypatch.setattr(upkeep, "save", cut)
    else:
        monkeypatch.setattr(history.archive, "doom", cut)
    with pytest.raises(PowerCut):
        history.upkeep()
    monkeypatch.undo()
    history.cursors.close()
    history.engine.close()
    history = opened(tmp_path, journal, clock)
    check(history, truth(journal))
    history.upkeep()
    check(history, truth(journal))
    assert not [p for p in files(history, "*.npz") if p.parent.name == "2026-11-23"]
    history.close()


def test_late_readings_of_a_closed_day_are_merged_and_closed_again(
    tmp_path: Path, journal: Journal, clock: Clock
) -> None:
    history = opened(tmp_path, journal, clock)
    journal.append(some(6000))
    follow(history, journal)
    clock.ms = MIDNIGHT + DAY + 3_600_000
    history.upkeep()
    shards = files(history, "*.parquet")
    assert len(shards) == 3, "a large day is cut by point, so that no part grows with the park"
    journal.append(Readings.of([2, 2], [MIDNIGHT + 5, MIDNIGHT + 60_000], [7.0, 8.0], [0, 0]))
    follow(history, journal)
    history.flush()
    check(history, truth(journal))
    history.upkeep()
    assert files(history, "*.npz"), "not closed again at once"
    clock.ms += 7 * 3_600_000
    history.upkeep()
    assert not files(history, "*.npz")
    again = files(history, "*.parquet")
    assert len(set(again) & set(shards)) == 2, "only the part that late readings touch is new"
    check(history, truth(journal))
    history.close()


def test_small_chunks_are_merged(tmp_path: Path, journal: Journal, clock: Clock) -> None:
    history = opened(tmp_path, journal, clock)
    for round_ in range(20):
        journal.append(some(20, seed=round_))
        follow(history, journal)
        history.flush()
    assert len(files(history, "*.npz")) == 20
    history.upkeep()
    assert len(files(history, "*.npz")) == 1
    check(history, truth(journal))
    history.close()


def test_old_days_go_and_roll_ups_stay(tmp_path: Path, journal: Journal, clock: Clock) -> None:
    history = opened(tmp_path, journal, clock, retain_days=3)
    journal.append(some(900, span=5 * DAY))
    follow(history, journal)
    history.flush()
    clock.ms = MIDNIGHT + 5 * DAY + 3_600_000
    history.upkeep()
    kept = sorted(p.name for p in (history.home / "raw").iterdir())
    assert kept == ["2026-11-25", "2026-11-26", "2026-11-27"]
    check(history, {k: v for k, v in truth(journal).items() if k[1] >= MIDNIGHT + 2 * DAY})
    history.close()


def hurt(path: Path, how: str, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    if how == "cut":
        content = content[: rng.randrange(len(content))]
    else:
        for _ in range(8):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut", "flip"])
@pytest.mark.parametrize("kind", ["*.npz", "*.parquet", "closed.json", "latest", "cursors"])
@pytest.mark.parametrize("seed", range(2))
def test_a_damaged_file_is_moved_aside_and_rebuilt_from_the_journal(
    tmp_path: Path, journal: Journal, clock: Clock, how: str, kind: str, seed: int
) -> None:
    history = opened(tmp_path, journal, clock)
    journal.append(some(3000))
    follow(history, journal)
    clock.ms = MIDNIGHT + DAY + 3_600_000
    history.upkeep()
    journal.append(some(1500, seed=8, start=MIDNIGHT + DAY, span=3_600_000))
    follow(history, journal)
    history.close()
    rng = random.Random(seed)
    found = {
        "latest": [history.home / "latest.npz"],
        "cursors": [history.home / "cursors.sqlite"],
    }.get(kind) or files(history, kind)
    victim = rng.choice(found)
    hurt(victim, how, rng)
    history = opened(tmp_path, journal, clock)
    follow(history, journal)
    history.upkeep()
    history.upkeep()
    assert not history.archive.lost
    check(history, truth(journal))
    latest, _ = history.latest()
    assert len(latest) == len({p for p, _ in truth(journal)})
    if kind in ("*.npz", "*.parquet"):
        assert list((history.home / "damaged").iterdir()), "the damaged file is kept for a look"
    history.close()
    again = opened(tmp_path, journal, clock)
    check(again, truth(journal))
    again.close()


def test_damage_that_appears_while_running_is_read_around_then_mended(
    tmp_path: Path, journal: Journal, clock: Clock
) -> None:
    history = opened(tmp_path, journal, clock)
    journal.append(some(3000))
    follow(history, journal)
    clock.ms = MIDNIGHT + DAY + 3_600_000
    history.upkeep()
    shard = files(history, "*.parquet")[0]
    shard.write_bytes(shard.read_bytes()[:100])
    assert len(history.raw(0, 0, 1 << 50).ts) == 0
    history.upkeep()
    check(history, truth(journal))
    history.close()


def test_of_a_damaged_day_older_than_the_journal_what_can_be_read_is_kept(
    tmp_path: Path, clock: Clock
) -> None:
    with Journal(tmp_path / "old.sqlite", synchronous="OFF") as old:
        history = opened(tmp_path, old, clock, shard_rows=200_000)
        old.append(some(60_000, points=60))
        follow(history, old)
        held = truth(old)
        clock.ms = MIDNIGHT + DAY + 3_600_000
        history.upkeep()
        history.close()
    shard = files(history, "*.parquet")[0]
    content = bytearray(shard.read_bytes())
    content[len(content) // 3] ^= 0xFF
    shard.write_bytes(content)

    class Trimmed:
        end = oldest = 60_000

        def read(self, *_: object, **__: object) -> list[Group]:
            return []

        def wait(self, *_: object) -> bool:
            return False

    history = LocalHistory(
        tmp_path / "history", "Asia/Shanghai", journal=Trimmed(), clock=clock, flush_rows=500
    )
    history.upkeep()
    assert not history.archive.lost
    kept = sum(history.count(0, 1 << 50).values())
    assert 0 < kept <= len(held)
    history.close()


def test_readers_see_every_reading_while_chunks_are_merged_and_days_closed(
    tmp_path: Path, journal: Journal, clock: Clock
) -> None:
    history = opened(tmp_path, journal, clock, flush_rows=200)
    wrong: list[str] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            before = history.seen
            n = len(history.raw(1, 0, 1 << 50).ts)
            if n < before:
                wrong.append(f"{n} of {before}")

    reader = threading.Thread(target=look)
    reader.start()
    for i in range(60):
        ts = [MIDNIGHT + (i * 50 + j) * 1000 for j in range(50)]
        journal.append(Readings.of([1] * 50, ts, [math.sin(x) for x in ts], [0] * 50))
        follow(history, journal)
        if i % 7 == 0:
            history.flush()
        if i == 40:
            clock.ms = MIDNIGHT + DAY + 3_600_000
        history.upkeep()
    stop.set()
    reader.join()
    assert not wrong
    check(history, truth(journal))
    history.close()


def test_the_earliest_readings_come_first_when_a_limit_is_given(
    tmp_path: Path, journal: Journal, clock: Clock
) -> None:
    history = opened(tmp_path, journal, clock)
    journal.append(some(3000, points=2))
    follow(history, journal)
    whole = history.raw(1, MIDNIGHT, MIDNIGHT + DAY)
    part = history.raw(1, MIDNIGHT, MIDNIGHT + DAY, limit=10)
    assert part.ts.tolist() == whole.ts[:10].tolist()
    history.close()


def test_upkeep_outlives_an_error_and_shows_it(
    tmp_path: Path, journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = opened(tmp_path, journal, clock)
    journal.append(some(500))
    follow(history, journal)
    history.flush()
    clock.ms = MIDNIGHT + DAY + 3_600_000

    def full(*_: object) -> None:
        raise duckdb.OutOfMemoryException("memory limit reached")

    with monkeypatch.context() as patch:
        patch.setattr(history.engine, "write", full)
        history.start_upkeep(every_s=0.01)
        until = time.monotonic() + 10
        while history.problem is None and time.monotonic() < until:
            time.sleep(0.01)
        assert "memory limit" in str(history.problem)
    while not files(history, "closed.json") and time.monotonic() < until:
        time.sleep(0.01)
    history.close()
    assert files(history, "closed.json")


def test_upkeep_runs_in_its_own_thread_and_ends_with_the_history(
    tmp_path: Path, journal: Journal, clock: Clock
) -> None:
    history = opened(tmp_path, journal, clock)
    journal.append(some(500))
    follow(history, journal)
    history.flush()
    clock.ms = MIDNIGHT + DAY + 3_600_000
    history.start_upkeep(every_s=0.01)
    until = time.monotonic() + 10
    while not files(history, "closed.json") and time.monotonic() < until:
        time.sleep(0.01)
    check(history, truth(journal))
    history.close()
    assert files(history, "closed.json")
    assert not [t for t in threading.enumerate() if t.name == "history-upkeep"]


def test_memory_stays_bounded_over_many_readings(
    tmp_path: Path, journal: Journal, clock: Clock
) -> None:
    history = opened(tmp_path, journal, clock, flush_rows=2_000)
    for seed in range(40):
        journal.append(some(500, seed=seed))
    while history.seen < journal.end:
        history.consume(journal.read(history.seen, 1000))
        assert history.store.held < 2_000
    history.close()
    assert history.position() == 20_000


def test_a_disk_that_refuses_keeps_the_position_and_is_tried_again(
    tmp_path: Path, journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = opened(tmp_path, journal, clock)
    journal.append(some(900))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ingest.history.archive.write_chunk", full)
        for _ in range(3):
            with pytest.raises(RetriableError, match="No space left"):
                history.consume(journal.read(0))
    assert history.position() == 0
    assert len(history.raw(1, 0, 1 << 50).ts) > 0, "what cannot be written can still be read"
    history.consume(journal.read(0))
    history.flush()
    assert history.position() == 900
    check(history, truth(journal))
    history.close()
