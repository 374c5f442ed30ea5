"""Gateways: who is connected, when it was last heard, what it still has to send."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.context import App
from api.reply import json_reply
from api.security import Viewer
from api.shapes import Gateways

router = APIRouter(tags=["operation"])


@router.get("/gateways", response_model=Gateways)
def gateways(request: Request, app: App, _who: Viewer) -> Response:
    """Every gateway of the model, and any other that was heard."""
    return json_reply(request, {"gateways": app.presences()})
