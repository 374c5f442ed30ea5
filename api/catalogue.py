"""The park model as the API shows it: park, assets as GeoJSON, points. Pure functions."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from twin.model import Asset, Name, Park, Point


def name(words: Name) -> dict[str, str]:
    """A name in both languages."""
    return {"zh": words.zh, "en": words.en}


def park(model: Park) -> dict[str, Any]:
    """The park: names, time zone, bounds (west, south, east, north), types, figures on top."""
    return {
        "id": model.id,
        "name": model.name,
        "timezone": model.timezone,
        "bounds": list(model.bounds),
        "zones": list(model.zones),
        "types": {key: name(kind.name) for key, kind in model.types.items()},
        "kpis": [
            {
                "point": kpi.point,
                "name": name(kpi.name),
                "unit": model.points[kpi.point].unit,
                "show": kpi.show,
            }
            for kpi in model.kpis
        ],
        "model": model.hash,
    }


def points_by_asset(model: Park) -> dict[str, list[str]]:
    """Point ids of each asset, in the model's order."""
    found: dict[str, list[str]] = {asset: [] for asset in model.assets}
    for point in model.points.values():
        found.setdefault(point.asset, []).append(point.id)
    return found


def feature(asset: Asset, points: list[str]) -> dict[str, Any]:
    """One asset as a GeoJSON feature."""
    return {
        "type": "Feature",
        "id": asset.id,
        "geometry": asset.geometry,
        "properties": {
            "type": asset.type,
            "name": name(asset.name),
            "attributes": asset.attributes,
            "points": points,
        },
    }


def assets(model: Park, type_: str | None = None) -> dict[str, Any]:
    """All assets, or those of one type, as a GeoJSON FeatureCollection."""
    points = points_by_asset(model)
    return {
        "type": "FeatureCollection",
        "features": [
            feature(asset, points[asset.id])
            for asset in model.assets.values()
            if type_ is None or asset.type == type_
        ],
    }


def relations(model: Park) -> dict[str, list[dict[str, str]]]:
    """What each asset relates to, seen from it: direction "out" as source, "in" as target."""
    found: dict[str, list[dict[str, str]]] = {asset: [] for asset in model.assets}
    for row in model.relations:
        found.setdefault(row.source, []).append(
            {"relation": row.relation, "direction": "out", "asset": row.target}
        )
        found.setdefault(row.target, []).append(
            {"relation": row.relation, "direction": "in", "asset": row.source}
        )
    return found


def point(row: Point) -> dict[str, Any]:
    """One point's definition."""
    return {
        "point": row.id,
        "asset": row.asset,
        "property": row.property,
        "unit": row.unit,
        "domain": row.domain,
        "kind": row.kind,
        "low": row.low,
        "high": row.high,
        "stale_s": row.stale_s,
        "name": name(row.name),
    }


def points(model: Park, scope: Container[str] | None = None) -> list[dict[str, Any]]:
    """All points, or those within a machine key's scope."""
    return [point(row) for row in model.points.values() if scope is None or row.id in scope]
