"""One break for every check of the park model, at a known line."""

from __future__ import annotations

from tests.twin.broken_park import Break
from tests.twin.model_breaks_assets import ASSETS, PARK, REGISTERS, RELATIONS, TYPES
from tests.twin.model_breaks_points import GATEWAY, NETWORK, POINTS, RULES, SOURCES, TOTALS

__all__ = ["BREAKS", "DEMO_BREAKS", "GATEWAY"]

BREAKS = {
    **{**PARK, **TYPES, **ASSETS, **RELATIONS, **REGISTERS},
    **{**POINTS, **NETWORK, **RULES, **TOTALS, **SOURCES},
}

# The demo park, one place in each kind of file, deep in large files.
DEMO_BREAKS = {
    "building": Break(
        "assets.geojson", '"id": "BLD-400"', '"id": "BLD-399"', "same asset id twice", "Line "
    ),
    "enterprise": Break("enterprises.csv", "ENT-150,", "ENT-950,", "no such asset", "ENT-"),
    "discharge": Break(
        "relations.csv",
        "ENT-054,discharges_to,MH-041",
        "ENT-054,discharges_to,MH-941",
        "no such",
        "MH-",
    ),
    "transformer load": Break(
        "points.csv",
        "TR-10.load,TR-10,load,,",
        "TR-10.load,TR-10,load,kW,",
        "load is share",
        "Use %",
    ),
    "blocked pipe": Break(
        *("network.inp", "C-047 MH-041 MH-042 ", "C-047 MH-041 MH-040 "),
        *("drains_to goes round in a circle", "Cut the ring"),
    ),
    "dry flow": Break(
        "rules.yaml",
        "{property: dry_flow, type: outfall}",
        "{property: dryflow}",
        "selects no",
        "Correct",
    ),
    "park total": Break(
        "totals.yaml", "ZONE-SOUTH.energy_total", "ZONE-SOUTH.water_total", "is in kWh", "same unit"
    ),
    "signal": Break(
        *("gateways/gw-south.yaml", "point: FD-9.current", "point: FD-8.current"),
        *("bound twice", "gateways/gw-south.yaml:"),
    ),
    "meter type": Break(
        "types.yaml",
        "unit: kWh, domain: energy, kind: counter",
        "unit: kwh, domain: energy",
        "unit",
        "kWh",
    ),
}
