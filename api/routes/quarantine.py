"""The quarantine: what arrived and could not be stored, with the reason."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.context import App
from api.reply import json_reply
from api.security import Engineer
from api.shapes import Quarantine
from ingest.quarantine import QuarantineRow

SHOWN_BYTES = 2_048

router = APIRouter(tags=["operation"])


@router.get("/quarantine", response_model=Quarantine)
def quarantine(
    request: Request,
    app: App,
    _who: Engineer,
    after: Annotated[int, Query(ge=0, le=2**62, description="rows above this id")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    source: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Quarantined rows, oldest first."""
    rows = app.services.journal.quarantine(after, limit, source)
    following = rows[-1].id if len(rows) == limit else None
    return json_reply(request, {"rows": [_shown(row) for row in rows], "next": following})


def _shown(row: QuarantineRow) -> dict[str, Any]:
    """One row; of long messages the first bytes."""
    head = row.raw[:SHOWN_BYTES]
    return {
        "id": row.id,
        "at": row.at,
        "source": row.source,
        "box": row.box,
        "sequence": row.sequence,
        "topic": row.topic,
        "code": row.code,
        "reason": row.reason,
        "size": len(row.raw),
        "raw": base64.b64encode(head).decode(),
        "text": head.decode("utf-8", "replace"),
        "released": row.released,
    }
