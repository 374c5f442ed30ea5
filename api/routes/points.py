"""What is measured: definitions of points."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api import catalogue
from api.context import App
from api.reply import json_reply
from api.security import Reader
from api.shapes import Point

router = APIRouter(tags=["readings"])


@router.get("/points", response_model=list[Point])
def points(request: Request, app: App, who: Reader) -> Response:
    """Every point; with a machine key, those within its scope."""
    if who.scope is None:
        return app.points.reply(request)
    return json_reply(request, catalogue.points(app.services.park, who.scope))
