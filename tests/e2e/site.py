"""A whole site made of real processes: simulated devices, gateway, broker, node, InfluxDB.

Each device serves tickets (every read gets the next whole number), so that a value that is lost,
doubled or invented anywhere downstream can be named.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.cookiejar
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge.config import load_gateway
from edge.sim.record import Record, Served
from edge.sim.server import serve
from tests.peers.mosquitto import Mosquitto, free_port

GATEWAY = "GW-E2E"
DEVICES = 4
SIGNALS = 8

_PARK = """\
id: e2e
name: {zh: 联调园区, en: End-to-end park}
timezone: Asia/Shanghai
zones: []
kpis: []
"""
_TYPES = """\
types:
  counter:
    name: {zh: 计数器, en: Counter}
    geometry: [Point]
    properties:
      count: {unit: "1", domain: sewer, kind: gauge, stale_s: 300, name: {zh: 计数, en: Count}}
  chamber:
    name: {zh: 检查井, en: Manhole}
    geometry: [Point]
    properties:
      level: {unit: m, domain: sewer, kind: gauge, low: 0, high: 6, stale_s: 300,
              name: {zh: 液位, en: Level}}
"""
_RULES = """\
- id: level-high
  name: {zh: 液位高, en: Level high}
  on: {property: level, type: chamber}
  condition: {limit: high, value: 2.5, deadband: 0.05}
  on_delay_s: 0
  off_delay_s: 0
  priority: high
  consequence: {zh: 溢流, en: Overflow}
  action: {zh: 检查, en: Check}
"""


def eventually(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return when `condition` holds; fail with `what` when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


def write_site(folder: Path) -> Path:
    """The park folder with one gateway file and the simulator's file."""
    park = folder / "park"
    (park / "gateways").mkdir(parents=True)
    names = [f"C-{d}-{s}" for d in range(DEVICES) for s in range(SIGNALS)]
    kinds = [(name, "counter") for name in names] + [("MH-1", "chamber"), ("WS-1", "counter")]
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [110 + i * 1e-4, 30]},
            "properties": {"id": name, "type": kind, "name_zh": name, "name_en": name},
        }
        for i, (name, kind) in enumerate(kinds)
    ]
    rows = ",\n".join(map(json.dumps, features))
    text = {
        "park.yaml": _PARK,
        "types.yaml": _TYPES,
        "rules.yaml": _RULES,
        "totals.yaml": "[]\n",
        "relations.csv": "source,relation,target\n",
        "bindings.csv": "source,format,match,point,scale\n"
        "weather,json,reading,WS-1.count,\nlevels,json,level,MH-1.level,\n",
        "assets.geojson": f'{{"type": "FeatureCollection", "features": [\n{rows}\n]}}\n',
        "points.csv": "point,asset,property,unit,domain,kind,low,high,stale_s,name_zh,name_en\n"
        + "".join(f"{name}.count,{name},count,,,,,,,,\n" for name in [*names, "WS-1"])
        + "MH-1.level,MH-1,level,,,,,,,,\n",
    }
    devices, behaviour = [], ["points:"]
    for d in range(DEVICES):
        signals = "".join(
            f"      - {{point: C-{d}-{s}.count, table: holding, address: {s * 2}, type: uint32}}\n"
            for s in range(SIGNALS)
        )
        devices.append(
            f"  - id: D-{d}\n    driver: modbus_tcp\n    host: 127.0.0.1\n    port: {free_port()}\n"
            f"    unit: 1\n    every: 200ms\n    timeout: 1s\n    signals:\n{signals}"
        )
        behaviour += [f"  C-{d}-{s}.count: {{shape: ticket}}" for s in range(SIGNALS)]
    text["gateways/gw.yaml"] = (
        f"gateway: {GATEWAY}\nname: {{zh: 网关, en: Gateway}}\n"
        "outbox: {max_mb: 64, when_full: drop_oldest, retain_hours: 24}\n"
        "devices:\n" + "".join(devices)
    )
    text["sim.yaml"] = "\n".join(behaviour) + "\n"
    for name, content in text.items():
        (park / name).write_text(content, encoding="utf-8")
    return park


class Process:
    """`parktwin` with some arguments, which can be killed and started again."""

    def __init__(self, arguments: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self.arguments, self.log = arguments, log
        self.environment = {**os.environ, **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "parktwin", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.environment,
            )

    def kill9(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


class Devices:
    """The simulated devices in a thread of this process, with a record of what they served."""

    def __init__(self, park: Path) -> None:
        self.record = Record()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(park,), daemon=True)
        self._thread.start()
        assert self._up.wait(15), "the simulated devices did not start"

    def _run(self, park: Path) -> None:
        async def run() -> None:
            gateway = load_gateway(park / "gateways" / "gw.yaml")
            async with serve([gateway], park / "sim.yaml", record=self.record):
                self._up.set()
                await self._stop.wait()

        self._loop.run_until_complete(run())
        self._loop.close()

    def close(self) -> None:
        """Stop serving; again is nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(15)


class Site:
    """Broker, devices, node and gateway. `close` ends them all."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.park = write_site(folder)
        self.broker = Mosquitto(folder / "broker")
        self.broker.start()
        self.devices = Devices(self.park)
        self.address = f"http://127.0.0.1:{free_port()}"
        self._opener: urllib.request.OpenerDirector | None = None
        self._csrf = ""
        self.node = Process(
            ["node", "--login-code", str(folder / "code")],
            folder / "node.log",
            {
                "PARKTWIN_HOME": str(folder / "node"),
                "PARKTWIN_PARK": str(self.park),
                "PARKTWIN_HTTP_PORT": self.address.rsplit(":", 1)[1],
                "PARKTWIN_BROKER_URL": f"mqtt://node@127.0.0.1:{self.broker.port}",
                **(environment or {}),
            },
        )
        self.gateway = Process(
            [
                "edge",
                "run",
                str(self.park / "gateways" / "gw.yaml"),
                "--home",
                str(folder / "outbox"),
                "--broker",
                self.broker.url,
            ],
            folder / "gateway.log",
            {},
        )
        try:
            self.start_node()
            self.gateway.start()
            eventually(lambda: bool(self.devices.record.all()), 60, "the gateway polls")
        except BaseException:
            self.close()
            raise

    def start_node(self) -> None:
        """Start the node and wait until it is ready."""
        self.node.start()
        end = time.monotonic() + 60
        while not self.ready():
            running = self.node.process is not None and self.node.process.poll() is None
            assert running, f"the node ended:\n{self.node.log.read_text()[-3000:]}"
            assert time.monotonic() < end, f"not ready:\n{self.node.log.read_text()[-3000:]}"
            time.sleep(0.05)

    def ready(self) -> bool:
        """Whether `/readyz` says so."""
        try:
            with urllib.request.urlopen(f"{self.address}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def get(self, path: str) -> bytes:
        """GET from the API, logged in by the one-time code."""
        if self._opener is None:
            jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
            self._opener = urllib.request.build_opener(jar)
            request = urllib.request.Request(
                f"{self.address}/api/v1/session",
                json.dumps({"code": (self.folder / "code").read_text().strip()}).encode(),
                {"Content-Type": "application/json"},
            )
            with self._opener.open(request, timeout=10) as answer:
                self._csrf = json.load(answer)["csrf"]
        with self._opener.open(f"{self.address}{path}", timeout=30) as answer:
            body: bytes = answer.read()
        return body

    def json(self, path: str) -> Any:
        """A JSON answer of the API."""
        return json.loads(self.get(f"/api/v1/{path}"))

    def audit(self) -> Any:
        """Have the node recount everything now; its report."""
        self.get("/api/v1/park")
        assert self._opener is not None
        headers = {"Content-Type": "application/json", "X-CSRF-Token": self._csrf}
        request = urllib.request.Request(f"{self.address}/api/v1/audit", b"{}", headers)
        with self._opener.open(request, timeout=60) as answer:
            return json.load(answer)

    def history(self, point: str) -> list[tuple[int, float | None, int]]:
        """Every raw reading of a point that the local history has: (ms, value, quality)."""
        now = int(time.time() * 1000)
        query = f"from={now - 3_600_000}&to={now + 60_000}&every=raw"
        rows = self.json(f"points/{point}/history?{query}")["rows"]
        return [(t, v, q) for t, v, q in rows]

    def metric(self, name: str) -> float:
        """Sum over labels of a metric of the node."""
        with urllib.request.urlopen(f"{self.address}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        rows = (line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} ")))
        return sum(float(line.rsplit(" ", 1)[1]) for line in rows)

    def served(self, before: float = float("inf")) -> dict[str, list[Served]]:
        """What the devices served up to Unix time `before`, by point."""
        by_point: dict[str, list[Served]] = {}
        for served in self.devices.record.all():
            if served.at < before:
                by_point.setdefault(served.point, []).append(served)
        return by_point

    def stored(self) -> dict[str, list[tuple[int, float, int]]]:
        """What the local history has of the devices' points, without failed reads."""
        return {
            point: [(t, v, q) for t, v, q in self.history(point) if v is not None]
            for point in self.served()
        }

    def missing(self, forgiven: Callable[[Served], bool] = lambda _: False) -> list[Served]:
        """Values that were served and are not in the local history."""
        stored = self.stored()
        return [
            one
            for point, served in self.served().items()
            for one in served
            if one.value not in {v for _, v, _ in stored[point]} and not forgiven(one)
        ]

    def wait_until_stored(self, forgiven: Callable[[Served], bool] = lambda _: False) -> None:
        """Until nothing that was served is missing; names what is after half a minute."""
        end = time.monotonic() + 30
        while lost := self.missing(forgiven):
            assert time.monotonic() < end, f"{len(lost)} values lost, the first: {lost[:5]}"
            time.sleep(0.5)

    def assert_exactly_once(self) -> int:
        """Nothing doubled or invented, own event time, good quality; how many there are."""
        served = {p: {s.value: s.at for s in rows} for p, rows in self.served().items()}
        count = 0
        for point, rows in self.stored().items():
            values = [v for _, v, _ in rows]
            assert len(values) == len(set(values)), f"{point}: a value is stored twice"
            for t, v, q in rows:
                assert v in served[point], f"{point}: {v} was never served"
                delay = t - served[point][v] * 1000
                assert -5 <= delay <= 1500, f"{point}: {v} has a time {delay:.0f} ms after it"
                assert q == 0, f"{point}: {v} has quality {q}"
            count += len(rows)
        return count

    def close(self) -> None:
        """End everything that was started."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.broker.stop)
            stack.callback(self.devices.close)
            for process in (self.node, self.gateway):
                if process.process is not None and process.process.poll() is None:
                    stack.callback(process.stop)
