"""How uvicorn is to run the application: bounds that the application cannot set from inside."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

PENDING_SECONDS = 30
"""A connection whose peer takes nothing for so long is dropped by the kernel."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket for `uvicorn.Server.run(sockets=[...])`; raises OSError.

    A live client that stops reading would otherwise hold its connection for ever: the protocol
    cannot close what it cannot write to.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio turns Nagle's algorithm off only on sockets that name TCP, and
    # with it on every answer waits 40 ms for an acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            timeout_ms = PENDING_SECONDS * 1000
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def config(app: FastAPI) -> uvicorn.Config:
    """Settings for uvicorn: no frame compression (frames are encoded once for all clients, it would

    compress once for each), small incoming messages, no access log, no server header.
    """
    return uvicorn.Config(
        app,
        lifespan="on",
        ws_per_message_deflate=False,
        ws_max_size=4_096,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=32_768,
        backlog=256,
    )
