"""Days, hours and months of the park's time zone, as Unix ms. Buckets of every width are counted
from local midnight, so a day has 23 or 25 hours where clocks are changed.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from ingest.history.protocol import Every

Span = Literal["day", "month"]
WIDTH_MS: Final[dict[Every, int]] = {
    "1m": 60_000,
    "15m": 900_000,
    "1h": 3_600_000,
    "1d": 86_400_000,
}
_EPOCH = dt.date(1970, 1, 1)


class Calendar:
    """Local time of one IANA zone."""

    def __init__(self, timezone: str) -> None:
        self.zone = ZoneInfo(timezone)
        self._midnight = lru_cache(maxsize=4096)(self._compute_midnight)

    def _compute_midnight(self, day: int) -> int:
        date = _EPOCH + dt.timedelta(days=day)
        moment = dt.datetime(date.year, date.month, date.day, tzinfo=self.zone)
        return round(moment.timestamp() * 1000)

    def day(self, ts: int) -> int:
        """Number of the local day (days since 1970-01-01) of a time."""
        local = dt.datetime.fromtimestamp(ts / 1000, self.zone).date()
        return (local - _EPOCH).days

    def midnight(self, day: int) -> int:
        """When the local day `day` begins, Unix ms."""
        return self._midnight(day)

    def span(self, ts: int, span: Span) -> tuple[str, int, int]:
        """The local day or month that holds `ts`: its name (ISO), begin and end, Unix ms."""
        day = self.day(ts)
        date = _EPOCH + dt.timedelta(days=day)
        if span == "day":
            return date.isoformat(), self.midnight(day), self.midnight(day + 1)
        first = date.replace(day=1)
        following = (first + dt.timedelta(days=32)).replace(day=1)
        begin = self.midnight((first - _EPOCH).days)
        return f"{first:%Y-%m}", begin, self.midnight((following - _EPOCH).days)

    def named(self, name: str) -> tuple[int, int]:
        """Begin and end of the day ``2026-11-23`` or month ``2026-11``; ValueError otherwise."""
        date = dt.date.fromisoformat(name if len(name) > 7 else name + "-01")
        midday = self.midnight((date - _EPOCH).days) + 12 * 3_600_000
        got, begin, end = self.span(midday, "day" if len(name) > 7 else "month")
        if got != name:
            raise ValueError(name)
        return begin, end

    def starts(self, ts: NDArray[np.int64], every: Every) -> NDArray[np.int64]:
        """The start of the bucket that holds each time; same shape."""
        if not len(ts):
            return ts.astype(np.int64)
        low, high = self.day(int(ts.min())), self.day(int(ts.max()))
        edges = np.array([self.midnight(day) for day in range(low, high + 1)], np.int64)
        begin = edges[np.searchsorted(edges, ts, side="right") - 1]
        if every == "1d":
            return begin
        width = WIDTH_MS[every]
        return begin + (ts - begin) // width * width

    def start(self, ts: int, every: Every) -> int:
        """The start of the bucket that holds `ts`."""
        return int(self.starts(np.array([ts], np.int64), every)[0])

    def end(self, start: int, every: Every) -> int:
        """Where the bucket that begins at `start` ends."""
        if every == "1d":
            return self.midnight(self.day(start) + 1)
        return min(start + WIDTH_MS[every], self.midnight(self.day(start) + 1))
