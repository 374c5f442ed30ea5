"""From MQTT publish to the alarm on the WebSocket, while 2,000 readings/s come in beside it."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from pathlib import Path

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from parktwin.bench.generator import Publisher, text_field
from parktwin.bench.rig import Rig, running
from parktwin.bench.table import Row

ALARMS = 100


def session(address: str, code_file: Path) -> str:
    """Log in with the node's one-time code; the session cookie as a header value."""
    request = urllib.request.Request(
        f"{address}/api/v1/session",
        json.dumps({"code": code_file.read_text().strip()}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.headers["Set-Cookie"]).split(";")[0]


def _listen(socket: ClientConnection, seen: dict[str, float], until: float) -> None:
    while time.monotonic() < until:
        try:
            frame = json.loads(socket.recv(timeout=0.5))
        except TimeoutError:
            continue
        now = time.perf_counter()
        for alarm in frame.get("alarms", ()):
            seen.setdefault(alarm["point"], now)


def _raise_alarms(rig: Rig, published: dict[str, float]) -> None:
    publisher = Publisher(rig.native(), "latency")
    box = f"latency-{time.time_ns()}"
    for number in range(ALARMS):
        point = f"B-{9_000 + number:06d}.level"
        now = int(time.time() * 1000)
        up = {"v": 1, "box": box, "first": number + 1, "sent": now, "uptime": now}
        payload = json.dumps({**up, "readings": [[point, now, 3.0, 0]]}).encode()
        published[point] = time.perf_counter()
        publisher.send(text_field("park/latency/up"), payload)
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            publisher.pump()
            time.sleep(0.001)
    publisher.socket.close()


def latency() -> list[Row]:
    """p50, p99 over 100 alarms."""
    with running(10_000) as rig:
        cookie = session(rig.address, rig.home / "login-code")
        url = rig.address.replace("http", "ws") + "/api/v1/live"
        seen: dict[str, float] = {}
        published: dict[str, float] = {}
        seconds = ALARMS * 0.1 + 3
        with connect(
            url,
            additional_headers={"Cookie": cookie},
            origin=Origin(rig.address),
            max_size=None,
        ) as socket:
            listener = threading.Thread(
                target=_listen, args=(socket, seen, time.monotonic() + seconds + 3)
            )
            listener.start()
            beside = threading.Thread(
                target=rig.load,
                args=(rig.native(points=8_000, per_message=1, rate=2_000.0, seconds=seconds),),
            )
            beside.start()
            time.sleep(1.5)
            _raise_alarms(rig, published)
            listener.join()
            beside.join()
        delays = sorted((seen[p] - at) * 1000 for p, at in published.items() if p in seen)
        missing = len(published) - len(delays)
        if not delays:
            return [Row("publish to alarm, p99", float("inf"), "ms", 250, "low", "no alarm came")]
        p50, p99 = delays[len(delays) // 2], delays[max(0, int(len(delays) * 0.99) - 1)]
        note = f"{len(delays)} alarms, {missing} missing, at 2,000 readings/s; p50 {p50:.0f} ms"
        return [Row("publish to alarm, p99", p99, "ms", 250, "low", note)]
