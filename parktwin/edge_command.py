"""``parktwin edge``: the commands around the gateway and the simulated devices."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.table import Table

from edge.broker import BrokerAddress
from edge.check import COLUMNS, check
from edge.config import ConfigErrors, Gateway, load_gateway
from edge.drivers.modbus_tcp.config import ModbusTcpSettings
from edge.gateway import run as run_until
from edge.outbox import OutboxInUse
from edge.sim.device import FAULT_COIL, SILENCE_COIL
from edge.sim.server import serve
from parktwin import __version__, logs
from twin.quality import describe


def _stop_event() -> asyncio.Event:
    """Set by SIGINT and SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _load(files: Sequence[Path], port_offset: int) -> list[Gateway]:
    return [load_gateway(file, port_offset) for file in files]


def _fail(problem: object) -> int:
    typer.echo(f"parktwin: {problem}", err=True)
    return 1


def run_gateway(
    file: Path,
    home: Path,
    broker: str,
    password_file: Path | None,
    ca_file: Path | None,
    port_offset: int,
) -> int:
    """Run one gateway until SIGTERM or Ctrl-C."""
    logs.set_up()

    async def run(gateway: Gateway, address: BrokerAddress) -> None:
        await run_until(gateway, address, home, _stop_event(), software=__version__)

    try:
        password = password_file.read_text(encoding="utf-8").strip() if password_file else ""
        gateway = load_gateway(file, port_offset)
        address = BrokerAddress.parse(
            broker, user=_user(broker, gateway.id), password=password, ca=ca_file
        )
        asyncio.run(run(gateway, address))
    except (ConfigErrors, OutboxInUse, OSError, sqlite3.Error, ValueError) as problem:
        return _fail(problem)
    return 0


def _user(broker: str, gateway: str) -> str:
    """The gateway's own name, unless the address names a user."""
    return "" if urlsplit(broker).username else gateway


def check_gateway(file: Path, port_offset: int) -> int:
    """Read each point once and print the table; 0 when every point came with good quality."""
    try:
        gateway = load_gateway(file, port_offset)
    except ConfigErrors as problem:
        return _fail(problem)
    rows, fine = asyncio.run(check(gateway))
    table = Table(*COLUMNS, title=f"{gateway.id}: {len(rows)} points", box=None)
    for row in rows:
        value = "–" if row.value is None else f"{row.value:g}"
        style = "" if row.quality == 0 else "red"
        cells = (row.device, row.point, row.raw, value, describe(row.quality))
        table.add_row(*cells, f"{row.latency_ms:.0f}", row.problem, style=style)
    Console(width=max(100, shutil.get_terminal_size().columns)).print(table)
    bad = sum(row.quality != 0 for row in rows)
    typer.echo(f"{len(rows) - bad} of {len(rows)} points came with good quality")
    return 0 if fine else 1


def simulate(files: Sequence[Path], behaviour: Path, port_offset: int) -> int:
    """Serve the devices of gateway files until SIGTERM or Ctrl-C."""
    logs.set_up()

    async def run() -> None:
        stop = _stop_event()
        async with serve(_load(files, port_offset), behaviour) as simulation:
            ports = sorted(simulation.ports)
            typer.echo(
                f"{len(simulation.units)} simulated devices on 127.0.0.1:{ports[0]}-{ports[-1]}; "
                "coil 9000 switches a device's fault, coil 9001 silences it for a minute"
            )
            await stop.wait()

    try:
        asyncio.run(run())
    except (ConfigErrors, OSError) as problem:
        return _fail(problem)
    return 0


def switch_fault(file: Path, device: str, on: bool, dead: bool, port_offset: int) -> int:
    """Write the fault coil (or the silence coil) of one simulated device."""
    from pymodbus.client import ModbusTcpClient
    from pymodbus.exceptions import ModbusException

    try:
        gateway = load_gateway(file, port_offset)
    except ConfigErrors as problem:
        return _fail(problem)
    known = {entry.id: entry for entry in gateway.devices}
    if device not in known:
        return _fail(f"{file} has no device {device!r}; it has {', '.join(sorted(known))}")
    settings = known[device].settings
    assert isinstance(settings, ModbusTcpSettings)
    client = ModbusTcpClient(settings.host, port=settings.port, timeout=2)
    try:
        if not client.connect():
            return _fail(f"{device} does not answer at {settings.address}; do the simulators run?")
        coil = SILENCE_COIL if dead else FAULT_COIL
        answer = client.write_coil(coil, on or dead, device_id=settings.unit)
        if answer.isError():
            return _fail(f"{device} refused the write: {answer}")
    except ModbusException as problem:
        return _fail(f"{device} at {settings.address}: {problem}")
    finally:
        client.close()
    typer.echo(f"{device}: {'silent for 60 s' if dead else 'fault ' + ('on' if on else 'off')}")
    return 0
