"""Rain that all simulators of a park share: showers that follow from the time and one seed.

Pure functions of time; nothing is stored, so two processes see the same rain.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

_WINDOW_S: Final = 6 * 3600
_MASK: Final = (1 << 64) - 1


def chance(*parts: int) -> float:
    """A number in [0, 1) that depends on the whole numbers given and nothing else (splitmix64)."""
    state = 0
    for part in parts:
        state = (state + part + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return (state >> 11) / float(1 << 53)


class Shower(NamedTuple):
    """One block of rain: start and stop in Unix s, intensity in mm/h."""

    start: float
    stop: float
    intensity: float


@lru_cache(maxsize=4096)
def _shower(seed: int, window: int) -> Shower | None:
    """Roughly one six-hour window in seven has a shower of 0.5-3 h with 2-30 mm/h."""
    if chance(seed, window, 1) > 0.14:
        return None
    start = window * _WINDOW_S + chance(seed, window, 2) * _WINDOW_S * 0.4
    length = 1800 + chance(seed, window, 3) * 9000
    return Shower(start, start + length, 2.0 + 28.0 * chance(seed, window, 4) ** 3)


def intensity(at: float, seed: int) -> float:
    """Rain at Unix second `at`, mm/h."""
    shower = _shower(seed, math.floor(at / _WINDOW_S))
    return shower.intensity if shower and shower.start <= at < shower.stop else 0.0


def response(at: float, seed: int, lag_s: float) -> float:
    """Rain seen through a linear reservoir of `lag_s`, mm/h: what a catchment delivers.

    The exact answer of dq/dt = (rain - q) / lag to every shower of the past eight lags.
    """
    total = 0.0
    last = math.floor(at / _WINDOW_S)
    for window in range(last - 1 - math.ceil(8 * lag_s / _WINDOW_S), last + 1):
        shower = _shower(seed, window)
        if shower is None or at <= shower.start:
            continue
        stop = min(at, shower.stop)
        filled = shower.intensity * (1.0 - math.exp((shower.start - stop) / lag_s))
        total += filled * math.exp((stop - at) / lag_s)
    return total
