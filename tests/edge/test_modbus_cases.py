"""The driver's own test cases: registers as captured in the field, readings as they must come."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.config import load_gateway
from edge.drivers.registry import opener
from tests.peers.mosquitto import free_port

CASES = sorted(Path("edge/drivers/modbus_tcp/testcases").glob("*/case.yaml"))


def blocks(case: dict[str, Any], table: str) -> list[SimData]:
    words = case["registers"].get(table, {})
    return [
        SimData(address, values=values, datatype=DataType.REGISTERS)
        for address, values in sorted(words.items())
    ] or [SimData(65535, values=0, datatype=DataType.REGISTERS)]


def test_there_are_cases() -> None:
    assert len(CASES) >= 2


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.parent.name)
def test_a_captured_device_reads_as_its_case_says(tmp_path: Path, file: Path) -> None:
    case = yaml.safe_load(file.read_text(encoding="utf-8"))
    port = free_port()
    device = {
        "id": "D",
        "driver": "modbus_tcp",
        "host": "127.0.0.1",
        "port": port,
        "every": "1s",
        "signals": case["signals"],
    }
    gateway_file = tmp_path / "gateway.yaml"
    gateway_file.write_text(yaml.safe_dump({"gateway": "GW", "devices": [device]}))
    (one,) = load_gateway(gateway_file).devices

    async def main() -> None:
        bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
        tables = (bits, list(bits), blocks(case, "holding"), blocks(case, "input"))
        server = ModbusTcpServer(SimDevice(id=1, simdata=tables), address=("127.0.0.1", port))
        assert await server.listen()
        driver = opener(one.driver)(one.id, one.settings, one.timeout_s, lambda: 1.0)
        readings = await driver.poll()
        await driver.close()
        await server.shutdown()
        await asyncio.sleep(0)
        assert {p: [value, quality] for p, _, value, quality in readings} == case["expected"]

    asyncio.run(main())
