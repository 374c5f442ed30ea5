"""The park as frozen data: assets, points, relations and the rows that other parts stand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from twin.model.names import Name
from twin.model.rules import RuleRow, TotalRow
from twin.model.types import Kind, TypeDef

__all__ = ["Asset", "Binding", "Kpi", "Name", "Park", "Point", "Relation"]


@dataclass(frozen=True, slots=True)
class Asset:
    """A thing of the park. geometry: GeoJSON in WGS 84 degrees; attributes: GeoJSON attributes

    joined by the columns of its register (enterprises, parcels, buildings, projects).
    """

    id: str
    type: str
    name: Name
    geometry: Mapping[str, Any]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Point:
    """One property of one asset; `id` is `ASSET.property`. low/high: physical range in `unit`."""

    id: str
    asset: str
    property: str
    unit: str
    domain: str
    kind: Kind
    low: float | None
    high: float | None
    stale_s: float
    name: Name


@dataclass(frozen=True, slots=True)
class Relation:
    """`source` relation `target`, both asset ids; drains_to comes from network.inp."""

    source: str
    relation: str
    target: str


@dataclass(frozen=True, slots=True)
class Binding:
    """Maps a field of a foreign source to a point: value * scale is in the point's unit.

    match: a JSON key with dots for nesting, or `measurement,tag=value field` of line protocol.
    """

    source: str
    format: Literal["json", "lp"]
    match: str
    point: str
    scale: float


@dataclass(frozen=True, slots=True)
class Kpi:
    """One figure of the screen's top row. show: the value itself, or today's increment of it."""

    point: str
    name: Name
    show: Literal["value", "today"]


@dataclass(frozen=True, slots=True)
class Park:
    """A park that passed every check. Mappings keep the order of their files.

    gateways: gateway id -> its file; settings: tariff, factors and limits of park.yaml as plain
    data; hash: "sha256:..." over the folder's model files.
    """

    id: str
    name: Name
    timezone: str
    zones: tuple[str, ...]
    assets: Mapping[str, Asset]
    points: Mapping[str, Point]
    relations: tuple[Relation, ...]
    types: Mapping[str, TypeDef]
    bindings: tuple[Binding, ...]
    rules: tuple[RuleRow, ...]
    totals: tuple[TotalRow, ...]
    kpis: tuple[Kpi, ...]
    gateways: Mapping[str, Path]
    settings: Mapping[str, Any]
    hash: str

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of all assets, degrees."""
        pairs = [pair for asset in self.assets.values() for pair in positions(asset.geometry)]
        if not pairs:
            return (-180.0, -90.0, 180.0, 90.0)
        lons, lats = zip(*pairs, strict=True)
        return (min(lons), min(lats), max(lons), max(lats))

    def measured_parts(self, point: str) -> tuple[str, ...]:
        """The measured points that a derived point stands on, in order; a measured point's own id.

        What grew of a total of counters is the sum of what grew of these.
        """
        parts = {total.point: total.parts for total in self.totals}

        def leaves(one: str) -> list[str]:
            return [leaf for part in parts[one] for leaf in leaves(part)] if one in parts else [one]

        return tuple(dict.fromkeys(leaves(point)))


def positions(geometry: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Every (longitude, latitude) of a GeoJSON geometry, in order."""
    found: list[tuple[float, float]] = []

    def walk(node: Any) -> None:
        if isinstance(node, list) and node and isinstance(node[0], int | float):
            found.append((float(node[0]), float(node[1])))
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(geometry.get("coordinates", []))
    return found
