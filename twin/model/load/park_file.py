"""park.yaml and types.yaml: the park's identity and settings, and its asset types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from twin.model.load.fields import Fields
from twin.model.load.yaml_rows import Document
from twin.model.names import Name
from twin.model.types import DOMAINS, KINDS, RELATIONS, AttributeDef, PropertyDef, TypeDef
from twin.model.units import QUANTITY

GEOMETRIES = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon")
_PARK_KEYS = ("id", "name", "timezone", "zones", "kpis", "tariff", "factors", "limits")


@dataclass(slots=True)
class ParkFile:
    """park.yaml as read; zones and kpis still to be checked against assets and points."""

    id: str
    name: Name
    timezone: str
    zones: list[tuple[str, int]]
    kpis: list[tuple[Fields, str, Name | None, str]]
    settings: dict[str, Any]


def read_park(document: Document) -> ParkFile:
    """The park's own file; what is faulty is empty in the result."""
    fields = document.fields(())
    if fields is None:
        return ParkFile("", Name("", ""), "UTC", [], [], {})
    fields.only(_PARK_KEYS)
    zones = (fields.ids("zones") or []) if fields.has("zones") else []
    kpis = list(_kpis(document)) if fields.has("kpis") else []
    for key in ("tariff", "factors", "limits"):
        if fields.has(key):
            _check_setting(document, key)
    return ParkFile(
        fields.id("id") or "",
        fields.name("name") or Name("", ""),
        _timezone(fields),
        [(zone, document.line(("zones", n))) for n, zone in enumerate(zones)],
        kpis,
        {key: fields.values[key] for key in ("tariff", "factors", "limits") if fields.has(key)},
    )


def _timezone(fields: Fields) -> str:
    zone = fields.text("timezone")
    if zone is None:
        return "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        mend = "Use a name of the IANA database, such as Asia/Shanghai."
        fields.fault("timezone", zone, "the time zone is not known", mend)
        return "UTC"
    return zone


def _kpis(document: Document) -> list[tuple[Fields, str, Name | None, str]]:
    found = []
    for fields in document.rows(("kpis",)):
        fields.only(("point", "name", "show"))
        point = fields.text("point")
        name = fields.name("name") if fields.has("name") else None
        show = fields.one_of("show", ("value", "today")) if fields.has("show") else "value"
        if point and show:
            found.append((fields, point, name, show))
    return found


def _check_setting(document: Document, key: str) -> None:
    for fields in document.rows((key,)):
        fields.id("id")
        for date_key in ("from", "to"):
            if fields.has(date_key) and key != "tariff":
                fields.day(date_key)
        if fields.has("value") or key != "tariff":
            fields.number("value")
        if fields.has("unit"):
            fields.one_of("unit", QUANTITY)


def read_types(document: Document) -> dict[str, TypeDef]:
    """Every asset type; faulty parts are left out."""
    top = document.fields(())
    if top is None or document.fields(("types",) if top.has("types") else ()) is None:
        return {}
    top.only(("types",))
    if not top.has("types"):
        top.fault(None, "", "types is missing", "Begin the file with `types:`.")
        return {}
    found = {}
    for key in top.values["types"]:
        fields = document.fields(("types", key))
        if fields is not None:
            found[key] = _type(document, key, fields)
    _check_targets(document, found)
    return found


def _type(document: Document, key: str, fields: Fields) -> TypeDef:
    fields.only(("name", "geometry", "properties", "attributes", "relations"))
    geometry = fields.ids("geometry") or []
    for shape in geometry:
        if shape not in GEOMETRIES:
            mend = f"Use one of: {', '.join(GEOMETRIES)}."
            fields.fault("geometry", shape, "this geometry is not known", mend)
    properties = {}
    for name, row in _children(document, fields, ("types", key, "properties")):
        found = _property(name, row)
        if found is not None:
            properties[name] = found
    attributes = {}
    for name, row in _children(document, fields, ("types", key, "attributes")):
        attributes[name] = _attribute(name, row)
    relations = {}
    if fields.has("relations"):
        row_fields = document.fields(("types", key, "relations"))
        for relation in row_fields.values if row_fields else {}:
            assert row_fields is not None
            if relation not in RELATIONS:
                mend = f"Use one of: {', '.join(RELATIONS)}."
                row_fields.fault(relation, relation, "this relation is not known", mend)
            relations[relation] = tuple(row_fields.ids(relation) or ())
    name_of = fields.name("name") or Name(key, key)
    return TypeDef(key, name_of, tuple(geometry), properties, attributes, relations)


def _children(
    document: Document, fields: Fields, path: tuple[str, ...]
) -> list[tuple[str, Fields]]:
    if not fields.has(path[-1]):
        return []
    holder = document.fields(path)
    if holder is None:
        return []
    rows = ((name, document.fields((*path, name))) for name in holder.values)
    return [(name, row) for name, row in rows if row is not None]


def _property(name: str, fields: Fields) -> PropertyDef | None:
    fields.only(("name", "unit", "domain", "kind", "low", "high", "stale_s"))
    title = fields.name("name")
    unit = fields.one_of("unit", QUANTITY)
    domain = fields.one_of("domain", DOMAINS)
    kind = fields.one_of("kind", KINDS)
    low, high = fields.optional_number("low", None), fields.optional_number("high", None)
    stale = fields.number("stale_s", low=0.1)
    if low is not None and high is not None and low >= high:
        fields.fault("low", low, "low is not below high", "Exchange the two.")
    if title is None or unit is None or domain is None or kind is None or stale is None:
        return None
    return PropertyDef(name, title, unit, domain, kind, low, high, stale)  # type: ignore[arg-type]


def _attribute(name: str, fields: Fields) -> AttributeDef:
    fields.only(("kind", "required", "one_of", "low", "high"))
    kinds = ("text", "number", "integer", "date", "boolean")
    kind = fields.one_of("kind", kinds) if fields.has("kind") else "text"
    options = tuple(fields.ids("one_of") or ()) if fields.has("one_of") else ()
    low, high = fields.optional_number("low", None), fields.optional_number("high", None)
    required = fields.values.get("required") is True
    return AttributeDef(name, kind or "text", required, options, low, high)  # type: ignore[arg-type]


def _check_targets(document: Document, types: dict[str, TypeDef]) -> None:
    for type_def in types.values():
        for relation, targets in type_def.relations.items():
            for target in targets:
                if target not in types:
                    line = document.line(("types", type_def.id, "relations", relation))
                    mend = "Define the type or remove it here."
                    document.faults.add(
                        document.file, line, target, "this type is not defined", mend
                    )
