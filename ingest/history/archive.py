"""All days (or months) of one kind of rows on disk: adding chunks, reading across days, and the
list of what was found damaged. Merging, closing and retention are in `upkeep`.

Readers work on frozen `Day`s; a file that was replaced is deleted when no reader is left.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from ingest.history.calendar import Calendar, Span
from ingest.history.chunk import Chunk, Damaged, fsync_folder, write_chunk
from ingest.history.day import LOST_SUFFIX, Day, Lost, lost_file, open_day
from ingest.history.parquet import ParquetEngine, checksum
from ingest.history.table import Table, merge

log = structlog.get_logger(__name__)


class Archive:
    """Rows of `dtype` under `folder`, one sub-folder a `span` of local time.

    One thread adds; any thread reads. `aside`: where damaged files go.
    """

    def __init__(
        self,
        folder: Path,
        dtype: np.dtype[Any],
        calendar: Calendar,
        span: Span,
        engine: ParquetEngine,
        aside: Path,
    ) -> None:
        self.folder, self.dtype, self.calendar, self.span = folder, dtype, calendar, span
        self.engine = engine
        self._aside = aside
        self._lock = threading.Lock()
        self._days: dict[str, Day] = {}
        self._readers = 0
        self._doomed: list[Path] = []
        folder.mkdir(parents=True, exist_ok=True)
        for sub in sorted(folder.iterdir()):
            if sub.name.startswith("."):
                shutil.rmtree(sub)  # a removal that a crash interrupted
                continue
            try:
                begin, end = calendar.named(sub.name)
            except ValueError:
                continue
            day = open_day(sub.name, begin, end, sub, dtype)
            self._days[day.name] = day
            for lost in day.lost:
                if lost.moved_to is None:
                    self._move_aside(day.name, lost)

    # --- reading -------------------------------------------------------------------------------

    def days(self) -> list[Day]:
        """Every day, oldest first."""
        with self._lock:
            return sorted(self._days.values(), key=lambda d: d.begin)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock:
            self._readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                gone, self._doomed = (self._doomed, []) if not self._readers else ([], self._doomed)
            for path in gone:
                path.unlink(missing_ok=True)

    def _heal(self, read: Callable[[Day], Any], start: int, end: int) -> None:
        """Call `read` for each day of the range; a damaged file is set aside and read around."""
        with self._reading():
            for name in [d.name for d in self.days() if d.begin < end and d.end > start]:
                while (day := self._days.get(name)) is not None:
                    try:
                        read(day)
                    except Damaged as damage:
                        self.report(name, damage)
                        continue
                    break

    def pick(self, points: NDArray[np.int32], start: int, end: int) -> Table:
        """Rows of these points (sorted, no repeats) with start <= ts < end."""
        parts: list[Table] = []
        self._heal(
            lambda day: parts.append(
                merge(day.tables(self.engine, self.dtype, start, end, points=points), self.dtype)
            ),
            start,
            end,
        )
        return merge(parts, self.dtype)

    def block(self, low: int, high: int, start: int, end: int) -> Table:
        """Rows of low <= point < high with start <= ts < end."""
        parts: list[Table] = []
        self._heal(
            lambda day: parts.append(
                merge(
                    day.tables(self.engine, self.dtype, start, end, low=low, high=high), self.dtype
                )
            ),
            start,
            end,
        )
        return merge(parts, self.dtype)

    def weights(self, start: int, end: int, n_points: int) -> NDArray[np.int64]:
        """Per point, an upper bound of the rows that a read of the range would touch."""
        total = np.zeros(n_points, np.int64)

        def add(day: Day) -> None:
            one = np.zeros(n_points, np.int64)
            day.weights(self.engine, start, end, one)
            np.add(total, one, out=total)

        self._heal(add, start, end)
        return total

    # --- writing -------------------------------------------------------------------------------

    def add(self, first: int, end: int, table: Table) -> None:
        """Make rows durable as chunks with the sequence numbers first..end-1, by day."""
        for name, part in self._by_day(table):
            folder = self._folder(name)
            chunk = write_chunk(folder, first, end, part)
            self.put(name, chunk)

    def _by_day(self, table: Table) -> Iterator[tuple[str, Table]]:
        ts = table.rows["ts"]
        at, last = int(ts.min()), int(ts.max())
        while True:
            name, _, stop = self.calendar.span(at, self.span)
            part = table.between(at, stop)
            yield name, part
            if last < stop:
                return
            at = int(ts[ts >= stop].min())

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir()
            fsync_folder(self.folder)
        with self._lock:
            if name not in self._days:
                self._days[name] = Day(name, *self.calendar.named(name), folder)
        return folder

    def put(self, name: str, chunk: Chunk) -> None:
        """Show a chunk to readers; those that it replaces are deleted."""
        with self._lock:
            old = self._days[name]
            new = old.with_chunk(chunk)
            self._days[name] = new
        kept = {c.path for c in new.chunks}
        self.doom(c.path for c in old.chunks if c.path not in kept)

    def change(self, name: str, edit: Callable[[Day], Day]) -> None:
        """Replace a day by what `edit` makes of it."""
        with self._lock:
            self._days[name] = edit(self._days[name])

    def doom(self, paths: Iterator[Path]) -> None:
        """Delete files when no reader is left."""
        with self._lock:
            self._doomed += paths
        with self._reading():
            pass

    def drop_day(self, name: str) -> None:
        """Forget a day and delete its files (retention)."""
        with self._lock:
            day = self._days.pop(name)
        gone = day.folder.with_name("." + day.folder.name)
        day.folder.rename(gone)
        fsync_folder(self.folder)
        shutil.rmtree(gone)

    # --- damage --------------------------------------------------------------------------------

    @property
    def lost(self) -> list[Lost]:
        """What was found damaged and is not rebuilt yet."""
        return [lost for day in self.days() for lost in day.lost]

    def report(self, day: str, damage: Damaged) -> None:
        """A file turned out damaged: read without it from now on, and keep it for a look."""
        with self._lock:
            held = self._days.get(day)
            lost = lost_file(held, damage) if held is not None else None
            if held is None or lost is None:
                return  # another reader was faster, or the day is gone
            chunks = tuple(c for c in held.chunks if c.path.name != lost.file)
            shards = tuple(s for s in held.closed.shards if s.file != lost.file)
            self._days[day] = replace(
                held,
                chunks=chunks,
                closed=replace(held.closed, shards=shards),
                lost=(*held.lost, lost),
            )
        self._move_aside(day, lost)

    def _move_aside(self, day: str, lost: Lost) -> None:
        self._aside.mkdir(parents=True, exist_ok=True)
        source = self.folder / day / lost.file
        stamp = time.time_ns() // 1_000_000
        moved = self._aside / f"{self.folder.name}-{day}-{lost.file}.{stamp}"
        if source.exists():
            if lost.file.endswith(".npz"):
                # The name alone says what to rebuild, also after a restart.
                (self.folder / day / (lost.file + LOST_SUFFIX)).touch()
            source.rename(moved)
            fsync_folder(source.parent)
        log.error(
            "history file is damaged; it was moved aside and will be rebuilt",
            file=str(source),
            moved_to=str(moved),
            problem=lost.problem,
        )
        entry = replace(lost, moved_to=moved)

        def mark(held: Day) -> Day:
            others = tuple(x for x in held.lost if x.file != lost.file)
            return replace(held, lost=(*others, entry))

        self.change(day, mark)

    def settled(self, lost: Lost) -> None:
        """A lost file was rebuilt, or nothing more can be done for it."""
        (self.folder / lost.day / (lost.file + LOST_SUFFIX)).unlink(missing_ok=True)
        self.change(
            lost.day,
            lambda d: replace(d, lost=tuple(x for x in d.lost if x.file != lost.file)),
        )

    def verify(self, day: Day, *, budget: int = 1 << 62) -> int:
        """Compare the checksums of a day's files, up to `budget` bytes; returns bytes read."""
        used = 0
        for chunk in day.chunks:
            if used >= budget:
                return used
            used += chunk.size * self.dtype.itemsize
            self._verified(day.name, chunk.verify)
        for shard in day.closed.shards:
            if used >= budget:
                return used
            used += shard.size
            path, crc = day.folder / shard.file, shard.crc

            def same(path: Path = path, crc: int = crc) -> None:
                if checksum(path)[0] != crc:
                    raise Damaged(path, "its checksum is wrong")

            self._verified(day.name, same)
        return used

    def _verified(self, day: str, check: Callable[[], None]) -> None:
        with self._reading():
            try:
                check()
            except Damaged as damage:
                self.report(day, damage)
