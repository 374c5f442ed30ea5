"""The whole park as it stands: the last reading of every point."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.context import App
from api.reply import json_reply
from api.security import Reader
from api.shapes import Twin
from twin.state import NEVER

router = APIRouter(tags=["readings"])


@router.get("/twin", response_model=Twin)
def twin(request: Request, app: App, who: Reader) -> Response:
    """Value, event time and quality of every point that ever had a reading."""
    state = app.services.live.snapshot()
    ids = app.services.journal.points.ids()
    columns = (state.value.tolist(), state.ts.tolist(), state.quality.tolist())
    values = {
        point: row
        for point, row in zip(ids, zip(*columns, strict=True), strict=False)
        if row[1] != NEVER and (who.scope is None or point in who.scope)
    }
    return json_reply(request, {"at": app.services.now_ms(), "values": values})
