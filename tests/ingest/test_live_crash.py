"""The live twin is killed at every step it takes, and by kill -9: no alarm is lost or doubled."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from ingest import live_checkpoint
from ingest.live import LiveSettings
from ingest.live_checkpoint import Checkpoint
from ingest.readings import Readings
from tests.ingest.live_bench import TOTAL, Bench
from twin.records import Records

SETTINGS = LiveSettings(record_every_ms=4_000, checkpoint_every_ms=15_000)
Told = list[tuple[str, int, str, int, float | None]]


class Crash(BaseException):
    """The process ends here."""


class Fuse:
    """Burns down one step at each call, and crashes when it is at its end."""

    def __init__(self, steps: int | None) -> None:
        self.left = steps
        self.burnt = 0

    def __call__(self) -> None:
        self.burnt += 1
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise Crash


class CrashingBench(Bench):
    """Every boundary of something durable is a step of the fuse."""

    def __init__(self, folder: Path, fuse: Fuse, now: int) -> None:
        class FusedRecords(Records):
            def unit(self):  # type: ignore[no-untyped-def]
                return _Fused(super().unit(), fuse)

        self._fuse = fuse
        try:
            super().__init__(folder, records=FusedRecords, settings=SETTINGS, start=now)
        except Crash:
            self.close(gently=False)
            raise

    def store(self, readings: Readings) -> Future[Any]:
        self._fuse()
        done = super().store(readings)
        self._fuse()
        return done


class _Fused:
    def __init__(self, inner, fuse: Callable[[], None]) -> None:  # type: ignore[no-untyped-def]
        self._inner, self._fuse = inner, fuse

    def __enter__(self) -> object:
        self._fuse()
        return self._inner.__enter__()

    def __exit__(self, *details: object) -> object:
        if details[0] is None:
            try:
                self._fuse()
            except Crash as crash:
                self._inner.__exit__(Crash, crash, None)
                raise
        done = self._inner.__exit__(*details)
        if details[0] is None:
            self._fuse()
        return done


def script() -> list[tuple[str, float, list[tuple[int, float]]]]:
    """A story in which on-delays, off-delays, rates, lows and totals all happen."""
    story: list[tuple[str, float, list[tuple[int, float]]]] = []
    levels = {0: 1.0, 1: 1.0, 2: 0.5, 3: 1.0, 4: 2.7, 5: 1.0}
    turns = {6: {0: 2.8}, 12: {3: 3.2}, 24: {2: 0.1, 0: 1.0}, 36: {3: 1.0}, 48: {2: 0.6, 4: 1.0}}
    for second in range(0, 84, 6):
        levels |= turns.get(second, {})
        story.append(("feed", second, list(levels.items())))
        if second % 12 == 0:
            story.append(("tick", second + 4.5, []))
    return story


def play(folder: Path, fuse: Fuse) -> tuple[Told, list[tuple[int, float]], int]:
    """Tell the story, starting again after each crash; (what was told, totals, crashes)."""
    story, crashes, now = script(), 0, None
    at, appended = 0, False
    while True:
        bench = None
        try:
            start = now if now is not None else 0
            bench = CrashingBench(folder, fuse, max(start, _first()))
            bench.run()
            while at < len(story):
                kind, second, levels = story[at]
                if kind == "feed":
                    if not appended:
                        bench.append([(second, p, v, 0) for p, v in levels])
                        appended = True
                    now = bench.now
                    bench.run(max(bench.live.position(), bench.fed))
                    bench.fed = bench.journal.end
                else:
                    bench.tick(second)
                    now = bench.now
                    bench.run(max(bench.live.position(), bench.fed))
                    bench.fed = bench.journal.end
                at, appended = at + 1, False
            bench.close()
            break
        except Crash:
            crashes += 1
            now = bench.now if bench is not None else now
            if bench is not None:
                bench.close(gently=False)
    with_records = Bench(folder, start=now or 0)
    told = [t for t in with_records.told() if not t[0].startswith("level-silent")]
    total = with_records.journal.points.index(TOTAL)
    totals = [
        (int(t), float(v))
        for g in with_records.journal.read(0)
        for p, t, v in zip(g.readings.point, g.readings.ts, g.readings.value, strict=True)
        if p == total
    ]
    with_records.close(gently=False)
    return told, totals, crashes


def _first() -> int:
    from tests.ingest.live_bench import T0

    return T0


@pytest.fixture
def fused_checkpoints(monkeypatch: pytest.MonkeyPatch) -> list[Fuse]:
    """Writing a checkpoint is a step too, before and after; the list holds the fuse in use."""
    fuses: list[Fuse] = []
    write = live_checkpoint.write

    def fused(path: Path, checkpoint: Checkpoint) -> None:
        fuses[-1]()
        write(path, checkpoint)
        fuses[-1]()

    monkeypatch.setattr(live_checkpoint, "write", fused)
    return fuses


def test_a_crash_at_any_step_changes_nothing_of_what_is_told(
    tmp_path: Path, fused_checkpoints: list[Fuse]
) -> None:
    whole = Fuse(None)
    fused_checkpoints.append(whole)
    (tmp_path / "whole").mkdir()
    told, totals, _ = play(tmp_path / "whole", whole)
    kinds = {(alarm.split(":")[0], kind) for alarm, _, kind, _, _ in told}
    assert kinds >= {
        (rule, kind)
        for rule in ("level-high", "level-high-high", "level-low", "level-jump")
        for kind in ("raised", "cleared")
    }
    assert len(totals) == 1
    assert whole.burnt > 30
    for step in range(1, whole.burnt + 1):
        folder = tmp_path / f"crash-{step}"
        folder.mkdir()
        fuse = Fuse(step)
        fused_checkpoints.append(fuse)
        again, totals_again, crashes = play(folder, fuse)
        assert crashes == 1, step
        assert again == told, step
        assert totals_again == totals, step
        shutil.rmtree(folder)


def test_kill_9_at_any_moment_loses_no_alarm_and_raises_none_twice(tmp_path: Path) -> None:
    groups, seed, kills = 700, random.Random(11), 0
    folder = tmp_path / "victim"
    folder.mkdir()
    while True:
        victim = subprocess.Popen(
            [sys.executable, "-m", "tests.ingest.live_victim", str(folder), str(groups)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert victim.stdout is not None
        with victim.stdout:
            line = victim.stdout.readline()
            while line and line.strip() != "running":
                line = victim.stdout.readline()
            assert line.strip() == "running"
            if kills < 3:
                time.sleep(seed.uniform(0.05, 0.3))
                victim.send_signal(signal.SIGKILL)
                assert victim.wait() == -signal.SIGKILL, "it was too quick to be killed"
                kills += 1
                continue
            assert "done None" in victim.stdout.read()
        assert victim.wait() == 0
        break
    survivor = Bench(folder, latest_now=True)
    survivor.run()
    end = (survivor.now - _first()) / 1000
    survivor.tick(end)  # from here on it listens again
    survivor.tick(end + 60)
    told = [t for t in survivor.told() if not t[0].startswith("level-silent")]
    # The same journal, consumed once from its start by a twin that never was interrupted.
    other = tmp_path / "other"
    other.mkdir()
    survivor.close()
    shutil.copy(folder / "journal.db", other / "journal.db")
    reference = Bench(other)
    assert reference.live_groups() == groups
    reference.run()
    reference.tick(end)
    reference.tick(end + 60)
    expected = [t for t in reference.told() if not t[0].startswith("level-silent")]
    reference.close()
    assert len(expected) > 80
    assert sorted(set(expected) - set(told)) == []
    assert sorted(set(told) - set(expected)) == []
    assert len(told) == len(expected)
