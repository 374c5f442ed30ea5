"""The local history: every reading, readable the moment it is taken from the journal.

Readings gather in memory and go to disk as a sorted chunk every few minutes; until then the
journal is their durable copy and `position` stays behind. Days are closed into Parquet. A damaged
file is moved aside and rebuilt from the journal.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from ingest.consume import GroupSource, RetriableError
from ingest.cursor import Cursors
from ingest.group import Group
from ingest.history import upkeep
from ingest.history.archive import Archive
from ingest.history.calendar import Calendar
from ingest.history.day import Day, Lost
from ingest.history.latest import Latest
from ingest.history.parquet import ParquetEngine
from ingest.history.protocol import Buckets, Every, Series
from ingest.history.rolled import RolledUp
from ingest.history.rollup import Traits
from ingest.history.store import Store
from ingest.history.table import RAW_ROW, Table, empty, join, order
from ingest.readings import Readings

log = structlog.get_logger(__name__)

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


class LocalHistory:
    """Open (or create) the history in `home`. Consumer "history"; implements `History`.

    journal: where damaged files are rebuilt from. traits: hold times and counters, for roll-ups.
    flush_rows / flush_s: what is gathered at most before it goes to disk. clock: Unix seconds.
    Close it after its consumer thread.
    """

    name = "history"

    def __init__(
        self,
        home: Path,
        timezone: str,
        *,
        journal: GroupSource | None = None,
        traits: Traits | None = None,
        flush_rows: int = 500_000,
        flush_s: float = 300.0,
        retain_days: int = 90,
        grace_s: float = 1800.0,
        reclose_s: float = 6 * 3600.0,
        shard_rows: int = 500_000,
        memory_mb: int = 96,
        verify_mb: int = 256,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.home = home
        self.calendar = Calendar(timezone)
        self._journal = journal
        self._flush_rows, self._flush_s = flush_rows, flush_s
        self._retain_ms = retain_days * DAY_MS
        self._grace, self._again = int(grace_s * 1000), int(reclose_s * 1000)
        self._shard_rows = shard_rows
        self._clock = clock
        home.mkdir(parents=True, exist_ok=True)
        self.engine = ParquetEngine(home / "temp", memory_mb)
        self.cursors = Cursors(home / "cursors.sqlite")
        aside = home / "damaged"
        self.archive = Archive(home / "raw", RAW_ROW, self.calendar, "day", self.engine, aside)
        self.store = Store(self.archive, flush_rows)
        self.rolled = RolledUp(
            home / "rollup", self.store, self.engine, aside, traits, self.cursors, flush_rows
        )
        self._latest = Latest()
        self._position = self.cursors.get(self.name, self._reach())
        self._seen = self._position
        self._flushed_at = clock()
        self._working = threading.Lock()
        self._scrubbed = 0
        self.problem: str | None = None
        """Why the last round of upkeep failed, None when it did not."""
        self._closed = False
        self._upkeep: threading.Thread | None = None
        self._stop = threading.Event()
        self._verify_newest(verify_mb << 20)
        self._load_latest()

    # --- consumer ------------------------------------------------------------------------------

    def position(self) -> int:
        """The ordinal below which everything is on disk."""
        return self._position

    @property
    def seen(self) -> int:
        """The ordinal below which everything can be read."""
        return self._seen

    @property
    def keeps_from(self) -> int:
        """Readings from this time on (Unix ms) are kept whole."""
        return self.calendar.span(self._now() - self._retain_ms, "day")[2]

    @property
    def repairing(self) -> bool:
        """True while a damaged file waits to be rebuilt."""
        return self._journal is not None and bool(self.archive.lost)

    def consume(self, groups: Sequence[Group]) -> None:
        """Take readings; flushes when enough are gathered."""
        if not groups:
            return
        # After an error groups are offered again: what was taken before is not taken twice.
        readings = Readings.concat(
            [g.readings[max(self._seen - g.start, 0) :] for g in groups if g.end > self._seen]
        )
        if len(readings):
            self.store.append(
                readings.point, ts=readings.ts, value=readings.value, quality=readings.quality
            )
            self._latest.take(readings)
        self._seen = max(self._seen, groups[-1].end)
        if self.store.held >= self._flush_rows:
            self.flush()

    def tick(self) -> None:
        """Flush when the oldest gathered reading has waited `flush_s`."""
        if self._clock() - self._flushed_at >= self._flush_s:
            self.flush()

    def flush(self) -> None:
        """Put everything on disk; raises `RetriableError` when the disk refuses."""
        self._flushed_at = self._clock()
        if self._seen == self._position:
            return
        try:
            self.store.flush(self._position, self._seen)
            self._latest.save(self.home / "latest.npz", self._seen)
            self.cursors.set(**{self.name: self._seen})
        except (OSError, sqlite3.Error) as error:
            raise RetriableError(f"history cannot write: {error}") from error
        self._position = self._seen

    def close(self) -> None:
        """Stop the upkeep, flush and close the files. A `Roller` is flushed before that."""
        if self._closed:
            return
        self._closed = True
        self._stop.set()
        if self._upkeep is not None:
            self._upkeep.join(60)
        try:
            self.flush()
        except RetriableError as error:
            log.error("history closed without its last readings; the journal has them", why=error)
        self.cursors.close()
        self.engine.close()

    # --- History -------------------------------------------------------------------------------

    def raw(self, point: int, start_ms: int, end_ms: int, limit: int | None = None) -> Series:
        """See `History.raw`."""
        rows = self.store.pick(np.array([point], np.int32), start_ms, end_ms).rows
        if limit is not None:
            rows = rows[:limit]
        return Series(
            np.ascontiguousarray(rows["ts"]),
            np.ascontiguousarray(rows["value"]),
            np.ascontiguousarray(rows["quality"]),
        )

    def buckets(
        self, points: Sequence[int], start_ms: int, end_ms: int, every: Every
    ) -> dict[int, Buckets]:
        """See `History.buckets`."""
        wanted = np.unique(np.asarray(points, np.int32))
        return self.rolled.buckets(wanted, start_ms, end_ms, every, self._now())

    def latest(self) -> tuple[Readings, int]:
        """See `History.latest`."""
        seen = self._seen
        return self._latest.readings(), seen

    def newest(self, points: NDArray[np.int32]) -> NDArray[np.int64]:
        """Time of the last reading of each of these points, which all have one."""
        return self._latest.times(points)

    def count(self, start_ms: int, end_ms: int) -> dict[int, int]:
        """See `History.count`."""
        found: dict[int, int] = {}
        for low, high in self.ranges(start_ms, end_ms):
            points, counts = np.unique(
                self.store.block(low, high, start_ms, end_ms).points, return_counts=True
            )
            found.update(zip(points.tolist(), counts.tolist(), strict=True))
        return found

    def ranges(self, start: int, end: int, most: int = 250_000) -> list[tuple[int, int]]:
        """Point ranges of at most about `most` rows between two times, for `store.block`."""
        n = len(self._latest)
        if not n:
            return []
        total = np.cumsum(self.store.weights(start, end, n))
        cuts = [0]
        while cuts[-1] < n:
            base = total[cuts[-1] - 1] if cuts[-1] else 0
            cuts.append(max(int(np.searchsorted(total, base + most, side="right")), cuts[-1] + 1))
        cuts[-1] = n
        pairs = itertools.pairwise(cuts)
        return [(a, b) for a, b in pairs if total[b - 1] > (total[a - 1] if a else 0)]

    # --- upkeep --------------------------------------------------------------------------------

    def start_upkeep(self, every_s: float = 10.0) -> None:
        """Run `upkeep` in a thread of its own until `close`."""

        def run() -> None:
            while not self._stop.is_set():
                try:
                    self.upkeep()
                    self.problem = None
                except Exception as error:
                    # Files are as they were; the thread must outlive a full disk or memory bound.
                    self.problem = f"{type(error).__name__}: {error}"
                    log.exception("history upkeep failed; tried again later")
                self._stop.wait(every_s)

        self._upkeep = threading.Thread(target=run, name="history-upkeep", daemon=True)
        self._upkeep.start()

    def upkeep(self) -> None:
        """One round: rebuild, merge, close, delete what is too old, re-read some checksums."""
        now = self._now()
        with self._working:
            if self.archive.lost:
                upkeep.repair(self.archive, self._rebuild)
            upkeep.merge_small(self.archive, self._flush_rows)
            upkeep.close_days(
                self.archive,
                now,
                grace=self._grace,
                again=self._again,
                shard_rows=self._shard_rows,
            )
            upkeep.expire(self.archive, now - self._retain_ms)
            self.rolled.upkeep(now)
            self._scrub()

    def _scrub(self) -> None:
        """Re-read one day's checksums a round, so that a flipped bit is found within days."""
        days = self.archive.days()
        if days:
            self._scrubbed = (self._scrubbed + 1) % len(days)
            self.archive.verify(days[self._scrubbed], budget=64 << 20)

    def _reach(self) -> int:
        """Where the newest file begins: to start over from when the cursor file was lost."""
        days = self.archive.days()
        newest = max((c for d in days for c in d.chunks), key=lambda c: c.end, default=None)
        closed = max((d.closed.through for d in days), default=0)
        return closed if newest is None else max(newest.first, closed)

    def _verify_newest(self, budget: int) -> None:
        for day in reversed(self.archive.days()):
            if budget <= 0:
                break
            budget -= self.archive.verify(day, budget=budget)

    def _rebuild(self, lost: Lost, day: Day) -> Table | None:
        """What the journal has of a lost file; None while it is not known to have all of it."""
        journal = self._journal
        if journal is None:
            return None
        at, end = max(lost.first, journal.oldest), lost.end or self._position
        parts: list[Table] = [empty(RAW_ROW)]
        while at < end:
            groups = journal.read(at, 200_000, skip_damaged=True)
            if not groups:
                break
            for group in groups:
                r = group.readings[: max(end - group.start, 0)]
                keep = (r.ts >= day.begin) & (r.ts < day.end)
                keep &= (r.point >= lost.low) & (r.point <= lost.high)
                if keep.any():
                    rows = np.empty(int(keep.sum()), RAW_ROW)
                    rows["ts"], rows["value"] = r.ts[keep], r.value[keep]
                    rows["quality"] = r.quality[keep]
                    parts.append(Table(r.point[keep], rows))
            at = groups[-1].end
            if len(parts) > 64:
                parts = [_sorted(parts)]
        return _sorted(parts)

    def _load_latest(self) -> None:
        position = self._latest.load(self.home / "latest.npz")
        if position is not None and position >= self._position:
            return
        for day in self.archive.days():
            for low, high in upkeep.point_ranges(day, self._shard_rows):
                self._latest.take_table(self.archive.block(low, high, day.begin, day.end))

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _sorted(parts: list[Table]) -> Table:
    """Merge parts that are each in order of arrival."""
    points = np.concatenate([p.points for p in parts])
    rows = join([p.rows for p in parts], RAW_ROW)
    return Table(points, rows).at(order(points, np.ascontiguousarray(rows["ts"])))
