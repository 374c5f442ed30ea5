"""Power and water: substation, feeders, transformers, and a meter for every enterprise."""

from __future__ import annotations

from dataclasses import dataclass, field

from parks.demo.generator import ground
from parks.demo.generator.buildings import Building
from parks.demo.generator.firms import Firm, street_place
from parks.demo.generator.ground import GRIDS, along
from parks.demo.generator.land import Parcel
from parks.demo.generator.plan import Plan, line

_RATINGS = (160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250)


@dataclass(slots=True)
class Supply:
    """Meter and transformer ids by grid, and mean power (kW) by meter."""

    electricity: dict[int, list[str]] = field(default_factory=dict)
    water: dict[int, list[str]] = field(default_factory=dict)
    transformers: dict[int, list[str]] = field(default_factory=dict)
    kw: dict[str, float] = field(default_factory=dict)
    largest: dict[int, list[str]] = field(default_factory=dict)


def connect(
    plan: Plan, parcels: list[Parcel], buildings: list[Building], firms: list[Firm]
) -> Supply:
    """Adds all of it to the plan."""
    supply = Supply()
    _feeders(plan, parcels, firms)
    feeding = _transformers(plan, supply, parcels, firms)
    for firm in firms:
        _electricity(plan, supply, firm, feeding.get(firm.id, f"FD-{firm.grid}"))
    for firm in firms:
        if not firm.tenant:
            number = len([asset for asset in plan.assets if asset.startswith("WM-")]) + 1
            name = (f"{firm.zh}水表", f"Water meter of {firm.en}")
            where = (firm.u - 9, firm.v + 7, firm.grid, firm.parcel)
            _water(plan, supply, f"WM-{number:03d}", name, where, firm.water_m3_d, firm.id)
    for building in (one for one in buildings if one.standard):
        number = len([asset for asset in plan.assets if asset.startswith("WM-")]) + 1
        tenants = [firm for firm in firms if firm.building == building.id and firm.tenant]
        used = sum(firm.water_m3_d for firm in tenants)
        title = plan.assets[building.id]["properties"]
        name = (f"{title['name_zh']}水表", f"Water meter of {title['name_en'].lower()}")
        where = (building.u - 9, building.v + 7, building.grid, building.id)
        _water(plan, supply, f"WM-{number:03d}", name, where, used, building.id)
    for grid in GRIDS:
        zone = 1 if grid <= 5 else 6
        supply.largest.setdefault(zone, []).extend(supply.electricity.get(grid, []))
    for zone, meters in supply.largest.items():
        supply.largest[zone] = sorted(meters, key=lambda meter: -supply.kw[meter])[:4]
    return supply


def _feeders(plan: Plan, parcels: list[Parcel], firms: list[Firm]) -> None:
    land = next(parcel for parcel in parcels if parcel.use == "substation")
    u, v = (land.box[0] + land.box[2]) / 2, (land.box[1] + land.box[3]) / 2
    plan.add_at("SUB-1", "substation", "110千伏霁川变电站", "110 kV Jichuan substation", u, v)
    plan.relate("SUB-1", "located_in", land.id)
    for grid in GRIDS:
        west, south, east, north = ground.grid_box(grid)
        goal_u, goal_v = (west + east) / 2 + 8 * (grid - 5), (south + north) / 2
        street = -20.0 + 5.0 * grid
        path = along([(u, v), (u, street), (goal_u, street), (goal_u, goal_v)])
        feeder = f"FD-{grid}"
        zh = f"10千伏霁{'一二三四五六七八九'[grid - 1]}线"
        plan.add(feeder, "feeder", zh, f"10 kV feeder {grid}", line(path))
        plan.relate(feeder, "located_in", f"GRID-{grid}")
        plan.relate("SUB-1", "feeds", feeder)
        mean = round(1.03 * sum(firm.kw for firm in firms if firm.grid == grid), 1)
        shape = {"swing": 0.35, "noise": round(mean * 0.015, 1), "weekend": 0.85}
        plan.measure(feeder, "active_power", "power", mean=mean, **shape, seed=plan.seed())
        amps = round(mean / (1.732 * 10.3 * 0.93), 1)
        shape["noise"] = round(amps * 0.015, 2)
        plan.measure(feeder, "current", "power", mean=amps, **shape, seed=plan.seed())


def _transformers(
    plan: Plan, supply: Supply, parcels: list[Parcel], firms: list[Firm]
) -> dict[str, str]:
    """Two for each parcel of standard factories; returns the one that feeds each tenant."""
    feeding: dict[str, str] = {}
    number = 0
    for parcel in (one for one in parcels if one.use == "standard factory"):
        west, south, east, north = parcel.box
        tenants = [firm for firm in firms if firm.parcel == parcel.id and firm.tenant]
        for half in (0, 1):
            number += 1
            name = f"TR-{number:02d}"
            served = tenants[half::2]
            mean = round(1.04 * sum(firm.kw for firm in served), 1)
            kva = next(rating for rating in _RATINGS if rating >= mean / 0.5)
            plan.add_at(
                *(name, "transformer", f"{number:02d}号变压器", f"Transformer {number:02d}"),
                *(west + (east - west) * (0.06 + 0.88 * half), south + (north - south) * 0.5),
                rated_kva=kva,
            )
            plan.relate(name, "located_in", parcel.id)
            plan.relate(f"FD-{parcel.grid}", "feeds", name)
            feeding.update({firm.id: name for firm in served})
            supply.transformers.setdefault(parcel.grid, []).append(name)
            shape = {"swing": 0.6, "weekend": 0.6}
            load = round(100 * mean / (kva * 0.95), 1)
            plan.measure(*(name, "load", "power"), mean=load, **shape, noise=0.8, seed=plan.seed())
            plan.measure(
                *(name, "active_power", "power"), mean=mean, **shape, noise=2.0, seed=plan.seed()
            )
            plan.measure(
                *(name, "oil_temperature", "temperature"),
                **{"mean": plan.between(44, 52), "swing": 5, "noise": 0.3, "seed": plan.seed()},
            )
    return feeding


def _electricity(plan: Plan, supply: Supply, firm: Firm, source: str) -> None:
    meter = f"EM-{firm.id[4:]}"
    zh, en = f"{firm.zh}电表", f"Electricity meter of {firm.en}"
    plan.add_at(meter, "electricity_meter", zh, en, *street_place(firm))
    plan.relate(meter, "located_in", firm.building if firm.tenant else firm.parcel)
    plan.relate(source, "feeds", meter)
    plan.relate(meter, "feeds", firm.id)
    trade = firm.trade
    plan.measure(
        *(meter, "active_power", "power"),
        mean=firm.kw,
        swing=trade.swing,
        noise=round(firm.kw * 0.03, 2),
        weekend=trade.weekend,
        shift_h=plan.between(-0.6, 0.6),
        seed=plan.seed(),
    )
    start = round(firm.kw * plan.between(4000, 30000, 0))
    plan.measure(meter, "energy_total", "energy", of=f"{meter}.active_power", start=start)
    supply.electricity.setdefault(firm.grid, []).append(meter)
    supply.kw[meter] = firm.kw


def _water(
    plan: Plan,
    supply: Supply,
    meter: str,
    name: tuple[str, str],
    where: tuple[float, float, int, str],
    m3_d: float,
    fed: str,
) -> None:
    u, v, grid, holder = where
    plan.add_at(meter, "water_meter", *name, u, v)
    plan.relate(meter, "located_in", holder)
    plan.relate(meter, "feeds", fed)
    mean = round(m3_d / 24, 3)
    plan.measure(
        *(meter, "flow", "water"),
        **{"mean": mean, "swing": 0.6, "noise": round(mean * 0.08, 3), "seed": plan.seed()},
    )
    start = round(m3_d * plan.between(200, 1800, 0))
    behaviour = {"of": f"{meter}.flow", "factor": 0.000277777778, "start": start}
    plan.measure(meter, "volume_total", "volume", **behaviour)
    supply.water.setdefault(grid, []).append(meter)
