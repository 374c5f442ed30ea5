"""network.inp (SWMM 5): the nodes and links of the sewers, with the line of each.

Only what identity, place and direction need is read; the hydraulics stay with SWMM. GeoJSON owns
identity and place, so every disagreement with it is a fault.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

from twin.model.load.fields import nearest
from twin.model.load.geojson import Assets
from twin.model.load.text import Faults, Text
from twin.model.park import Relation, positions

# Section -> (asset type that it makes, least number of columns).
NODES = {"JUNCTIONS": ("manhole", 2), "OUTFALLS": ("outfall", 3), "STORAGE": ("wet_well", 5)}
LINKS = {
    "CONDUITS": ("conduit", 5),
    "PUMPS": ("pump", 3),
    "WEIRS": ("weir", 4),
    "ORIFICES": ("orifice", 4),
}
_TOLERANCE_M = 5.0
# To what a pipe system may drain. A weir is an overflow: it may lead anywhere.
_MAY_DRAIN = {
    "storm": {"storm", "combined"},
    "sanitary": {"sanitary", "combined", "interceptor"},
    "combined": {"combined", "interceptor", "sanitary"},
    "interceptor": {"interceptor", "sanitary"},
}


@dataclass(frozen=True, slots=True)
class Element:
    """A node or a link of the .inp file; source, target and length (m) are a link's."""

    id: str
    type: str
    line: int
    source: str = ""
    target: str = ""
    length: float = math.nan


@dataclass(slots=True)
class Network:
    """Nodes and links by id, node places (x, y, line), lines of cross-sections, every name that

    stands in the file, and whether the places are degrees.
    """

    file: str
    nodes: dict[str, Element] = field(default_factory=dict)
    links: dict[str, Element] = field(default_factory=dict)
    places: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    shapes: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    degrees: bool = False


def read_network(text: Text, faults: Faults) -> Network:
    """The sewers of `text`; faulty rows are left out."""
    network = Network(text.file)
    section = ""
    for number, raw in enumerate(text.content.splitlines(), start=1):
        row = raw.partition(";")[0].strip()
        if not row:
            continue
        if row.startswith("["):
            section = row.strip("[]").upper()
            if not row.endswith("]"):
                faults.add(text.file, number, row, "the section is not closed", "Write [NAME].")
        elif not section:
            mend = "Begin with a section such as [TITLE]."
            faults.add(text.file, number, row, "a row before the first section", mend)
        else:
            _read_row(network, section, row.split(), number, faults)
    _check_links(network, faults)
    return network


def _read_row(network: Network, section: str, cells: list[str], line: int, faults: Faults) -> None:
    if section in NODES or section in LINKS:
        network.seen.add(cells[0])
    if section in NODES:
        kind, least = NODES[section]
        if _enough(network, section, cells, least, line, faults) and _numbers(
            network, cells[1:2], line, faults
        ):
            _add(network, Element(cells[0], kind, line), network.nodes, faults)
    elif section in LINKS:
        kind, least = LINKS[section]
        if not _enough(network, section, cells, least, line, faults):
            return
        length = math.nan
        if section == "CONDUITS":
            if not _numbers(network, cells[3:5], line, faults):
                return
            length = float(cells[3])
        element = Element(cells[0], kind, line, cells[1], cells[2], length)
        _add(network, element, network.links, faults)
    elif section == "COORDINATES":
        if _enough(network, section, cells, 3, line, faults) and _numbers(
            network, cells[1:3], line, faults
        ):
            network.places[cells[0]] = (float(cells[1]), float(cells[2]), line)
    elif section == "XSECTIONS":
        if _enough(network, section, cells, 3, line, faults):
            network.shapes[cells[0]] = line
            if cells[1].upper() not in ("IRREGULAR", "CUSTOM", "STREET"):
                _numbers(network, cells[2:3], line, faults, low=0.0)
    elif section == "MAP" and cells[0].upper() == "UNITS" and len(cells) > 1:
        network.degrees = cells[1].upper() == "DEGREES"


def _enough(
    network: Network, section: str, cells: list[str], least: int, line: int, faults: Faults
) -> bool:
    if len(cells) >= least:
        return True
    problem = f"a row of [{section}] needs at least {least} columns"
    faults.add(network.file, line, " ".join(cells), problem, "Complete the row.")
    return False


def _numbers(
    network: Network, cells: list[str], line: int, faults: Faults, low: float = -math.inf
) -> bool:
    for cell in cells:
        try:
            value = float(cell) if cell.isascii() else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value <= low:
            what = "not a number" if math.isnan(value) else "out of range"
            faults.add(network.file, line, cell, what, "Write a plain positive number.")
            return False
    return True


def _add(network: Network, element: Element, into: dict[str, Element], faults: Faults) -> None:
    other = network.nodes.get(element.id) or network.links.get(element.id)
    if other is not None:
        mend = f"Line {other.line} has it already: give one of the two another name."
        faults.add(network.file, element.line, element.id, "the same name twice", mend)
        return
    into[element.id] = element


def _check_links(network: Network, faults: Faults) -> None:
    for link in network.links.values():
        for end in (link.source, link.target):
            if end not in network.seen:
                mend = nearest(end, list(network.nodes)) or "Add the node."
                faults.add(network.file, link.line, end, f"{link.id} has no such node", mend)
        if link.source == link.target:
            problem = f"{link.id} ends where it begins"
            faults.add(network.file, link.line, link.source, problem, "Correct one end.")
        if link.type == "conduit" and link.id not in network.shapes:
            mend = "Add a row for it to [XSECTIONS]."
            faults.add(network.file, link.line, link.id, "the conduit has no cross-section", mend)
    for node in network.nodes.values():
        if node.id not in network.places:
            mend = "Add a row for it to [COORDINATES]."
            faults.add(network.file, node.line, node.id, "the node has no coordinates", mend)


def drains(network: Network, assets: Assets) -> tuple[list[Relation], dict[Relation, int]]:
    """drains_to along every link, node to link to node, and the line of each; only known assets."""
    lines: dict[Relation, int] = {}
    for link in network.links.values():
        for source, target in ((link.source, link.id), (link.id, link.target)):
            if source in assets.assets and target in assets.assets:
                lines[Relation(source, "drains_to", target)] = link.line
    return list(lines), lines


def check_against_assets(network: Network, assets: Assets, geojson: str, faults: Faults) -> None:
    """Every disagreement between network.inp and assets.geojson."""
    elements = network.nodes | network.links
    for element in elements.values():
        if element.id not in assets.seen:
            word = "node" if element.id in network.nodes else "link"
            mend = nearest(element.id, sorted(assets.seen)) or f"Add it to {geojson}."
            problem = f"this {word} is not an asset"
            faults.add(network.file, element.line, element.id, problem, mend)
        elif element.id in assets.assets:
            _check_element(network, element, assets, geojson, faults)
    hydraulic = {kind for kind, _ in (*NODES.values(), *LINKS.values())}
    for asset in assets.assets.values():
        if asset.type in hydraulic and asset.id not in network.seen:
            line = assets.lines[asset.id]
            problem = f"{network.file} does not have this {asset.type}"
            mend = f"Add it to {network.file} or remove it here."
            faults.add(geojson, line, asset.id, problem, mend)


def _check_element(
    network: Network, element: Element, assets: Assets, geojson: str, faults: Faults
) -> None:
    asset = assets.assets[element.id]
    if asset.type != element.type:
        problem = f"{element.type} here, {asset.type} in {geojson}"
        mend = "Move the row to the right section or correct the asset's type."
        faults.add(network.file, element.line, element.id, problem, mend)
        return
    if not network.degrees:
        return
    if element.id in network.places:
        x, y, line = network.places[element.id]
        away = metres((x, y), positions(asset.geometry)[0])
        if away > _TOLERANCE_M:
            problem = f"{away:.0f} m away from its place in {geojson}"
            mend = f"{geojson} owns the place: copy its coordinates, or correct it there."
            faults.add(network.file, line, element.id, problem, mend)
    if element.type == "conduit" and asset.geometry["type"] == "LineString":
        _check_conduit(network, element, positions(asset.geometry), geojson, faults)


def _check_conduit(
    network: Network,
    link: Element,
    line: list[tuple[float, float]],
    geojson: str,
    faults: Faults,
) -> None:
    if link.source not in network.places or link.target not in network.places:
        return
    ends = [network.places[node][:2] for node in (link.source, link.target)]

    def add(problem: str, mend: str) -> None:
        faults.add(network.file, link.line, link.id, problem, mend)

    if max(metres(line[0], ends[0]), metres(line[-1], ends[1])) > _TOLERANCE_M:
        if max(metres(line[0], ends[1]), metres(line[-1], ends[0])) <= _TOLERANCE_M:
            add(
                f"flows against its direction in {geojson}",
                "Exchange its two nodes here, or reverse the line there.",
            )
        else:
            add(f"its ends are not those of its line in {geojson}", "Correct one of the two.")
        return
    drawn = sum(metres(a, b) for a, b in pairwise(line))
    if abs(drawn - link.length) > _TOLERANCE_M + 0.2 * drawn:
        add(f"{link.length:g} m long, but {drawn:.0f} m in {geojson}", "Correct the length.")


def check_systems(
    network: Network, assets: Assets, lines: dict[Relation, int], faults: Faults
) -> None:
    """Sewage may not drain to storm pipes, nor storm water to sanitary ones."""
    for relation, line in lines.items():
        source, target = assets.assets[relation.source], assets.assets[relation.target]
        here, there = source.attributes.get("system"), target.attributes.get("system")
        overflow = "weir" in (source.type, target.type)
        if overflow or there is None or here not in _MAY_DRAIN or there in _MAY_DRAIN[here]:
            continue
        faults.add(
            network.file,
            line,
            f"{source.id} -> {target.id}",
            f"{here} {source.type} drains to {there} {target.type}",
            "Correct the link or the `system` of one of the two; a misconnection is a finding,"
            " not part of the design.",
        )


def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Distance of two near places (longitude, latitude) on the sphere, within 0.5 %."""
    dx = (a[0] - b[0]) * math.cos(math.radians((a[1] + b[1]) / 2))
    return 111_195.0 * math.hypot(dx, a[1] - b[1])
