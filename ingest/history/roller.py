"""The consumer that keeps roll-ups true: it notes which (bucket, point) each reading touches and
computes those buckets anew from the stored readings once they are over, late ones again.

Computing anew, never adding up as readings come, is what makes any order of arrival give the same
roll-ups as one sorted pass.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from ingest.consume import RetriableError
from ingest.group import Group
from ingest.history import upkeep
from ingest.history.dirty import NOBODY, Dirty
from ingest.history.feed import Note, RollupFeed
from ingest.history.local import LocalHistory
from ingest.history.prior import Prior, last_rows
from ingest.history.protocol import LEVELS, Every
from ingest.history.rolled import CELLS, NEVER
from ingest.history.rollup import Traits, fold, roll, usable
from ingest.history.search import MINUTE_MS, after
from ingest.history.table import BUCKET_ROW, RAW_ROW, Table, empty, join, merge
from ingest.points import PointIndex
from twin.model.park import Point

log = structlog.get_logger(__name__)

BLOCK: Final = 30
"""Minutes computed together while catching up."""


def traits_of(points: Mapping[str, Point], index: PointIndex) -> Traits:
    """Hold times and counters by point index."""
    known = [points.get(point_id) for point_id in index.ids()]
    stale = [600_000 if p is None else int(p.stale_s * 1000) for p in known]
    counter = [p is not None and p.kind == "counter" for p in known]
    return Traits(np.array(stale, np.int64), np.array(counter, bool))


class Roller:
    """Consumer "rollup" over a `LocalHistory` (whose `traits` it uses).

    delay_s: how long after its end a minute is computed; settle_s: how long late readings are
    gathered before their minute is computed again. feed: where changes are noted for forwarding.
    """

    name = "rollup"

    def __init__(
        self,
        history: LocalHistory,
        *,
        feed: RollupFeed | None = None,
        delay_s: float = 5.0,
        settle_s: float = 5.0,
        flush_s: float = 300.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._history, self._feed, self._clock = history, feed, clock
        self._rolled = history.rolled
        self._delay_ms, self._settle, self._flush_s = int(delay_s * 1000), settle_s, flush_s
        self._position = history.cursors.get(self.name)
        self._seen = self._position
        self._minutes = Dirty()
        self._coarse: dict[Every, Dirty] = {level: Dirty() for level in LEVELS[1:]}
        self._prior = Prior(history.store)
        self._flushed_at = clock()
        self._notes: list[Note] = []
        self.computed = 0
        self._resumed = False

    def _ready(self) -> bool:
        """True when the history shows at least what was taken here, and shows it whole."""
        if self._history.seen < self._seen or self._history.repairing:
            return False
        if not self._resumed:
            self._resume()
            self._resumed = True
        return True

    def _resume(self) -> None:
        """Marks that were in memory only: what was held, and coarse buckets, at the frontier."""
        frontier = self._rolled.frontier["1m"]
        if frontier <= NEVER:
            return
        now = self._clock()
        readings, _ = self._history.latest()
        if not len(readings):
            return
        traits = self._rolled.traits.grown(int(readings.point[-1]) + 1)
        held = readings.ts + traits.stale_ms[readings.point] > frontier
        self._minutes.add(frontier, readings.point[held], NOBODY, now - 3600)
        for level in LEVELS[1:]:
            at = self._rolled.frontier[level]
            at = self._history.calendar.start(frontier if at <= NEVER else at, level)
            while at < frontier:
                self._coarse[level].add(at, readings.point, NOBODY, now - 3600)
                at = self._history.calendar.end(at, level)

    # --- consumer ------------------------------------------------------------------------------

    def position(self) -> int:
        """Everything below has its roll-ups on disk."""
        return self._position

    @property
    def pending(self) -> int:
        """Minutes that wait to be computed."""
        return len(self._minutes.marks)

    def consume(self, groups: Sequence[Group]) -> None:
        """Mark what the readings touch."""
        now = self._clock()
        for group in groups:
            if group.end <= self._seen:
                continue
            self._mark(group, now)
            self._seen = group.end

    def _mark(self, group: Group, now: float) -> None:
        point, ts = group.readings.point, group.readings.ts
        keep = ts >= self._history.keeps_from
        if not keep.all():  # too old: there is nothing left to compute it from
            point, ts = point[keep], ts[keep]
        if not len(ts):
            return
        low = int(ts.min()) // MINUTE_MS
        if int(ts.max()) // MINUTE_MS == low:
            self._touch(low * MINUTE_MS, point, group.start, now)
            return
        minute = ts // MINUTE_MS
        by = np.argsort(minute, kind="stable")
        sorted_minute = minute[by]
        cuts = np.flatnonzero(np.append(True, sorted_minute[1:] != sorted_minute[:-1]))
        for a, b in zip(cuts.tolist(), [*cuts[1:].tolist(), len(by)], strict=True):
            start = int(sorted_minute[a]) * MINUTE_MS
            self._touch(start, point[by[a:b]], group.start, now)

    def _touch(self, start: int, points: NDArray[np.int32], first: int, now: float) -> None:
        self._minutes.add(start, points, first, now)
        self._prior.forget(points, start)

    def tick(self) -> None:
        """Compute what is due; flush now and then. Raises `RetriableError` when a disk refuses."""
        now = self._clock()
        closed = (int(now * 1000) - self._delay_ms) // MINUTE_MS * MINUTE_MS
        self._restore_lost()
        if self._ready():
            self._work(closed, now)
        full = self._rolled.held >= self._rolled.capacity
        if full or now - self._flushed_at >= self._flush_s:
            self.flush()

    def settle(self) -> None:
        """Compute all that is over now without waiting for more (tests, tools, shutdown)."""
        closed = (int(self._clock() * 1000) - self._delay_ms) // MINUTE_MS * MINUTE_MS
        if self._ready():
            self._work(closed, float("inf"))

    def flush(self) -> None:
        """Put the notes on disk, then computed buckets, then the position.

        In this order: a note without its bucket is harmless, a bucket without its note would
        never be forwarded.
        """
        now = self._clock()
        try:
            if self._feed is not None:
                self._feed.add(self._notes)
            self._notes.clear()
            self._rolled.flush()
        except (OSError, sqlite3.Error) as error:
            raise RetriableError(f"roll-ups cannot be written: {error}") from error
        self._flushed_at = now
        position = min(self._minutes.first(), self._seen)
        if position != self._position:
            self._history.cursors.set(**{self.name: position})
            self._position = position

    def _restore_lost(self) -> None:
        """Compute anew what damaged roll-up files held, as far as there are readings for it."""
        frontier, calendar = self._rolled.frontier, self._history.calendar
        for level in LEVELS:
            archive = self._rolled.stores[level].archive
            for lost in archive.lost:
                day = next(d for d in archive.days() if d.name == lost.day)
                upkeep.repair(archive, lambda _lost, _day: empty(BUCKET_ROW))
                points = self._history.latest()[0].point
                at = max(day.begin, self._history.keeps_from if level == "1m" else day.begin)
                at = calendar.start(at, level)
                dirty = self._minutes if level == "1m" else self._coarse[level]
                while at < min(day.end, frontier[level]):
                    dirty.add(at, points, NOBODY, 0.0)
                    at = calendar.end(at, level)

    # --- computing -----------------------------------------------------------------------------

    def _work(self, closed: int, now: float) -> None:
        while due := self._minutes.due(closed, now, self._settle):
            begin = due[0]
            end = min(begin + BLOCK * MINUTE_MS, max(closed, begin + MINUTE_MS))
            self._compute(begin, end)
            if self._rolled.held >= self._rolled.capacity:
                self.flush()
        self._rolled.frontier["1m"] = max(self._rolled.frontier["1m"], closed)
        for finer, level in itertools.pairwise(LEVELS):
            self._fold_level(finer, level)

    def _compute(self, begin: int, end: int) -> None:
        starts = [start for start in self._minutes.marks if begin <= start < end]
        first = min(self._minutes.marks[start].first for start in starts)
        points = self._minutes.pop(sorted(starts))
        edges = np.arange(begin, end + MINUTE_MS, MINUTE_MS, dtype=np.int64)
        for low, high in self._parts(points, begin, end):
            some = points[(points >= low) & (points < high)]
            if len(some):
                self._compute_part(some, edges, first)

    def _parts(self, points: NDArray[np.int32], begin: int, end: int) -> list[tuple[int, int]]:
        minutes = (end - begin) // MINUTE_MS
        if len(points) * minutes <= CELLS and len(points) < 256:
            return [(0, 1 << 31)]
        most = max(CELLS // minutes, 1)
        cuts = {0, 1 << 31, *points[most::most].tolist()}
        for low, high in self._history.ranges(begin, end):
            cuts |= {low, high}
        ordered = sorted(cuts)
        return list(itertools.pairwise(ordered))

    def _compute_part(
        self, points: NDArray[np.int32], edges: NDArray[np.int64], first: int
    ) -> None:
        begin, end = int(edges[0]), int(edges[-1])
        traits = self._rolled.traits.grown(int(points[-1]) + 1)
        table = self._history.store.pick(points, begin, end)
        prior, counted = self._prior.at(points, begin, traits)
        fresh = roll(table, prior, counted, edges, traits)
        if end >= self._rolled.frontier["1m"]:
            self._prior.learn(points, table, prior, counted, end, traits)
        last = last_rows(merge([prior, table], RAW_ROW))
        changed = self._keep("1m", points, begin, end, fresh)
        self._carry(points, table, last, changed, end, first, traits)
        self.computed += fresh.size

    def _carry(
        self,
        points: NDArray[np.int32],
        table: Table,
        last: Table,
        changed: NDArray[np.int32],
        end: int,
        first: int,
        traits: Traits,
    ) -> None:
        """Mark what follows the block: values held beyond it, and what late readings changed."""
        beyond = last.rows["ts"] + traits.stale_ms[last.points] > end
        held = last.points[beyond & usable(last.rows)]
        if end >= self._rolled.frontier["1m"]:
            self._minutes.add(end, held, NOBODY, 0.0)
            return
        # A late block: the buckets after it may have been computed from what is no longer so.
        without = np.setdiff1d(points, table.points, assume_unique=False)
        follow = np.union1d(changed, np.intersect1d(held, without)).astype(np.int32)
        self._minutes.add(end, follow, first, 0.0)
        counters = changed[traits.counter[changed]]
        if len(counters):
            until = self._history.newest(counters)
            later = until >= end + MINUTE_MS
            found, ts = after(self._history.store, counters[later], end, until[later])
            for start in np.unique(ts // MINUTE_MS * MINUTE_MS).tolist():
                mine = found[ts // MINUTE_MS * MINUTE_MS == start]
                self._minutes.add(int(start), mine, first, 0.0)

    def _keep(
        self, level: Every, points: NDArray[np.int32], begin: int, end: int, fresh: Table
    ) -> NDArray[np.int32]:
        """Store the buckets that differ from what is stored, with the next revision; their points.

        A bucket that is stored and came out empty now is stored as empty.
        """
        old = self._rolled.stored(level, points, begin, end)
        if not old.size:
            new = fresh
            new.rows["revision"] = 1
        else:
            new = _differing(fresh, old, begin)
        if not new.size:
            return np.empty(0, np.int32)
        self._rolled.append(level, new)
        changed = np.unique(new.points)
        if self._feed is not None:
            self._notes.append(Note(level, begin, end, changed))
        if level != LEVELS[-1]:
            above = LEVELS[LEVELS.index(level) + 1]
            starts = self._history.calendar.starts(new.rows["ts"], above)
            for start in np.unique(starts).tolist():
                self._coarse[above].add(int(start), new.points[starts == start], NOBODY, 0.0)
        return changed

    def _fold_level(self, finer: Every, level: Every) -> None:
        calendar = self._history.calendar
        ready = calendar.start(self._rolled.frontier[finer], level)
        dirty = self._coarse[level]
        for start in sorted(s for s in dirty.marks if s < ready):
            points = dirty.pop([start])
            end = calendar.end(start, level)
            fine = self._rolled.stored(finer, points, start, end)
            some = (fine.rows["count"] > 0) | (fine.rows["covered_ms"] > 0)
            fine = fine.where(some)
            self._keep(level, points, start, end, fold(fine, np.full(fine.size, start, np.int64)))
        self._rolled.frontier[level] = max(self._rolled.frontier[level], ready)


def _differing(fresh: Table, old: Table, begin: int) -> Table:
    """Rows of `fresh` that are new or differ from `old`, and empty ones for those that vanished."""
    key_fresh = fresh.points.astype(np.int64) << 42 | (fresh.rows["ts"] - begin)
    key_old = old.points.astype(np.int64) << 42 | (old.rows["ts"] - begin)
    at = np.minimum(np.searchsorted(key_old, key_fresh), len(key_old) - 1)
    met = key_old[at] == key_fresh
    same = met & (_content(fresh.rows) == _content(np.take(old.rows, at))).all(axis=1)
    fresh.rows["revision"] = np.where(met, old.rows["revision"][at], 0) + 1
    vanished = ~np.isin(key_old, key_fresh) & (
        (old.rows["count"] > 0) | (old.rows["covered_ms"] > 0)
    )
    rows = np.zeros(int(vanished.sum()), BUCKET_ROW)
    for name in ("minimum", "maximum", "last", "mean", "increment"):
        rows[name] = np.nan
    rows["ts"], rows["revision"] = old.rows["ts"][vanished], old.rows["revision"][vanished] + 1
    kept = fresh.where(~same)
    points = np.concatenate((kept.points, old.points[vanished]))
    return Table(points, join((kept.rows, rows), BUCKET_ROW))


def _content(rows: NDArray[np.void]) -> NDArray[np.uint8]:
    """The bytes of each row without its revision, which comes last."""
    width = rows.dtype.itemsize
    return np.ascontiguousarray(rows).view(np.uint8).reshape(-1, width)[:, :-4]
