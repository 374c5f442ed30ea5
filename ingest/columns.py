"""Rows of many messages to columns in one go, with the rules that need every reading looked at.

Pure. Time is corrected by the gateway's clock and judged, unknown points and impossible times are
marked, and a value outside its physical range is kept but no longer called good.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ingest.decode import Fault, Row, show
from ingest.readings import Readings
from twin.quality import BAD, CLOCK, COMMS, RANGE, UNCERTAIN

EARLIEST_MS: Final = 1_577_836_800_000  # 2020-01-01
FUTURE_MS: Final = 5 * 60_000
LATE_MS: Final = 7 * 24 * 3600 * 1000

Lookup = Callable[[str, int], int]
"""Point id to number, or the default: ``points.lookup().get``."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Physical range by point number (float64, -inf and inf where open)."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def open(cls) -> Limits:
        """No limits at all."""
        return cls(np.empty(0), np.empty(0))

    @classmethod
    def of(cls, ranges: Iterable[tuple[float | None, float | None]]) -> Limits:
        """From (low, high) by point number; None is open."""
        pairs = list(ranges)
        return cls(
            np.array([-np.inf if low is None else low for low, _ in pairs], np.float64),
            np.array([np.inf if high is None else high for _, high in pairs], np.float64),
        )

    def violated(self, point: NDArray[np.int32], value: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Where a value lies outside; never for null or for a point without limits."""
        if not len(self.low):
            return np.zeros(len(point), np.bool_)
        known = point < len(self.low)
        at = np.where(known, point, 0)
        return known & ((value < self.low[at]) | (value > self.high[at]))


def native_columns(rows: Sequence[Row], lookup: Lookup) -> Readings:
    """Rows as columns, the device's own times; point -1 where the id is unknown."""
    if not rows:
        return Readings.empty()
    # One flat list and four slices: half the time of zip(*rows) or of four comprehensions.
    flat: list[Any] = list(chain.from_iterable(rows))
    return Readings(
        np.fromiter(map(lookup, flat[0::4], repeat(-1)), np.int32, len(rows)),
        np.array(flat[1::4], np.int64),
        np.array(flat[2::4], np.float64),  # None becomes NaN
        np.frombuffer(bytes(flat[3::4]), np.uint8),
    )


def foreign_columns(rows: Sequence[tuple[int, int, float, int]]) -> Readings:
    """Rows that already carry point numbers as columns."""
    if not rows:
        return Readings.empty()
    flat: list[Any] = list(chain.from_iterable(rows))
    return Readings.of(flat[0::4], flat[1::4], flat[2::4], flat[3::4])


def judge(
    readings: Readings,
    received_at: NDArray[np.int64],
    shift: NDArray[np.int64] | None,
    late_ms: NDArray[np.int64] | None,
    limits: Limits,
) -> tuple[Readings, NDArray[np.bool_] | None]:
    """Correct times, set qualities, and mark what must not be stored (None: nothing).

    received_at and shift (ms to add to the device's time) are per reading; late_ms is how late a
    reading may be, or None when lateness is no matter.
    """
    ts, quality = readings.ts, readings.quality
    if shift is not None:
        ts = ts + shift
        quality = np.where((shift != 0) & (quality < UNCERTAIN), UNCERTAIN | CLOCK, quality)
    null = np.isnan(readings.value)
    quality = np.where(null & (quality < UNCERTAIN), BAD | COMMS, quality)
    outside = limits.violated(readings.point, readings.value) & (quality < UNCERTAIN)
    quality = np.where(outside, UNCERTAIN | RANGE, quality).astype(np.uint8)
    bad = (readings.point < 0) | (ts < EARLIEST_MS) | (ts > received_at + FUTURE_MS)
    if late_ms is not None:
        bad |= ts < received_at - late_ms
    judged = Readings(readings.point, ts, readings.value, quality)
    return judged, bad if bad.any() else None


def explain_native(row: Row, shift: int, received_at: int) -> Fault:
    """Why `judge` marked a native row."""
    point, ts, value, quality = row
    raw = json.dumps([point, ts, value, quality], ensure_ascii=False).encode(errors="replace")
    problem = explain_time(ts + shift, received_at)
    if problem is not None:
        return *problem, raw
    if not point.isprintable():
        return "unknown-point", f"the point id {show(point)} has control characters", raw
    return "unknown-point", f"point {show(point)} is not in the park model", raw


def explain_time(ts: int, received_at: int, late_ms: int | None = None) -> tuple[str, str] | None:
    """(code, sentence) when a corrected time is impossible."""
    if ts < EARLIEST_MS:
        return "time", f"the time {instant(ts)} is before 2020"
    if ts > received_at + FUTURE_MS:
        return "time", f"the time {instant(ts)} lies in the future of its arrival"
    if late_ms is not None and ts < received_at - late_ms:
        days = (received_at - ts) / 86_400_000
        return "late", f"the time {instant(ts)} is {days:.1f} days before its arrival; limit 7"
    return None


def instant(ts: int) -> str:
    """Unix ms as ISO 8601 where there is such a date."""
    try:
        return datetime.fromtimestamp(ts / 1000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return f"{ts} ms"
