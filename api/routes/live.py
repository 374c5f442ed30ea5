"""The live WebSocket: one task a socket, fed by `api.live.LiveHub`.

Close codes: 4401 no session or session over; 1013 too many sockets, or too slow; 1008 a client
that talks: it has nothing to say here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from api.context import Context, context_of
from api.errors import respond
from api.live import SESSION_ENDED, TRY_LATER, Client, Frame
from api.problems import Problem
from api.security import COOKIE

CHATTER = 20
"""Messages a client may send in one connection; it needs none."""

SESSION_CHECK_S = 30.0

router = APIRouter()


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    """A snapshot, then deltas: alarms at once, values each second.

    Refused before the handshake (403) when a page of another site opens it.
    """
    app = context_of(socket)
    if not app.gate.same_origin(socket.headers):
        origin = socket.headers.get("origin", "-")
        problem = Problem("cross-origin", origin=origin)
        await socket.send_denial_response(
            respond(problem, socket.headers.get("accept-language"), socket.url.path)
        )
        return
    token = socket.cookies.get(COOKIE, "")
    login = await app.gate.person(token)
    # Accepted first: a browser is told the close code only after a handshake.
    await socket.accept()
    if login is None:
        await socket.close(SESSION_ENDED)
        return
    client = Client(token, login.expires_at)
    if not app.hub.attach(client):
        await socket.close(TRY_LATER)
        return
    try:
        async with _listening(socket, client):
            await _feed(socket, app, client)
    except WebSocketDisconnect:
        pass  # gone while it was being sent to
    finally:
        app.hub.detach(client)


async def _feed(socket: WebSocket, app: Context, client: Client) -> None:
    """Send until the client is to be closed or is gone."""
    hub = app.hub
    checked = asyncio.get_running_loop().time()
    frame = await hub.snapshot()
    while client.close is None:
        if not await _send(socket, frame, hub.limits.slow_s):
            hub.counters.slow += 1
            client.close = TRY_LATER
            break
        hub.counters.frames += 1
        hub.counters.bytes += len(frame.text)
        client.mark = frame.mark
        await client.due.wait()
        client.due.clear()
        now = asyncio.get_running_loop().time()
        if now - checked > SESSION_CHECK_S:
            checked = now
            if await app.gate.person(client.session) is None:
                client.close = SESSION_ENDED
        if client.close is None:
            frame = await hub.delta(client.mark)
    if client.close is not None and client.close > 0:
        # A client that reads nothing cannot be told; its connection ends when the server gives up.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(socket.close(client.close), hub.limits.slow_s)


async def _send(socket: WebSocket, frame: Frame, slow_s: float) -> bool:
    """False when the client did not make room for the frame in time."""
    try:
        await asyncio.wait_for(socket.send_text(frame.text), slow_s)
    except TimeoutError:
        return False
    return True


@contextlib.asynccontextmanager
async def _listening(socket: WebSocket, client: Client) -> AsyncIterator[None]:
    """Notice meanwhile that the client leaves, or talks."""

    async def listen() -> None:
        for _ in range(CHATTER):
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                client.end(GONE)
                return
        client.end(1008)

    listener = asyncio.create_task(listen(), name="live-listener")
    try:
        yield
    finally:
        listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listener


GONE = -1
"""Stands in `Client.close` for a client that left by itself."""
