"""The scrape address for Prometheus."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.context import App
from api.metrics import MEDIA_TYPE
from api.security import caller

router = APIRouter(tags=["operation"])

LOOPBACK = frozenset({"127.0.0.1", "::1"})


async def scraper(request: Request) -> None:
    """This machine needs no login; from elsewhere a session or any machine key is asked for."""
    address = request.client.host if request.client else ""
    if address not in LOOPBACK or "x-forwarded-for" in request.headers:
        await caller(request)


@router.get("/metrics", response_class=Response)
def metrics(app: App, _who: Annotated[None, Depends(scraper)]) -> Response:
    """Figures in Prometheus text format, explained in docs/metrics.md."""
    return Response(app.meters.text(), media_type=MEDIA_TYPE)
