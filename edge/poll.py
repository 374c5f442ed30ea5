"""Polls one device on its own schedule and hands readings to the outbox.

The schedule stands on a monotonic clock, aligned to the period in wall time when it starts, and
does not drift; a poll that takes too long skips slots, which are counted and never queued.
"""

from __future__ import annotations

import asyncio
import math
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from edge.config import Device
from edge.drivers.driver import Driver
from edge.wire import READ_FAILED, Reading

log = structlog.get_logger()


@dataclass(slots=True)
class PollCounters:
    """One device since start; `troubled` polls had at least one failed read."""

    polls: int = 0
    readings: int = 0
    troubled: int = 0
    overruns: int = 0
    paused: int = 0


class Schedule:
    """Slots every `period` s from an aligned start: which is due next, and how many were missed."""

    def __init__(self, period: float, phase: float, wall: float, monotonic: float) -> None:
        """phase: s after the aligned moment, so that devices do not all poll at once."""
        self._period = period
        self._base = monotonic - (wall - phase) % period
        self._slot = 1

    def due(self) -> float:
        """Monotonic time of the next poll."""
        return self._base + self._slot * self._period

    def done(self, monotonic: float) -> int:
        """The poll of this slot ended; returns how many slots passed meanwhile."""
        passed = math.floor((monotonic - self._base) / self._period)
        missed = max(passed - self._slot, 0)
        self._slot += missed + 1
        return missed


def phase_of(device: Device) -> float:
    """A fixed place within the first second of the period for each device, s."""
    return zlib.crc32(device.id.encode()) % 1000 / 1000 * min(device.every_s, 1.0)


async def poll_forever(
    device: Device,
    driver: Driver,
    take: Callable[[Sequence[Reading]], bool],
    full: Callable[[], bool],
    counters: PollCounters,
    *,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Poll until cancelled; while `full()` says so, polls are left out and counted."""
    schedule = Schedule(device.every_s, phase_of(device), clock(), monotonic())
    trouble = ""
    while True:
        await asyncio.sleep(max(schedule.due() - monotonic(), 0))
        if full():
            counters.paused += 1
        else:
            readings, problem = await _poll(device, driver, clock)
            take(readings)
            counters.polls += 1
            counters.readings += len(readings)
            counters.troubled += bool(problem)
            if bool(problem) != bool(trouble):
                if problem:
                    log.warning("device in trouble", device=device.id, problem=problem)
                else:
                    log.info("device answers again", device=device.id)
            trouble = problem
        counters.overruns += schedule.done(monotonic())


async def _poll(
    device: Device, driver: Driver, clock: Callable[[], float]
) -> tuple[list[Reading], str]:
    try:
        return await driver.poll(), driver.trouble
    except Exception as error:
        log.exception("driver failed", device=device.id)
        ts = int(clock() * 1000)
        failed = [(point, ts, None, READ_FAILED) for point in device.settings.points]
        return list[Reading](failed), f"driver failed: {error}"
