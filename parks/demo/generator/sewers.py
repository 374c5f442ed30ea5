"""The sewers: collectors along the streets, an interceptor by the river, storm mains, outfalls.

Grids 1 and 4 still have combined sewers with an overflow weir; the others are separated. Sanitary
pipes lie 5 m beside the street's middle, storm pipes on the other side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

from parks.demo.generator import ground
from parks.demo.generator.ground import GRIDS, Uv, along, bank, bend, lines
from parks.demo.generator.plan import Plan

COMBINED = (1, 4)
_SPACING = 150.0
_BESIDE = 5.0
# Laterals that were not built because their street was not: (grid, column, above the collector).
_NO_STREET = {(2, 3, True), (4, 2, False)}


@dataclass(slots=True)
class Node:
    """A manhole, outfall or wet well; invert and ground in m above sea level."""

    id: str
    kind: str
    system: str
    grid: int
    uv: Uv
    ground: float
    invert: float = math.nan


@dataclass(slots=True)
class Link:
    """A pipe, pump or weir from `source` to `target`; length and diameter in m."""

    id: str
    kind: str
    system: str
    source: str
    target: str
    length: float = 0.0
    diameter: float = 0.0


@dataclass(slots=True)
class Sewers:
    """The network in the making; `ends` are each grid's last own manhole by system."""

    plan: Plan
    nodes: dict[str, Node] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    ends: dict[tuple[int, str], str] = field(default_factory=dict)
    by_place: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def node(self, system: str, grid: int, uv: Uv) -> str:
        """The manhole of `system` at a place; made when it is not there yet."""
        key = (system, round(uv[0]), round(uv[1]))
        if key not in self.by_place:
            number = sum(node.kind == "manhole" for node in self.nodes.values()) + 1
            name = f"MH-{number:03d}"
            self.nodes[name] = Node(name, "manhole", system, grid, uv, ground.height(*uv))
            self.by_place[key] = name
        return self.by_place[key]

    def pipe(self, system: str, path: list[str]) -> None:
        """Conduits from each node of `path` to the next."""
        for source, target in pairwise(path):
            number = sum(link.kind == "conduit" for link in self.links.values()) + 1
            name = f"C-{number:03d}"
            self.links[name] = Link(name, "conduit", system, source, target)

    def run(self, system: str, grid: int, places: list[Uv]) -> list[str]:
        """Manholes through `places`, with more between where it is far."""
        found = [self.node(system, grid, places[0])]
        for (u1, v1), (u2, v2) in pairwise(places):
            parts = max(1, math.ceil(math.hypot(u2 - u1, v2 - v1) / _SPACING))
            for i in range(1, parts + 1):
                share = i / parts
                uv = (u1 + (u2 - u1) * share, v1 + (v2 - v1) * share)
                found.append(self.node(system, grid, uv))
        return found


def build(plan: Plan) -> Sewers:
    """Designs the network; `sewer_assets.draw` adds it to the plan."""
    sewers = Sewers(plan)
    _interceptor(sewers)
    for grid in GRIDS:
        _collector(sewers, grid)
    for grid in GRIDS:
        _storm(sewers, grid)
    _sizes(sewers)
    return sewers


def _trunk_uv(zone: str, row: int) -> Uv:
    us, vs = lines(zone)
    return (us[-1] - _BESIDE, vs[row] - _BESIDE)


def _interceptor(sewers: Sewers) -> None:
    places = [_trunk_uv("old", row) for row in (5, 4, 3, 2, 1)]
    places += [_trunk_uv("south", row) for row in (4, 3, 2, 1)]
    places.append((815.0, -1045.0))
    path = sewers.run("interceptor", 3, places)
    for name in path:
        sewers.nodes[name].grid = ground.grid_at(*sewers.nodes[name].uv)
    end = Node("OF-WWTP", "outfall", "sanitary", 9, (745.0, -1045.0), ground.height(745, -1045))
    sewers.nodes[end.id] = end
    sewers.pipe("interceptor", [*path, end.id])


def _street(grid: int) -> tuple[tuple[float, ...], float, list[int], float, float]:
    """u of the streets, v of the collector's street, own columns, south and north v."""
    zone, west, south, east, north, row = GRIDS[grid]
    us, vs = lines(zone)
    return us, vs[row], list(range(west, east)), vs[south], vs[north]


def _laterals(sewers: Sewers, grid: int, system: str, beside: float) -> None:
    us, v, columns, low, high = _street(grid)
    for column in columns:
        u = us[column] + beside
        for far, above in ((high, True), (low, False)):
            if abs(far - v) > 60 and (grid, column, above) not in _NO_STREET:
                start = far + beside + (-16 if above else 16)
                path = sewers.run(system, grid, [(u, start), (u, v + beside)])
                sewers.pipe(system, path)


def _collector(sewers: Sewers, grid: int) -> None:
    """The grid's foul or combined pipe to the interceptor."""
    system = "combined" if grid in COMBINED else "sanitary"
    us, v, columns, _, _ = _street(grid)
    zone = GRIDS[grid][0]
    own = [(us[column] - _BESIDE, v - _BESIDE) for column in columns]
    last = columns[-1] + 1
    beyond = [(us[column] - _BESIDE, v - _BESIDE) for column in range(last, len(us) - 1)]
    final = (us[-1] - 34.0, v - _BESIDE)
    path = sewers.run(system, grid, [*own, *beyond, final])
    inside = [n for n in path if sewers.nodes[n].uv[0] <= us[last] - _BESIDE + 1]
    sewers.ends[grid, system] = inside[-1]
    for name in path[len(inside) :]:
        sewers.nodes[name].grid = ground.grid_at(*sewers.nodes[name].uv)
    _laterals(sewers, grid, system, -_BESIDE)
    trunk = sewers.node("interceptor", grid, _trunk_uv(zone, GRIDS[grid][5]))
    if grid == 8:
        _lift(sewers, path, trunk)
        return
    sewers.pipe(system, path)
    sewers.pipe("interceptor" if system == "combined" else system, [path[-1], trunk])


def _lift(sewers: Sewers, path: list[str], trunk: str) -> None:
    """Grid 8 lies low: a pumping station lifts its sewage."""
    last = sewers.nodes[path[-1]]
    u, v = last.uv
    well = Node("PS-1", "wet_well", "sanitary", 8, (u + 9, v - 4), ground.height(u, v))
    sewers.nodes[well.id] = well
    sewers.pipe("sanitary", [*path, well.id])
    for n in (1, 2):
        name = f"P-10{n}"
        sewers.links[name] = Link(name, "pump", "sanitary", well.id, trunk)


def _storm(sewers: Sewers, grid: int) -> None:
    """The grid's storm main to its outfall; where sewers are combined only its last part."""
    us, v, columns, _, _ = _street(grid)
    end_v = v + _BESIDE
    combined = grid in COMBINED
    turn = (us[-1] - 20.0, end_v)
    shore = (bank(end_v) - 30.0, end_v)
    if combined:
        places = [(us[-2] + _BESIDE, end_v), turn, shore] if grid == 4 else [turn, shore]
    else:
        own = [(us[column] + _BESIDE, end_v) for column in columns]
        beyond = range(columns[-1] + 1, len(us) - 1)
        places = [*own, *((us[column] + _BESIDE, end_v) for column in beyond), turn, shore]
    path = sewers.run("storm", grid, places)
    for name in path:
        sewers.nodes[name].grid = ground.grid_at(*sewers.nodes[name].uv)
    outfall = f"OF-{grid}"
    uv = (bank(end_v) - 1.0, end_v)
    sewers.nodes[outfall] = Node(outfall, "outfall", "storm", grid, uv, 0.0)
    sewers.pipe("storm", [*path, outfall])
    sewers.ends[grid, "storm"] = path[-1]
    if not combined:
        _laterals(sewers, grid, "storm", _BESIDE)
        return
    chamber = sewers.node("combined", grid, (us[-1] - 34.0, v - _BESIDE))
    turn_node = sewers.node("storm", grid, turn)
    name = f"W-{grid}"
    sewers.links[name] = Link(name, "weir", "combined", chamber, turn_node)


def _order(sewers: Sewers) -> list[str]:
    """Nodes from upstream to downstream."""
    waiting = dict.fromkeys(sewers.nodes, 0)
    for link in sewers.links.values():
        waiting[link.target] += 1
    found = [name for name, count in waiting.items() if count == 0]
    for name in found:
        for link in sewers.links.values():
            if link.source == name:
                waiting[link.target] -= 1
                if waiting[link.target] == 0:
                    found.append(link.target)
    return found


def _sizes(sewers: Sewers) -> None:
    """Lengths, diameters by what lies upstream, and inverts with a fall in every pipe."""
    carried: dict[str, int] = dict.fromkeys(sewers.nodes, 1)
    for node in sewers.nodes.values():
        cover = 1.5 if node.system == "storm" else 2.3
        node.invert = node.ground - cover if node.ground else math.inf
    for name in _order(sewers):
        node = sewers.nodes[name]
        for link in (one for one in sewers.links.values() if one.source == name):
            target = sewers.nodes[link.target]
            path = along([node.uv, target.uv])
            link.length = round(sum(math.dist(bend(*a), bend(*b)) for a, b in pairwise(path)), 1)
            carried[link.target] += carried[name] if link.kind == "conduit" else 0
            if link.kind == "pump":
                continue
            grade = 0.0011 if link.system == "interceptor" else 0.0028
            step = 0.35 if link.kind == "weir" else 0.0
            target.invert = min(target.invert, node.invert - grade * link.length + step)
    for name, node in sewers.nodes.items():
        if node.kind == "wet_well":
            node.invert -= 2.5
        node.ground = max(node.ground, node.invert + 1.2)
        node.invert = round(node.invert, 2)
        for link in (one for one in sewers.links.values() if one.source == name):
            link.diameter = _diameter(link.system, carried[name])


def _diameter(system: str, upstream: int) -> float:
    steps = {
        "sanitary": ((4, 0.3), (9, 0.4), (99, 0.5)),
        "combined": ((4, 0.5), (9, 0.8), (99, 1.2)),
        "storm": ((4, 0.6), (9, 1.0), (99, 1.5)),
        "interceptor": ((25, 0.6), (70, 0.8), (999, 1.0)),
    }
    return next(size for most, size in steps[system] if upstream <= most)
