"""The park itself: names, time zone, bounds, figures of the screen's top row."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.context import App
from api.security import Viewer
from api.shapes import Park

router = APIRouter(tags=["model"])


@router.get("/park", response_model=Park)
async def park(request: Request, app: App, _who: Viewer) -> Response:
    """The park that this node watches."""
    return app.park.reply(request)
