"""Alarms: what is open, what happened, and acknowledging one occurrence."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from api.context import App
from api.problems import Problem
from api.reply import json_reply
from api.security import Operator, Viewer, json_only
from api.shapes import Acknowledgement, Alarm, AlarmHistory, Alarms
from twin.alarms.book import StaleOccurrence, UnknownAlarm
from twin.records.alarms import RecordedTransition, alarm_history
from twin.records.audit import AuditEntry, write_audit

router = APIRouter(tags=["alarms"])

LATEST = 2**62


@router.get("/alarms", response_model=Alarms)
def alarms(request: Request, app: App, _who: Viewer) -> Response:
    """Open alarms: active, or unacknowledged. The newest first."""
    return json_reply(request, {"alarms": app.services.live.alarms()})


@router.get("/alarms/history", response_model=AlarmHistory)
def history(
    request: Request,
    app: App,
    _who: Viewer,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    before: Annotated[int, Query(ge=1, le=LATEST, description="older than this seq")] = LATEST,
    point: Annotated[str | None, Query(max_length=200)] = None,
    alarm: Annotated[str | None, Query(max_length=400)] = None,
    from_: Annotated[
        int | None, Query(alias="from", ge=0, le=LATEST, description="event time, Unix ms")
    ] = None,
    to: Annotated[int | None, Query(ge=0, le=LATEST, description="exclusive, Unix ms")] = None,
) -> Response:
    """Transitions, the newest first."""
    for text in (point, alarm):
        if text is not None and not text.isprintable():
            return json_reply(request, {"transitions": [], "next": None})
    with app.services.records.reading() as unit:
        rows = alarm_history(
            unit,
            limit=limit,
            before_seq=before,
            point=point,
            alarm=alarm,
            from_ms=from_,
            to_ms=to,
        )
    following = rows[-1].seq if len(rows) == limit else None
    return json_reply(request, {"transitions": [_shown(row) for row in rows], "next": following})


@router.post("/alarms/{alarm}/ack", response_model=Alarm, dependencies=[Depends(json_only)])
def acknowledge(
    request: Request, app: App, who: Operator, alarm: str, seen: Acknowledgement
) -> Response:
    """Acknowledge the occurrence that was seen; 409 with `current` when it occurred again since."""
    live, now = app.services.live, app.services.now_ms()
    try:
        view = live.acknowledge(alarm, seen.occurrence, who.name, seen.comment, now)
    except UnknownAlarm:
        raise Problem("unknown-alarm", id=alarm) from None
    except StaleOccurrence as stale:
        current = next((row for row in live.alarms() if row.id == alarm), None)
        raise Problem(
            "stale-occurrence",
            sent=seen.occurrence,
            occurrence=stale.current,
            extra={"current": current},
        ) from None
    entry = AuditEntry(
        now,
        who.name,
        "acknowledge",
        f"alarm:{alarm}",
        after={"occurrence": seen.occurrence, "comment": seen.comment},
        ip=request.client.host if request.client else None,
    )
    with app.services.records.unit() as unit:
        write_audit(unit, entry)
    return json_reply(request, view)


def _shown(row: RecordedTransition) -> dict[str, Any]:
    return {"seq": row.seq, **msgspec.to_builtins(row.transition)}
