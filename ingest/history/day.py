"""One folder of the history: a local day of readings (or a month of roll-ups) as files.

While it is open it holds chunks; closing turns them into Parquet shards. A `Day` is frozen: every
change makes a new one, so a reader that holds one sees one consistent state.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ingest.history.chunk import Chunk, Damaged, covers
from ingest.history.parquet import ParquetEngine
from ingest.history.shard import LAST_POINT, Closed, Shard, found, load
from ingest.history.table import Table

LOST_SUFFIX: Final = ".lost"


@dataclass(frozen=True, slots=True)
class Lost:
    """A damaged file that was moved aside and is to be rebuilt. first/end: the sequence numbers it
    covered (shards: everything below `end`); low/high: its points (both included); rows: how many
    it held, 0 when that is not known.
    """

    day: str
    file: str
    first: int
    end: int
    low: int
    high: int
    moved_to: Path | None
    problem: str
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """Rows with begin <= ts < end (Unix ms) in `folder`; later chunks win over earlier files."""

    name: str
    begin: int
    end: int
    folder: Path
    closed: Closed = field(default_factory=Closed)
    chunks: tuple[Chunk, ...] = ()
    lost: tuple[Lost, ...] = ()

    def with_chunk(self, chunk: Chunk) -> Day:
        """A chunk more; the ones whose range it contains are replaced by it."""
        kept = [c for c in self.chunks if not (chunk.first <= c.first and c.end <= chunk.end)]
        chunks = sorted([*kept, chunk], key=lambda c: (c.first, c.end))
        return replace(self, chunks=tuple(chunks))

    def tables(
        self,
        engine: ParquetEngine,
        dtype: np.dtype[Any],
        start: int,
        end: int,
        *,
        points: NDArray[np.int32] | None = None,
        low: int = 0,
        high: int = 1 << 31,
    ) -> list[Table]:
        """Rows of start <= ts < end by file, in the order in which later ones win.

        Either of `points` (sorted, no repeats) or of low <= point < high. Raises `Damaged`.
        """
        if start >= self.end or end <= self.begin:
            return []
        if points is not None and len(points):
            low, high = int(points[0]), int(points[-1]) + 1
        found: list[Table] = []
        for shard in self.closed.shards:
            if shard.high < low or shard.low >= high:
                continue
            some = points
            if points is not None:
                some = points[(points >= shard.low) & (points <= shard.high)]
                if not len(some):
                    continue
            path = self.folder / shard.file
            table = engine.read(
                path, dtype, shard.crc, points=some, low=low, high=high, start=start, end=end
            )
            found.append(table)
        for chunk in self.chunks:
            if chunk.max_ts < start or chunk.min_ts >= end:
                continue
            table = chunk.pick(points) if points is not None else chunk.read(low, high)
            if table.size:
                found.append(table.between(start, end))
        return found

    def weights(self, engine: ParquetEngine, start: int, end: int, into: NDArray[np.int64]) -> None:
        """Add, per point, an upper bound of the rows that a read of the range would touch."""
        if start >= self.end or end <= self.begin:
            return
        for shard in self.closed.shards:
            width = len(into[shard.low : shard.high + 1])
            if width:
                into[shard.low : shard.high + 1] += -(-shard.rows // width)
        for chunk in self.chunks:
            if chunk.max_ts < start or chunk.min_ts >= end:
                continue
            low, counts = chunk.rows_per_point()
            into[low : low + len(counts)] += counts[: max(len(into) - low, 0)]


def open_day(name: str, begin: int, end: int, folder: Path, dtype: np.dtype[Any]) -> Day:
    """Read what a folder holds. What a crash left half done is removed; what is damaged is in
    `lost` (still in its place, `moved_to` None).
    """
    lost: list[Lost] = []
    for stale in [*folder.glob("*.tmp")]:
        stale.unlink()
    try:
        closed = load(folder)
    except Damaged as damage:
        lost.append(Lost(name, damage.path.name, 0, 0, 0, -1, None, damage.problem))
        closed = found(folder)
    kept: list[Shard] = []
    for shard in closed.shards:
        path = folder / shard.file
        if path.exists() and path.stat().st_size == shard.size:
            kept.append(shard)
        else:
            problem = "it is missing" if not path.exists() else "its size is wrong"
            lost.append(_lost_shard(name, shard, closed.through, problem))
    closed = replace(closed, shards=tuple(kept))
    known = {shard.file for shard in closed.shards} | {entry.file for entry in lost}
    for path in folder.glob("*.parquet"):
        if path.name not in known:
            path.unlink()
    spans = sorted(
        (span[0], -span[1], path)
        for path in folder.glob("*.npz")
        if (span := covers(path.name)) is not None
    )
    chunks: list[Chunk] = []
    reach = -1
    for first, minus_end, path in spans:
        last = -minus_end
        if last <= closed.through or last <= reach:
            path.unlink()  # closed, or merged into a wider one, just before a crash
            continue
        try:
            chunks.append(Chunk(path, dtype))
            reach = last
        except Damaged as damage:
            lost.append(Lost(name, path.name, first, last, 0, LAST_POINT, None, damage.problem))
    for marker in folder.glob("*" + LOST_SUFFIX):
        span = covers(marker.name.removesuffix(LOST_SUFFIX))
        if span is not None:
            file = marker.name.removesuffix(LOST_SUFFIX)
            lost.append(Lost(name, file, *span, 0, LAST_POINT, marker, "was moved aside before"))
    return Day(name, begin, end, folder, closed, tuple(chunks), tuple(lost))


def _lost_shard(day: str, shard: Shard, through: int, problem: str) -> Lost:
    return Lost(day, shard.file, 0, through, shard.low, shard.high, None, problem, shard.rows)


def lost_file(day: Day, damage: Damaged) -> Lost | None:
    """What is lost with the damaged file, None when the day does not hold it any more."""
    name = damage.path.name
    for chunk in day.chunks:
        if chunk.path.name == name:
            return Lost(day.name, name, chunk.first, chunk.end, 0, LAST_POINT, None, damage.problem)
    for shard in day.closed.shards:
        if shard.file == name:
            return _lost_shard(day.name, shard, day.closed.through, damage.problem)
    return None
