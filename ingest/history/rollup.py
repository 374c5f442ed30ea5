"""Roll-ups as pure arithmetic on arrays: readings to buckets, and fine buckets to coarse ones.

A reading holds until the next one of its point (of whatever quality) or for the point's `stale_s`,
whichever comes first; the time is split over the buckets it covers. Only usable readings (a value,
not of bad quality) have a value to hold. A counter's growth belongs to the bucket of the later
reading; a counter that falls is never guessed at: its bucket has no increment and a flag.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ingest.history.protocol import RESET, UNEXPLAINED
from ingest.history.table import BUCKET_ROW, RAW_ROW, Table, empty, join

RESET_SHARE: Final = 0.01
"""A counter that falls to at most this share of its last value began anew."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What roll-ups need to know of points, by point index: hold time in ms, counter or not."""

    stale_ms: NDArray[np.int64]
    counter: NDArray[np.bool_]

    def grown(self, size: int) -> Traits:
        """The same for at least `size` points; those nobody described are gauges held 10 min."""
        more = size - len(self.stale_ms)
        if more <= 0:
            return self
        return Traits(
            np.concatenate((self.stale_ms, np.full(more, 600_000, np.int64))),
            np.concatenate((self.counter, np.zeros(more, bool))),
        )


def usable(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Readings that have a value and are not of bad quality."""
    found: NDArray[np.bool_] = ~np.isnan(rows["value"]) & (rows["quality"] < 128)
    return found


def roll(
    table: Table, prior: Table, counted: Table, edges: NDArray[np.int64], traits: Traits
) -> Table:
    """Buckets between `edges` (n+1 ascending times) from the readings between them.

    table: all readings with edges[0] <= ts < edges[-1] of the points wanted. prior: the last
    reading of each point before edges[0], if any. counted: the last usable one of each counter.
    Result: `BUCKET_ROW`s; buckets with neither a reading nor covered time are left out.
    """
    begin, end = int(edges[0]), int(edges[-1])
    n = len(edges) - 1
    joined_points = np.concatenate((prior.points, table.points))
    if not len(joined_points):
        return empty(BUCKET_ROW)
    rows = join((prior.rows, table.rows), RAW_ROW)
    by = np.argsort(joined_points, kind="stable")  # prior rows precede: times stay in order
    point = joined_points[by]
    rows = np.take(rows, by)
    ts, value = np.ascontiguousarray(rows["ts"]), np.ascontiguousarray(rows["value"])
    quality = np.ascontiguousarray(rows["quality"])
    fit = ~np.isnan(value) & (quality < 128)
    ids = np.flatnonzero(np.bincount(point))
    slot = np.zeros(int(ids[-1]) + 1, np.int64)
    slot[ids] = np.arange(len(ids))
    cells = len(ids) * n
    place = slot[point] * n

    same = np.append(point[1:] == point[:-1], False)
    until = np.append(ts[1:], 0)
    hold_end = np.minimum(ts + traits.stale_ms[point], end)
    hold_end = np.where(same, np.minimum(hold_end, until), hold_end)
    hold_start = np.maximum(ts, begin)
    held = fit & (hold_end > hold_start)
    covered, weighed = _spread(
        hold_start[held], hold_end[held], value[held], place[held], edges, cells
    )

    own = ts >= begin
    ts, value, fit, place = ts[own], value[own], fit[own], place[own]
    cell = place + np.searchsorted(edges, ts, side="right") - 1
    count = np.bincount(cell, minlength=cells)
    good = np.bincount(cell[fit & (quality[own] < 64)], minlength=cells)
    known = (count > 0) | (covered > 0)
    out = np.zeros(cells, BUCKET_ROW)
    out["ts"] = np.tile(edges[:-1], len(ids))
    out["covered_ms"], out["count"], out["good"] = covered, count, good
    for name in ("minimum", "maximum", "last", "mean", "increment"):
        out[name] = np.nan
    some = covered > 0
    out["mean"][some] = weighed[some] / covered[some]
    fit_cell, fit_value = cell[fit], value[fit]
    if len(fit_cell):
        first = np.flatnonzero(np.append(True, fit_cell[1:] != fit_cell[:-1]))
        at = fit_cell[first]
        out["minimum"][at] = np.minimum.reduceat(fit_value, first)
        out["maximum"][at] = np.maximum.reduceat(fit_value, first)
        out["last"][at] = fit_value[np.append(first[1:], len(fit_cell)) - 1]
    _increments(out, table, counted, traits, slot, n, edges)
    points = np.repeat(ids.astype(np.int32), n)
    return Table(points, out).where(known)


def _spread(
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    value: NDArray[np.float64],
    place: NDArray[np.int64],
    edges: NDArray[np.int64],
    cells: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Covered ms and value x ms of each cell, intervals split at the edges."""
    first = np.searchsorted(edges, start, side="right") - 1
    last = np.searchsorted(edges, end, side="left") - 1
    pieces = last - first + 1
    if len(pieces) and pieces.max() > 1:
        own = np.repeat(np.arange(len(start)), pieces)
        step = np.arange(len(own)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        bucket = first[own] + step
        start, end = np.maximum(start[own], edges[bucket]), np.minimum(end[own], edges[bucket + 1])
        value, place = value[own], place[own]
    else:
        bucket = first
    cell, width = place + bucket, end - start
    # Sums run in order of time, so that a bucket comes out the same whatever was beside it.
    covered = np.bincount(cell, weights=width, minlength=cells).astype(np.int64)
    weighed = np.bincount(cell, weights=value * width, minlength=cells).astype(np.float64)
    return covered, weighed


def _increments(
    out: NDArray[np.void],
    table: Table,
    counted: Table,
    traits: Traits,
    slot: NDArray[np.int64],
    n: int,
    edges: NDArray[np.int64],
) -> None:
    """Fill increment and flags of the cells in which counters have usable readings."""
    mine = traits.counter[table.points] & usable(table.rows)
    if not mine.any():
        return
    points = np.concatenate((counted.points, table.points[mine]))
    ts = np.concatenate((counted.rows["ts"], table.rows["ts"][mine]))
    value = np.concatenate((counted.rows["value"], table.rows["value"][mine]))
    by = np.argsort(points, kind="stable")
    points, ts, value = points[by], ts[by], value[by]
    rise = np.zeros(len(value))
    rise[1:] = np.where(points[1:] == points[:-1], value[1:] - value[:-1], 0.0)
    before = np.append(np.nan, value[:-1])
    own = ts >= edges[0]
    points, ts, value, rise, before = points[own], ts[own], value[own], rise[own], before[own]
    cell = slot[points] * n + np.searchsorted(edges, ts, side="right") - 1
    first = np.flatnonzero(np.append(True, cell[1:] != cell[:-1]))
    at = cell[first]
    out["increment"][at] = np.add.reduceat(rise, first)
    fell = rise < 0
    if fell.any():
        began = np.abs(value[fell]) <= RESET_SHARE * np.abs(before[fell])
        flags = np.zeros(len(out), np.uint8)
        np.bitwise_or.at(flags, cell[fell], np.where(began, RESET, UNEXPLAINED).astype(np.uint8))
        out["flags"] |= flags
        out["increment"][flags > 0] = np.nan


def fold(fine: Table, starts: NDArray[np.int64]) -> Table:
    """Coarse buckets from fine ones. starts: for each fine row the start of its coarse bucket.

    A coarse bucket has no increment when one of its fine ones fell, or when none has any.
    """
    if not fine.size:
        return fine
    rows: NDArray[Any] = fine.rows
    new = np.append(True, (fine.points[1:] != fine.points[:-1]) | (starts[1:] != starts[:-1]))
    first = np.flatnonzero(new)
    group = np.cumsum(new) - 1
    out = np.zeros(len(first), BUCKET_ROW)
    out["ts"] = starts[first]
    for name in ("covered_ms", "count", "good"):
        out[name] = np.add.reduceat(rows[name], first)
    out["minimum"] = np.fmin.reduceat(rows["minimum"], first)
    out["maximum"] = np.fmax.reduceat(rows["maximum"], first)
    weighed = np.where(rows["covered_ms"] > 0, rows["mean"] * rows["covered_ms"], 0.0)
    covered = out["covered_ms"]
    total = np.add.reduceat(weighed, first)
    out["mean"] = np.divide(total, covered, out=np.full(len(first), np.nan), where=covered > 0)
    out["last"] = np.nan
    told = np.flatnonzero(~np.isnan(rows["last"]))
    out["last"][group[told]] = rows["last"][told]  # the assignment keeps the latest
    grown = ~np.isnan(rows["increment"])
    total = np.add.reduceat(np.where(grown, rows["increment"], 0.0), first)
    out["flags"] = np.bitwise_or.reduceat(rows["flags"], first)
    some = np.logical_or.reduceat(grown, first) & (out["flags"] == 0)
    out["increment"] = np.where(some, total, np.nan)
    return Table(fine.points[first], out)
