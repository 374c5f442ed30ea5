"""The stored roll-ups of all widths, and answers that reach into buckets which are still open.

Below `frontier` of a width its buckets are closed and stored; above, they are computed on demand
from the next finer width, in the end from readings. What to recompute is `roller`'s business.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.cursor import Cursors
from ingest.history import upkeep
from ingest.history.archive import Archive
from ingest.history.calendar import WIDTH_MS, Span
from ingest.history.parquet import ParquetEngine
from ingest.history.protocol import LEVELS, Buckets, Every
from ingest.history.rollup import Traits, fold, roll
from ingest.history.search import ANY_TIME, MINUTE_MS, before
from ingest.history.store import Store
from ingest.history.table import BUCKET_ROW, Table, empty, merge

SPANS: Final[dict[Every, Span]] = {"1m": "day", "15m": "month", "1h": "month", "1d": "month"}
CELLS: Final = 300_000
HOUR_MS: Final = 3_600_000
NEVER: Final = -(1 << 61)


class RolledUp:
    """Roll-ups beside the store of readings they are made from. One thread writes."""

    def __init__(
        self,
        home: Path,
        readings: Store,
        engine: ParquetEngine,
        aside: Path,
        traits: Traits | None,
        cursors: Cursors,
        capacity: int = 500_000,
    ) -> None:
        self.readings = readings
        self.calendar = readings.archive.calendar
        self.traits = traits or Traits(np.empty(0, np.int64), np.empty(0, bool))
        self._cursors = cursors
        self.capacity = capacity
        self.stores: dict[Every, Store] = {}
        self.frontier: dict[Every, int] = {}
        self._next: dict[Every, int] = {}
        for level in LEVELS:
            archive = Archive(home / level, BUCKET_ROW, self.calendar, SPANS[level], engine, aside)
            self.stores[level] = Store(archive, capacity)
            self.frontier[level] = cursors.get(f"frontier_{level}", self._reach(level))
            ends = [c.end for d in archive.days() for c in d.chunks]
            self._next[level] = max([*ends, *(d.closed.through for d in archive.days())], default=0)

    def _reach(self, level: Every) -> int:
        """Up to where stored buckets reach; for a cursor file that was lost."""
        days = self.stores[level].archive.days()
        ends = [c.max_ts + WIDTH_MS[level] for d in days for c in d.chunks]
        return max([*ends, *(d.end for d in days if d.closed.shards)], default=NEVER)

    # --- writing -------------------------------------------------------------------------------

    def append(self, level: Every, table: Table) -> None:
        """Add or replace buckets."""
        names = BUCKET_ROW.names or ()
        self.stores[level].append(table.points, **{name: table.rows[name] for name in names})

    @property
    def held(self) -> int:
        """Buckets that are not on disk yet."""
        return sum(store.held for store in self.stores.values())

    def flush(self) -> None:
        """Put all buckets on disk, then the frontiers."""
        for level, store in self.stores.items():
            if held := store.held:
                store.flush(self._next[level], self._next[level] + held)
                self._next[level] += held
        self._cursors.set(**{f"frontier_{level}": at for level, at in self.frontier.items()})

    def upkeep(self, now: int) -> None:
        """Merge small files and close what ended days ago; roll-ups are never deleted."""
        for store in self.stores.values():
            upkeep.merge_small(store.archive, self.capacity)
            upkeep.close_days(
                store.archive, now, grace=48 * HOUR_MS, again=24 * HOUR_MS, shard_rows=400_000
            )

    # --- reading -------------------------------------------------------------------------------

    def buckets(
        self, points: NDArray[np.int32], start: int, end: int, every: Every, now: int
    ) -> dict[int, Buckets]:
        """See `History.buckets`; `points` sorted and without repeats."""
        table = self.table(points, start, end, every, now)
        rows = table.rows
        cuts = np.searchsorted(table.points, np.append(points, (points[-1:] + 1)))
        found: dict[int, Buckets] = {}
        for i, point in enumerate(points.tolist()):
            a, b = int(cuts[i]), int(np.searchsorted(table.points, point, side="right"))
            part = rows[a:b]
            found[point] = Buckets(
                np.ascontiguousarray(part["ts"]),
                part["covered_ms"] / 1000.0,
                part["count"].astype(np.int64),
                part["good"].astype(np.int64),
                *(
                    np.ascontiguousarray(part[name])
                    for name in ("minimum", "maximum", "last", "mean", "increment", "flags")
                ),
            )
        return found

    def table(
        self, points: NDArray[np.int32], start: int, end: int, every: Every, now: int
    ) -> Table:
        """Buckets whose start lies in the range, without the empty ones."""
        frontier = self.frontier[every]
        parts: list[Table] = []
        if start < frontier:
            stored = self.stores[every].pick(points, start, min(end, frontier))
            some = (stored.rows["count"] > 0) | (stored.rows["covered_ms"] > 0)
            parts.append(stored.where(some))
        begin = max(start, frontier, self.readings.oldest() - 1)
        end = min(end, now + MINUTE_MS)
        if begin < end and len(points):
            begin = self.calendar.start(begin, every)
            last = self.calendar.end(self.calendar.start(end - 1, every), every)
            if every == "1m":
                fresh = self._from_readings(points, begin, last, now)
            else:
                fine = self.table(points, begin, last, LEVELS[LEVELS.index(every) - 1], now)
                fresh = fold(fine, self.calendar.starts(fine.rows["ts"], every))
            parts.append(fresh.between(max(start, frontier), end))
        return merge(parts, BUCKET_ROW)

    def _from_readings(self, points: NDArray[np.int32], begin: int, end: int, now: int) -> Table:
        parts: list[Table] = []
        step = max(CELLS // len(points), 1) * MINUTE_MS
        while begin < end:
            stop = min(begin + step, end)
            edges = np.arange(begin, stop + MINUTE_MS, MINUTE_MS, dtype=np.int64)
            if begin < now < edges[-1]:  # nothing is known to hold beyond now
                edges = np.append(edges[edges < now], now)
            parts.append(self.compute(points, edges))
            begin = stop
        return merge(parts, BUCKET_ROW)

    def compute(self, points: NDArray[np.int32], edges: NDArray[np.int64]) -> Table:
        """Buckets between `edges` of `points` (sorted), from the readings alone."""
        traits = self.traits.grown(int(points[-1]) + 1)
        begin = int(edges[0])
        table = self.readings.pick(points, begin, int(edges[-1]))
        prior = before(self.readings, points, begin, traits.stale_ms[points])
        counters = points[traits.counter[points]]
        reach = np.full(len(counters), ANY_TIME, np.int64)
        counted = before(self.readings, counters, begin, reach, only_usable=True)
        return roll(table, prior, counted, edges, traits)

    def stored(self, level: Every, points: NDArray[np.int32], start: int, end: int) -> Table:
        """What is stored, empty buckets (recomputed to nothing) included."""
        if not len(points):
            return empty(BUCKET_ROW)
        return self.stores[level].pick(points, start, end)

    def width(self, level: Every) -> int:
        """Nominal width of a level's buckets in ms."""
        return WIDTH_MS[level]
