"""Readings and roll-ups as InfluxDB line protocol, by the column: what a point is called there is
prepared once, so that a line is a few string joins. Owns the text, not the sending.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from ingest.history.protocol import Every
from ingest.history.table import Table
from ingest.readings import Readings

ROLLUP_FIELDS: Final = ("minimum", "maximum", "last", "mean", "increment")


class Described(Protocol):
    """What line protocol needs of a point of the model."""

    @property
    def domain(self) -> str: ...
    @property
    def asset(self) -> str: ...
    @property
    def property(self) -> str: ...


def escape_name(text: str) -> str:
    """A measurement: commas and spaces escaped, line ends replaced by a space."""
    return _one_line(text).replace(",", r"\,").replace(" ", r"\ ")


def escape_key(text: str) -> str:
    """A tag key, tag value or field key: commas, equals signs and spaces escaped."""
    return escape_name(text).replace("=", r"\=")


def _one_line(text: str) -> str:
    # A backslash at the end would escape the separator that follows it.
    return " ".join(text.split("\n")).replace("\r", " ").rstrip("\\") or "_"


def unnamed(point_id: str) -> tuple[str, str, str]:
    """(domain, asset, property) of a point that the model does not describe (any more)."""
    asset, _, name = point_id.rpartition(".")
    return ("unknown", asset or point_id, name or "value")


class Lines:
    """Formats for the points of one store; `ids` by index, `model` what is known of them."""

    def __init__(self, ids: Sequence[str], model: Mapping[str, Described]) -> None:
        self.size = len(ids)
        self._heads: list[str] = []
        self._qualities: list[str] = []
        self._rollups: list[tuple[str, str, str]] = []
        for point_id in ids:
            known = model.get(point_id)
            domain, asset, name = (
                unnamed(point_id) if known is None else (known.domain, known.asset, known.property)
            )
            measurement, tag, field = escape_name(domain), escape_key(asset), escape_key(name)
            self._heads.append(f"{measurement},asset={tag} {field}=")
            self._qualities.append(f"{measurement},asset={tag} {field}_q=")
            self._rollups.append((measurement, tag, field))
        # One more string per (point, quality) that occurs, made when it is first met.
        self._tails: dict[int, str] = {}

    def readings(self, readings: Readings) -> list[str]:
        """One line a reading: value and quality, or the quality alone for a null."""
        heads, qualities, tails = self._heads, self._qualities, self._tails
        lines: list[str] = []
        add = lines.append
        for point, ts, value, quality in zip(
            readings.point.tolist(),
            readings.ts.tolist(),
            readings.value.tolist(),
            readings.quality.tolist(),
            strict=True,
        ):
            if value - value == 0.0:  # neither NaN nor infinite
                key = point << 8 | quality
                tail = tails.get(key)
                if tail is None:
                    field = self._rollups[point][2]
                    tail = tails[key] = f",{field}_q={quality}i "
                add(f"{heads[point]}{value!r}{tail}{ts}")
            else:
                add(f"{qualities[point]}{quality}i {ts}")
        return lines

    def rollups(self, table: Table, every: Every) -> list[str]:
        """One line a bucket: measurement `domain_1h`, fields `property_mean`, ...; NaN left out."""
        rows = table.rows
        columns = {name: rows[name].tolist() for name in ROLLUP_FIELDS}
        whole = zip(
            table.points.tolist(),
            rows["ts"].tolist(),
            rows["count"].tolist(),
            rows["good"].tolist(),
            (rows["covered_ms"] / 1000.0).tolist(),
            rows["flags"].tolist(),
            rows["revision"].tolist(),
            strict=True,
        )
        lines: list[str] = []
        for i, (point, ts, count, good, covered, flags, revision) in enumerate(whole):
            measurement, tag, field = self._rollups[point]
            fields = [
                f"{field}_count={count}i",
                f"{field}_good={good}i",
                f"{field}_covered_s={covered!r}",
                f"{field}_flags={flags}i",
                f"{field}_revision={revision}i",
            ]
            for name in ROLLUP_FIELDS:
                value = columns[name][i]
                if not math.isnan(value):
                    fields.append(f"{field}_{name}={value!r}")
            lines.append(f"{measurement}_{every},asset={tag} {','.join(fields)} {ts}")
        return lines


def newest_only(readings: Readings) -> Readings:
    """Readings in order of arrival without those that a later one of them replaces."""
    key = readings.point.astype(np.int64) << 42 ^ readings.ts
    _, last = np.unique(key[::-1], return_index=True)
    if len(last) == len(key):
        return readings
    keep = np.sort(len(key) - 1 - last)
    return Readings(
        readings.point[keep], readings.ts[keep], readings.value[keep], readings.quality[keep]
    )
