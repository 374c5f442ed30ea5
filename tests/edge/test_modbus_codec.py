"""Registers to values: byte orders, scales, and reads that are as few as the protocol allows."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.modbus_tcp.codec import decoder, encode, plan, reorder, shortest
from edge.drivers.modbus_tcp.config import BIT_TABLES, ORDERS, REGISTERS, Signal

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
NUMBERS = tuple(name for name in REGISTERS if name != "bool")


def signal(**changes: object) -> Signal:
    settings: dict[str, object] = {
        "point": "A.x",
        "table": "holding",
        "address": 0,
        "type": "float32",
    }
    return Signal(**(settings | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("order", "wire"),
    [("ABCD", "41c80000"), ("CDAB", "000041c8"), ("BADC", "c8410000"), ("DCBA", "0000c841")],
)
def test_twenty_five_in_each_byte_order(order: str, wire: str) -> None:
    assert decoder(signal(order=order))(bytes.fromhex(wire)) == (25.0, 0, 25.0)
    assert encode(signal(order=order), 25.0).hex() == wire


@pytest.mark.parametrize(
    ("kind", "wire", "value"),
    [
        ("int16", "fffe", -2.0),
        ("uint16", "fffe", 65534.0),
        ("int32", "fffffffe", -2.0),
        ("uint32", "fffffffe", 4294967294.0),
        ("int64", "fffffffffffffffe", -2.0),
        ("uint64", "0000000100000000", 4294967296.0),
        ("float64", "3ff8000000000000", 1.5),
    ],
)
def test_signed_and_unsigned_types(kind: str, wire: str, value: float) -> None:
    assert decoder(signal(type=kind))(bytes.fromhex(wire))[0] == value


def test_a_decimal_scale_leaves_no_binary_dust() -> None:
    read = decoder(signal(type="uint16", scale=0.001))
    assert read((4213).to_bytes(2, "big"))[0] == 4.213
    assert decoder(signal(type="int16", scale=0.1, offset=-40))(b"\x02\x8a")[0] == 25.0


def test_a_float_that_shows_0_42_is_read_as_0_42() -> None:
    assert decoder(signal())(struct.pack(">f", 0.42))[0] == 0.42


def test_nan_and_infinity_are_no_value_with_bad_device_quality() -> None:
    for value in (math.nan, math.inf, -math.inf):
        assert decoder(signal())(struct.pack(">f", value))[:2] == (None, 135)
    assert decoder(signal(type="float64", scale=1e300))(struct.pack(">d", 1e300))[:2] == (None, 135)


def test_a_raw_value_outside_its_range_keeps_its_value_and_is_bad_by_range() -> None:
    read = decoder(signal(type="uint16", high=65534, scale=0.1))
    assert read(b"\xff\xff")[:2] == (6553.5, 129)
    assert read(b"\xff\xfe")[1] == 0


def test_one_bit_of_a_status_word() -> None:
    read = decoder(signal(type="bool", bit=4))
    assert read(b"\x00\x10")[0] == 1.0
    assert read(b"\xff\xef")[0] == 0.0


@given(FLOATS)
def test_the_shortest_decimal_is_the_same_float32(value: float) -> None:
    short = shortest(value)
    assert struct.pack(">f", short) == struct.pack(">f", value)
    assert len(repr(short)) <= len(repr(value))


@given(st.binary(min_size=2, max_size=8).filter(lambda raw: len(raw) % 2 == 0))
def test_reordering_twice_gives_the_bytes_back(raw: bytes) -> None:
    for order in ORDERS:
        assert reorder(reorder(raw, order), order) == raw


@given(
    st.sampled_from(NUMBERS),
    st.sampled_from(ORDERS),
    st.sampled_from([1.0, 0.1, 0.01, 0.5, 10.0, -0.001]),
    st.integers(-100, 100),
    st.floats(-1e9, 1e9),
)
def test_what_a_device_encodes_is_what_the_gateway_decodes(
    kind: str, order: str, scale: float, offset: int, value: float
) -> None:
    one = signal(type=kind, order=order, scale=scale, offset=float(offset))
    wire = encode(one, value)
    assert len(wire) == 2 * one.width
    decoded, quality, raw = decoder(one)(wire)
    assert quality == 0
    assert decoded is not None
    size = 16 * one.width
    ranges = {
        "i": (-(2.0 ** (size - 1)), 2.0 ** (size - 1)),
        "u": (0.0, 2.0**size),
        "f": (-math.inf, math.inf),
    }
    low, high = ranges[kind[0]]
    wanted = (value - offset) / scale
    slack = 0.5 if kind[0] in "iu" else 0.0
    if low < wanted < high - 1:
        assert math.isclose(raw, wanted, rel_tol=1e-6, abs_tol=slack + 1e-6)
        assert math.isclose(decoded, raw * scale + offset, rel_tol=1e-9, abs_tol=1e-6)
    # Decoding and encoding again is stable: the registers are the truth.
    if kind == "float64":
        assert math.isclose(decoder(one)(encode(one, decoded))[2], raw, rel_tol=1e-14)
    else:
        assert encode(one, decoded) == wire or abs(wanted) > 2**52


MAPS = st.lists(
    st.tuples(
        st.sampled_from(["holding", "input", "coil", "discrete"]),
        st.integers(0, 400),
        st.sampled_from(NUMBERS),
    ),
    min_size=1,
    max_size=40,
)


@given(MAPS, st.integers(0, 20), st.integers(4, 125))
def test_a_plan_reads_every_signal_within_the_protocols_limits(
    rows: list[tuple[str, int, str]], gap: int, most: int
) -> None:
    signals = [
        signal(
            point=f"A.p{i}",
            table=table,
            address=address,
            type="bool" if table in BIT_TABLES else kind,
        )
        for i, (table, address, kind) in enumerate(rows)
    ]
    blocks = plan(signals, gap, most)
    assert sorted(s.point for block in blocks for s in block.signals) == sorted(
        s.point for s in signals
    )
    for block in blocks:
        assert block.count <= (2000 if block.table in BIT_TABLES else most)
        for one in block.signals:
            assert one.table == block.table
            assert block.address <= one.address
            assert one.address + one.width <= block.address + block.count
        covered = {
            address
            for one in block.signals
            for address in range(one.address, one.address + one.width)
        }
        unused = [a for a in range(block.address, block.address + block.count) if a not in covered]
        runs = 0
        for i, address in enumerate(unused):
            runs = runs + 1 if i and unused[i - 1] == address - 1 else 1
            assert runs <= gap


def test_thirty_neighbouring_floats_are_one_read() -> None:
    signals = [signal(point=f"A.p{i}", address=2 * i) for i in range(30)]
    (block,) = plan(signals, 0, 125)
    assert (block.address, block.count) == (0, 60)


def test_a_refused_block_is_cut_at_its_gaps_first_and_then_in_halves() -> None:
    signals = [signal(point=f"A.p{i}", address=address) for i, address in enumerate([0, 2, 8, 10])]
    (block,) = plan(signals, 8, 125)
    tight = block.halves(8, 125)
    assert [(b.address, b.count) for b in tight] == [(0, 4), (8, 4)]
    assert [(b.address, b.count) for b in tight[0].halves(8, 125)] == [(0, 2), (2, 2)]
    assert tight[0].halves(8, 125)[0].halves(8, 125) == [tight[0].halves(8, 125)[0]]
