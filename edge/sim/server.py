"""Serves every Modbus TCP device of some gateway files on its own host, port and unit id.

Only loopback addresses are served: a simulator must never stand in for a device on a plant network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from pymodbus.server import ModbusTcpServer

from edge.config import Gateway
from edge.drivers.modbus_tcp.config import ModbusTcpSettings
from edge.form import ConfigError, ConfigErrors
from edge.sim.behaviour import Behaviour, load_behaviour
from edge.sim.device import SimulatedUnit
from edge.sim.record import Record


class Simulation:
    """The running units by device id."""

    def __init__(self, units: dict[str, SimulatedUnit], ports: tuple[int, ...]) -> None:
        self.units = units
        self.ports = ports


@asynccontextmanager
async def serve(
    gateways: Sequence[Gateway],
    sim_file: Path,
    port_offset: int = 0,
    *,
    clock: Callable[[], float] = time.time,
    record: Record | None = None,
) -> AsyncIterator[Simulation]:
    """Serve all devices of `gateways` while the context is open.

    port_offset: added to every port, for gateways loaded without one. Raises ConfigErrors for a bad
    simulator file or a device that is not on loopback, OSError when a port is taken.
    """
    behaviour = load_behaviour(sim_file, gateways)
    stopping = asyncio.Event()
    by_port: dict[tuple[str, int], list[SimulatedUnit]] = {}
    units: dict[str, SimulatedUnit] = {}
    for gateway in gateways:
        for unit in _units(gateway, behaviour, clock, record, stopping):
            units[unit.device] = unit
            address = (unit.settings.host, unit.settings.port + port_offset)
            by_port.setdefault(address, []).append(unit)
    async with AsyncExitStack() as stack:
        for (host, port), group in by_port.items():
            server = ModbusTcpServer([unit.sim_device() for unit in group], address=(host, port))
            if not await server.listen():
                raise OSError(f"cannot listen on {host}:{port}: the port is taken")
            stack.push_async_callback(_stop, server)
        stack.callback(stopping.set)
        yield Simulation(units, tuple(sorted({port for _, port in by_port})))


async def _stop(server: ModbusTcpServer) -> None:
    await server.shutdown()
    await asyncio.sleep(0)  # lets the transports close within the loop


def _units(
    gateway: Gateway,
    behaviour: Behaviour,
    clock: Callable[[], float],
    record: Record | None,
    stopping: asyncio.Event,
) -> list[SimulatedUnit]:
    units = []
    for device in gateway.devices:
        settings = device.settings
        if not isinstance(settings, ModbusTcpSettings):
            continue
        if not _loopback(settings.host):
            problem = f"device {device.id} is at {settings.host}, which is not loopback"
            mend = "Simulate only devices at 127.0.0.1."
            error = ConfigError(str(gateway.file), 1, "devices", settings.host, problem, mend)
            raise ConfigErrors([error])
        units.append(SimulatedUnit(device.id, settings, behaviour, clock, record, stopping))
    return units


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
