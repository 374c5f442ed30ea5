"""assets.geojson: every asset with its id, type, names, geometry and attributes.

A feature is flat, as GIS programs write it: properties `type`, `name_zh`, `name_en`, all others are
attributes. Coordinates are WGS 84 degrees, longitude first (RFC 7946).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import shapely

from twin.model.load.fields import Fields, nearest
from twin.model.load.json_lines import Item, JsonFault, items, members
from twin.model.load.text import Faults, Text
from twin.model.names import Name
from twin.model.park import Asset, positions
from twin.model.types import AttributeDef, TypeDef

# A park is a few kilometres wide: what lies further than this from its middle is a slip.
_FAR_DEGREES = 0.5
_DEPTH = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}


@dataclass(slots=True)
class Assets:
    """The assets that could be read, the line of each, and every id that stands in the file."""

    assets: dict[str, Asset]
    lines: dict[str, int]
    seen: set[str]
    items: dict[str, Item]

    def line_of(self, asset: str, *path: str | int) -> int:
        """The line of a value inside an asset's feature."""
        return self.items[asset].line_of(path)


def read_assets(text: Text, types: Mapping[str, TypeDef], faults: Faults) -> Assets | None:
    """All assets; None when the file is not GeoJSON at all."""
    found = Assets({}, {}, set(), {})
    features = False
    try:
        for key, member in members(text):
            if key == "type" and member.value != "FeatureCollection":
                mend = "Export the layer as a GeoJSON FeatureCollection."
                faults.add(text.file, member.line, member.value, "not a FeatureCollection", mend)
            if key == "crs":
                mend = "Export in WGS 84 (EPSG:4326) and remove `crs`."
                faults.add(text.file, member.line, "", "GeoJSON is always WGS 84", mend)
            if key == "features":
                features = True
                for item in items(member):
                    _read_feature(item, types, found, faults)
    except JsonFault as problem:
        mend = "Check commas, brackets and quotes on this line and the one above."
        faults.add(text.file, problem.line, "", f"not valid JSON: {problem}", mend)
        return None
    if not features:
        faults.add(text.file, 1, "", "there are no features", "Add a `features` list.")
    _check_places(text.file, found, faults)
    _check_shapes(text.file, found, faults)
    return found


def _read_feature(item: Item, types: Mapping[str, TypeDef], found: Assets, faults: Faults) -> None:
    file = item.text.file
    feature = item.value
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        faults.add(file, item.line, "", "not a GeoJSON feature", 'Add "type": "Feature".')
        return
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        faults.add(file, item.line, "", "the feature has no properties", 'Add "properties".')
        return
    own = "id" in feature

    def line_of(key: str | None) -> int:
        if key is None:
            return item.line
        return item.line_of(["id"] if key == "id" and own else ["properties", key])

    values = {"id": feature["id"], **properties} if own else properties
    fields = Fields(faults, file, values, line_of)
    asset_id = fields.id("id")
    type_id = fields.one_of("type", types) if types else fields.text("type")
    name = fields.names("name_zh", "name_en")
    if isinstance(values.get("id"), str):
        found.seen.add(values["id"])
    if asset_id is None:
        return
    if asset_id in found.items:
        mend = f"Line {found.lines[asset_id]} has it already: give one of the two another id."
        fields.fault("id", asset_id, "the same asset id twice", mend)
        return
    found.lines[asset_id] = item.line
    found.items[asset_id] = item
    special = ("id", "type", "name_zh", "name_en")
    attributes = {k: v for k, v in properties.items() if k not in special and v is not None}
    if type_id is not None and type_id in types:
        check_attributes(Fields(faults, file, attributes, line_of), types[type_id].attributes)
    geometry = _geometry(item, asset_id, types.get(type_id or ""), faults)
    if type_id is None or geometry is None:
        return
    found.assets[asset_id] = Asset(asset_id, type_id, name or Name("", ""), geometry, attributes)


def check_attributes(fields: Fields, definitions: Mapping[str, AttributeDef]) -> None:
    """Attributes against their definitions; those without a definition are free."""
    for key, definition in definitions.items():
        if not fields.has(key):
            if definition.required:
                fields.fault(key, "", f"the attribute {key} is missing", f"Give {key}.")
        elif definition.kind in ("number", "integer"):
            value = fields.number(key, definition.low, definition.high)
            if definition.kind == "integer" and value is not None and value % 1:
                fields.fault(key, value, f"{key} must be a whole number", "Round it.")
        elif definition.kind == "date":
            fields.day(key)
        elif definition.kind == "boolean" and not isinstance(fields.values[key], bool):
            mend = "Write true or false."
            fields.fault(key, fields.values[key], f"{key} must be true or false", mend)
        elif definition.one_of:
            fields.one_of(key, definition.one_of)


def _geometry(
    item: Item, asset: str, type_def: TypeDef | None, faults: Faults
) -> dict[str, Any] | None:
    geometry = item.value.get("geometry")
    file = item.text.file
    if not isinstance(geometry, dict) or geometry.get("type") not in _DEPTH:
        mend = f"Use one of: {', '.join(_DEPTH)}."
        line = item.line_of(["geometry"])
        faults.add(file, line, asset, "the geometry is missing or of an unknown type", mend)
        return None
    shape = geometry["type"]
    if type_def is not None and type_def.geometry and shape not in type_def.geometry:
        line = item.line_of(["geometry", "type"])
        problem = f"the type {type_def.id} cannot be a {shape}"
        faults.add(file, line, asset, problem, f"Draw it as {' or '.join(type_def.geometry)}.")
    coordinates = geometry.get("coordinates")
    if not _well_formed(coordinates, _DEPTH[shape]):
        mend = "Write positions as [longitude, latitude]; a polygon is a list of rings."
        line = item.line_of(["geometry", "coordinates"])
        faults.add(file, line, asset, f"the coordinates are not those of a {shape}", mend)
        return None
    for path, lon, lat in _outside(coordinates, ("geometry", "coordinates")):
        problem, mend = "not a WGS 84 position", "Longitude is -180..180, latitude -90..90."
        if abs(lat) > 90 and abs(lon) <= 90:
            problem = "longitude and latitude are swapped"
            mend = "Write longitude first, then latitude."
        elif max(abs(lon), abs(lat)) > 180:
            mend = "These look like metres: export in WGS 84 (EPSG:4326) degrees."
        faults.add(file, item.line_of(path), f"{asset}: {lon}, {lat}", problem, mend)
        return None
    return geometry


def _well_formed(node: Any, depth: int) -> bool:
    if depth == 0:
        return (
            isinstance(node, list)
            and len(node) in (2, 3)
            and all(isinstance(n, int | float) and not isinstance(n, bool) for n in node)
            and all(math.isfinite(n) for n in node)
        )
    return isinstance(node, list) and bool(node) and all(_well_formed(n, depth - 1) for n in node)


def _outside(
    node: Any, path: tuple[str | int, ...]
) -> list[tuple[tuple[str | int, ...], float, float]]:
    if isinstance(node[0], int | float):
        lon, lat = float(node[0]), float(node[1])
        return [] if abs(lon) <= 180 and abs(lat) <= 90 else [(path, lon, lat)]
    return [out for n, child in enumerate(node) for out in _outside(child, (*path, n))]


def _check_places(file: str, found: Assets, faults: Faults) -> None:
    first = {asset.id: positions(asset.geometry)[0] for asset in found.assets.values()}
    if len(first) < 3:
        return
    lon = median(place[0] for place in first.values())
    lat = median(place[1] for place in first.values())
    for asset in found.assets.values():
        for x, y in positions(asset.geometry):
            if max(abs(x - lon), abs(y - lat)) <= _FAR_DEGREES:
                continue
            problem = f"far from the other assets (they lie at {lon:.3f}, {lat:.3f})"
            mend = "Correct the coordinates."
            if max(abs(y - lon), abs(x - lat)) <= _FAR_DEGREES:
                problem = "longitude and latitude are swapped"
                mend = "Write longitude first, then latitude."
            line = found.line_of(asset.id, "geometry", "coordinates")
            faults.add(file, line, f"{asset.id}: {x}, {y}", problem, mend)
            break


def _check_shapes(file: str, found: Assets, faults: Faults) -> None:
    for asset in found.assets.values():
        shape = asset.geometry["type"]
        problem, mend = "", ""
        if shape in ("Polygon", "MultiPolygon"):
            problem, mend = _polygon_problem(asset.geometry)
        elif shape == "LineString" and len(set(positions(asset.geometry))) < 2:
            problem, mend = "the line has no length", "Give it two different positions."
        if problem:
            line = found.line_of(asset.id, "geometry", "coordinates")
            faults.add(file, line, asset.id, problem, mend)


def _polygon_problem(geometry: Mapping[str, Any]) -> tuple[str, str]:
    parts = geometry["coordinates"]
    for polygon in [parts] if geometry["type"] == "Polygon" else parts:
        for ring in polygon:
            if len(ring) < 4 or ring[0] != ring[-1]:
                return "a ring is not closed", "Repeat the first position at the end of the ring."
        shape = shapely.Polygon(polygon[0], polygon[1:])
        if not shape.is_valid:
            reason = str(shapely.is_valid_reason(shape))
            if "Self-intersection" in reason:
                place = reason.partition("[")[2].rstrip("]").replace(" ", ", ")
                mend = f"Put its corners in order; the edges cross at {place}."
                return "the polygon crosses itself", mend
            return f"the polygon is not valid: {reason}", "Redraw it."
    return "", ""


def suggest(asset: str, found: Assets) -> str:
    """The mend for an asset id that does not exist."""
    return nearest(asset, sorted(found.seen)) or "Correct the id or add the asset."
