"""Moments and ranges as callers write them: ISO 8601 or Unix milliseconds; and back, for CSV.

Pure. A time without zone is the park's local time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

EARLIEST_MS: Final = 0
LATEST_MS: Final = 4_102_444_800_000
"""2100-01-01: nothing that a caller asks for lies outside 1970..2100."""

HOUR_MS: Final = 3_600_000


class NotAMoment(ValueError):
    """The text is neither ISO 8601 nor Unix milliseconds, or lies outside 1970..2100."""


def parse(text: str, zone: ZoneInfo) -> int:
    """Unix ms of `text`; raises `NotAMoment`."""
    text = text.strip()
    if len(text) > 40:
        raise NotAMoment("too long")
    if text.isascii() and text.isdigit():
        moment = int(text)
    else:
        # "+08:00" arrives as " 08:00" when the caller did not encode the plus sign.
        if len(text) > 16 and text[-6] == " " and text[-3] == ":":
            text = text[:-6] + "+" + text[-5:]
        try:
            stamp = datetime.fromisoformat(text)
            if stamp.tzinfo is None:
                stamp = stamp.replace(tzinfo=zone)
            since_epoch = stamp - datetime(1970, 1, 1, tzinfo=UTC)
        except (ValueError, OverflowError) as error:
            raise NotAMoment("not ISO 8601") from error
        moment = round(since_epoch.total_seconds() * 1000)
    if not EARLIEST_MS <= moment <= LATEST_MS:
        raise NotAMoment("outside 1970..2100")
    return moment


def iso(ts: NDArray[np.int64], zone: ZoneInfo) -> list[str]:
    """Local times with offset, e.g. ``2025-11-23T16:00:00.123+08:00``, one for each Unix ms."""
    if not len(ts):
        return []
    # Offsets change on the quarter of an hour at most, so one look-up serves a whole quarter.
    quarters, which = np.unique(ts // (HOUR_MS // 4), return_inverse=True)
    offsets = [
        datetime.fromtimestamp(int(q) * (HOUR_MS // 4) / 1000, zone).strftime("%z")
        for q in quarters
    ]
    minutes = [int(o[0] + "1") * (int(o[1:3]) * 60 + int(o[3:5])) for o in offsets]
    local = ts + np.asarray(minutes, np.int64)[which] * 60_000
    stamps = np.datetime_as_string(local.astype("datetime64[ms]"), unit="ms").tolist()
    suffixes = [f"{o[:3]}:{o[3:5]}" for o in offsets]
    return [stamp + suffixes[w] for stamp, w in zip(stamps, which.tolist(), strict=True)]
