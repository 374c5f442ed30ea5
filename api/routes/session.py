"""Logging in and out: the session cookie of a person's browser."""

from __future__ import annotations

import time

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from api.context import App, Context
from api.problems import Problem
from api.reply import json_reply
from api.security import COOKIE, Viewer, json_only, refuse_cross_origin
from api.shapes import LoginRequest, Session
from twin.records.audit import AuditEntry, write_audit
from twin.records.people import (
    Login,
    User,
    close_session,
    open_session,
    use_login_code,
    verify,
)

SHIFT_MS = 12 * 3_600_000
"""A session lasts one shift, whatever its use."""

ONE_TIME_CODE = "(one-time code)"

router = APIRouter(tags=["session"])


@router.post("/session", response_model=Session, dependencies=[Depends(json_only)])
async def log_in(request: Request, app: App, proof: LoginRequest) -> Response:
    """Log in with a password or a one-time code. Sets the cookie `parktwin_session`.

    Five failures for one name from one address make the next attempt wait, up to 15 minutes.
    """
    refuse_cross_origin(request)
    _check_form(proof)
    address = request.client.host if request.client else ""
    name = proof.username or ONE_TIME_CODE
    now = time.monotonic()
    wait = app.attempts.wait(address, name, now)
    if wait > 0:
        seconds = int(wait) + 1
        raise Problem("too-many-attempts", wait=seconds, headers={"Retry-After": str(seconds)})
    app.attempts.begin(address, name, now)
    opened = await run_in_threadpool(_open, app, proof, name, address)
    if opened is None:
        raise Problem("login-refused")
    app.attempts.succeeded(address, name)
    token, login = opened
    response = _session_reply(request, login)
    response.set_cookie(
        COOKIE,
        token,
        max_age=SHIFT_MS // 1000,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


@router.get("/session", response_model=Session)
async def who_am_i(request: Request, who: Viewer) -> Response:
    """Who is logged in."""
    assert who.login is not None
    return _session_reply(request, who.login)


@router.delete("/session", status_code=204)
async def log_out(request: Request, app: App, who: Viewer) -> Response:
    """Log out; live sockets of this session are closed."""
    await run_in_threadpool(_close, app, who.token, who.name, request)
    app.gate.forget(who.token)
    app.hub.end_session(who.token)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response


def _session_reply(request: Request, login: Login) -> Response:
    return json_reply(
        request,
        {
            "user": login.user.name,
            "role": login.user.role,
            "csrf": login.csrf,
            "expires_at": login.expires_at,
        },
    )


def _check_form(proof: LoginRequest) -> None:
    by_password = proof.username is not None and proof.password is not None and proof.code is None
    by_code = proof.code is not None and proof.username is None and proof.password is None
    if not (by_password or by_code):
        fields = "username + password | code"
        raise Problem(
            "invalid",
            fields=fields,
            extra={
                "errors": [
                    {"in": "body", "field": fields, "problem": "exactly one of the two / 二者取一"}
                ]
            },
        )


def _open(app: Context, proof: LoginRequest, name: str, address: str) -> tuple[str, Login] | None:
    """In a worker thread: check the proof, open the session, write the audit trail."""
    records, now = app.services.records, app.services.now_ms()
    user: User | None = None
    if proof.username is not None and proof.password is not None:
        user = verify(records, proof.username, proof.password, now)
    with records.unit() as unit:
        if proof.code is not None:
            user = use_login_code(unit, proof.code, now)
        if user is None:
            write_audit(unit, AuditEntry(now, name, "login refused", "session", ip=address))
            return None
        write_audit(unit, AuditEntry(now, user.name, "login", "session", ip=address))
        return open_session(unit, user, now, SHIFT_MS, address)


def _close(app: Context, token: str, name: str, request: Request) -> None:
    address = request.client.host if request.client else None
    with app.services.records.unit() as unit:
        close_session(unit, token)
        write_audit(unit, AuditEntry(app.services.now_ms(), name, "logout", "session", ip=address))
