"""One simulated Modbus unit: registers computed at the moment they are read.

Encodes exactly as the gateway file declares. Coil 9000 switches the device's fault on and off,
coil 9001 makes it fall silent for a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from pymodbus.constants import ExcCodes
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.drivers.modbus_tcp.codec import decoder, encode
from edge.drivers.modbus_tcp.config import BIT_TABLES, ModbusTcpSettings, Signal
from edge.sim.behaviour import Behaviour
from edge.sim.record import Record, Served

FAULT_COIL: Final = 9000
SILENCE_COIL: Final = 9001
SILENCE_S: Final = 60.0

_WRITES: Final = (5, 15)  # one coil, many coils
_TABLE_OF: Final = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


@dataclass(slots=True)
class _Cell:
    """A signal with what fills it."""

    signal: Signal
    value: Callable[[float], float | None]


class SimulatedUnit:
    """The data of one unit id behind a pymodbus server."""

    def __init__(
        self,
        device: str,
        settings: ModbusTcpSettings,
        behaviour: Behaviour,
        clock: Callable[[], float],
        record: Record | None,
        stopping: asyncio.Event,
    ) -> None:
        self.device = device
        self.settings = settings
        self._clock = clock
        self._record = record
        self._stopping = stopping
        self._fault = behaviour.faults.get(device)
        self._fault_since: float | None = None
        self._silent_until = 0.0
        self._cells: dict[str, list[_Cell]] = {table: [] for table in _TABLE_OF.values()}
        for signal in settings.signals:
            shape = behaviour.points[signal.point]
            self._cells[signal.table].append(_Cell(signal, shape.value))

    def fault(self, on: bool) -> None:
        """Switch the device's fault, as coil 9000 does."""
        self._fault_since = self._clock() if on else None

    def silence(self, seconds: float) -> None:
        """Stop answering for that long, as coil 9001 does."""
        self._silent_until = self._clock() + seconds

    def sim_device(self) -> SimDevice:
        """The unit for a pymodbus server: four tables, unused addresses illegal."""
        bits = {FAULT_COIL // 16, SILENCE_COIL // 16}
        coils = bits | self._words("coil")
        tables = (
            [_word(address, DataType.BITS) for address in sorted(coils)],
            [_word(address, DataType.BITS) for address in sorted(self._words("discrete") or {0})],
            [_word(a, DataType.REGISTERS) for a in sorted(self._words("holding") or {65535})],
            [_word(a, DataType.REGISTERS) for a in sorted(self._words("input") or {65535})],
        )
        return SimDevice(id=self.settings.unit, simdata=tables, action=self._act)

    def _words(self, table: str) -> set[int]:
        """Addresses that exist, in words of 16 bits for the bit tables as pymodbus counts them."""
        found: set[int] = set()
        for cell in self._cells[table]:
            first, width = cell.signal.address, cell.signal.width
            if table in BIT_TABLES:
                found.add(first // 16)
            else:
                found.update(range(first, first + width))
        return found

    async def _act(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """pymodbus calls this before it answers: fill what is asked for, or act on a write."""
        if written is not None:
            self._write(function, address, list(written))
            return None
        if function in _WRITES:
            return None  # pymodbus reads back what it wrote, to answer
        now = self._clock()
        if now < self._silent_until:
            await self._stay_silent()
            return ExcCodes.DEVICE_FAILURE
        table = _TABLE_OF.get(function)
        if table is None:
            return ExcCodes.ILLEGAL_FUNCTION
        bits = table in BIT_TABLES
        # pymodbus passes a bit table's count in words, rounded up.
        stop = address + (count * 16 if bits else count)
        for cell in self._touched(table, address, stop):
            data = encode(cell.signal, self._value(cell, now))
            if bits:
                word, bit = divmod(cell.signal.address, 16)
                mask = 1 << bit
                old = registers[word - start]
                registers[word - start] = (old | mask) if data[0] else (old & ~mask)
            else:
                self._store(cell.signal, data, registers, start)
            if self._record is not None and self._whole(cell.signal, address, stop):
                value = decoder(cell.signal)(data)[0]
                self._record.add(Served(self.device, cell.signal.point, data, value, now))
        return None

    def _store(self, signal: Signal, data: bytes, registers: list[int], start: int) -> None:
        at = signal.address - start
        for i in range(signal.width):
            word = int.from_bytes(data[2 * i : 2 * i + 2], "big")
            if signal.type == "bool":  # other bits of this register belong to other signals
                word |= registers[at] & ~(1 << signal.bit)
            registers[at + i] = word

    def _touched(self, table: str, begin: int, stop: int) -> Iterable[_Cell]:
        for cell in self._cells[table]:
            first = cell.signal.address
            if first < stop and first + cell.signal.width > begin:
                yield cell

    @staticmethod
    def _whole(signal: Signal, begin: int, stop: int) -> bool:
        return begin <= signal.address and signal.address + signal.width <= stop

    def _value(self, cell: _Cell, now: float) -> float | None:
        value = cell.value(now)
        fault, since = self._fault, self._fault_since
        if value is None or fault is None or since is None or cell.signal.point != fault.point:
            return value
        grown = min((now - since) / fault.ramp_s, 1.0) if fault.ramp_s > 0 else 1.0
        return value + fault.add * max(grown, 0.0)

    def _write(self, function: int, address: int, values: list[int] | list[bool]) -> None:
        if function not in _WRITES:
            return
        for i, value in enumerate(values):
            if address + i == FAULT_COIL:
                self.fault(bool(value))
            elif address + i == SILENCE_COIL and value:
                self.silence(SILENCE_S)

    async def _stay_silent(self) -> None:
        """Hold the answer back while the device is silent, or until the server stops."""
        while self._clock() < self._silent_until and not self._stopping.is_set():
            try:
                await asyncio.wait_for(self._stopping.wait(), 1.0)
            except TimeoutError:
                continue


def _word(address: int, kind: DataType) -> SimData:
    if kind is DataType.BITS:
        return SimData(address * 16, values=[False] * 16, datatype=kind)
    return SimData(address, values=0, datatype=kind)
