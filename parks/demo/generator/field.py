"""The gateways and their Modbus devices: who reads which point from which register.

Makers differ on purpose: word orders, scales and widths are as mixed as in a real park.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parks.demo.generator import ground
from parks.demo.generator.ground import GRIDS
from parks.demo.generator.plan import Device, Plan, Signal
from parks.demo.generator.sensors import Sensors
from parks.demo.generator.supply import Supply

FIRST_PORT = {"GW-OLD": 15021, "GW-SOUTH": 15041}
_NAMES = {
    "GW-OLD": ("老区网关", "Old park gateway"),
    "GW-SOUTH": ("南区网关", "South zone gateway"),
}
_ZONE = {"GW-OLD": "ZONE-OLD", "GW-SOUTH": "ZONE-SOUTH"}

# (property, register type, word order, scale)
Row = tuple[str, str, str, float]
_METER_A: tuple[Row, ...] = (
    ("active_power", "int32", "CDAB", 0.01),
    ("energy_total", "uint32", "CDAB", 0.1),
)
_METER_B: tuple[Row, ...] = (
    ("active_power", "float32", "ABCD", 1.0),
    ("energy_total", "uint64", "ABCD", 0.001),
)
_WATER: tuple[Row, ...] = (
    ("flow", "uint16", "ABCD", 0.01),
    ("volume_total", "uint32", "BADC", 0.1),
)
_OUTFALL: tuple[Row, ...] = (
    ("level", "int16", "ABCD", 0.001),
    ("dry_flow", "uint16", "ABCD", 0.01),
    ("conductivity", "uint16", "ABCD", 1.0),
    ("temperature", "int16", "ABCD", 0.1),
)
_TRANSFORMER: tuple[Row, ...] = (
    ("load", "uint16", "ABCD", 0.1),
    ("active_power", "int32", "CDAB", 0.1),
    ("oil_temperature", "int16", "ABCD", 0.1),
)
_FEEDER: tuple[Row, ...] = (
    ("active_power", "float32", "DCBA", 1.0),
    ("current", "float32", "DCBA", 1.0),
)
_AIR: tuple[Row, ...] = (
    *((name, "float32", "CDAB", 1.0) for name in ("pm25", "pm10", "no2", "so2", "o3")),
    *((name, "int16", "ABCD", 0.1) for name in ("temperature", "humidity", "wind_speed")),
)
_TREATMENT: tuple[Row, ...] = (
    ("flow", "float32", "ABCD", 1.0),
    ("cod", "uint16", "ABCD", 0.1),
    ("ammonia", "uint16", "ABCD", 0.01),
    ("conductivity", "uint16", "ABCD", 1.0),
    ("ph", "uint16", "ABCD", 0.01),
    ("temperature", "int16", "ABCD", 0.1),
)
_WIDTH = {"int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2, "uint64": 4}


def wire(plan: Plan, supply: Supply, sensors: Sensors) -> None:
    """Adds gateways, devices, their status points and the faults that can be switched on."""
    for gateway, grids in (("GW-OLD", range(1, 6)), ("GW-SOUTH", range(6, 10))):
        u, v = (40.0, 655.0) if gateway == "GW-OLD" else (330.0, -250.0)
        plan.add_at(gateway, "gateway", *_NAMES[gateway], u, v)
        plan.relate(gateway, "located_in", _ZONE[gateway])
        _meters(plan, gateway, supply, grids)
        _sewers(plan, gateway, sensors, grids)
        _transformers(plan, gateway, supply, grids)
        _surroundings(plan, gateway, grids)
        _itself(plan, gateway)


def _device(
    plan: Plan,
    gateway: str,
    name: str,
    place: tuple[int, int],
    every: str,
    title: tuple[str, str],
    at: str,
) -> Device:
    """A device asset beside the asset `at`, with its status in register 0."""
    step, unit = place
    device = Device(name, gateway, FIRST_PORT[gateway] + step, unit, every, title[1])
    u, v = plan.places[at]
    plan.add_at(name, "device", *title, u + 3, v + 3, gateway=gateway)
    plan.relate(name, "located_in", f"GRID-{ground.grid_at(u, v)}")
    status = plan.measure(name, "status", "constant", mean=1)
    device.signals.append(Signal(status, "holding", 0, "uint16"))
    plan.devices.append(device)
    return device


def _read(device: Device, asset: str, rows: Iterable[Row], table: str, address: int) -> int:
    """Adds the asset's registers from `address` on; returns the next free address."""
    for prop, kind, order, scale in rows:
        device.signals.append(Signal(f"{asset}.{prop}", table, address, kind, order, scale))
        address += _WIDTH[kind]
    return address


def _chunks(assets: Sequence[str], size: int) -> list[list[str]]:
    return [list(assets[i : i + size]) for i in range(0, len(assets), size)]


def _meters(plan: Plan, gateway: str, supply: Supply, grids: Sequence[int]) -> None:
    largest = supply.largest[grids[0]]
    for unit, meter in enumerate(largest, start=1):
        title = (f"{meter}号电能表", f"Panel meter {meter}")
        device = _device(plan, gateway, f"MTR-{meter[3:]}", (5, unit), "1s", title, meter)
        _read(device, meter, _METER_B, "holding", 10)
    short = gateway[3]
    rest = [m for grid in grids for m in supply.electricity[grid] if m not in largest]
    for number, part in enumerate(_chunks(rest, 11), start=1):
        title = (f"{number}号电表集中器", f"Electricity concentrator {number}")
        place = ((number - 1) // 2, (number - 1) % 2 + 1)
        device = _device(plan, gateway, f"EC-{short}{number:02d}", place, "5s", title, part[0])
        address = 100
        for meter in part:
            _read(device, meter, _METER_A if number % 3 else _METER_B, "holding", address)
            address += 6 if number % 3 == 0 else 4
    water = [meter for grid in grids for meter in supply.water[grid]]
    for number, part in enumerate(_chunks(water, 18), start=1):
        title = (f"{number}号水表集中器", f"Water concentrator {number}")
        place = (6 + (number - 1) // 3, (number - 1) % 3 + 1)
        device = _device(plan, gateway, f"WC-{short}{number}", place, "10s", title, part[0])
        address = 10
        for meter in part:
            address = _read(device, meter, _WATER, "input", address)


def _sewers(plan: Plan, gateway: str, sensors: Sensors, grids: Sequence[int]) -> None:
    for n, grid in enumerate(grids):
        title = (f"第{'一二三四五六七八九'[grid - 1]}网格排水遥测终端", f"Sewer RTU of grid {grid}")
        levels, meters = sensors.levels[grid], sensors.meters[grid]
        device = _device(plan, gateway, f"RTU-{grid}", (8 + n, 1), "5s", title, levels[0])
        address = 10
        for manhole in levels:
            address = _read(
                device, manhole, [("level", "float32", "ABCD", 1.0)], "holding", address
            )
        for meter in meters:
            rows: list[Row] = [("flow", "float32", "CDAB", 1.0)]
            if meter.startswith("FM-"):
                rows.append(("velocity", "int16", "ABCD", 0.001))
            address = _read(device, meter, rows, "holding", address)
        plan.faults[device.id] = {"point": f"{levels[1]}.level", "add": 2.7, "ramp_s": 20}
        title = (f"{grid}号排口遥测终端", f"RTU of outfall {grid}")
        device = _device(plan, gateway, f"RTU-OF-{grid}", (13, n + 1), "5s", title, f"OF-{grid}")
        _read(device, f"OF-{grid}", _OUTFALL, "input", 10)
        plan.faults[device.id] = {"point": f"OF-{grid}.dry_flow", "add": 6.5, "ramp_s": 10}


def _transformers(plan: Plan, gateway: str, supply: Supply, grids: Sequence[int]) -> None:
    transformers = [one for grid in grids for one in supply.transformers.get(grid, [])]
    for number, part in enumerate(_chunks(transformers, 4), start=1):
        title = (f"{number}号配电测控", f"Transformer monitor {number}")
        name = f"MTU-{gateway[3]}{number}"
        device = _device(plan, gateway, name, (14, number), "10s", title, part[0])
        address = 40
        for transformer in part:
            address = _read(device, transformer, _TRANSFORMER, "holding", address)
        plan.faults[name] = {"point": f"{part[1]}.load", "add": 90, "ramp_s": 20}
    if gateway == "GW-SOUTH":
        title = ("变电站测控", "Bay controller of the substation")
        device = _device(plan, gateway, "BCU-1", (15, 1), "2s", title, "SUB-1")
        address = 200
        for grid in GRIDS:
            address = _read(device, f"FD-{grid}", _FEEDER, "input", address)


def _surroundings(plan: Plan, gateway: str, grids: Sequence[int]) -> None:
    def here(kind: str) -> list[str]:
        return [
            name
            for name, asset in plan.assets.items()
            if asset["properties"]["type"] == kind and ground.grid_at(*plan.places[name]) in grids
        ]

    for unit, station in enumerate(here("air_station"), start=1):
        title = (f"{station[3:]}号空气站采集器", f"Logger of air station {station[3:]}")
        device = _device(plan, gateway, f"LOG-{station}", (16, unit), "10s", title, station)
        _read(device, station, _AIR, "holding", 10)
        gauge = here("rain_gauge")
        if unit == 1 and gauge:
            _read(device, gauge[0], [("rain_rate", "uint16", "ABCD", 0.1)], "holding", 40)
        plan.faults[device.id] = {"point": f"{station}.pm10", "add": 160, "ramp_s": 30}
    stations = here("noise_station")
    title = ("噪声采集器", "Noise logger")
    device = _device(plan, gateway, f"LOG-NS-{gateway[3]}", (17, 1), "10s", title, stations[0])
    address = 10
    for station in stations:
        address = _read(device, station, [("laeq", "uint16", "ABCD", 0.1)], "input", address)
    if gateway == "GW-OLD":
        return
    title = ("一号泵站控制器", "Controller of lift station 1")
    device = _device(plan, gateway, "PLC-PS-1", (18, 1), "5s", title, "PS-1")
    address = _read(device, "PS-1", [("level", "float32", "BADC", 1.0)], "holding", 10)
    for n, pump in enumerate(("P-101", "P-102")):
        device.signals.append(Signal(f"{pump}.running", "discrete", n, "bool"))
        address = _read(device, pump, [("current", "uint16", "ABCD", 0.1)], "holding", address)
    plan.faults[device.id] = {"point": "PS-1.level", "add": 2.0, "ramp_s": 30}
    title = ("污水厂进水监测", "Inflow monitor of the treatment plant")
    device = _device(plan, gateway, "PLC-WWTP", (18, 2), "5s", title, "OF-WWTP")
    _read(device, "WWTP", _TREATMENT, "holding", 10)
    plan.faults[device.id] = {"point": "WWTP.cod", "add": 420, "ramp_s": 30}


def _itself(plan: Plan, gateway: str) -> None:
    """The gateway reads its own supply and cabinet, so that its silence is one alarm."""
    name = f"SELF-{gateway[3:]}"
    device = Device(name, gateway, FIRST_PORT[gateway] + 19, 247, "10s", "The gateway itself")
    device.signals.append(
        Signal(plan.measure(gateway, "status", "constant", mean=1), "holding", 0, "uint16")
    )
    volts = plan.measure(gateway, "supply_voltage", "gas", mean=24.1, noise=0.05, seed=plan.seed())
    device.signals.append(Signal(volts, "holding", 1, "uint16", scale=0.01))
    warm = plan.measure(
        *(gateway, "temperature", "temperature"), mean=34, swing=4, noise=0.1, seed=plan.seed()
    )
    device.signals.append(Signal(warm, "holding", 2, "int16", scale=0.1))
    plan.devices.append(device)
