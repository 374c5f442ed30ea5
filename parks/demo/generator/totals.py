"""Derived points: sewage, power, energy and water of each grid, zone and the park; mean air."""

from __future__ import annotations

from parks.demo.generator.ground import GRIDS
from parks.demo.generator.plan import Plan

# total -> (property of the meters, their type)
_SUMS = {
    "sewer_flow": ("flow", "flow_meter"),
    "active_power": ("active_power", "electricity_meter"),
    "energy_total": ("energy_total", "electricity_meter"),
    "water_flow": ("flow", "water_meter"),
    "water_total": ("volume_total", "water_meter"),
}


def add_totals(plan: Plan) -> None:
    """Grids sum their meters, zones their grids, the park its zones."""
    for grid in GRIDS:
        for prop, (part, kind) in _SUMS.items():
            selector = {"property": part, "assets_in": f"GRID-{grid}", "type": kind}
            plan.derive(f"GRID-{grid}", prop, "sum", selector)
    for zone, grids in (("OLD", range(1, 6)), ("SOUTH", range(6, 10))):
        for prop in _SUMS:
            plan.derive(f"ZONE-{zone}", prop, "sum", [f"GRID-{grid}.{prop}" for grid in grids])
        for prop in ("pm25", "pm10"):
            selector = {"property": prop, "assets_in": f"ZONE-{zone}", "type": "air_station"}
            plan.derive(f"ZONE-{zone}", prop, "mean", selector)
    for prop in _SUMS:
        plan.derive("PARK", prop, "sum", [f"ZONE-{zone}.{prop}" for zone in ("OLD", "SOUTH")])
    for prop in ("pm25", "pm10"):
        plan.derive("PARK", prop, "mean", {"property": prop, "type": "air_station"})
    plan.derive("PARK", "rain_rate", "mean", {"property": "rain_rate", "type": "rain_gauge"})
    plan.derive("PARK", "level_max", "max", {"property": "level", "type": "manhole"})
