"""Asset types: which properties may be measured on them and what they may relate to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from twin.model.names import Name

Kind = Literal["gauge", "counter", "state", "derived"]

KINDS: tuple[Kind, ...] = ("gauge", "counter", "state", "derived")
DOMAINS = ("sewer", "water", "energy", "environment", "gateway", "alarm")
RELATIONS = ("located_in", "drains_to", "feeds", "discharges_to", "occupies")


@dataclass(frozen=True, slots=True)
class PropertyDef:
    """The defaults of a property: unit, domain, kind, physical range (unit), staleness (s)."""

    id: str
    name: Name
    unit: str
    domain: str
    kind: Kind
    low: float | None
    high: float | None
    stale_s: float


@dataclass(frozen=True, slots=True)
class TypeDef:
    """An asset type: allowed GeoJSON geometries, properties by id, and target types by relation."""

    id: str
    name: Name
    geometry: tuple[str, ...]
    properties: Mapping[str, PropertyDef]
    relations: Mapping[str, tuple[str, ...]]
