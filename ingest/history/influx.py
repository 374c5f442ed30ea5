"""The history as an InfluxDB keeps it, read by InfluxQL: what `ingest.forward` wrote there.

Answers for times beyond the local retention, and for the audit. Roll-ups are the forwarded ones:
a bucket that is still open is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ingest.history.influx_client import InfluxLink
from ingest.history.lineprotocol import Described, unnamed
from ingest.history.protocol import Buckets, Every, Series
from ingest.readings import Readings

ASSETS_A_QUERY: Final = 50
_FIELDS: Final = (
    "covered_s", "count", "good", "minimum", "maximum", "last", "mean", "increment", "flags"
)  # fmt: skip
Where = tuple[str, str]
"""(measurement, field)"""


class InfluxHistory:
    """Implements `History` over two buckets. ids: point ids by index; model: what is known of them.

    position: the ordinal up to which the forwarder has come.
    """

    def __init__(
        self,
        link: InfluxLink,
        ids: Sequence[str],
        model: Mapping[str, Described],
        *,
        position: Callable[[], int] = lambda: 0,
        raw_bucket: str = "raw",
        rollup_bucket: str = "rollup",
    ) -> None:
        self._link, self._position = link, position
        self._raw_bucket, self._rollup_bucket = raw_bucket, rollup_bucket
        self._where: list[tuple[Where, str]] = []
        self._assets: dict[Where, dict[str, int]] = {}
        for index, point_id in enumerate(ids):
            known = model.get(point_id)
            domain, asset, name = (
                unnamed(point_id) if known is None else (known.domain, known.asset, known.property)
            )
            self._where.append(((domain, name), asset))
            self._assets.setdefault((domain, name), {})[asset] = index

    def raw(self, point: int, start_ms: int, end_ms: int, limit: int | None = None) -> Series:
        """See `History.raw`."""
        (domain, field), asset = self._where[point]
        text = (
            f"SELECT {_name(field)}, {_name(field + '_q')} FROM {_name(domain)}"
            f" WHERE asset = {_text(asset)} AND {_between(start_ms, end_ms)}"
        )
        if limit is not None:
            text += f" LIMIT {int(limit)}"
        for series in self._link.query(text, self._raw_bucket):
            ts, value, quality = zip(*series["values"], strict=True)
            return Series(np.array(ts, np.int64), _floats(value), _qualities(quality))
        return Series(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))

    def buckets(
        self, points: Sequence[int], start_ms: int, end_ms: int, every: Every
    ) -> dict[int, Buckets]:
        """See `History.buckets`; closed buckets only."""
        found = {int(point): _buckets([]) for point in points}
        wanted: dict[Where, list[str]] = {}
        for point in found:
            where, asset = self._where[point]
            wanted.setdefault(where, []).append(asset)
        for (domain, field), assets in wanted.items():
            columns = ", ".join(_name(f"{field}_{name}") for name in _FIELDS)
            for part in _parts(assets):
                text = (
                    f"SELECT {columns} FROM {_name(f'{domain}_{every}')} WHERE ({_any(part)})"
                    f" AND {_between(start_ms, end_ms)} GROUP BY asset"
                )
                for series in self._link.query(text, self._rollup_bucket):
                    point = self._assets[domain, field][series["tags"]["asset"]]
                    found[point] = _buckets(series["values"])
        return found

    def latest(self) -> tuple[Readings, int]:
        """See `History.latest`."""
        upto = self._position()
        rows: list[tuple[int, int, Any, Any]] = []
        for (domain, field), assets in self._assets.items():
            text = (
                f"SELECT last({_name(field + '_q')}), {_name(field)} FROM {_name(domain)}"
                " GROUP BY asset"
            )
            for series in self._link.query(text, self._raw_bucket):
                point = assets.get(series["tags"]["asset"])
                if point is not None:
                    ts, quality, value = series["values"][0]
                    rows.append((point, ts, value, quality))
        rows.sort()
        if not rows:
            return Readings.empty(), upto
        point_column, ts_column, values, qualities = zip(*rows, strict=True)
        return (
            Readings(
                np.array(point_column, np.int32),
                np.array(ts_column, np.int64),
                _floats(values),
                _qualities(qualities),
            ),
            upto,
        )

    def count(
        self, start_ms: int, end_ms: int, what: Literal["readings", "values"] = "readings"
    ) -> dict[int, int]:
        """See `History.count`; "values" counts only readings that have a value."""
        found: dict[int, int] = {}
        for (domain, field), assets in self._assets.items():
            name = field + "_q" if what == "readings" else field
            text = (
                f"SELECT count({_name(name)}) FROM {_name(domain)}"
                f" WHERE {_between(start_ms, end_ms)} GROUP BY asset"
            )
            for series in self._link.query(text, self._raw_bucket):
                point = assets.get(series["tags"]["asset"])
                if point is not None and series["values"][0][1]:
                    found[point] = int(series["values"][0][1])
        return found


def _name(text: str) -> str:
    """An InfluxQL identifier."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(text: str) -> str:
    """An InfluxQL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _between(start: int, end: int) -> str:
    # InfluxQL keeps times as ns in 64 bits: what lies beyond cannot be asked for.
    least, most = -9_223_372_036_854, 9_223_372_036_854
    return f"time >= {max(int(start), least)}ms AND time < {min(int(end), most)}ms"


def _any(assets: Sequence[str]) -> str:
    return " OR ".join(f"asset = {_text(asset)}" for asset in assets)


def _parts(assets: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(assets), ASSETS_A_QUERY):
        yield assets[at : at + ASSETS_A_QUERY]


def _floats(column: Sequence[Any]) -> NDArray[np.float64]:
    return np.array([np.nan if x is None else x for x in column], np.float64)


def _qualities(column: Sequence[Any]) -> NDArray[np.uint8]:
    return np.array([x or 0 for x in column], np.uint8)


def _buckets(values: Sequence[Sequence[Any]]) -> Buckets:
    # A bucket that was recomputed to nothing is stored with zeros: it says nothing.
    kept = [row for row in values if row[1] or row[2]]
    by = list(zip(*kept, strict=True)) or [()] * 10
    start, covered, count, good, low, high, last, mean, increment, flags = by
    return Buckets(
        np.array(start, np.int64),
        _floats(covered),
        np.array(count, np.int64),
        np.array(good, np.int64),
        _floats(low),
        _floats(high),
        _floats(last),
        _floats(mean),
        _floats(increment),
        np.array(flags, np.uint8),
    )
