"""Sewer loggers, flow meters, outfall sensors, treatment plant, air, noise, rain and weather."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from parks.demo.generator import ground
from parks.demo.generator.firms import Firm
from parks.demo.generator.ground import GRIDS
from parks.demo.generator.land import Parcel
from parks.demo.generator.plan import Plan, polygon
from parks.demo.generator.sewers import COMBINED, Sewers

_RETURNED = 0.85  # share of the metered water that becomes sewage
_SEEPAGE = 0.03  # groundwater that enters at each manhole, L/s


@dataclass(slots=True)
class Sensors:
    """Which assets carry sensors, by grid."""

    levels: dict[int, list[str]] = field(default_factory=dict)
    meters: dict[int, list[str]] = field(default_factory=dict)


def drain(plan: Plan, sewers: Sewers, firms: list[Firm]) -> dict[str, float]:
    """Connects each enterprise to the nearest foul manhole of its grid; returns L/s by node."""
    flow = dict.fromkeys(sewers.nodes, _SEEPAGE)
    for firm in firms:
        system = "combined" if firm.grid in COMBINED else "sanitary"
        near = [n for n in sewers.nodes.values() if n.system == system and n.grid == firm.grid]
        node = min(near, key=lambda one: math.dist(one.uv, (firm.u, firm.v)))
        plan.relate(firm.id, "discharges_to", node.id)
        flow[node.id] += firm.water_m3_d * _RETURNED / 86.4
    return flow


def accumulate(sewers: Sewers, inflow: dict[str, float]) -> dict[str, float]:
    """Dry-weather flow through each node, L/s."""
    total = dict(inflow)
    waiting = dict.fromkeys(sewers.nodes, 0)
    pairs = dict.fromkeys(
        (link.source, link.target) for link in sewers.links.values() if link.kind != "weir"
    )
    for _, target in pairs:
        waiting[target] += 1
    ready = [name for name, count in waiting.items() if count == 0]
    for name in ready:
        for source, target in pairs:
            if source == name:
                total[target] += total[name]
                waiting[target] -= 1
                if waiting[target] == 0:
                    ready.append(target)
    return total


def install(plan: Plan, sewers: Sewers, flow: dict[str, float], parcels: list[Parcel]) -> Sensors:
    """Adds all sensors to the plan."""
    sensors = Sensors()
    for grid in GRIDS:
        _grid_sensors(plan, sewers, sensors, grid, flow)
        _outfall(plan, grid)
    _trunk(plan, sewers, sensors, flow)
    _pumping_station(plan)
    _treatment(plan, parcels, flow["OF-WWTP"])
    _weather(plan)
    return sensors


def _level(plan: Plan, sensors: Sensors, node: str, grid: int, flow: float, rain: float) -> None:
    mean = round(0.16 + 0.07 * math.sqrt(flow), 3)
    behaviour = {"swing": round(mean * 0.3, 3), "rain": rain, "noise": 0.006, "seed": plan.seed()}
    plan.measure(node, "level", "sewer_level", mean=mean, **behaviour)
    sensors.levels.setdefault(grid, []).append(node)


def _grid_sensors(
    plan: Plan, sewers: Sewers, sensors: Sensors, grid: int, flow: dict[str, float]
) -> None:
    system = "combined" if grid in COMBINED else "sanitary"
    end = sewers.ends[grid, system]
    own = [n.id for n in sewers.nodes.values() if n.system == system and n.grid == grid]
    main = sorted(own, key=lambda name: flow[name])
    rain = 0.28 if grid in COMBINED else 0.1
    chosen = dict.fromkeys([main[len(main) // 3], main[2 * len(main) // 3], end])
    for node in chosen:
        _level(plan, sensors, node, grid, flow[node], rain)
    name, mean = f"FM-{grid}", round(flow[end], 2)
    u, v = sewers.nodes[end].uv
    zh, en = (
        f"第{'一二三四五六七八九'[grid - 1]}网格末端流量计",
        f"Flow meter at the end of grid {grid}",
    )
    plan.add_at(name, "flow_meter", zh, en, u + 4, v - 4)
    plan.relate(name, "located_in", f"GRID-{grid}")
    swell = round(mean * (2.2 if grid in COMBINED else 0.35), 1)
    plan.measure(
        *(name, "flow", "sewer_flow"),
        **{"mean": mean, "swing": 0.55, "rain": swell, "noise": round(mean * 0.02, 2)},
        seed=plan.seed(),
    )
    plan.measure(
        *(name, "velocity", "sewer_flow"),
        **{"mean": plan.between(0.5, 0.75, 2), "swing": 0.2, "rain": 0.1, "noise": 0.01},
        seed=plan.seed(),
    )
    sensors.meters.setdefault(grid, []).append(name)


def _trunk(plan: Plan, sewers: Sewers, sensors: Sensors, flow: dict[str, float]) -> None:
    trunk = [node for node in sewers.nodes.values() if node.system == "interceptor"]
    for node in trunk[3::7]:
        _level(plan, sensors, node.id, node.grid, flow[node.id], 0.15)
    for number, node in enumerate(trunk[6::9], start=1):
        name, mean = f"FL-{number}", round(flow[node.id], 2)
        u, v = node.uv
        zh, en = f"截流干管{number}号流量计", f"Interceptor flow meter {number}"
        plan.add_at(name, "flow_logger", zh, en, u - 5, v)
        plan.relate(name, "located_in", f"GRID-{node.grid}")
        plan.measure(
            *(name, "flow", "sewer_flow"),
            **{"mean": mean, "swing": 0.45, "rain": round(mean * 0.8, 1), "noise": 0.6},
            seed=plan.seed(),
        )
        sensors.meters.setdefault(node.grid, []).append(name)


def _outfall(plan: Plan, grid: int) -> None:
    outfall = f"OF-{grid}"
    seeds = [plan.seed() for _ in range(4)]
    plan.measure(outfall, "level", "storm_level", mean=0.08, rain=0.22, noise=0.002, seed=seeds[0])
    plan.measure(outfall, "dry_flow", "gas", mean=0.15, swing=0.05, noise=0.02, seed=seeds[1])
    plan.measure(
        *(outfall, "conductivity", "gas"),
        **{"mean": plan.between(210, 320, 0), "swing": 20, "noise": 6, "seed": seeds[2]},
    )
    warmth = {"mean": plan.between(15, 17), "swing": 1.5, "noise": 0.05, "seed": seeds[3]}
    plan.measure(outfall, "temperature", "temperature", **warmth)


def _pumping_station(plan: Plan) -> None:
    behaviour = {"mean": 1.5, "swing": 0.25, "rain": 0.12, "noise": 0.02, "seed": plan.seed()}
    plan.measure("PS-1", "level", "sewer_level", **behaviour)
    for pump, on in (("P-101", 1), ("P-102", 0)):
        plan.measure(pump, "running", "constant", mean=on)
        behaviour = {"mean": 31.0 * on, "swing": 0.2, "noise": 0.5 * on, "seed": plan.seed()}
        plan.measure(pump, "current", "power", **behaviour)


def _treatment(plan: Plan, parcels: list[Parcel], mean: float) -> None:
    land = next(parcel for parcel in parcels if parcel.use == "wastewater treatment")
    west, south, east, north = land.box
    ring = ground.along(ground.box(west + 6, south + 6, east - 6, north - 6), 60.0)
    name = ("霁川污水处理厂", "Jichuan wastewater treatment plant")
    plan.add("WWTP", "treatment_plant", *name, polygon(ring), capacity_m3_d=15000)
    plan.relate("WWTP", "located_in", land.id)
    plan.relate("OF-WWTP", "discharges_to", "WWTP")
    flow = {"mean": round(mean, 1), "swing": 0.4, "rain": round(mean * 0.7, 1), "noise": 0.8}
    plan.measure("WWTP", "flow", "sewer_flow", **flow, seed=plan.seed())
    for prop, shape, centre, swing, noise in (
        ("cod", "cod", 248, 0.2, 5),
        ("ammonia", "ammonia", 22.5, 0.2, 0.4),
        ("conductivity", "conductivity", 1120, 0.15, 15),
        ("ph", "gas", 7.3, 0.1, 0.02),
        ("temperature", "temperature", 19.5, 1.0, 0.05),
    ):
        behaviour = {"mean": centre, "swing": swing, "noise": noise, "seed": plan.seed()}
        plan.measure("WWTP", prop, shape, **behaviour)


def _weather(plan: Plan) -> None:
    air = (("pm25", "pm25", 36, 10, 1.5), ("pm10", "pm10", 62, 16, 2.5), ("no2", "gas", 28, 8, 1.2))
    more = (
        ("so2", "gas", 11, 3, 0.6),
        ("o3", "gas", 72, 24, 2.0),
        ("wind_speed", "gas", 2, 0.9, 0.3),
    )
    sky = (("temperature", "temperature", 17.5, 5.5, 0.15), ("humidity", "humidity", 68, 14, 0.8))
    for number, (u, v) in enumerate(((60, 640), (-640, 900), (330, -500), (660, -1000)), start=1):
        station = f"AS-{number}"
        name = (f"{number}号空气站", f"Air station {number}")
        plan.add_at(station, "air_station", *name, u, v)
        plan.relate(station, "located_in", f"GRID-{ground.grid_at(u, v)}")
        for prop, shape, centre, swing, noise in (*air, *more, *sky):
            mean = round(centre * plan.luck.uniform(0.92, 1.1), 1)
            behaviour = {"mean": mean, "swing": swing, "noise": noise, "seed": plan.seed()}
            if prop == "humidity":
                behaviour["mean"] = min(mean, 70)
            plan.measure(station, prop, shape, **behaviour)
    noise_at = ((-690, 240), (-180, 1080), (640, 830), (-350, -230), (330, -760), (740, -300))
    for number, (u, v) in enumerate(noise_at, start=1):
        station = f"NS-{number}"
        name = (f"{number}号噪声点", f"Noise station {number}")
        plan.add_at(station, "noise_station", *name, u, v)
        plan.relate(station, "located_in", f"GRID-{ground.grid_at(u, v)}")
        behaviour = {"mean": plan.between(53, 58), "swing": 7, "noise": 1.2, "seed": plan.seed()}
        plan.measure(station, "laeq", "noise_db", **behaviour)
    for number, (u, v) in enumerate(((90, 600), (360, -540)), start=1):
        gauge = f"RG-{number}"
        plan.add_at(gauge, "rain_gauge", f"{number}号雨量计", f"Rain gauge {number}", u, v)
        plan.relate(gauge, "located_in", f"GRID-{ground.grid_at(u, v)}")
        plan.measure(gauge, "rain_rate", "rain")
    plan.add_at("WS-1", "weather_station", "县气象站", "County weather station", -1080, 620)
    plan.relate("WS-1", "located_in", "PARK")
    for prop in ("temperature", "humidity", "pressure", "wind_speed"):
        plan.points[f"WS-1.{prop}"] = {"asset": "WS-1", "property": prop}
    plan.add_at(
        "WQ-042",
        "effluent_monitor",
        "042号企业排口监测",
        "Effluent monitor 042",
        *plan.places["ENT-042"],
    )
    plan.relate("WQ-042", "located_in", plan_parcel(plan, "ENT-042"))
    for prop in ("flow", "cod", "ph"):
        plan.points[f"WQ-042.{prop}"] = {"asset": "WQ-042", "property": prop}


def plan_parcel(plan: Plan, firm: str) -> str:
    """Where an enterprise is located."""
    return next(t for s, relation, t in plan.relations if s == firm and relation == "located_in")
