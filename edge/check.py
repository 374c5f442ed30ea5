"""Reads each point of a gateway file once and says what came: the check before a gateway runs."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

from edge.config import Device, Gateway
from edge.drivers.registry import opener

COLUMNS = ("device", "point", "raw", "value", "quality", "ms", "problem")


class Row(NamedTuple):
    """One point: raw as the device sent it, value in the point's unit, latency in ms."""

    device: str
    point: str
    raw: str
    value: float | None
    quality: int
    latency_ms: float
    problem: str


async def check(gateway: Gateway) -> tuple[list[Row], bool]:
    """Every point once, devices side by side; True when all of them came with good quality."""
    parts = await asyncio.gather(*(_check_device(device) for device in gateway.devices))
    rows = [row for part in parts for row in part]
    return rows, all(row.quality == 0 for row in rows)


async def _check_device(device: Device) -> list[Row]:
    driver = opener(device.driver)(device.id, device.settings, device.timeout_s, time.time)
    try:
        return [Row(device.id, *sample) for sample in await driver.sample()]
    finally:
        await driver.close()
