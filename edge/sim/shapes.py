"""What a simulated point does over time: daily and weekly patterns, rain, noise, work shifts.

Every shape is a pure function of time and seed, so values need no state and two processes agree.
Counters are exact integrals, so they never fall.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from edge.sim import rain

DAY: Final = 86400.0
WEEK: Final = 7 * DAY
ORIGIN: Final = 1767196800.0
"""Counters count from 2026-01-01 00:00 at UTC+8."""

# One value an hour, straight lines between; mean about 1.
DOMESTIC: Final = (
    0.45, 0.35, 0.30, 0.30, 0.35, 0.60, 1.10, 1.60, 1.50, 1.25, 1.15, 1.20,
    1.35, 1.20, 1.05, 1.00, 1.05, 1.20, 1.45, 1.60, 1.50, 1.25, 0.95, 0.70,
)  # fmt: skip
TWO_SHIFTS: Final = (
    0.30, 0.28, 0.28, 0.28, 0.30, 0.40, 0.75, 1.20, 1.55, 1.65, 1.65, 1.55,
    1.20, 1.45, 1.65, 1.65, 1.60, 1.40, 1.20, 1.25, 1.25, 1.10, 0.70, 0.40,
)  # fmt: skip
TRAFFIC: Final = (
    0.55, 0.50, 0.48, 0.48, 0.52, 0.65, 0.95, 1.30, 1.40, 1.25, 1.15, 1.12,
    1.10, 1.10, 1.12, 1.15, 1.25, 1.40, 1.38, 1.25, 1.12, 1.00, 0.85, 0.68,
)  # fmt: skip


def interpolate(table: tuple[float, ...], at: float, period: float) -> float:
    """Straight lines through `table`, spread evenly over `period` s and repeating."""
    step = period / len(table)
    index, rest = divmod(at % period, step)
    here = table[int(index) % len(table)]
    after = table[(int(index) + 1) % len(table)]
    return here + (after - here) * rest / step


def integral(table: tuple[float, ...], at: float, period: float) -> float:
    """The integral of `interpolate` from 0 to `at`, exactly."""
    step = period / len(table)
    size = len(table)
    turns, rest = divmod(at, period)
    total = turns * sum(table) * step
    index, part = divmod(rest, step)
    for i in range(int(index)):
        total += (table[i] + table[(i + 1) % size]) / 2 * step
    here, after = table[int(index) % size], table[(int(index) + 1) % size]
    return total + here * part + (after - here) * part * part / (2 * step)


def week_of(day: tuple[float, ...], weekend: float) -> tuple[float, ...]:
    """Seven days from one, Thursday first as Unix time does, weekend scaled by `weekend`."""
    factors = (1.0, 1.0, weekend, weekend, 1.0, 1.0, 1.0)
    return tuple(value * factor for factor in factors for value in day)


def wander(at: float, seed: int, step_s: float) -> float:
    """Smooth noise in -1..1: one fresh value every `step_s`, eased between."""
    knot = math.floor(at / step_s)
    part = at / step_s - knot
    part = part * part * (3 - 2 * part)
    here, after = rain.chance(seed, knot) * 2 - 1, rain.chance(seed, knot + 1) * 2 - 1
    return here + (after - here) * part


class Shape(Protocol):
    """A point's behaviour."""

    def value(self, at: float) -> float:
        """The value at Unix second `at`, in the point's unit."""
        ...


class Rate(Shape, Protocol):
    """A shape whose integral is known, for counters."""

    def amount(self, at: float) -> float:
        """The integral of `value` from `ORIGIN` to `at`, in unit-seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of one point in the simulator file; each shape uses some of them.

    mean: centre; swing: height of the daily pattern as a share of mean (levels: in m);
    rain: answer to 10 mm/h of rain in the point's unit; lag_s: how slowly; noise: standard height
    of the noise in the point's unit; seed: own luck; shift_s: moves the pattern in time;
    weekend: weekend's share of a working day; factor, start: for counters; floor: lowest value.
    """

    mean: float = 1.0
    swing: float = 0.5
    rain: float = 0.0
    lag_s: float = 2400.0
    noise: float = 0.0
    seed: int = 0
    shift_s: float = 0.0
    weekend: float = 0.6
    factor: float = 1 / 3600
    start: float = 0.0
    floor: float = 0.0
    of: str = ""


@dataclass(frozen=True, slots=True)
class Patterned:
    """A pattern by the hour and weekday, rain and noise on top; never below the floor."""

    settings: Settings
    pattern: tuple[float, ...]
    offset_s: float
    rain_seed: int
    relative: bool = True

    def value(self, at: float) -> float:
        s = self.settings
        form = interpolate(self.pattern, at + self.offset_s - s.shift_s, WEEK)
        value = s.mean * (1 + s.swing * (form - 1)) if self.relative else s.mean
        if not self.relative:
            value += s.swing * (form - 1)
        if s.rain:
            value += s.rain * rain.response(at, self.rain_seed, s.lag_s) / 10.0
        if s.noise:
            value += s.noise * (0.7 * wander(at, s.seed, 300) + 0.5 * wander(at, s.seed + 7919, 11))
        return max(value, s.floor)


@dataclass(frozen=True, slots=True)
class Working:
    """Power or water drawn by a works: shifts, weekends and two slow swings; has an integral."""

    settings: Settings
    pattern: tuple[float, ...]
    offset_s: float

    def _waves(self) -> tuple[tuple[float, float, float], ...]:
        """(height, angular speed, phase): together they stay below the pattern's lowest point."""
        s = self.settings
        lowest = min(1 + s.swing * (form - 1) for form in self.pattern)
        room = min(max(lowest, 0.0), s.noise / s.mean if s.mean else 0.0)
        slow = 700.0 + 900.0 * rain.chance(s.seed, 3)
        quick = 47.0 + 60.0 * rain.chance(s.seed, 4)
        turn = 2 * math.pi
        return (
            (0.6 * room, turn / slow, turn * rain.chance(s.seed, 5)),
            (0.4 * room, turn / quick, turn * rain.chance(s.seed, 6)),
        )

    def value(self, at: float) -> float:
        s = self.settings
        form = interpolate(self.pattern, at + self.offset_s - s.shift_s, WEEK)
        waves = sum(height * math.sin(speed * at + phase) for height, speed, phase in self._waves())
        return s.mean * (1 + s.swing * (form - 1) + waves)

    def amount(self, at: float) -> float:
        s = self.settings
        return s.mean * (self._primitive(at) - self._primitive(ORIGIN))

    def _primitive(self, at: float) -> float:
        s = self.settings
        form = integral(self.pattern, at + self.offset_s - s.shift_s, WEEK)
        waves = sum(
            -height / speed * math.cos(speed * at + phase) for height, speed, phase in self._waves()
        )
        return at * (1 - s.swing) + s.swing * form + waves


@dataclass(frozen=True, slots=True)
class Counter:
    """A meter's register: start + factor * integral of another point."""

    settings: Settings
    rate: Rate

    def value(self, at: float) -> float:
        return self.settings.start + self.settings.factor * self.rate.amount(at)


@dataclass(frozen=True, slots=True)
class Air:
    """A pollutant or the weather: two daily harmonics, days that differ, washed out by rain."""

    settings: Settings
    offset_s: float
    rain_seed: int
    peak_h: float

    def value(self, at: float) -> float:
        s = self.settings
        hour = ((at + self.offset_s - s.shift_s) % DAY) / 3600
        daily = math.cos((hour - self.peak_h) / 24 * 2 * math.pi)
        spell = wander(at, s.seed + 13, 2 * DAY)
        value = s.mean + s.swing * (0.7 * daily + 0.6 * spell)
        if s.rain:
            value += s.rain * rain.response(at, self.rain_seed, s.lag_s) / 10.0
        if s.noise:
            value += s.noise * (0.7 * wander(at, s.seed, 600) + 0.5 * wander(at, s.seed + 7919, 17))
        return max(value, s.floor)


@dataclass(frozen=True, slots=True)
class Rain:
    """Rain gauge, mm/h."""

    rain_seed: int

    def value(self, at: float) -> float:
        return rain.intensity(at, self.rain_seed)


@dataclass(frozen=True, slots=True)
class Constant:
    """Always `mean`."""

    settings: Settings

    def value(self, at: float) -> float:
        return self.settings.mean

    def amount(self, at: float) -> float:
        return self.settings.mean * (at - ORIGIN)


class Ticket:
    """Each read gets the next whole number: a test can tell whether every read was stored once."""

    def __init__(self) -> None:
        self._last = 0

    def value(self, at: float) -> float:
        self._last += 1
        return float(self._last)


SHAPES: Final = (
    "sewer_flow", "sewer_level", "storm_level", "storm_flow", "rain", "power", "water", "energy",
    "volume", "pm25", "pm10", "gas", "noise_db", "temperature", "humidity", "dissolved_oxygen",
    "cod", "ammonia", "conductivity", "constant", "ticket",
)  # fmt: skip


def make(
    name: str, settings: Settings, offset_s: float, rain_seed: int, others: Mapping[str, Shape]
) -> Shape:
    """The shape called `name`.

    offset_s: local time minus UTC; others: the shapes made so far, for a counter's `of`. Raises
    KeyError when `of` is not there, ValueError when it has no integral or the name is unknown.
    """
    domestic = week_of(DOMESTIC, 0.9)
    works = week_of(TWO_SHIFTS, settings.weekend)
    match name:
        case "sewer_flow" | "cod" | "ammonia" | "conductivity":
            return Patterned(settings, domestic, offset_s, rain_seed)
        case "sewer_level":
            return Patterned(settings, domestic, offset_s, rain_seed, relative=False)
        case "storm_level" | "storm_flow":
            return Patterned(settings, (1.0,) * 168, offset_s, rain_seed)
        case "rain":
            return Rain(rain_seed)
        case "power" | "water":
            return Working(settings, works, offset_s)
        case "energy" | "volume":
            rate = others[settings.of]
            if not isinstance(rate, Working | Constant):
                raise ValueError(f"{settings.of} has no integral: use a power, water or constant")
            return Counter(settings, rate)
        case "pm25" | "pm10" | "gas":
            return Air(settings, offset_s, rain_seed, peak_h=8.5)
        case "temperature" | "dissolved_oxygen":
            return Air(settings, offset_s, rain_seed, peak_h=15.0)
        case "humidity":
            return Air(settings, offset_s, rain_seed, peak_h=4.0)
        case "noise_db":
            return Patterned(settings, week_of(TRAFFIC, 0.85), offset_s, rain_seed, relative=False)
        case "constant":
            return Constant(settings)
        case "ticket":
            return Ticket()
        case _:
            raise ValueError(f"unknown shape {name}")
