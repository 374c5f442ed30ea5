"""Settings of a Modbus TCP device in the gateway file: where it is, and its signals.

Owns the checks; it imports no protocol code, so the platform can check a file with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge.form import Form

TABLES: Final = ("holding", "input", "coil", "discrete")
BIT_TABLES: Final = ("coil", "discrete")
ORDERS: Final = ("ABCD", "CDAB", "BADC", "DCBA")
REGISTERS: Final = {
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "int64": 4,
    "uint64": 4,
    "float32": 2,
    "float64": 4,
    "bool": 1,
}
"""Width of each type in registers (a bool in a bit table is one bit)."""

MAX_REGISTERS: Final = 125  # Modbus Application Protocol 1.1b3, 6.3 and 6.4
MAX_BITS: Final = 2000  # the same, 6.1 and 6.2


@dataclass(frozen=True, slots=True)
class Signal:
    """One value of the device: value = raw * scale + offset, in the point's unit.

    address counts from 0 as on the wire; bit (0..15) picks one bit of a register for a bool; a raw
    value outside low..high is bad by range.
    """

    point: str
    table: str
    address: int
    type: str
    order: str = "ABCD"
    bit: int = 0
    scale: float = 1.0
    offset: float = 0.0
    low: float | None = None
    high: float | None = None

    @property
    def width(self) -> int:
        """Registers, or bits in a bit table, that the value takes."""
        return REGISTERS[self.type]


@dataclass(frozen=True, slots=True)
class ModbusTcpSettings:
    """A device: TCP address, unit id, signals; reads may bridge `gap` unused registers."""

    host: str
    port: int
    unit: int
    signals: tuple[Signal, ...]
    gap: int = 8
    max_registers: int = MAX_REGISTERS

    @property
    def points(self) -> tuple[str, ...]:
        """Point ids in file order."""
        return tuple(signal.point for signal in self.signals)

    @property
    def address(self) -> str:
        """``host:port unit n``."""
        return f"{self.host}:{self.port} unit {self.unit}"


def read_settings(form: Form, port_offset: int) -> ModbusTcpSettings:
    """Read the device's own keys; errors go to the form."""
    host = form.text("host", pattern=r"[A-Za-z0-9_.:-]{1,253}", say="a host name or IP address")
    port = form.integer("port", 1, 65535, 502) + port_offset
    if not 1 <= port <= 65535:
        form.wrong("port", port, "is out of range with the port offset", "Use a smaller offset.")
    unit = form.integer("unit", 0, 255, 1)
    gap = form.integer("gap", 0, 100, 8)
    most = form.integer("max_registers", 1, MAX_REGISTERS, MAX_REGISTERS)
    signals = tuple(_signal(part, most) for part in form.children("signals", say="a signal"))
    return ModbusTcpSettings(host, port, unit, signals, gap, most)


def _signal(form: Form, most: int) -> Signal:
    point = form.bind("point")
    table = form.choice("table", TABLES)
    bits = table in BIT_TABLES
    kind = form.choice("type", tuple(REGISTERS), "bool" if bits else None)
    if bits and kind != "bool":
        form.wrong("type", kind, f"cannot stand in a {table} table", "Use bool, or another table.")
        kind = "bool"
    signal = Signal(
        point=point,
        table=table,
        address=form.integer("address", 0, 65535),
        type=kind,
        order=form.choice("order", ORDERS, "ABCD"),
        bit=form.integer("bit", 0, 15, 0),
        scale=form.number("scale", 1.0),
        offset=form.number("offset", 0.0),
        low=form.optional_number("low"),
        high=form.optional_number("high"),
    )
    if not bits and signal.width > most:
        form.wrong("type", kind, "is wider than max_registers", "Raise max_registers.")
    if signal.address + signal.width > 65536:
        form.wrong("address", signal.address, "reaches beyond register 65535", "Check the map.")
    if signal.scale == 0:
        form.wrong("scale", 0, "makes every value the same", "Use the factor of the register map.")
    if "bit" in form and (bits or kind != "bool"):
        form.wrong("bit", signal.bit, "is only for a bool in a register", "Remove it.")
    if signal.low is not None and signal.high is not None and signal.low > signal.high:
        form.wrong("low", signal.low, "is above high", "Swap low and high.")
    form.done()
    return signal
