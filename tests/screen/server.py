"""A server that speaks the API to the screen and misbehaves on request.

The real application cannot be told to answer slowly, to lose a socket or to keep a wrong clock;
this one can. It serves the real page with the real security headers.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.headers import SECURITY_HEADERS
from api.screen import Screen
from tests.screen.levers import Levers
from tests.screen.park import Json, ScreenPark

SCREEN = Path(__file__).resolve().parents[2] / "dashboards" / "screen"
COOKIE = "parktwin_session"
PASSWORD = "correct horse"


class ScreenServer(Levers):
    """Serves the levers' state to the page; `run` is its life."""

    def __init__(self, park: ScreenPark, *, tick_s: float = 0.2) -> None:
        super().__init__(park, tick_s=tick_s)
        self.port = 0
        self.requests: list[str] = []
        self.sent_bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sockets: set[WebSocket] = set()

    def drop_sockets(self) -> None:
        """Closes every live socket, as a restarting server does."""
        for live in list(self._sockets):
            self.call(live.close(1012))

    def call(self, coroutine: Any) -> None:
        """Runs a coroutine on the server's loop and waits for it."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"

    def app(self) -> ASGIApp:
        """Every path the page asks for."""
        api = "/api/v1"
        routes = [
            Route(f"{api}/session", self._get_session, methods=["GET"]),
            Route(f"{api}/session", self._post_session, methods=["POST"]),
            Route(f"{api}/session", self._delete_session, methods=["DELETE"]),
            Route(f"{api}/park", self._get_park),
            Route(f"{api}/assets", self._get_assets),
            Route(f"{api}/assets/{{asset}}", self._get_asset),
            Route(f"{api}/points", self._get_points),
            Route(f"{api}/points/{{point}}/history", self._get_history),
            Route(f"{api}/alarms", self._get_alarms),
            Route(f"{api}/alarms/{{alarm}}/ack", self._post_ack, methods=["POST"]),
            WebSocketRoute(f"{api}/live", self._live),
            Mount("/", Screen(SCREEN)),
        ]
        inner = Starlette(routes=routes)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await inner(scope, receive, send)
                return
            path = scope["path"].removeprefix(f"{api}/")
            self.requests.append(f"{scope['method']} {scope['path']}")
            self._loop = asyncio.get_running_loop()

            async def guarded(message: Message) -> None:
                if message["type"] == "http.response.start":
                    rows = [(k.lower().encode(), v.encode()) for k, v in SECURITY_HEADERS.items()]
                    message["headers"] = [*message["headers"], *rows]
                else:
                    self.sent_bytes += len(message.get("body", b""))
                await send(message)

            for prefix, seconds in list(self.delay.items()):
                if path.startswith(prefix):
                    await asyncio.sleep(seconds)
            for prefix, status in self.fail.items():
                if path.startswith(prefix):
                    await problem(status, "故障 fault")(scope, receive, guarded)
                    return
            await inner(scope, receive, guarded)

        return app

    def _session(self) -> Json:
        return {"user": "op", "role": self.role, "csrf": "token", "expires_at": self.now() + 10**7}

    def _valid(self, cookies: dict[str, str]) -> bool:
        return cookies.get(COOKIE) in self.sessions

    async def _get_session(self, request: Request) -> Response:
        if not self._valid(request.cookies):
            return problem(401, "请先登录")
        return JSONResponse(self._session())

    async def _post_session(self, request: Request) -> Response:
        proof = await request.json()
        if "code" in proof:
            good = proof["code"] in self.codes
            self.codes.discard(proof["code"])
        else:
            good = proof["password"] == PASSWORD
        if not good:
            return problem(401, "登录未成功")
        self.sessions.add("valid")
        response = JSONResponse(self._session())
        response.set_cookie(COOKIE, "valid", httponly=True, samesite="strict")
        return response

    async def _delete_session(self, request: Request) -> Response:
        response = Response(status_code=204)
        response.delete_cookie(COOKIE)
        return response

    async def _get_park(self, request: Request) -> Response:
        return JSONResponse(self.park.park)

    async def _get_assets(self, request: Request) -> Response:
        return JSONResponse({"type": "FeatureCollection", "features": self.park.assets})

    async def _get_asset(self, request: Request) -> Response:
        id = request.path_params["asset"]
        found = next((asset for asset in self.park.assets if asset["id"] == id), None)
        if found is None:
            return problem(404, "没有这个设施")
        return JSONResponse({**found, "relations": self.park.relations.get(id, [])})

    async def _get_points(self, request: Request) -> Response:
        return JSONResponse(self.park.points)

    async def _get_history(self, request: Request) -> Response:
        query = request.query_params
        every = query.get("every", "raw")
        start, end = int(query["from"]), int(query["to"])
        step = {"raw": 5_000, "1m": 60_000, "15m": 900_000, "1h": 3_600_000}[every]
        rows = self.history(request.path_params["point"], start, end, step)
        if query.get("agg") == "increment" and not self.increments:
            rows = [[row[0], None, *row[2:]] for row in rows]
        columns = ["t", "v", "q"] if every == "raw" else ["t", "v", "good_share", "covered_s"]
        body = {"point": request.path_params["point"], "unit": "", "every": every, "agg": None}
        return JSONResponse({**body, "columns": columns, "rows": rows, "truncated": False})

    async def _get_alarms(self, request: Request) -> Response:
        return JSONResponse({"alarms": self.alarms})

    async def _post_ack(self, request: Request) -> Response:
        if request.headers.get("x-csrf-token") != "token":
            return problem(403, "缺少 CSRF 标记")
        id = request.path_params["alarm"]
        seen = (await request.json())["occurrence"]
        alarm = next((row for row in self.alarms if row["id"] == id), None)
        if alarm is None:
            return problem(404, "没有这条告警")
        if alarm["occurrence"] != seen:
            return problem(409, "告警再次发生")
        self.acks.append((id, seen))
        after = {"state": "ACKED", "unacked": False, "acked_by": "op", "acked_at": self.now()}
        alarm = {**alarm, **after}
        self.alarms = [alarm if row["id"] == id else row for row in self.alarms]
        self.alarm_version += 1
        return JSONResponse(alarm)

    async def _live(self, live: WebSocket) -> None:
        if self.refuse_sockets:
            await live.close(1013)
            return
        await live.accept()
        if not self._valid(live.cookies):
            await live.close(4401)
            return
        self._sockets.add(live)
        try:
            await self._feed(live)
        except (WebSocketDisconnect, RuntimeError):
            pass  # closed by either side
        finally:
            self._sockets.discard(live)

    async def _feed(self, live: WebSocket) -> None:
        mark = (self.version, self.alarm_version, self.gateway_version)
        cells = [self.values.get(point) for point in self.ids]
        head: Json = {"now": self.now(), "lag_ms": self.lag_ms}
        await live.send_json(
            {"type": "snapshot", **head, "points": self.ids, "values": cells}
            | {"alarms": self.alarms, "gateways": self.gateways}
        )
        while True:
            await asyncio.sleep(self.tick_s)
            if self.mute:
                continue
            version, alarms, gateways = mark
            mark = (self.version, self.alarm_version, self.gateway_version)
            changed = [
                [i, *self.values[point]]
                for i, point in enumerate(self.ids)
                if self.touched.get(point, 0) > version
            ]
            delta: Json = {"type": "delta", "now": self.now(), "lag_ms": self.lag_ms}
            delta["values"] = changed
            if alarms != mark[1]:
                delta["alarms"] = self.alarms
            if gateways != mark[2]:
                delta["gateways"] = self.gateways
            await live.send_json(delta)

    @contextmanager
    def run(self, port: int = 0) -> Iterator[ScreenServer]:
        """Serves in a thread of its own until the block ends."""
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            self.port = listener.getsockname()[1]
            config = uvicorn.Config(
                self.app(),
                log_level="error",
                ws="websockets-sansio",
                lifespan="off",
                timeout_graceful_shutdown=2,
            )
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
            thread.start()
            try:
                yield self
            finally:
                server.should_exit = True
                thread.join(10)


def problem(status: int, detail: str) -> JSONResponse:
    """An RFC 9457 answer."""
    body = {"type": "about:blank", "title": "problem", "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")
