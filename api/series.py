"""History as it is answered: bounds on a query, and its rows as JSON or CSV.

Pure functions of columns; reading the store is `api.routes.history`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from api.instants import HOUR_MS, iso
from ingest.history.protocol import Buckets, Series

Interval = Literal["raw", "1m", "15m", "1h", "1d"]
Aggregate = Literal["mean", "min", "max", "last", "increment"]

MAX_ROWS: Final = 100_000
DAY_MS: Final = 24 * HOUR_MS
LONGEST_MS: Final[dict[Interval, int]] = {
    "raw": 31 * DAY_MS,
    "1m": 92 * DAY_MS,
    "15m": 1098 * DAY_MS,
    "1h": 3660 * DAY_MS,
    "1d": 36_600 * DAY_MS,
}
"""Longest range of one query, by interval."""

COLUMN: Final[dict[Aggregate, str]] = {
    "mean": "mean",
    "min": "minimum",
    "max": "maximum",
    "last": "last",
    "increment": "increment",
}
"""Which column of `Buckets` an aggregate is."""


class Table(NamedTuple):
    """Rows of equal-length columns. `next` is where to go on (Unix ms), None when all is here."""

    columns: tuple[str, ...]
    data: tuple[NDArray[Any], ...]
    next: int | None

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows as Python values; NaN (null) stays NaN, which JSON encodes as null."""
        return list(zip(*(column.tolist() for column in self.data), strict=True))


def raw_table(series: Series, limit: int) -> Table:
    """Readings as (t, v, q); one more than `limit` of them tells that there are more."""
    ts = series.ts
    return Table(
        ("t", "v", "q"),
        (ts[:limit], series.value[:limit], series.quality[:limit]),
        int(ts[limit]) if len(ts) > limit else None,
    )


def bucket_table(buckets: Buckets, aggregate: Aggregate, limit: int) -> Table:
    """Buckets as (t, v, good_share, covered_s); a bucket without usable values has a null value."""
    start, count = buckets.start[:limit], buckets.count[:limit]
    value: NDArray[np.float64] = getattr(buckets, COLUMN[aggregate])[:limit]
    share = np.divide(buckets.good[:limit], count, out=np.zeros(len(start)), where=count > 0)
    return Table(
        ("t", "v", "good_share", "covered_s"),
        (start, value, np.round(share, 4), np.round(buckets.covered_s[:limit], 3)),
        int(buckets.start[limit]) if len(buckets.start) > limit else None,
    )


def summed_table(parts: Sequence[Buckets], aggregate: Aggregate, limit: int) -> Table:
    """As `bucket_table`, of the sum of several points; a part without a value adds nothing.

    covered_s is the mean over the parts.
    """
    if len(parts) == 1:
        return bucket_table(parts[0], aggregate, limit)
    starts, at = np.unique(np.concatenate([part.start for part in parts]), return_inverse=True)
    value = np.concatenate([getattr(part, COLUMN[aggregate]) for part in parts])
    known = ~np.isnan(value)

    def summed(column: NDArray[Any]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.bincount(at, column, len(starts)).astype(np.float64)
        return found

    total = np.where(summed(known) > 0, summed(np.where(known, value, 0.0)), np.nan)
    count = summed(np.concatenate([part.count for part in parts]))
    good = summed(np.concatenate([part.good for part in parts]))
    covered = summed(np.concatenate([part.covered_s for part in parts])) / len(parts)
    share = np.divide(good, count, out=np.zeros(len(starts)), where=count > 0)
    return Table(
        ("t", "v", "good_share", "covered_s"),
        tuple(c[:limit] for c in (starts, total, np.round(share, 4), np.round(covered, 3))),
        int(starts[limit]) if len(starts) > limit else None,
    )


EMPTY_BUCKETS: Final = Table(("t", "v", "good_share", "covered_s"), (), None)


def csv_text(table: Table, zone: ZoneInfo) -> str:
    """RFC 4180 with a header row: local time with offset first, then the columns; null is empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("time", *table.columns))
    columns: list[Sequence[Any]] = [iso(table.data[0], zone)] if table.data else []
    for column in table.data:
        values = column.tolist()
        if column.dtype.kind == "f":
            values = ["" if v != v else v for v in values]
        columns.append(values)
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()
