"""Runs one gateway: devices polled into the outbox, the outbox sent to the platform.

Owns wiring, supervision and the regular status line; a signal handler outside sets `stop`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import structlog

from edge.broker import BrokerAddress
from edge.config import Gateway
from edge.drivers.registry import opener
from edge.outbox import Outbox, OutboxCounters
from edge.poll import PollCounters, poll_forever
from edge.send_window import SendWindow
from edge.uplink import Uplink, UplinkCounters

log = structlog.get_logger()

_STATUS_EVERY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class GatewayCounters:
    """Live counters of a running gateway; `devices` by device id."""

    devices: Mapping[str, PollCounters]
    outbox: OutboxCounters
    uplink: UplinkCounters


async def run(
    gateway: Gateway,
    broker: BrokerAddress,
    home: Path,
    stop: asyncio.Event,
    *,
    software: str = "",
    window: SendWindow | None = None,
    on_start: asyncio.Future[GatewayCounters] | None = None,
) -> None:
    """Run until `stop` is set, then put everything on disk, send what the link takes, and leave.

    home: folder for the outbox. Raises OutboxInUse, OSError or sqlite3.Error when the outbox cannot
    be opened; on_start: receives the counters once running.
    """
    # pymodbus logs every timeout as an error; the poll loop says it once.
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
    uplinks: list[Uplink] = []

    def committed() -> None:
        for uplink in uplinks:
            uplink.wake()

    outbox = await asyncio.to_thread(Outbox, home / gateway.id, gateway.outbox, on_commit=committed)
    try:
        uplink = Uplink(
            gateway.id,
            broker,
            outbox,
            config=gateway.hash,
            software=software,
            window=window or SendWindow(outbox.epoch),
        )
        uplinks.append(uplink)
        uplink.start()
        devices = {device.id: PollCounters() for device in gateway.devices}
        counters = GatewayCounters(devices, outbox.counters, uplink.counters)
        log.info("gateway started", gateway=gateway.id, devices=len(devices))
        if on_start is not None:
            on_start.set_result(counters)
        try:
            await _poll_until(stop, gateway, outbox, uplink, counters)
        finally:
            flushed = await asyncio.to_thread(outbox.flush, 10.0)
            await asyncio.to_thread(uplink.stop)
            log.info("gateway stopped", gateway=gateway.id, all_on_disk=flushed)
    finally:
        await asyncio.to_thread(outbox.close)


async def _poll_until(
    stop: asyncio.Event,
    gateway: Gateway,
    outbox: Outbox,
    uplink: Uplink,
    counters: GatewayCounters,
) -> None:
    """One task a device, until `stop`; a task that ends by itself ends the gateway."""
    drivers = [
        opener(device.driver)(device.id, device.settings, device.timeout_s, time.time)
        for device in gateway.devices
    ]
    tasks = [
        asyncio.create_task(
            poll_forever(
                device, driver, outbox.append, lambda: outbox.full, counters.devices[device.id]
            ),
            name=device.id,
        )
        for device, driver in zip(gateway.devices, drivers, strict=True)
    ]
    status = asyncio.create_task(_tell_status(gateway.id, counters))
    watch = asyncio.create_task(_watch(outbox, uplink))
    waiting = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait(
            [waiting, status, watch, *tasks], return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            task.result()
    finally:
        for task in (waiting, status, watch, *tasks):
            task.cancel()
        await asyncio.gather(waiting, status, watch, *tasks, return_exceptions=True)
        for driver in drivers:
            await driver.close()


async def _watch(outbox: Outbox, uplink: Uplink) -> None:
    """A thread that ended would be silence: better to end the process and be started again."""
    while True:
        await asyncio.sleep(1.0)
        if not (outbox.running and uplink.running):
            raise RuntimeError("the outbox's or the uplink's thread ended; see the traceback above")


async def _tell_status(gateway: str, counters: GatewayCounters) -> None:
    while True:
        await asyncio.sleep(_STATUS_EVERY_S)
        polls = counters.devices.values()
        log.info(
            "gateway status",
            gateway=gateway,
            polls=sum(device.polls for device in polls),
            troubled=sum(device.troubled for device in polls),
            overruns=sum(device.overruns for device in polls),
            paused=sum(device.paused for device in polls),
            outbox=asdict(counters.outbox),
            uplink=asdict(counters.uplink),
        )
