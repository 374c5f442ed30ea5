"""Roll-ups by the book, one reading at a time: slow, plain, and written apart from the product."""

from __future__ import annotations

import math
from typing import NamedTuple

MINUTE = 60_000


class Reading(NamedTuple):
    """One reading of one point."""

    ts: int
    value: float
    quality: int


class Bucket(NamedTuple):
    """What a bucket must say."""

    covered_ms: int
    count: int  # type: ignore[assignment]  # hides tuple.count
    good: int
    minimum: float
    maximum: float
    last: float
    mean: float
    increment: float
    flags: int


def usable(reading: Reading) -> bool:
    """A value that is not of bad quality."""
    return not math.isnan(reading.value) and reading.quality < 128


def reference(
    readings: list[Reading], start: int, end: int, stale_ms: int, counter: bool
) -> Bucket | None:
    """The bucket start..end of readings that are sorted by time; None when it is empty."""
    covered, weighed = 0, 0.0
    inside: list[Reading] = []
    for i, reading in enumerate(readings):
        if start <= reading.ts < end:
            inside.append(reading)
        if usable(reading):
            stop = min(reading.ts + stale_ms, end)
            if i + 1 < len(readings):
                stop = min(stop, readings[i + 1].ts)
            begin = max(reading.ts, start)
            if stop > begin:
                covered += stop - begin
                weighed += reading.value * (stop - begin)
    if not covered and not inside:
        return None
    fit = [r for r in inside if usable(r)]
    increment, flags = math.nan, 0
    if counter and fit:
        increment = 0.0
        previous = [r for r in readings if r.ts < start and usable(r)][-1:]
        for a, b in zip([*previous, *fit], [*previous, *fit][1:], strict=False):
            if b.value >= a.value:
                increment += b.value - a.value
            else:
                flags |= 1 if abs(b.value) <= 0.01 * abs(a.value) else 2
        if flags:
            increment = math.nan
    nan = math.nan
    return Bucket(
        covered,
        len(inside),
        sum(1 for r in fit if r.quality < 64),
        min((r.value for r in fit), default=nan),
        max((r.value for r in fit), default=nan),
        fit[-1].value if fit else nan,
        weighed / covered if covered else nan,
        increment,
        flags,
    )
