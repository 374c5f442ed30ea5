"""The application under a real uvicorn on a loopback port, in a thread of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import httpx2
import uvicorn

from api.app import create_app
from api.server import config, listen
from api.services import Services
from tests.api.plant import Plant


@contextlib.contextmanager
def running(services: Services) -> Iterator[str]:
    """The address, e.g. ``127.0.0.1:40001``; the server is stopped at the end of the block."""
    bound = listen("127.0.0.1", 0)
    server = uvicorn.Server(config(create_app(services)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        until = time.monotonic() + 20
        while not server.started and thread.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        assert server.started
        yield f"127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        bound.close()
        assert not thread.is_alive()


def cookie(address: str, plant: Plant, user: str = "viewer") -> str:
    """The Cookie header of a new session."""
    proof = {"code": plant.code(user)}
    answer = httpx2.post(f"http://{address}/api/v1/session", json=proof)
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"].partition(";")[0]
