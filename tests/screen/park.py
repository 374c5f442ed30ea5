"""A small park for the screen's tests, in the API's own words: one of everything that is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

LON, LAT = 113.9862, 26.1417
NASTY = '<img src=x onerror="window.broken=1">'


@dataclass(slots=True)
class ScreenPark:
    """What `GET park`, `GET assets` and `GET points` answer."""

    park: Json
    assets: list[Json]
    points: list[Json]
    relations: dict[str, list[Json]] = field(default_factory=dict)


def place(x: float, y: float) -> list[float]:
    """[longitude, latitude] of metres east and north of the origin."""
    return [
        LON + x / (111_195 * math.cos(math.radians(LAT))),
        LAT + y / 111_195,
    ]


def _box(west: float, south: float, east: float, north: float) -> Json:
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return {"type": "Polygon", "coordinates": [[place(x, y) for x, y in corners]]}


def _line(*path: tuple[float, float]) -> Json:
    return {"type": "LineString", "coordinates": [place(x, y) for x, y in path]}


def _spot(x: float, y: float) -> Json:
    return {"type": "Point", "coordinates": place(x, y)}


def _asset(id: str, type: str, zh: str, en: str, geometry: Json, **attributes: Any) -> Json:
    return {
        "type": "Feature",
        "id": id,
        "geometry": geometry,
        "properties": {
            "type": type,
            "name": {"zh": zh, "en": en},
            "attributes": attributes,
            "points": [],
        },
    }


def _point(asset: str, property: str, unit: str, zh: str, en: str, **more: Any) -> Json:
    return {
        "point": f"{asset}.{property}",
        "asset": asset,
        "property": property,
        "unit": unit,
        "domain": more.get("domain", "sewer"),
        "kind": more.get("kind", "gauge"),
        "low": 0.0,
        "high": more.get("high", 100.0),
        "stale_s": more.get("stale_s", 60.0),
        "name": {"zh": zh, "en": en},
    }


def small_park() -> ScreenPark:
    """22 assets and 12 points; MH-9 has a name that tries to be markup."""
    assets = [
        _asset("PARK", "park", "试验园区", "Test park", _box(-520, -420, 640, 520)),
        _asset("ZONE-1", "zone", "老区", "Old zone", _box(-500, -400, 500, 500)),
        _asset("GRID-1", "grid", "第一网格", "Grid 1", _box(-480, -380, 0, 480)),
        _asset("GRID-2", "grid", "第二网格", "Grid 2", _box(0, -380, 480, 480)),
        _asset("RIVER-1", "river", "霁水", "Ji River", _box(540, -420, 640, 520)),
        _asset("RD-1", "road", "建材路", "Masonry Road", _line((-480, 0), (480, 0)), width_m=14),
        _asset("RD-2", "road", "工人路", "Workers Road", _line((0, -380), (0, 480)), width_m=14),
        _asset("P-1", "parcel", "一号地块", "Parcel 1", _box(-460, 20, -20, 460), use="industrial"),
        _asset("P-2", "parcel", "二号地块", "Parcel 2", _box(20, 20, 460, 460), use="green"),
        _asset("B-1", "building", "一号厂房", "Factory 1", _box(-400, 80, -240, 200), height_m=18),
        _asset("B-2", "building", "办公楼", "Office", _box(120, 200, 180, 280), height_m=42),
        _asset("B-3", "building", "仓库", "Store", _box(-400, -300, -160, -160), floors=2),
        _conduit("C-1", "sanitary", "污水管一", (-300, 20), (0, 20)),
        _conduit("C-2", "sanitary", "污水管二", (0, 20), (300, 20)),
        _conduit("C-3", "storm", "雨水管", (300, 60), (520, 60)),
        _conduit("C-4", "combined", "合流管", (-300, -60), (300, -60)),
        _conduit("C-5", "interceptor", "截流管", (480, -300), (480, 300)),
        _asset("MH-1", "manhole", "一号井", "Manhole 1", _spot(0, 20)),
        _asset("MH-9", "manhole", NASTY, NASTY, _spot(-300, -60)),
        _asset("OF-1", "outfall", "一号排口", "Outfall 1", _spot(520, 60)),
        _asset("PS-1", "pump_station", "提升泵站", "Lift station", _spot(480, -60)),
        _asset("AIR-1", "air_station", "空气站", "Air station", _spot(-100, 300)),
        _asset("PM-1", "power_meter", "总表", "Main meter", _spot(200, -200)),
    ]
    points = [
        _point("PARK", "sewer_flow", "L/s", "污水总流量", "Sewage flow", stale_s=120.0),
        _point("PARK", "active_power", "kW", "园区负荷", "Park load", high=50_000.0),
        _point("PARK", "energy_total", "kWh", "用电量", "Electricity", kind="counter", high=1e9),
        _point("MH-1", "level", "m", "液位", "Level", high=6.0),
        _point("MH-1", "flow", "L/s", "流量", "Flow"),
        _point("MH-9", "level", "m", NASTY, NASTY, high=6.0),
        _point("OF-1", "cod", "mg/L", "化学需氧量", "COD", high=500.0),
        _point("PS-1", "running", "", "运行", "Running", kind="state"),
        _point("AIR-1", "pm25", "µg/m³", "细颗粒物", "PM2.5", domain="environment"),
        _point("AIR-1", "temperature", "°C", "气温", "Temperature", domain="environment"),
        _point("PM-1", "active_power", "kW", "有功功率", "Active power", domain="energy"),
        _point("PM-1", "energy_total", "kWh", "电能", "Energy", kind="counter", domain="energy"),
    ]
    for asset in assets:
        asset["properties"]["points"] = [p["point"] for p in points if p["asset"] == asset["id"]]
    west, south = place(-520, -420)
    east, north = place(640, 520)
    kpis = [
        ("PARK.sewer_flow", "污水总流量", "Sewage flow", "value"),
        ("PARK.active_power", "园区负荷", "Park load", "value"),
        ("PARK.energy_total", "用电量", "Electricity", "today"),
        ("AIR-1.pm25", "细颗粒物 PM2.5", "PM2.5", "value"),
    ]
    units = {p["point"]: p["unit"] for p in points}
    park = {
        "id": "test",
        "name": {"zh": "试验园区", "en": "Test park"},
        "timezone": "Asia/Shanghai",
        "bounds": [west, south, east, north],
        "types": {
            "manhole": {"zh": "检查井", "en": "Manhole"},
            "outfall": {"zh": "排口", "en": "Outfall"},
        },
        "kpis": [
            {"point": point, "name": {"zh": zh, "en": en}, "unit": units[point], "show": show}
            for point, zh, en, show in kpis
        ],
    }
    relations = {
        "MH-1": [
            {"relation": "located_in", "direction": "out", "asset": "GRID-1"},
            {"relation": "drains_to", "direction": "out", "asset": "C-2"},
        ]
    }
    return ScreenPark(park, assets, points, relations)


def _conduit(id: str, system: str, zh: str, *path: tuple[float, float]) -> Json:
    return _asset(id, "conduit", zh, id, _line(*path), system=system, diameter_mm=600)
