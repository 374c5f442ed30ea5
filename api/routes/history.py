"""A point's history: raw readings or roll-ups, as JSON or CSV, bounded in range and rows."""

from __future__ import annotations

from typing import Annotated, Literal, NoReturn
from zoneinfo import ZoneInfo

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response

from api.context import App, Context
from api.instants import NotAMoment, parse
from api.problems import Problem
from api.reply import body_reply, json_reply
from api.security import Reader
from api.series import (
    DAY_MS,
    EMPTY_BUCKETS,
    LONGEST_MS,
    MAX_ROWS,
    Aggregate,
    Interval,
    Table,
    csv_text,
    raw_table,
    summed_table,
)
from api.shapes import History

router = APIRouter(tags=["readings"])

MOMENT = "ISO 8601 (the park's local time when it names no zone) or Unix ms"


@router.get("/points/{point}/history", response_model=History)
async def history(
    request: Request,
    app: App,
    who: Reader,
    point: str,
    from_: Annotated[
        str | None, Query(alias="from", max_length=40, description=f"{MOMENT}; default to - 24 h")
    ] = None,
    to: Annotated[
        str | None, Query(max_length=40, description=f"{MOMENT}, exclusive; default now")
    ] = None,
    every: Annotated[Interval, Query(description="raw readings, or the width of a bucket")] = "raw",
    agg: Annotated[Aggregate, Query(description="of usable values; not for raw")] = "mean",
    format: Annotated[Literal["json", "csv"], Query()] = "json",
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS, description="rows")] = MAX_ROWS,
) -> Response:
    """Readings or roll-ups of a point; `from` is moved back to the start of its bucket.

    A range is at most 31 days raw, 92 days of minutes, 3 years of quarter hours, 10 years of hours.
    """
    number = app.services.journal.points.index(point)
    definition = app.services.park.points.get(point)
    if definition is None or number is None or (who.scope is not None and point not in who.scope):
        raise Problem("unknown-point", id=point)
    start, end = _range(app, from_, to, every)

    def answer() -> Response:
        table = _read(app, point, number, start, end, every, agg, limit)
        if format == "csv":
            return _csv(request, table, app.zone, point)
        return json_reply(
            request,
            {
                "point": point,
                "unit": definition.unit,
                "every": every,
                "agg": None if every == "raw" else agg,
                "columns": table.columns,
                "rows": table.rows(),
                "truncated": table.next is not None,
                "next": table.next,
            },
        )

    if app.queries.statistics().tasks_waiting >= app.services.limits.waiting:
        raise Problem("busy", headers={"Retry-After": "2"})
    return await anyio.to_thread.run_sync(answer, limiter=app.queries)


def _read(
    app: Context,
    point: str,
    number: int,
    start: int,
    end: int,
    every: Interval,
    agg: Aggregate,
    limit: int,
) -> Table:
    """In a worker thread: at most `limit` rows, and where to go on."""
    if every == "raw":
        return raw_table(app.services.history.raw(number, start, end, limit + 1), limit)
    start = app.calendar.start(start, every)
    index = app.services.journal.points.index
    numbers = [number]
    if agg == "increment":
        # A total of counters falls when a part is silent; it grew by what its parts grew by.
        parts = app.services.park.measured_parts(point)
        numbers = [n for n in map(index, parts) if n is not None]
    found = app.services.history.buckets(numbers, start, end, every)
    return summed_table(list(found.values()), agg, limit) if found else EMPTY_BUCKETS


def _range(app: Context, from_: str | None, to: str | None, every: Interval) -> tuple[int, int]:
    """Begin and end in Unix ms; raises `Problem` when they make no sense."""
    end = _moment("to", to, app.zone) if to is not None else app.services.now_ms()
    start = _moment("from", from_, app.zone) if from_ is not None else max(0, end - DAY_MS)
    if end < start:
        _bad_range("to 早于 from。", "`to` lies before `from`.")
    if end - start > LONGEST_MS[every]:
        days = LONGEST_MS[every] // DAY_MS
        _bad_range(
            f"every={every} 时最长 {days} 天。", f"With every={every} it is at most {days} days."
        )
    return start, end


def _moment(field: str, text: str, zone: ZoneInfo) -> int:
    try:
        return parse(text, zone)
    except NotAMoment:
        _bad_range(
            f"{field} 必须是 1970 至 2100 年间的 ISO 8601 时间或 Unix 毫秒。",
            f"`{field}` must be ISO 8601 or Unix milliseconds, between 1970 and 2100.",
        )


def _bad_range(zh: str, en: str) -> NoReturn:
    raise Problem("history-range", reason_zh=zh, reason_en=en)


def _csv(request: Request, table: Table, zone: ZoneInfo, point: str) -> Response:
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-._") else "_" for c in point)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    if table.next is not None:
        headers["X-Truncated-Next"] = str(table.next)
    body = csv_text(table, zone).encode()
    return body_reply(request, body, "text/csv; charset=utf-8", headers=headers)
