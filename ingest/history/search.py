"""The nearest readings before and after a time, for many points at once."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.history.rollup import usable
from ingest.history.store import Store
from ingest.history.table import RAW_ROW, Table, merge

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
ANY_TIME: Final = 1 << 61


def before(
    store: Store,
    points: NDArray[np.int32],
    at: int,
    reach: NDArray[np.int64],
    *,
    only_usable: bool = False,
) -> Table:
    """The last row before `at` of each of `points` (sorted), if there is one.

    reach: per point, how many ms back it matters. only_usable: a value, and not of bad quality.
    """
    found: list[Table] = []
    back, end = 2 * MINUTE_MS, at
    floor = store.oldest()
    while len(points) and end > floor:
        start = max(at - back, floor)
        table = store.pick(points, start, end)
        if only_usable:
            table = table.where(usable(table.rows))
        if table.size:
            last = np.flatnonzero(np.append(table.points[1:] != table.points[:-1], True))
            table = table.at(last)
            near = table.rows["ts"] > at - reach[np.searchsorted(points, table.points)]
            found.append(table.where(near))
        still = ~np.isin(points, table.points) & (reach > back)
        points, reach = points[still], reach[still]
        end = start
        back = back * 8 if back < DAY_MS else back + 8 * DAY_MS
    return merge(found, RAW_ROW)


def after(
    store: Store, points: NDArray[np.int32], at: int, until: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The first usable reading at or after `at` of each of `points` (sorted): points and times.

    until: per point, the newest time at which there is any reading.
    """
    found_points: list[NDArray[np.int32]] = []
    found_ts: list[NDArray[np.int64]] = []
    start, width = at, 15 * MINUTE_MS
    while len(points):
        table = store.pick(points, start, start + width)
        keep = usable(table.rows)
        some, ts = table.points[keep], table.rows["ts"][keep]
        if len(some):
            first = np.flatnonzero(np.append(True, some[1:] != some[:-1]))
            found_points.append(some[first])
            found_ts.append(ts[first])
        start += width
        still = ~np.isin(points, some) & (until >= start)
        points, until = points[still], until[still]
        width = min(width * 8, 8 * DAY_MS)
    if not found_points:
        return np.empty(0, np.int32), np.empty(0, np.int64)
    return np.concatenate(found_points), np.concatenate(found_ts)
