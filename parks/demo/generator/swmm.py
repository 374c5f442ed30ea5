"""network.inp: the sewers as a SWMM 5.2 model in degrees, with dry-weather flow and one shower."""

from __future__ import annotations

from parks.demo.generator import ground
from parks.demo.generator.ground import GRIDS, grid_box
from parks.demo.generator.sewers import COMBINED, Node, Sewers

_OPTIONS = """\
[TITLE]
;; The sewers of the fictional Jichuan Economic Development Zone. Written by parks/demo/generate.py.

[OPTIONS]
FLOW_UNITS           LPS
INFILTRATION         HORTON
FLOW_ROUTING         DYNWAVE
LINK_OFFSETS         DEPTH
ALLOW_PONDING        NO
START_DATE           06/01/2026
START_TIME           00:00:00
REPORT_START_DATE    06/01/2026
REPORT_START_TIME    00:00:00
END_DATE             06/02/2026
END_TIME             00:00:00
REPORT_STEP          00:05:00
WET_STEP             00:05:00
DRY_STEP             01:00:00
ROUTING_STEP         0:00:15

[EVAPORATION]
CONSTANT             0.0
DRY_ONLY             NO

[RAINGAGES]
RG-1                 INTENSITY 0:15 1.0 TIMESERIES SHOWER
RG-2                 INTENSITY 0:15 1.0 TIMESERIES SHOWER
"""


def network(sewers: Sewers, inflow: dict[str, float]) -> str:
    """The whole file. inflow: own dry-weather flow of each node, L/s."""
    parts = [_OPTIONS, *_catchments(sewers), *_nodes(sewers), *_links(sewers)]
    parts.append(_section("DWF", _dry_weather(sewers, inflow)))
    hours = (
        "0.45 0.35 0.30 0.30 0.35 0.60 1.10 1.60 1.50 1.25 1.15 1.20 "
        "1.35 1.20 1.05 1.00 1.05 1.20 1.45 1.60 1.50 1.25 0.95 0.70"
    )
    parts.append(_section("PATTERNS", [f"DAILY HOURLY {hours}"]))
    steps = ((8.0, 0), (8.25, 6), (8.5, 18), (8.75, 32), (9.0, 15), (9.25, 7), (9.5, 2), (9.75, 0))
    rain = [f"SHOWER {int(h):02d}:{round(h % 1 * 60):02d} {mm}" for h, mm in steps]
    parts.append(_section("TIMESERIES", rain))
    parts.append(_section("REPORT", ["SUBCATCHMENTS ALL", "NODES ALL", "LINKS ALL"]))
    places = [ground.place(*node.uv) for node in sewers.nodes.values()]
    lons, lats = [p[0] for p in places], [p[1] for p in places]
    edge = f"DIMENSIONS {min(lons):.7f} {min(lats):.7f} {max(lons):.7f} {max(lats):.7f}"
    parts.append(_section("MAP", [edge, "UNITS Degrees"]))
    rows = [
        f"{name} {lon:.7f} {lat:.7f}" for name, (lon, lat) in zip(sewers.nodes, places, strict=True)
    ]
    parts.append(_section("COORDINATES", rows))
    return "\n".join(parts)


def _section(name: str, rows: list[str]) -> str:
    return f"[{name}]\n" + "".join(f"{row}\n" for row in rows)


def _kind(sewers: Sewers, kind: str) -> list[Node]:
    return [node for node in sewers.nodes.values() if node.kind == kind]


def _catchments(sewers: Sewers) -> list[str]:
    """One a storm or combined manhole: its equal share of the grid."""
    areas, flows, soils = [], [], []
    for grid in GRIDS:
        system = "combined" if grid in COMBINED else "storm"
        nodes = [n for n in sewers.nodes.values() if n.grid == grid and n.system == system]
        nodes = [node for node in nodes if node.kind == "manhole"]
        west, south, east, north = grid_box(grid)
        hectares = (east - west) * (north - south) / 10_000 / len(nodes)
        for node in nodes:
            name = f"SC-{node.id[3:]}"
            gauge = "RG-1" if grid <= 5 else "RG-2"
            sealed = 62 if grid <= 5 else 55
            areas.append(f"{name} {gauge} {node.id} {hectares:.3f} {sealed} 60 0.4 0")
            flows.append(f"{name} 0.013 0.15 1.3 4.0 25 OUTLET")
            soils.append(f"{name} 45 6 4 7 0")
    sections = (("SUBCATCHMENTS", areas), ("SUBAREAS", flows), ("INFILTRATION", soils))
    return [_section(name, rows) for name, rows in sections]


def _nodes(sewers: Sewers) -> list[str]:
    junctions = [
        f"{n.id} {n.invert:.2f} {n.ground - n.invert:.2f} 0 0 0" for n in _kind(sewers, "manhole")
    ]
    outfalls = [f"{node.id} {node.invert:.2f} FREE NO" for node in _kind(sewers, "outfall")]
    wells = [
        f"{n.id} {n.invert:.2f} {n.ground - n.invert:.2f} 0.6 FUNCTIONAL 0 0 18 0 0"
        for n in _kind(sewers, "wet_well")
    ]
    sections = (("JUNCTIONS", junctions), ("OUTFALLS", outfalls), ("STORAGE", wells))
    return [_section(name, rows) for name, rows in sections]


def _links(sewers: Sewers) -> list[str]:
    conduits, sections, pumps, weirs = [], [], [], []
    for link in sewers.links.values():
        ends = f"{link.id} {link.source} {link.target}"
        if link.kind == "conduit":
            conduits.append(f"{ends} {link.length:.1f} 0.013 0 0 0 0")
            sections.append(f"{link.id} CIRCULAR {link.diameter:.2f} 0 0 0 1")
        elif link.kind == "pump":
            start = 1.8 if link.id.endswith("1") else 2.4
            pumps.append(f"{ends} LIFT {'ON' if link.id.endswith('1') else 'OFF'} {start} 0.8")
        else:
            weirs.append(f"{ends} TRANSVERSE 0.60 1.84 NO 0 0 YES")
            sections.append(f"{link.id} RECT_OPEN 0.60 1.50 0 0")
    return [
        _section("CONDUITS", conduits),
        _section("PUMPS", pumps),
        _section("WEIRS", weirs),
        _section("XSECTIONS", sections),
        _section("CURVES", ["LIFT PUMP4 0 0", "LIFT 1.0 12", "LIFT 3.0 24"]),
    ]


def _dry_weather(sewers: Sewers, inflow: dict[str, float]) -> list[str]:
    return [
        f'{name} FLOW {flow:.3f} "DAILY"'
        for name, flow in inflow.items()
        if sewers.nodes[name].kind == "manhole" and sewers.nodes[name].system != "storm"
    ]
