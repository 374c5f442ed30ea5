"""The things of the park, as GeoJSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api import catalogue
from api.context import App
from api.problems import Problem
from api.reply import json_reply
from api.security import Viewer
from api.shapes import FeatureCollection, RelatedFeature

router = APIRouter(tags=["model"])


@router.get("/assets", response_model=FeatureCollection)
def assets(
    request: Request,
    app: App,
    _who: Viewer,
    type: Annotated[str | None, Query(max_length=100, description="only this type")] = None,
) -> Response:
    """Every asset, or those of one type."""
    if type is None:
        return app.assets.reply(request)
    return json_reply(request, catalogue.assets(app.services.park, type))


@router.get("/assets/{asset}", response_model=RelatedFeature)
def asset(request: Request, app: App, _who: Viewer, asset: str) -> Response:
    """One asset with its relations."""
    found = app.services.park.assets.get(asset)
    if found is None:
        raise Problem("unknown-asset", id=asset)
    shown = catalogue.feature(found, app.asset_points[asset])
    return json_reply(request, {**shown, "relations": app.relations[asset]})
