"""What keeps an archive small, quick and sound: merging small chunks, closing days into Parquet,
deleting old days, re-reading checksums, putting rebuilt files back. Every step may be cut off by a
crash and is either undone or finished by the next start.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import duckdb
import numpy as np
import structlog

from ingest.history.archive import Archive
from ingest.history.chunk import Chunk, Damaged, write_chunk
from ingest.history.day import Day, Lost
from ingest.history.shard import LAST_POINT, MANIFEST, Closed, Shard, save, shard_name
from ingest.history.table import Table, empty, merge

log = structlog.get_logger(__name__)

Rebuild = Callable[[Lost, Day], Table | None]
"""The rows that a lost file held, as far as they can be found; None: try again later."""


def merge_small(archive: Archive, limit: int, least: int = 8) -> int:
    """Merge runs of at least `least` small neighbouring chunks into ones of <= `limit` rows.

    Returns the number of chunks that went.
    """
    gone = 0
    for day in archive.days():
        if day.lost:
            continue  # a merged range must not hide the hole that is to be filled
        run: list[Chunk] = []
        for chunk in [*day.chunks, None]:
            full = sum(c.size for c in run)
            if chunk is not None and chunk.size <= limit // 2 and full + chunk.size <= limit:
                run.append(chunk)
                continue
            if len(run) >= least:
                gone += _merge_run(archive, day, run)
            run = [chunk] if chunk is not None and chunk.size <= limit // 2 else []
    return gone


def _merge_run(archive: Archive, day: Day, run: list[Chunk]) -> int:
    try:
        for chunk in run:
            chunk.verify()
        table = merge([chunk.read() for chunk in run], archive.dtype)
    except Damaged as damage:
        archive.report(day.name, damage)
        return 0
    archive.put(day.name, write_chunk(day.folder, run[0].first, run[-1].end, table))
    return len(run) - 1


def close_days(archive: Archive, now: int, *, grace: int, again: int, shard_rows: int) -> int:
    """Close every day that ended `grace` ms ago and has chunks; one closed before is closed again
    after `again` ms at the earliest. Returns the number of days closed.
    """
    done = 0
    for day in archive.days():
        due = day.end + grace <= now and day.closed.closed_at + again <= now
        if due and day.chunks and not day.lost:
            done += close_day(archive, day, now, shard_rows)
    return done


def close_day(archive: Archive, day: Day, now: int, shard_rows: int) -> bool:
    """Turn the day's chunks into Parquet shards; False when a file turned out damaged."""
    try:
        for chunk in day.chunks:
            chunk.verify()
        counts = np.zeros(LAST_POINT + 1, np.int64)
        for chunk in day.chunks:
            low, n = chunk.rows_per_point()
            counts[low : low + len(n)] += n
        through = max(chunk.end for chunk in day.chunks)
        generation = day.closed.generation + 1
        shards: list[Shard] = []
        for old, low, high in _ranges(day.closed, counts, shard_rows):
            if old is not None and not counts[old.low : old.high + 1].any():
                shards.append(old)
                continue
            parts = [
                *day.tables(archive.engine, archive.dtype, day.begin, day.end, low=low, high=high)
            ]
            table = merge([part for part in parts if part.size], archive.dtype)
            if table.size:
                shards.append(_write(archive, day, generation, low, high - 1, table))
    except Damaged as damage:
        archive.report(day.name, damage)
        return False
    closed = Closed(through, generation, now, tuple(shards))
    save(day.folder, closed)
    archive.change(
        day.name,
        lambda d: replace(d, closed=closed, chunks=tuple(c for c in d.chunks if c.end > through)),
    )
    kept = {shard.file for shard in shards}
    archive.doom(
        itertools.chain(
            (chunk.path for chunk in day.chunks),
            (day.folder / s.file for s in day.closed.shards if s.file not in kept),
        )
    )
    log.info("history closed", of=archive.folder.name, day=day.name, files=len(shards))
    return True


def _write(archive: Archive, day: Day, generation: int, low: int, high: int, table: Table) -> Shard:
    name = shard_name(generation, low, high)
    crc, size = archive.engine.write(day.folder / name, table)
    return Shard(name, low, high, table.size, crc, size)


def _ranges(
    closed: Closed, counts: np.ndarray[tuple[int], np.dtype[np.int64]], shard_rows: int
) -> list[tuple[Shard | None, int, int]]:
    """Point ranges (end exclusive) that cover all points, each with the shard it replaces."""
    found: list[tuple[Shard | None, int, int]] = []
    at = 0
    for shard in sorted(closed.shards, key=lambda s: (s.low, s.high)):
        if shard.low < at:  # overlapping files of a lost manifest: make one of them
            merged = min((f[1] for f in found if f[2] > shard.low), default=shard.low)
            found = [f for f in found if f[2] <= shard.low]
            found.append((None, merged, max(at, shard.high + 1)))
        else:
            if shard.low > at:
                found += [(None, *cut) for cut in _cuts(counts, at, shard.low, shard_rows)]
            found.append((shard, shard.low, shard.high + 1))
        at = max(at, shard.high + 1)
    if at <= LAST_POINT:
        found += [(None, *cut) for cut in _cuts(counts, at, LAST_POINT + 1, shard_rows)]
    return found


def _cuts(
    counts: np.ndarray[tuple[int], np.dtype[np.int64]], low: int, high: int, most: int
) -> list[tuple[int, int]]:
    """Cut low..high so that no part has more than `most` rows (but for a single point's)."""
    part = counts[low:high]
    if not part.any():
        return []
    busy = np.flatnonzero(part)
    size = np.cumsum(part[busy])
    starts = [low]
    base = 0
    while size[-1] - base > most:
        i = max(int(np.searchsorted(size, base + most, side="right")), 1)
        if size[i - 1] <= base:  # one point alone is more than `most`
            i += 1
        if i >= len(busy):
            break
        starts.append(low + int(busy[i]))
        base = int(size[i - 1])
    return list(itertools.pairwise([*starts, high]))


def point_ranges(day: Day, most: int) -> list[tuple[int, int]]:
    """Point ranges (end exclusive) of a day, with at most about `most` rows each."""
    counts = np.zeros(LAST_POINT + 1, np.int64)
    for chunk in day.chunks:
        low, n = chunk.rows_per_point()
        counts[low : low + len(n)] += n
    found = _cuts(counts, 0, LAST_POINT + 1, most)
    shards = [(shard.low, shard.high + 1) for shard in day.closed.shards]
    return sorted({*found, *shards})


def expire(archive: Archive, before: int) -> int:
    """Delete days that ended before `before`; returns how many."""
    old = [day.name for day in archive.days() if day.end <= before]
    for name in old:
        archive.drop_day(name)
    return len(old)


def repair(archive: Archive, rebuild: Rebuild) -> int:
    """Put back what was lost, as far as `rebuild` finds it; returns the number of files settled."""
    settled = 0
    for lost in archive.lost:
        day = next((d for d in archive.days() if d.name == lost.day), None)
        if day is None:
            continue
        if lost.file == MANIFEST:
            save(day.folder, day.closed)
            archive.settled(lost)
            settled += 1
            continue
        table = rebuild(lost, day)
        if table is None:
            continue
        short = lost.file.endswith(".parquet") and table.size < lost.rows
        if short:
            table = merge([_salvage(archive, lost, day), table], archive.dtype)
        if table.size:
            _put_back(archive, lost, day, table)
        archive.settled(lost)
        settled += 1
        log.warning(
            "history file rebuilt",
            file=str(day.folder / lost.file),
            rows=table.size,
            held=lost.rows or None,
            complete=not short or table.size >= lost.rows,
        )
    return settled


def _put_back(archive: Archive, lost: Lost, day: Day, table: Table) -> None:
    if lost.file.endswith(".npz"):
        archive.put(day.name, write_chunk(day.folder, lost.first, lost.end, table))
        return
    generation = day.closed.generation + 1
    shard = _write(archive, day, generation, lost.low, lost.high, table)

    def edit(held: Day) -> Day:
        shards = tuple(sorted((*held.closed.shards, shard), key=lambda s: s.low))
        return replace(held, closed=replace(held.closed, generation=generation, shards=shards))

    archive.change(day.name, edit)
    save(day.folder, next(d.closed for d in archive.days() if d.name == day.name))


def _salvage(archive: Archive, lost: Lost, day: Day) -> Table:
    """What can still be read of a damaged Parquet file, in ever smaller ranges of points."""
    if lost.moved_to is None or not lost.moved_to.exists():
        return empty(archive.dtype)
    parts: list[Table] = []
    top = min(lost.high, 1 << 18)
    pending = [(lost.low, top + 1)]
    tries = 0
    while pending and tries < 2000:
        tries += 1
        low, high = pending.pop()
        try:
            table = archive.engine.read(
                lost.moved_to, archive.dtype, -1, low=low, high=high, start=day.begin, end=day.end
            )
        except (Damaged, duckdb.Error):
            if high - low > 1:
                middle = (low + high) // 2
                pending += [(middle, high), (low, middle)]
            continue
        inside = (table.points >= low) & (table.points < high)
        parts.append(Table(table.points[inside], table.rows[inside]))
    return merge(parts, archive.dtype)
