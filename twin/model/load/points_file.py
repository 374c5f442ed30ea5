"""points.csv, relations.csv and bindings.csv: what is measured, related, renamed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from twin.model.load.fields import Fields, nearest
from twin.model.load.geojson import Assets, suggest
from twin.model.load.tables import parse_table
from twin.model.load.text import Faults, Text
from twin.model.names import Name
from twin.model.park import Asset, Binding, Point, Relation
from twin.model.types import DOMAINS, KINDS, RELATIONS, PropertyDef, TypeDef
from twin.model.units import QUANTITY, fits

POINT_COLUMNS = (
    *("point", "asset", "property", "unit", "domain", "kind"),
    *("low", "high", "stale_s", "name_zh", "name_en"),
)
RELATION_COLUMNS = ("source", "relation", "target")
BINDING_COLUMNS = ("source", "format", "match", "point", "scale")
_LP_MATCH = re.compile(r"[^ ,=]+(,[^ ,=]+=[^ ,=]+)* [^ ,=]+\Z")
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")


@dataclass(slots=True)
class Points:
    """The points that could be read, the line of each, and every id that stands in the file."""

    points: dict[str, Point]
    lines: dict[str, int]
    seen: set[str]

    def suggest(self, point: str) -> str:
        """The mend for a point id that does not exist."""
        return nearest(point, sorted(self.seen)) or "Correct the id or add it to points.csv."


def read_points(
    text: Text, assets: Assets | None, types: Mapping[str, TypeDef], faults: Faults
) -> Points:
    """All points; empty cells take the default of the asset's type."""
    found = Points({}, {}, set())
    for fields in parse_table(text, faults, POINT_COLUMNS):
        point_id, asset_id = fields.text("point"), fields.text("asset")
        name = fields.text("property")
        if point_id is None or asset_id is None or name is None:
            continue
        if point_id in found.seen:
            line = found.lines.get(point_id, 0)
            mend = f"Line {line} has it already: delete one of the two."
            fields.fault("point", point_id, "the same point twice", mend)
            continue
        found.seen.add(point_id)
        found.lines[point_id] = fields.line
        if point_id != f"{asset_id}.{name}":
            mend = f"Name it {asset_id}.{name}."
            fields.fault("point", point_id, "a point is named ASSET.property", mend)
            continue
        if assets is None:
            continue
        if asset_id not in assets.seen:
            fields.fault("asset", asset_id, "there is no such asset", suggest(asset_id, assets))
        elif asset_id in assets.assets and assets.assets[asset_id].type in types:
            asset = assets.assets[asset_id]
            point = _point(fields, point_id, asset, types[asset.type])
            if point is not None:
                found.points[point_id] = point
    return found


def _point(fields: Fields, point_id: str, asset: Asset, type_def: TypeDef) -> Point | None:
    name = str(fields.values["property"])
    prop = type_def.properties.get(name)
    if prop is None:
        options = list(type_def.properties)
        mend = nearest(name, options) or f"Add it to {type_def.id} in types.yaml."
        fields.fault("property", name, f"the type {type_def.id} has no such property", mend)
        return None
    unit = _unit(fields, prop)
    domain = fields.one_of("domain", DOMAINS) if fields.has("domain") else prop.domain
    kind = fields.one_of("kind", KINDS) if fields.has("kind") else prop.kind
    low = fields.optional_number("low", prop.low)
    high = fields.optional_number("high", prop.high)
    if low is not None and high is not None and low >= high:
        fields.fault("low", f"{low:g} to {high:g}", "low is not below high", "Correct the range.")
    stale = fields.number("stale_s", low=0.1) if fields.has("stale_s") else prop.stale_s
    if unit is None or domain is None or kind is None or stale is None:
        return None
    title = Name(
        str(fields.values["name_zh"] or f"{asset.name.zh} {prop.name.zh}"),
        str(fields.values["name_en"] or f"{asset.name.en} {prop.name.en}"),
    )
    return Point(
        *(point_id, asset.id, name, unit, domain),
        kind,  # type: ignore[arg-type]
        *(low, high, stale, title),
    )


def _unit(fields: Fields, prop: PropertyDef) -> str | None:
    if not fields.has("unit"):
        return prop.unit
    unit = str(fields.values["unit"])
    if unit not in QUANTITY:
        mend = nearest(unit, QUANTITY) or f"The property's own unit is {prop.unit}."
        fields.fault("unit", unit, "this unit is not known", mend)
        return None
    if not fits(unit, prop.unit):
        problem = f"{unit} measures {QUANTITY[unit]}, {prop.id} is {QUANTITY[prop.unit]}"
        fields.fault("unit", unit, problem, f"Use {prop.unit}.")
        return None
    return unit


def read_relations(
    text: Text, assets: Assets | None, types: Mapping[str, TypeDef], faults: Faults
) -> dict[Relation, int]:
    """Every relation of the file with its line."""
    found: dict[Relation, int] = {}
    for fields in parse_table(text, faults, RELATION_COLUMNS):
        source, target = fields.text("source"), fields.text("target")
        kind = fields.one_of("relation", RELATIONS)
        if source is None or target is None or kind is None:
            continue
        if kind == "drains_to":
            mend = "Delete the row: network.inp says what drains to what."
            fields.fault("relation", kind, "drains_to does not belong here", mend)
            continue
        relation = Relation(source, kind, target)
        if relation in found:
            mend = f"Line {found[relation]} has it already: delete one of the two."
            fields.fault("source", source, "the same relation twice", mend)
        elif assets is not None and _ends_fit(fields, relation, assets, types):
            found[relation] = fields.line
    return found


def _ends_fit(
    fields: Fields, relation: Relation, assets: Assets, types: Mapping[str, TypeDef]
) -> bool:
    fit = True
    for key, end in (("source", relation.source), ("target", relation.target)):
        if end not in assets.seen:
            fields.fault(key, end, "there is no such asset", suggest(end, assets))
        fit = fit and end in assets.assets
    if not fit:
        return False
    source, target = assets.assets[relation.source], assets.assets[relation.target]
    allowed = types[source.type].relations.get(relation.relation, ()) if types else ()
    if types and target.type not in allowed:
        problem = f"{source.type} {relation.relation} {target.type} is not allowed"
        mend = f"Allow it in types.yaml, or point to: {', '.join(allowed) or 'nothing'}."
        fields.fault("target", f"{source.id} -> {target.id}", problem, mend)
        return False
    return True


def read_bindings(text: Text, points: Points | None, faults: Faults) -> list[tuple[Binding, int]]:
    """Every binding of the file with its line."""
    found: list[tuple[Binding, int]] = []
    keys: dict[tuple[str, str, str], int] = {}
    for fields in parse_table(text, faults, BINDING_COLUMNS):
        source, match, point = fields.text("source"), fields.text("match"), fields.text("point")
        style = fields.one_of("format", ("json", "lp"))
        scale = fields.optional_number("scale", 1.0)
        if source is None or match is None or point is None or style is None or scale is None:
            continue
        if not _SOURCE.match(source):
            mend = "Use letters, digits, - and _: it is a level of the MQTT topic."
            fields.fault("source", source, "not a valid source name", mend)
        if style == "lp" and not _LP_MATCH.match(match):
            mend = "Write `measurement,tag=value field`."
            fields.fault("match", match, "not a match of line protocol", mend)
        if scale == 0:
            fields.fault("scale", scale, "the scale is zero", "Every value would be zero.")
        key = (source, style, match)
        if key in keys:
            mend = f"Line {keys[key]} binds it already: delete one of the two."
            fields.fault("match", match, "the same field of the source twice", mend)
        keys.setdefault(key, fields.line)
        if points is not None and point not in points.seen:
            fields.fault("point", point, "there is no such point", points.suggest(point))
        else:
            binding = Binding(source, style, match, point, scale)  # type: ignore[arg-type]
            found.append((binding, fields.line))
    return found
