"""The outermost layer of every request: security headers, a request id, a body limit, no raw 500.

Plain ASGI, so that it also covers static files and refused requests, and costs microseconds.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BODY_LIMIT, respond, too_large
from api.problems import Problem

log = structlog.get_logger(__name__)

CSP: Final = (
    "default-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; worker-src 'self' blob:; "
    # Style sheets come from us alone. Style attributes are needed by chart tooltips and map labels.
    "style-src 'self'; style-src-attr 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class RequestObserver(Protocol):
    """Told of every finished request, for the metrics."""

    def __call__(self, route: str, method: str, status: int, seconds: float) -> None:
        """`route` is the path template, or "other" when nothing matched."""


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        observe: RequestObserver,
        prefix: str,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._observe = observe
        self._prefix = prefix
        self._timer = timer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; other scopes pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        begun = self._timer()
        status = 0
        headers = Headers(scope=scope)

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    out.setdefault(name, value)
                out.setdefault("Cache-Control", "no-store")
                out["X-Request-Id"] = request_id
            await send(message)

        async def answer(problem: Problem) -> None:
            response = respond(problem, headers.get("accept-language"), scope["path"])
            await response(scope, receive, guarded)

        try:
            if _declared_length(headers) > BODY_LIMIT:
                await answer(too_large())
                return
            await self._app(scope, _limited(receive), guarded)
        except Exception:
            if status:  # too late for an answer: the server logs it and cuts the connection
                raise
            log.exception("request failed", path=scope["path"], request=request_id)
            await answer(Problem("internal", request=request_id))
        finally:
            self._observe(self._route(scope), scope["method"], status, self._timer() - begun)

    def _route(self, scope: Scope) -> str:
        """The template of the route that answered. Routers know their paths without the prefix."""
        path: str | None = getattr(scope.get("route"), "path", None)
        if not path:  # the screen is mounted, not routed
            return "screen" if "endpoint" in scope else "other"
        return self._prefix + path if scope["path"].startswith(self._prefix + "/") else path


def _declared_length(headers: Headers) -> int:
    """Content-Length, 0 when absent or nonsense (the server refuses nonsense itself)."""
    declared = headers.get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdigit() else 0


def _limited(receive: Receive) -> Receive:
    """`receive` that gives up once more than the limit has arrived."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > BODY_LIMIT:
                raise HTTPException(413)
        return message

    return limited
