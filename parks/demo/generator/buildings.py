"""Factory halls, offices, silos and standard factories on their parcels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import shapely
from shapely import affinity

from parks.demo.generator import ground
from parks.demo.generator.ground import along, box
from parks.demo.generator.land import Parcel
from parks.demo.generator.plan import Plan


@dataclass(frozen=True, slots=True)
class Building:
    """A building with its parcel, centre (street frame) and floor area."""

    id: str
    parcel: str
    grid: int
    u: float
    v: float
    gross: float
    standard: bool


def put_up(plan: Plan, parcels: list[Parcel]) -> list[Building]:
    """Adds the buildings of all parcels to the plan."""
    buildings = [building for parcel in parcels for building in _buildings(plan, parcel)]
    for number, building in enumerate((b for b in buildings if b.standard), start=1):
        properties = plan.assets[building.id]["properties"]
        properties["name_zh"] = f"{number}号标准厂房"
        properties["name_en"] = f"Standard factory {number}"
    return buildings


def _buildings(plan: Plan, parcel: Parcel) -> list[Building]:
    west, south, east, north = parcel.box
    width, depth = east - west, north - south
    if parcel.use in ("reserved", "green"):
        return []
    found: list[Building] = []

    def put(u: float, v: float, long: float, wide: float, floors: int, use: str) -> None:
        building = _building(plan, parcel, (u, v), (long, wide), floors, use)
        if building is not None:
            found.append(building)

    if parcel.use == "standard factory":
        columns, rows = (2, 3) if parcel.grid > 5 else (2, 2)
        for row in range(rows):
            for column in range(columns):
                u = west + width * (column + 0.5) / columns
                v = south + depth * (row + 0.5) / rows
                put(
                    u,
                    v,
                    width / columns - 14,
                    min(24.0, depth / rows - 13),
                    4 + row % 2,
                    "标准厂房",
                )
        return found
    if parcel.use == "wastewater treatment":
        for column in range(3):
            for row in range(2):
                u, v = west + width * (0.2 + 0.22 * column), south + depth * (0.3 + 0.38 * row)
                put(u, v, -36, 36, 1, "生化池")
        put(west + width * 0.85, south + depth * 0.6, 30, 60, 2, "污泥脱水间")
        return found
    old = parcel.grid <= 5
    count = plan.luck.randrange(2, 5) if old else plan.luck.randrange(1, 4)
    span = width / count
    for n in range(count):
        u = west + span * (n + 0.5)
        v = south + depth * plan.luck.uniform(0.42, 0.58)
        long = span * plan.luck.uniform(0.62, 0.8)
        wide = depth * plan.luck.uniform(0.34, 0.6)
        put(u, v, long, wide, plan.luck.choice((1, 1, 1, 2)) if old else 1, "厂房")
    put(west + width * 0.16, south + depth * 0.09, width * 0.24, 15, 5 if old else 6, "办公楼")
    if plan.luck.random() < 0.45:
        for n in range(plan.luck.randrange(2, 5)):
            put(west + width * 0.55 + 15.0 * n, north - depth * 0.07, -12, 12, 7, "料仓")
    return found


def _building(
    plan: Plan,
    parcel: Parcel,
    centre: tuple[float, float],
    size: tuple[float, float],
    floors: int,
    use: str,
) -> Building | None:
    """A true rectangle (a circle where `long` is negative), shrunk until it fits its parcel."""
    u, v = centre
    x, y = ground.bend(u, v)
    ahead = ground.bend(u + 5, v)
    turn = math.degrees(math.atan2(ahead[1] - y, ahead[0] - x))
    land = shapely.Polygon([ground.bend(a, b) for a, b in along(box(*parcel.box), 60.0)])
    for shrink in (1.0, 0.92, 0.84, 0.76, 0.68):
        long, wide = abs(size[0]) * shrink, size[1] * shrink
        if size[0] < 0:
            shape = shapely.Point(x, y).buffer(wide / 2, quad_segs=4)
        else:
            shape = _hall(plan, x, y, long, wide, parcel.grid <= 5 and floors < 3)
        shape = affinity.rotate(shape, turn, origin=(x, y))
        if land.buffer(-3.0).contains(shape):
            break
    else:
        return None
    number = sum(asset["properties"]["type"] == "building" for asset in plan.assets.values()) + 1
    building = f"BLD-{number:03d}"
    storey = {"标准厂房": 4.8, "料仓": 3.4, "办公楼": 3.6, "生化池": 2.2}.get(use, 9.5)
    ring = [ground.degrees(*xy) for xy in shape.exterior.coords]
    gross = round(shape.area * floors)
    plan.add(
        *(building, "building", f"{number:03d}号{use}", f"Building {number:03d}"),
        {"type": "Polygon", "coordinates": [ring]},
        height_m=round(storey * floors + (0.8 if floors > 1 else 0.0), 1),
    )
    plan.relate(building, "located_in", parcel.id)
    year = plan.luck.randrange(1994, 2014) if parcel.grid <= 5 else plan.luck.randrange(2017, 2026)
    standard = use == "标准厂房"
    plan.register(
        "buildings.csv",
        {
            "building": building,
            "use": use,
            "standard_factory": "yes" if standard else "no",
            "floors": floors,
            "gross_m2": gross,
            "built_year": year,
            "owner": "开发区平台公司" if standard else "企业自有",
        },
    )
    return Building(building, parcel.id, parcel.grid, u, v, gross, standard)


def _hall(
    plan: Plan, x: float, y: float, long: float, wide: float, irregular: bool
) -> shapely.Polygon:
    hall = shapely.box(x - long / 2, y - wide / 2, x + long / 2, y + wide / 2)
    if irregular and plan.luck.random() < 0.35 and long > 40 and wide > 30:
        notch = shapely.box(x + long * 0.08, y + wide * 0.05, x + long, y + wide)
        cut = hall.difference(notch)
        assert isinstance(cut, shapely.Polygon)
        return cut
    return hall
