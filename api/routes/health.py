"""Liveness and readiness, for people, supervisors and load balancers. No login needed."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api import health
from api.context import App
from api.language import preferred
from api.reply import json_reply
from api.shapes import Ready

router = APIRouter(tags=["operation"])


@router.get("/healthz", response_class=Response)
async def healthz() -> Response:
    """The process is up and its event loop turns."""
    return Response("ok\n", media_type="text/plain")


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready}})
def readyz(request: Request, app: App) -> Response:
    """200 when the node can do its work; 503 with what is wrong, by check, when it cannot."""
    language = preferred(request.headers.get("accept-language"))
    wrong = health.wrong(app.probes)
    content = {
        "ready": not wrong,
        "wrong": {name: words.in_(language) for name, words in wrong.items()},
    }
    return json_reply(request, content, 503 if wrong else 200)
