"""Keep a few child processes running: start, restart with backoff, stop in order.

Owns processes and their log files, knows nothing of what runs in them. A child ends by itself when
the supervisor dies, even by kill -9: it watches a pipe that only the supervisor holds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PIPE_VARIABLE: Final = "PARKTWIN_SUPERVISED"
STOP_SECONDS: Final = 10.0
BACKOFF_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def end_with_supervisor() -> None:
    """In a child: end this process (SIGTERM to itself) when the supervisor is gone."""
    if os.environ.pop(PIPE_VARIABLE, "") != "stdin":
        return

    def watch() -> None:
        while os.read(0, 64):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="supervisor-watch", daemon=True).start()


@dataclass
class Child:
    """One process that shall run: `command`, its output appended to `log`."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    started_at: float = 0.0
    next_start: float = 0.0

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches the supervisor alone."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                list(self.command),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment, PIPE_VARIABLE: "stdin"},
                start_new_session=True,
            )
        self.started_at = time.monotonic()

    def exit_code(self) -> int | None:
        """None while it runs or was never started."""
        return None if self.process is None else self.process.poll()

    def last_words(self, lines: int = 12) -> str:
        """The end of its log."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """SIGTERM, then SIGKILL after `seconds`."""
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdin is not None:
            process.stdin.close()


class Supervisor:
    """Runs children in order and restarts the ones that end."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.children: list[Child] = []

    def start(self, child: Child) -> Child:
        """Start `child` and keep it running from now on."""
        child.start()
        self.children.append(child)
        return child

    def tend(self) -> None:
        """One round: restart what ended, after a delay that grows while it keeps ending."""
        now = time.monotonic()
        for child in self.children:
            code = child.exit_code()
            if code is None:
                if child.restarts and now - child.started_at > 60:
                    child.restarts = 0
                continue
            if child.next_start < child.started_at:
                delay = BACKOFF_SECONDS[min(child.restarts, len(BACKOFF_SECONDS) - 1)]
                child.next_start = now + delay
                why = f"signal {-code}" if code < 0 else f"exit code {code}"
                self._tell(
                    f"{child.name} ended ({why}); starting again in {delay:g} s, log: {child.log}"
                )
            if now >= child.next_start:
                child.restarts += 1
                if child.process is not None and child.process.stdin is not None:
                    child.process.stdin.close()
                child.start()

    def stop(self) -> None:
        """Stop all, last started first."""
        for child in reversed(self.children):
            child.stop()
        self.children.clear()
