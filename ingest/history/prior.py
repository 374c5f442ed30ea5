"""The last reading before a time, remembered per point, so that computing the next minute does not
search for it. A late reading makes its point forgotten; then the store is asked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.history.rollup import Traits, usable
from ingest.history.search import ANY_TIME, before
from ingest.history.store import Store
from ingest.history.table import RAW_ROW, Table, merge

UNKNOWN = 1 << 62
NONE = -(1 << 62)


class _Column:
    """Last rows by point. known: the time before which the row is the last one."""

    def __init__(self) -> None:
        self.known = np.empty(0, np.int64)
        self.rows = np.empty(0, RAW_ROW)

    def grow(self, size: int) -> None:
        more = size - len(self.known)
        if more > 0:
            self.known = np.concatenate((self.known, np.full(more, UNKNOWN, np.int64)))
            self.rows = np.concatenate((self.rows, np.zeros(more, RAW_ROW)))

    def get(self, points: NDArray[np.int32], at: int) -> tuple[Table, NDArray[np.int32]]:
        """Rows known to be the last before `at`, and the points that are not known."""
        sure = self.known[points] <= at
        mine = points[sure]
        rows = self.rows[mine]
        some = rows["ts"] != NONE
        return Table(mine[some], rows[some]), points[~sure]

    def set(self, points: NDArray[np.int32], last: Table, at: int) -> None:
        self.known[points] = at
        self.rows["ts"][points] = NONE
        self.rows[last.points] = last.rows


class Prior:
    """What `rollup.roll` wants to know of the time before its first edge."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._any = _Column()
        self._usable = _Column()
        self._reached = NONE

    def forget(self, points: NDArray[np.int32], start: int) -> None:
        """Readings of these points arrived in the minute that begins at `start`."""
        if start >= self._reached:
            return
        self._grow(points)
        for column in (self._any, self._usable):
            known = column.known
            known[points] = np.where(known[points] > start, UNKNOWN, known[points])

    def _grow(self, points: NDArray[np.int32]) -> None:
        if len(points):
            top = int(points.max()) + 1
            self._any.grow(top)
            self._usable.grow(top)

    def at(self, points: NDArray[np.int32], begin: int, traits: Traits) -> tuple[Table, Table]:
        """(last readings, last usable readings of counters) of `points` (sorted) before `begin`."""
        self._grow(points)
        known, rest = self._any.get(points, begin)
        prior = merge([known, before(self._store, rest, begin, traits.stale_ms[rest])], RAW_ROW)
        counters = points[traits.counter[points]]
        known, rest = self._usable.get(counters, begin)
        reach = np.full(len(rest), ANY_TIME, np.int64)
        searched = before(self._store, rest, begin, reach, only_usable=True)
        return prior, merge([known, searched], RAW_ROW)

    def learn(
        self,
        points: NDArray[np.int32],
        table: Table,
        prior: Table,
        counted: Table,
        end: int,
        traits: Traits,
    ) -> None:
        """Remember the last rows before `end` after computing up to it. Only for a block after
        which none was computed yet: a late one knows nothing of what followed it.
        """
        self._reached = max(self._reached, end)
        self._any.set(points, last_rows(merge([prior, table], RAW_ROW)), end)
        fit = table.where(usable(table.rows) & traits.counter[table.points])
        counters = points[traits.counter[points]]
        self._usable.set(counters, last_rows(merge([counted, fit], RAW_ROW)), end)


def last_rows(table: Table) -> Table:
    """The last row of each point."""
    if not table.size:
        return table
    at = np.flatnonzero(np.append(table.points[1:] != table.points[:-1], True))
    return table.at(at)
