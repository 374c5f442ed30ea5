"""The Modbus TCP driver against real servers: right values, and honest readings when it fails."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edge.check import check
from edge.config import Gateway, load_gateway
from edge.drivers.modbus_tcp.config import ModbusTcpSettings
from edge.drivers.modbus_tcp.driver import ModbusTcpDriver
from edge.sim.server import Simulation, serve
from edge.wire import READ_FAILED
from tests.edge.plant import Plant, plant


def driver_of(gateway: Gateway, number: int = 0) -> ModbusTcpDriver:
    device = gateway.devices[number]
    assert isinstance(device.settings, ModbusTcpSettings)
    return ModbusTcpDriver(device.id, device.settings, device.timeout_s, time.time)


def run(made: Plant, body: Callable[[ModbusTcpDriver, Simulation], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serve([made.gateway], made.sim) as simulation:
            driver = driver_of(made.gateway)
            try:
                await body(driver, simulation)
            finally:
                await driver.close()

    asyncio.run(main())


def test_every_table_type_and_order_comes_back_as_declared(tmp_path: Path) -> None:
    rows, behaviour, expected = [], ["points:"], {}
    address = 0
    for kind, value in (
        ("int16", -1234.0),
        ("uint16", 54321.0),
        ("int32", -123456789.0),
        ("uint32", 3456789012.0),
        ("int64", -(2.0**52)),
        ("uint64", 2.0**53),
        ("float32", 0.42),
        ("float64", 3.141592653589793),
    ):
        for table in ("holding", "input"):
            for order in ("ABCD", "CDAB", "BADC", "DCBA"):
                point = f"X.{kind}_{table}_{order.lower()}"
                rows.append(
                    f"point: {point}, table: {table}, address: {address}, type: {kind}, "
                    f"order: {order}"
                )
                behaviour.append(f"  {point}: {{shape: constant, mean: {value!r}}}")
                expected[point] = value
                address += 4
    for table, address in (("coil", 17), ("discrete", 3), ("coil", 400)):
        point = f"X.{table}_{address}"
        rows.append(f"point: {point}, table: {table}, address: {address}")
        behaviour.append(f"  {point}: {{shape: constant, mean: {address % 2}}}")
        expected[point] = float(address % 2)
    for bit in (0, 9):
        rows.append(f"point: X.bit_{bit}, table: holding, address: 2000, type: bool, bit: {bit}")
        behaviour.append(f"  X.bit_{bit}: {{shape: constant, mean: 1}}")
        expected[f"X.bit_{bit}"] = 1.0
    made = plant(tmp_path, [rows], "\n".join(behaviour))

    async def body(driver: ModbusTcpDriver, _: Simulation) -> None:
        begun = time.time() * 1000
        readings = await driver.poll()
        assert driver.trouble == ""
        assert {point: value for point, _, value, _ in readings} == expected
        assert all(quality == 0 for *_, quality in readings)
        assert all(begun - 1 <= ts <= time.time() * 1000 for _, ts, _, _ in readings)

    run(made, body)


def test_a_refused_address_costs_only_its_own_signal(tmp_path: Path) -> None:
    rows = [f"point: X.p{i}, table: holding, address: {i}, type: uint16" for i in range(12)]
    behaviour = "points:\n" + "".join(
        f"  X.p{i}: {{shape: constant, mean: {i}}}\n" for i in range(12)
    )
    served = plant(tmp_path, [rows], behaviour)
    # The file asks for two more registers than the device has, one between the others.
    text = served.file.read_text().replace("address: 5,", "address: 4000,")
    text = text.replace("address: 11,", "address: 12,")
    file = tmp_path / "asking.yaml"
    file.write_text(text)

    async def main() -> None:
        async with serve([served.gateway], served.sim):
            driver = driver_of(load_gateway(file))
            for _ in range(2):
                readings = {point: (value, q) for point, _, value, q in await driver.poll()}
                assert "illegal address" in driver.trouble
                assert readings == {
                    f"X.p{i}": (None, READ_FAILED) if i in (5, 11) else (float(i), 0)
                    for i in range(12)
                }
            await driver.close()

    asyncio.run(main())


def test_a_meter_that_says_nan_gives_no_value_with_bad_device_quality(tmp_path: Path) -> None:
    made = plant(
        tmp_path,
        [["point: X.a, table: holding, address: 0, type: float32"]],
        "points: {X.a: {shape: constant, mean: 1}}",
    )

    async def body(driver: ModbusTcpDriver, simulation: Simulation) -> None:
        (cell,) = simulation.units["D0"]._cells["holding"]
        cell.value = lambda at: None
        assert [(v, q) for _, _, v, q in await driver.poll()] == [(None, 135)]

    run(made, body)


def test_a_device_that_falls_silent_reads_as_failed_and_comes_back(tmp_path: Path) -> None:
    rows = [f"point: X.p{i}, table: holding, address: {i * 300}, type: uint16" for i in range(3)]
    behaviour = "points:\n" + "".join(f"  X.p{i}: {{shape: constant, mean: 7}}\n" for i in range(3))
    made = plant(tmp_path, [rows], behaviour, timeout="300ms")

    async def body(driver: ModbusTcpDriver, simulation: Simulation) -> None:
        assert [v for _, _, v, _ in await driver.poll()] == [7.0] * 3
        simulation.units["D0"].silence(0.6)
        begun = time.monotonic()
        failed = await driver.poll()
        # One timeout for the device, not one for each of its three blocks.
        assert time.monotonic() - begun < 0.85
        assert [(v, q) for _, _, v, q in failed] == [(None, READ_FAILED)] * 3
        assert "no answer" in driver.trouble
        await asyncio.sleep(1.0)
        deadline = time.monotonic() + 5
        while (await driver.poll())[0][3] != 0:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)

    run(made, body)


def test_a_device_that_is_not_there_fails_at_once_while_it_waits_to_reconnect(
    tmp_path: Path,
) -> None:
    made = plant(
        tmp_path,
        [["point: X.a, table: input, address: 0, type: int16"]],
        "points: {X.a: {shape: constant, mean: 1}}",
    )

    async def main() -> None:
        driver = driver_of(made.gateway)
        for _ in range(20):
            begun = time.monotonic()
            assert [(v, q) for _, _, v, q in await driver.poll()] == [(None, READ_FAILED)]
            assert time.monotonic() - begun < 0.5
        assert "waiting to try again" in driver.trouble
        await driver.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\x01\x00\x00\x00\x03\x01\x03\xff",
        b"\x00\x01\x00\x00\x00\x05\x01\x03\x02\x00\x01",
        b"\x00\x01\x00\x00\x00\x03\x01\x83\x04",
        b"\x00\x01\x00\x00\x00\x03\x01\x83\x0b",
        b"\xff" * 400,
    ],
    ids=["silence", "http", "short", "one-register", "failure", "no-target", "flood"],
)
def test_nonsense_from_a_device_is_a_failed_read_and_nothing_worse(
    tmp_path: Path, answer: bytes
) -> None:
    made = plant(
        tmp_path,
        [["point: X.a, table: holding, address: 0, type: float32"]],
        "points: {X.a: {shape: constant, mean: 1}}",
        timeout="300ms",
    )

    async def main() -> None:
        gone = asyncio.Event()
        talking = 0

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal talking
            talking += 1
            gone.clear()
            while request := await reader.read(260):
                tid = struct.unpack(">H", request[:2])[0]
                data = answer
                if answer[:2] == b"\x00\x01":
                    data = struct.pack(">H", tid) + answer[2:]
                writer.write(data)
            writer.close()
            await writer.wait_closed()
            talking -= 1
            if not talking:
                gone.set()

        server = await asyncio.start_server(talk, "127.0.0.1", made.ports[0])
        driver = driver_of(made.gateway)
        for _ in range(2):
            assert [(v, q) for _, _, v, q in await driver.poll()] == [(None, READ_FAILED)]
            assert driver.trouble
        await driver.close()
        await asyncio.wait_for(gone.wait(), 5)
        server.close()
        await server.wait_closed()

    asyncio.run(main())


def test_a_connection_that_hangs_is_given_up_for_a_new_one(tmp_path: Path) -> None:
    made = plant(
        tmp_path,
        [["point: X.a, table: holding, address: 0, type: uint16"]],
        "points: {X.a: {shape: constant, mean: 1}}",
        timeout="200ms",
    )

    async def main() -> None:
        connections = 0
        tasks: set[asyncio.Task[None]] = set()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            answers = 1 if connections == 1 else 100
            tasks.add(asyncio.current_task())  # type: ignore[arg-type]
            while request := await reader.read(260):
                if answers > 0:
                    writer.write(request[:2] + b"\x00\x00\x00\x05\x01\x03\x02\x00\x2a")
                answers -= 1
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(talk, "127.0.0.1", made.ports[0])
        driver = driver_of(made.gateway)
        assert [v for _, _, v, _ in await driver.poll()] == [42.0]
        assert [v for _, _, v, _ in await driver.poll()] == [None]
        await asyncio.sleep(0.6)
        assert [v for _, _, v, _ in await driver.poll()] == [42.0]
        assert connections == 2
        await driver.close()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
        server.close()
        await server.wait_closed()

    asyncio.run(main())


def test_check_reads_every_point_once_and_names_what_is_wrong(tmp_path: Path) -> None:
    made = plant(
        tmp_path,
        [
            ["point: X.a, table: holding, address: 0, type: uint16, scale: 0.1"],
            ["point: Y.a, table: holding, address: 0, type: uint16"],
        ],
        "points: {X.a: {shape: constant, mean: 12.3}, Y.a: {shape: constant, mean: 1}}",
    )
    one = load_gateway(made.file)

    async def main() -> None:
        async with serve([one], made.sim):
            rows, good = await check(one)
            assert good
            assert [(r.device, r.point, r.raw, r.value, r.problem) for r in rows] == [
                ("D0", "X.a", "123", 12.3, ""),
                ("D1", "Y.a", "1", 1.0, ""),
            ]
            assert all(row.latency_ms > 0 for row in rows)
        rows, good = await check(one)
        assert not good
        assert all("cannot connect" in row.problem for row in rows)

    asyncio.run(main())
