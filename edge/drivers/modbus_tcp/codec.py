"""Registers to values and back, and the reads that fetch them.

Pure: no sockets, no clock. The driver and the simulator both use it, so one map describes both
ends.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from edge.drivers.modbus_tcp.config import BIT_TABLES, MAX_BITS, ModbusTcpSettings, Signal
from edge.wire import BAD, DEVICE, GOOD, RANGE

_FORMATS: Final = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}

Decode = Callable[[bytes], tuple[float | None, int, float]]
"""Register bytes as on the wire -> (value or None, quality, raw)."""


@dataclass(frozen=True, slots=True)
class Block:
    """One read request: `count` registers or bits of `table` from `address`, and its signals."""

    table: str
    address: int
    count: int
    signals: tuple[Signal, ...]

    def halves(self, gap: int, most: int) -> list[Block]:
        """The same signals in smaller reads: first without gaps, then in two halves."""
        if len(self.signals) < 2:
            return [self]
        tight = plan(self.signals, 0, most)
        if len(tight) > 1:
            return tight
        middle = len(self.signals) // 2
        return plan(self.signals[:middle], gap, most) + plan(self.signals[middle:], gap, most)


def plan(signals: Sequence[Signal], gap: int, most: int) -> list[Block]:
    """The fewest reads that fetch all signals, bridging at most `gap` unused registers or bits.

    most: registers in one read; bit tables read at most 2,000 bits.
    """
    blocks: list[Block] = []
    for table in dict.fromkeys(signal.table for signal in signals):
        limit = MAX_BITS if table in BIT_TABLES else most
        group: list[Signal] = []
        start = end = 0
        for signal in sorted((s for s in signals if s.table == table), key=lambda s: s.address):
            stop = signal.address + signal.width
            if group and (signal.address - end > gap or max(stop, end) - start > limit):
                blocks.append(Block(table, start, end - start, tuple(group)))
                group = []
            if not group:
                start = end = signal.address
            group.append(signal)
            end = max(end, stop)
        if group:
            blocks.append(Block(table, start, end - start, tuple(group)))
    return blocks


def blocks_of(settings: ModbusTcpSettings) -> list[Block]:
    """The read plan of a device."""
    return plan(settings.signals, settings.gap, settings.max_registers)


def reorder(raw: bytes, order: str) -> bytes:
    """Between wire order and big-endian ABCD; it is its own inverse.

    CDAB swaps words, BADC swaps the bytes within each word, DCBA does both; 64-bit values extend
    this to four words, 16-bit values know only the byte swap.
    """
    if order in ("BADC", "DCBA"):
        swapped = bytearray(len(raw))
        swapped[0::2], swapped[1::2] = raw[1::2], raw[0::2]
        raw = bytes(swapped)
    if order in ("CDAB", "DCBA") and len(raw) > 2:
        raw = b"".join(raw[i : i + 2] for i in range(len(raw) - 2, -2, -2))
    return raw


def shortest(value: float) -> float:
    """The shortest decimal that is this float32: a meter that shows 0.42 is read as 0.42.

    Widening instead would give 0.41999998688697815: no more exact and twice as long on the wire.
    """
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        try:
            if struct.unpack(">f", struct.pack(">f", short))[0] == value:
                return short
        except OverflowError:
            continue
    return float(f"{value:.9g}")


def decoder(signal: Signal) -> Decode:
    """How to turn the signal's register bytes (or one byte 0/1 of a bit table) into a value.

    A non-finite float is null with bad|device; a raw value outside low..high keeps its value with
    bad|range. Decimal scales divide, so 4213 at 0.001 is 4.213 and not 4.213000000000001.
    """
    ratio = Fraction(str(signal.scale))
    up, down, shift = float(ratio.numerator), float(ratio.denominator), signal.offset
    plain = up == down == 1.0 and shift == 0.0
    low = float("-inf") if signal.low is None else signal.low
    high = float("inf") if signal.high is None else signal.high
    if signal.type == "bool":
        bits, mask = signal.table in BIT_TABLES, 1 << signal.bit

        def decode_bool(data: bytes) -> tuple[float | None, int, float]:
            word = data[0] if bits else int.from_bytes(reorder(data, signal.order), "big") & mask
            raw = 1.0 if word else 0.0
            return (raw if plain else raw * up / down + shift), GOOD, raw

        return decode_bool

    unpack = struct.Struct(_FORMATS[signal.type]).unpack
    order = signal.order
    single = signal.type == "float32"
    straight = order == "ABCD" or (order == "CDAB" and signal.width == 1)

    def decode(data: bytes) -> tuple[float | None, int, float]:
        raw = float(unpack(data if straight else reorder(data, order))[0])
        if raw - raw != 0.0:  # NaN or infinity: the meter's way of saying "no value"
            return None, BAD | DEVICE, raw
        if single:
            raw = shortest(raw)
        quality = GOOD if low <= raw <= high else BAD | RANGE
        if plain:
            return raw, quality, raw
        value = raw * up / down + shift
        if value - value != 0.0:
            return None, BAD | DEVICE, raw
        return value, quality, raw

    return decode


def encode(signal: Signal, value: float | None) -> bytes:
    """The register bytes (or one byte 0/1 of a bit table) that carry `value`, clamped to the type.

    None becomes NaN in a float register and the highest code of an integer register.
    """
    if signal.type == "bool":
        on = bool(value and round((value - signal.offset) / signal.scale))
        if signal.table in BIT_TABLES:
            return bytes([on])
        return reorder((on << signal.bit).to_bytes(2, "big"), signal.order)
    form = _FORMATS[signal.type]
    if signal.type.startswith("float"):
        raw = float("nan") if value is None else (value - signal.offset) / signal.scale
        if signal.type == "float32" and abs(raw) > 3.4e38:
            raw = 3.4e38 if raw > 0 else -3.4e38
        return reorder(struct.pack(form, raw), signal.order)
    size = 16 * signal.width
    lowest, highest = (-(1 << size - 1), (1 << size - 1) - 1)
    if signal.type.startswith("u"):
        lowest, highest = 0, (1 << size) - 1
    code = highest if value is None else round((value - signal.offset) / signal.scale)
    return reorder(struct.pack(form, min(max(code, lowest), highest)), signal.order)
