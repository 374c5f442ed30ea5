"""The gateway's outbox: takes readings at once, puts them on disk in groups, tells when it did.

Owns the writer thread and the bounded buffer before it. A reading counts as collected when the
commit that holds it has returned.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import structlog

from edge.config import OutboxLimits
from edge.outbox_file import BoxMark, Changes, OutboxFile
from edge.outbox_reader import OutboxReader
from edge.outbox_repair import Repair, open_outbox
from edge.parcel import Chunk, pack
from edge.wire import Reading

log = structlog.get_logger()

MAX_WAITING: Final = 100_000
"""Readings that may wait in memory for a stalled disk before they are dropped and declared."""

_GROUP: Final = 5_000
_MARKS_EVERY_S: Final = 1.0


class OutboxInUse(RuntimeError):
    """Another process has this outbox open."""


@dataclass(slots=True)
class OutboxCounters:
    """Since start; `lost` were declared in the sequence, `waiting` are not yet on disk."""

    collected: int = 0
    commits: int = 0
    failed_commits: int = 0
    lost: int = 0
    waiting: int = 0
    used_bytes: int = 0
    slowest_commit_ms: float = 0.0


class Outbox:
    """One gateway's outbox in `folder`; open one per process."""

    def __init__(
        self,
        folder: Path,
        limits: OutboxLimits,
        *,
        clock: Callable[[], float] = time.time,
        group_s: float = 0.2,
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        """Open or create; raises OutboxInUse, sqlite3.Error or OSError.

        group_s: how long a commit gathers readings; on_commit: called from the writer thread.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "outbox.sqlite"
        self._lock_file: IO[bytes] = (folder / "outbox.lock").open("wb")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock_file.close()
            raise OutboxInUse(f"another process uses {self.path}") from error
        self._limits = limits
        self._clock = clock
        self._group_s = group_s
        self._on_commit = on_commit
        self.repair: Repair | None
        try:
            self._file, self.repair = open_outbox(self.path, limits, int(clock() * 1000))
        except BaseException:
            self._lock_file.close()
            raise
        if self.repair is not None:
            log.error(
                "outbox was damaged",
                problem=self.repair.problem,
                moved_to=str(self.repair.moved_to),
                readings_recovered=self.repair.readings,
                declared_lost=self.repair.declared_lost,
            )
        self.counters = OutboxCounters(used_bytes=self._file.used)
        self.healthy = True
        self._epoch = self._file.epoch
        self._boxes = dict(self._file.boxes)
        self._full = self._file.full
        self._wake = threading.Condition()
        self._waiting: list[Reading] = []
        self._packed: list[Chunk] = []
        self._stalled = 0  # readings that the writer has taken and not yet committed
        self._overflow = 0
        self._marks: dict[str, int] = {}
        self._new_epoch = ""
        self._seal = False
        self._hurry = False
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    # Any thread.

    def append(self, readings: Sequence[Reading]) -> bool:
        """Take readings for the next commit; never blocks.

        False: the buffer is full; the readings are dropped and will be declared lost.
        """
        with self._wake:
            if self._stalled + len(self._waiting) + len(readings) > MAX_WAITING:
                self._overflow += len(readings)
                return False
            if not self._waiting or len(self._waiting) + len(readings) >= _GROUP:
                self._wake.notify_all()
            self._waiting.extend(readings)
            return True

    @property
    def running(self) -> bool:
        """False when the writer thread has ended, which it does only on a bug or after `close`."""
        return self._thread.is_alive()

    @property
    def full(self) -> bool:
        """True while the policy ``stop_polling`` asks for no more readings."""
        return self._full

    @property
    def epoch(self) -> str:
        """The last epoch set."""
        return self._epoch

    def boxes(self) -> list[BoxMark]:
        """The boxes as of the last commit, oldest first; the last unsealed one is live."""
        return list(self._boxes.values())

    def mark(self, box: str, acked: int) -> None:
        """Record what the platform has committed; lower than before means it must be sent again."""
        with self._wake:
            self._marks[box] = acked
            self._wake.notify_all()

    def set_epoch(self, epoch: str) -> None:
        """Record the platform's ledger epoch."""
        with self._wake:
            self._epoch = self._new_epoch = epoch
            self._wake.notify_all()

    def seal(self) -> None:
        """Close the live box; readings from the next commit on open another."""
        with self._wake:
            self._seal = True
            self._wake.notify_all()

    def reader(self) -> OutboxReader:
        """A reader for one thread."""
        return OutboxReader(self.path)

    def flush(self, timeout: float) -> bool:
        """Wait until everything appended so far is on disk; False when it did not get there."""
        deadline = time.monotonic() + timeout
        with self._wake:
            self._hurry = True
            self._wake.notify_all()
            while self._busy():
                left = deadline - time.monotonic()
                if left <= 0 or self._stop:
                    return not self._busy()
                self._wake.wait(left)
            return True

    def close(self) -> None:
        """Put what is waiting on disk and close."""
        with self._wake:
            self._stop = True
            self._wake.notify_all()
        self._thread.join()
        self._file.close()
        self._lock_file.close()

    # The writer thread.

    def _busy(self) -> bool:
        return bool(
            self._waiting
            or self._stalled
            or self._overflow
            or self._marks
            or self._new_epoch
            or self._seal
        )

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._busy() and not self._stop:
                    self._wake.wait()
                if not self._busy() and self._stop:
                    return
                self._gather()
                waiting, self._waiting = self._waiting, []
                self._stalled += len(waiting)
                changes = Changes(
                    lost=self._overflow,
                    marks=dict(self._marks),
                    epoch=self._new_epoch,
                    seal=self._seal,
                )
            self._packed += pack(waiting)
            done = self._commit(changes._replace(chunks=self._packed))
            with self._wake:
                if done:
                    self._stalled = 0
                    self._overflow -= changes.lost
                    for box, acked in changes.marks.items():
                        if self._marks.get(box) == acked:
                            del self._marks[box]
                    if self._new_epoch == changes.epoch:
                        self._new_epoch = ""
                    self._seal = self._seal and not changes.seal
                    if not self._busy():
                        self._hurry = False
                self.counters.waiting = len(self._waiting) + self._stalled
                self._wake.notify_all()
                if not done:
                    if self._stop:
                        log.error("readings not on disk at stop", count=self.counters.waiting)
                        return
                    self._wake.wait(1.0)
            if done:
                self._on_commit()

    def _gather(self) -> None:
        """Let a group grow for `group_s`, or until it is large; marks alone may wait longer."""
        patience = self._group_s if self._waiting or self._seal else _MARKS_EVERY_S
        deadline = time.monotonic() + patience
        while not (self._stop or self._hurry or len(self._waiting) >= _GROUP):
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._wake.wait(left)
            if self._waiting or self._seal:
                deadline = min(deadline, time.monotonic() + self._group_s)

    def _commit(self, changes: Changes) -> bool:
        begun = time.monotonic()
        try:
            dropped = self._file.write(changes, int(self._clock() * 1000))
        except sqlite3.Error as error:
            self.counters.failed_commits += 1
            if self.healthy:
                log.error("outbox cannot write", path=str(self.path), problem=str(error))
            self.healthy = False
            if not self._reopen():
                return False
            dropped = 0  # it was on disk after all; what made room for it is in the file
        if not self.healthy:
            log.info("outbox writes again", path=str(self.path))
        self.healthy = True
        took = (time.monotonic() - begun) * 1000
        counters = self.counters
        counters.slowest_commit_ms = max(counters.slowest_commit_ms, took)
        counters.commits += 1
        counters.collected += sum(chunk.n for chunk in changes.chunks)
        counters.lost += dropped + changes.lost
        counters.used_bytes = self._file.used
        self._packed = []
        self._boxes = dict(self._file.boxes)
        self._full = self._file.full
        return True

    def _reopen(self) -> bool:
        """After a failed fsync the kernel may have forgotten pages: start from the file again.

        Waits until the file can be opened. True when the failed commit is in it all the same:
        written once more, its readings would be there twice.
        """
        known = self._file.boxes
        told = False
        while True:
            try:
                fresh = OutboxFile(self.path, self._limits)
                fresh.rewrite()
                break
            except sqlite3.Error as error:
                if not told:
                    log.warning("outbox cannot be opened again yet", problem=str(error))
                told = True
            with self._wake:
                if self._stop:
                    return False
                self._wake.wait(1.0)
        self._file.close()
        self._file = fresh
        return any(
            mark.newest > (known[box].newest if box in known else 0)
            for box, mark in fresh.boxes.items()
        )
