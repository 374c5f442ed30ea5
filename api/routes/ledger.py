"""The ledger: what each source sent and what became of it; and the audit that recounts it."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from api.context import App
from api.problems import Problem
from api.reply import json_reply
from api.security import Viewer
from api.shapes import Ledger

router = APIRouter(tags=["operation"])


@router.get("/ledger", response_model=Ledger)
def ledger(request: Request, app: App, _who: Viewer) -> Response:
    """The account of every source, as committed."""
    journal = app.services.journal
    rows = [{**msgspec.to_builtins(row), "imbalance": row.imbalance} for row in journal.ledger()]
    return json_reply(request, {"epoch": journal.epoch, "end": journal.end, "rows": rows})


@router.get("/audit/last", response_model=dict[str, Any])
def last_audit(request: Request, app: App, _who: Viewer) -> Response:
    """The newest audit: journal, history and InfluxDB recounted from their data."""
    report = app.services.last_audit()
    if report is None:
        raise Problem("no-audit")
    return json_reply(request, report)
