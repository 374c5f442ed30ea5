"""A real InfluxDB for tests: Debian's influxd (1.x, TSM engine) behind a proxy that speaks the
two routes of 2.x which ParkTwin uses. The proxy keeps its port while the engine is stopped,
killed and started again, so `url` never changes.
"""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

BUCKETS = ("raw", "rollup")

_CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{home}/meta"
[data]
  dir = "{home}/data"
  wal-dir = "{home}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer in two writes would wait 40 ms
    server: _ProxyServer

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the test prints what it needs."""

    def do_GET(self) -> None:
        self._forward("GET")

    def do_POST(self) -> None:
        self._forward("POST")

    def _forward(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        path = url.path
        if path == "/api/v2/write":
            asked = dict(parse_qsl(url.query))
            precision = asked.get("precision", "ns")
            precision = {"us": "u"}.get(precision, precision)
            path = "/write?" + urlencode({"db": asked.get("bucket", ""), "precision": precision})
        elif path in ("/health", "/ready"):
            path = "/ping"
        elif url.query:
            path += "?" + url.query
        keep = ("Content-Encoding", "Content-Type", "Accept")
        headers = {k: self.headers[k] for k in keep if k in self.headers}
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=60)
        try:
            upstream.request(method, path, body, headers)
            answer = upstream.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            # What a client of the engine itself would see: the connection ends without an answer.
            self.close_connection = True
            return
        finally:
            upstream.close()
        self.server.writes += path.startswith("/write")
        self.send_response(answer.status)
        for name in ("Content-Type", "X-Influxdb-Version", "X-Influxdb-Error"):
            if value := answer.getheader(name):
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if answer.status != 204:
            self.wfile.write(content)


class _ProxyServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    upstream: int
    writes = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is not news."""


class Influxd:
    """One engine with its own data folder; `url` answers /api/v2/write, /query and /ping."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "influxd"
        self.home.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._proxy = _ProxyServer(("127.0.0.1", 0), _Proxy)
        self._proxy.upstream = 0
        self._serving = threading.Thread(
            target=self._proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._serving.start()
        self.url = f"http://127.0.0.1:{self._proxy.server_address[1]}"

    def __enter__(self) -> Influxd:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def writes(self) -> int:
        """Write requests that the engine answered, whatever the answer."""
        return self._proxy.writes

    def start(self, timeout: float = 30.0) -> None:
        """Start the engine on the data it has, and wait until it answers."""
        for _ in range(5):
            port = _free_port()
            self._proxy.upstream = port
            config = self.home / "influxdb.conf"
            config.write_text(_CONFIG.format(home=self.home, port=port, rpc=_free_port()))
            with (self.home / "influxd.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [shutil.which("influxd") or "/usr/bin/influxd", "-config", str(config)],
                    stdout=log,
                    stderr=log,
                    cwd=self.home,
                )
            if self._answers(timeout):
                for bucket in BUCKETS:
                    self.query(f'CREATE DATABASE "{bucket}"', method="POST")
                return
            self.kill9()  # most likely another process took the port first
        raise RuntimeError(f"influxd does not start; see {self.home / 'influxd.log'}")

    def _answers(self, timeout: float) -> bool:
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                return False
            try:
                self._ask("GET", "/ping")
            except (OSError, http.client.HTTPException):
                time.sleep(0.03)
            else:
                return True
        return False

    def stop(self) -> None:
        """End the engine as an administrator would (SIGTERM)."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def kill9(self) -> None:
        """SIGKILL: what was not on disk is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def close(self) -> None:
        """End the engine and the proxy."""
        self.kill9()
        self._proxy.shutdown()
        self._proxy.server_close()
        self._serving.join(5)

    def _ask(self, method: str, path: str) -> bytes:
        link = http.client.HTTPConnection("127.0.0.1", self._proxy.upstream, timeout=60)
        try:
            link.request(method, path)
            return link.getresponse().read()
        finally:
            link.close()

    def query(self, text: str, db: str = "raw", method: str = "GET") -> list[dict[str, Any]]:
        """Rows of an InfluxQL query as dictionaries: columns, tags, `measurement`; times in ms."""
        path = "/query?" + urlencode({"db": db, "q": text, "epoch": "ms"})
        answer = json.loads(self._ask(method, path))
        rows: list[dict[str, Any]] = []
        for result in answer.get("results", []):
            if "error" in result:
                raise RuntimeError(result["error"])
            for series in result.get("series", []):
                head = {"measurement": series.get("name"), **series.get("tags", {})}
                rows += [
                    head | dict(zip(series["columns"], values, strict=True))
                    for values in series.get("values", [])
                ]
        return rows


@contextmanager
def running_influxd(folder: Path) -> Iterator[Influxd]:
    """A started engine with the buckets `raw` and `rollup`, torn down at the end."""
    with Influxd(folder) as engine:
        engine.start()
        yield engine
