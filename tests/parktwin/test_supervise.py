"""The supervisor keeps real processes running and leaves none behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from parktwin.supervise import Child, Supervisor

SLEEPER = (
    "from parktwin.supervise import end_with_supervisor as e; import os, time; e();"
    "print(os.getpid(), flush=True); time.sleep(60)"
)


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """True as soon as `condition` holds, False when it did not within `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


def child(tmp_path: Path, code: str = SLEEPER) -> Child:
    return Child("sleeper", [sys.executable, "-c", code], tmp_path / "sleeper.log")


def test_a_child_that_is_killed_is_started_again(tmp_path: Path) -> None:
    told: list[str] = []
    supervisor = Supervisor(told.append)
    sleeper = supervisor.start(child(tmp_path))
    try:
        assert sleeper.process is not None
        first = sleeper.process.pid
        os.kill(first, signal.SIGKILL)

        def restarted() -> bool:
            supervisor.tend()
            return sleeper.process is not None and sleeper.process.pid != first

        assert eventually(restarted)
        assert sleeper.exit_code() is None
        assert told == [
            f"sleeper ended (signal 9); starting again in 0.2 s, log: {tmp_path}/sleeper.log"
        ]
    finally:
        supervisor.stop()


def test_a_child_that_keeps_ending_is_restarted_ever_more_slowly(tmp_path: Path) -> None:
    told: list[str] = []
    supervisor = Supervisor(told.append)
    failing = supervisor.start(child(tmp_path, "print('disk is full'); raise SystemExit(3)"))
    try:

        def ended_thrice() -> bool:
            supervisor.tend()
            return len(told) >= 3

        assert eventually(ended_thrice)
        assert [line.split(" in ")[1].split(",")[0] for line in told] == ["0.2 s", "0.5 s", "1 s"]
        assert "disk is full" in failing.last_words()
    finally:
        supervisor.stop()


def test_stop_ends_the_last_started_first_and_leaves_none(tmp_path: Path) -> None:
    supervisor = Supervisor(print)
    pids = []
    for _ in range(2):
        started = supervisor.start(child(tmp_path))
        assert started.process is not None
        pids.append(started.process.pid)
    supervisor.stop()
    assert not any(alive(pid) for pid in pids)


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "sleeper.log"
    code = (
        "import sys, time; from pathlib import Path; from parktwin.supervise import *;"
        f"command = [sys.executable, '-c', {SLEEPER!r}]; log = Path({str(log)!r});"
        "Supervisor(print).start(Child('s', command, log));"
        "time.sleep(60)"
    )
    boss = subprocess.Popen([sys.executable, "-c", code])
    try:
        assert eventually(lambda: log.exists() and log.read_text().strip().isdigit())
        pid = int(log.read_text())
        assert alive(pid)
        boss.kill()
        assert eventually(lambda: not alive(pid))
    finally:
        boss.kill()
        boss.wait()
