"""A stand-in for InfluxDB that answers writes by a script: for answers which a real one cannot be
made to give (503 with Retry-After, a reset after the commit). It parses nothing; the test decides.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """status 0: the connection is cut without an answer (after the lines were taken)."""

    status: int = 204
    message: str = ""
    retry_after: str | None = None
    keeps: bool | None = None
    delay: float = 0.0

    @property
    def stores(self) -> bool:
        """True when the lines of the request are kept."""
        return self.keeps if self.keeps is not None else self.status in (204, 0)


Script = Callable[[list[str]], Answer]


@dataclass
class ScriptedInflux:
    """`answer` is asked for every write; `stored`: series and time -> fields, the newest."""

    answer: Script = lambda lines: Answer()
    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)

    def take(self, body: bytes) -> Answer:
        """One write request."""
        lines = body.decode().split("\n")
        self.bodies.append(body)
        self.times.append(time.monotonic())
        answer = self.answer(lines)
        if answer.stores:
            for line in lines:
                head, _, rest = line.partition(" ")
                fields, _, ts = rest.rpartition(" ")
                self.stored[f"{head} {ts}"] = fields
        return answer


@contextmanager
def scripted_influx() -> Iterator[ScriptedInflux]:
    """The server on a free loopback port."""
    script = ScriptedInflux()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # an answer in two writes would wait 40 ms

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            answer = script.take(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(answer.delay)
            if answer.status == 0:
                self.close_connection = True
                return
            self.send_response(answer.status)
            if answer.retry_after is not None:
                self.send_header("Retry-After", answer.retry_after)
            if answer.status != 204:
                told = json.dumps({"code": "x", "message": answer.message}).encode()
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)
            else:
                self.end_headers()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that gave up is part of the script."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
