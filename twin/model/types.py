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
class AttributeDef:
    """What an attribute may hold; one_of and low/high bound texts and numbers."""

    id: str
    kind: Literal["text", "number", "integer", "date", "boolean"]
    required: bool
    one_of: tuple[str, ...]
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class TypeDef:
    """An asset type: allowed GeoJSON geometries, properties and attributes by id, and the target

    types of each relation that may start at it.
    """

    id: str
    name: Name
    geometry: tuple[str, ...]
    properties: Mapping[str, PropertyDef]
    attributes: Mapping[str, AttributeDef]
    relations: Mapping[str, tuple[str, ...]]
