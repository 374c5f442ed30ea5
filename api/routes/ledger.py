"""The ledger: what each source sent and what became of it; and the audit that recounts it."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from api.context import App
from api.problems import Problem
from api.reply import json_reply
from api.security import Operator, Viewer
from api.shapes import Ledger
from ingest.audit import AuditReport

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
    return _shown(request, app.services.last_audit())


@router.post("/audit", response_model=dict[str, Any])
def run_audit(request: Request, app: App, _who: Operator) -> Response:
    """Recount now and answer with the report; about a second per million readings.

    One at a time: 503 while another runs.
    """
    if not app.auditing.acquire(blocking=False):
        raise Problem("busy", headers={"Retry-After": "10"})
    try:
        return _shown(request, app.services.run_audit())
    finally:
        app.auditing.release()


def _shown(request: Request, report: AuditReport | None) -> Response:
    if report is None:
        raise Problem("no-audit")
    verdict = {"ok": report.ok, "sentence": msgspec.to_builtins(report.sentence)}
    return json_reply(request, {**verdict, **msgspec.to_builtins(report)})
