"""Polls one Modbus TCP device: connection, timeouts, reads in blocks, readings out.

Owns its own connection, so a dead device costs nobody else anything. A failed read is a reading
with null and quality 134, never silence.
"""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from edge.drivers.driver import Driver, Sample
from edge.drivers.modbus_tcp.codec import Block, Decode, blocks_of, decoder
from edge.drivers.modbus_tcp.config import BIT_TABLES, ModbusTcpSettings
from edge.wire import READ_FAILED, Reading

# Modbus Application Protocol 1.1b3, 7: the answers that blame the request, not the device's state.
_ILLEGAL: Final = {1: "illegal function", 2: "illegal address", 3: "illegal value"}
_EXCEPTIONS: Final = _ILLEGAL | {
    4: "device failure",
    5: "acknowledge only",
    6: "device busy",
    10: "gateway path unavailable",
    11: "gateway target does not answer",
}
_BACKOFF_FIRST_S: Final = 0.5
_BACKOFF_MOST_S: Final = 30.0


class NoAnswer(Exception):
    """The device did not answer: not connected, timed out, or talked nonsense. Retriable."""


class Refused(Exception):
    """The device answered with a Modbus exception; `code` is its number."""

    def __init__(self, code: int) -> None:
        super().__init__(_EXCEPTIONS.get(code, f"exception {code}"))
        self.code = code


@dataclass(slots=True)
class _Read:
    """A block ready to be polled: where each signal's bytes lie, and how to decode them."""

    block: Block
    parts: list[tuple[str, int, int, Decode]]


def _ready(block: Block) -> _Read:
    step = 1 if block.table in BIT_TABLES else 2
    parts = []
    for signal in block.signals:
        begin = (signal.address - block.address) * step
        parts.append((signal.point, begin, begin + signal.width * step, decoder(signal)))
    return _Read(block, parts)


class ModbusTcpDriver:
    """One unit behind one TCP connection; see `edge.drivers.driver.Driver`."""

    def __init__(
        self,
        device: str,
        settings: ModbusTcpSettings,
        timeout_s: float,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._device = device
        self._settings = settings
        self._timeout = timeout_s
        self._clock = clock
        self._monotonic = monotonic
        self._client: AsyncModbusTcpClient | None = None
        self._reads = [_ready(block) for block in blocks_of(settings)]
        self._backoff = 0.0
        self._not_before = 0.0
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why the last poll failed, wholly or in part; empty when it did not."""
        return self._trouble

    async def poll(self) -> list[Reading]:
        """Every signal once. After one timeout the rest of the device is not tried in this poll."""
        readings: list[Reading] = []
        self._trouble = ""
        dead = False
        reads = list(self._reads)
        tried: list[_Read] = []
        while reads:
            read = reads.pop(0)
            if dead:
                tried.append(read)
                self._failed(read, readings)
                continue
            try:
                data = await self._fetch(read.block)
            except Refused as refusal:
                smaller = self._smaller(read.block) if refusal.code in _ILLEGAL else []
                if smaller:
                    reads[:0] = smaller
                    continue
                self._trouble = f"{refusal} at {read.block.table} {read.block.address}"
                self._failed(read, readings)
            except NoAnswer as problem:
                dead = True
                self._trouble = str(problem)
                self._failed(read, readings)
            else:
                ts = int(self._clock() * 1000)
                for point, begin, end, decode in read.parts:
                    value, quality, _ = decode(data[begin:end])
                    readings.append((point, ts, value, quality))
            tried.append(read)
        self._reads = tried
        return readings

    def _failed(self, read: _Read, readings: list[Reading]) -> None:
        ts = int(self._clock() * 1000)
        readings.extend((part[0], ts, None, READ_FAILED) for part in read.parts)

    def _smaller(self, block: Block) -> list[_Read]:
        """A refused block in parts, so that one wrong address costs only its own signal."""
        parts = block.halves(self._settings.gap, self._settings.max_registers)
        return [_ready(part) for part in parts] if len(parts) > 1 else []

    async def sample(self) -> list[Sample]:
        """Every signal once, with raw value, latency and the problem in words."""
        samples: list[Sample] = []
        reads = list(self._reads)
        while reads:
            read = reads.pop(0)
            begun = self._monotonic()
            data, problem = b"", ""
            try:
                data = await self._fetch(read.block)
            except Refused as refusal:
                smaller = self._smaller(read.block) if refusal.code in _ILLEGAL else []
                if smaller:
                    reads[:0] = smaller
                    continue
                problem = f"{refusal} at {read.block.table} {read.block.address}"
            except NoAnswer as silent:
                problem = str(silent)
            latency = (self._monotonic() - begun) * 1000
            for point, begin, end, decode in read.parts:
                if problem:
                    samples.append(Sample(point, "", None, READ_FAILED, latency, problem))
                    continue
                value, quality, raw = decode(data[begin:end])
                samples.append(Sample(point, f"{raw:.10g}", value, quality, latency, ""))
        return samples

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None
            # The transport closes in the loop's next turns; without them its socket would leak.
            await asyncio.sleep(0)

    async def _connected(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        if self._monotonic() < self._not_before:
            raise NoAnswer(f"not connected to {self._settings.address}, waiting to try again")
        if self._client is not None:
            self._client.close()
        self._client = client = AsyncModbusTcpClient(
            self._settings.host,
            port=self._settings.port,
            name=self._device,
            timeout=self._timeout,
            retries=0,
            reconnect_delay=0,  # this driver reconnects, at its polls
        )
        if not await client.connect():
            self._wait_longer()
            raise NoAnswer(f"cannot connect to {self._settings.address}")
        return client

    def _wait_longer(self) -> None:
        """Double the pause before the next attempt, with jitter so that devices do not march."""
        self._backoff = min(max(self._backoff * 2, _BACKOFF_FIRST_S), _BACKOFF_MOST_S)
        pause = self._backoff * random.uniform(0.5, 1.0)
        self._not_before = self._monotonic() + pause

    async def _fetch(self, block: Block) -> bytes:
        """The block's bytes: big-endian registers, or one byte 0/1 for each bit."""
        client = await self._connected()
        read = {
            "holding": client.read_holding_registers,
            "input": client.read_input_registers,
            "coil": client.read_coils,
            "discrete": client.read_discrete_inputs,
        }[block.table]
        try:
            answer: ModbusPDU = await read(
                block.address, count=block.count, device_id=self._settings.unit
            )
        except (ModbusException, OSError, struct.error, IndexError) as error:
            # A late answer on this connection would be taken for the next one's: start anew.
            client.close()
            self._wait_longer()
            problem = f"no answer from {self._settings.address} within {self._timeout:g} s"
            raise NoAnswer(problem) from error
        if answer.isError():
            code = int(getattr(answer, "exception_code", 0))
            if code in (10, 11):
                raise NoAnswer(f"{self._settings.address}: {_EXCEPTIONS[code]}")
            raise Refused(code)
        self._backoff = 0.0
        if block.table in BIT_TABLES:
            bits = answer.bits[: block.count]
            data = bytes(bits)
            wanted = block.count
        else:
            data = struct.pack(f">{len(answer.registers)}H", *answer.registers)
            wanted = block.count * 2
        if len(data) != wanted:
            client.close()
            raise NoAnswer(f"{self._settings.address} sent {len(data)} bytes for {wanted}")
        return data


def open_driver(
    device: str, settings: ModbusTcpSettings, timeout_s: float, clock: Callable[[], float]
) -> Driver:
    """A driver for one device; it connects at its first poll."""
    return ModbusTcpDriver(device, settings, timeout_s, clock)
