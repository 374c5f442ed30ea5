"""What the local history, its roll-ups and the forwarder cost, each alone in one process.

``python -m parktwin.bench.history [--long]`` prints figure, target and machine.
"""

from __future__ import annotations

import functools
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ingest.cursor import Cursors
from ingest.forward import Forwarder
from ingest.group import Group
from ingest.history import upkeep
from ingest.history.influx_client import InfluxLink
from ingest.history.lineprotocol import Lines
from ingest.history.local import LocalHistory
from ingest.history.roller import Roller
from ingest.history.rollup import Traits
from ingest.readings import Readings
from parktwin.bench.table import Row, show

T0 = 1_795_363_200_000  # 2026-11-23 00:00 in Shanghai
DAY = 86_400_000


class Clock:
    """Time that the benchmark moves."""

    ms = T0

    def __call__(self) -> float:
        return self.ms / 1000


class Cost(NamedTuple):
    """Seconds for one million readings."""

    cpu: float
    wall: float


def groups(points: int, every_ms: int, until: int, size: int) -> Iterator[Group]:
    """Readings of `points` points, one each `every_ms`, in commits of `size`."""
    rng = np.random.default_rng(1)
    start = 0
    for at in range(T0, until, every_ms):
        order = rng.permutation(points).astype(np.int32)
        ts = at + np.sort(rng.integers(0, every_ms, points))
        value = np.round(rng.normal(100, 10, points), 2)
        quality = np.zeros(points, np.uint8)
        for a in range(0, points, size):
            part = slice(a, a + size)
            readings = Readings(order[part], ts[part], value[part], quality[part])
            yield Group(start, int(ts[part][-1]), readings, ())
            start += len(readings)


def traits(points: int) -> Traits:
    """A tenth of the points are counters."""
    return Traits(np.full(points, 60_000, np.int64), np.arange(points) % 10 == 0)


def measured(action: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of a call."""
    cpu, wall = time.process_time(), time.perf_counter()
    action()
    return time.process_time() - cpu, time.perf_counter() - wall


def _take(consumer: LocalHistory | Roller, batch: list[Group]) -> None:
    consumer.consume(batch)
    consumer.tick()


def stream(home: Path, points: int, rows: int, every_ms: int) -> tuple[Cost, Cost]:
    """(history, roll-ups): cost of following `rows` readings in commits of 5,000."""
    clock = Clock()
    history = LocalHistory(home, "Asia/Shanghai", traits=traits(points), clock=clock)
    roller = Roller(history, clock=clock)
    until = T0 + max(rows // points, 1) * every_ms
    kept, rolled, total = [0.0, 0.0], [0.0, 0.0], 0
    batch: list[Group] = []
    for group in groups(points, every_ms, until, 5_000):
        batch.append(group)
        total += len(group.readings)
        if sum(len(g.readings) for g in batch) >= 50_000:
            clock.ms = batch[-1].received_at
            for consumer, spent in ((history, kept), (roller, rolled)):
                cpu, wall = measured(functools.partial(_take, consumer, batch))
                spent[0] += cpu
                spent[1] += wall
            batch = []
    clock.ms += 120_000
    for action, spent in ((history.flush, kept), (roller.tick, rolled), (roller.flush, rolled)):
        cpu, wall = measured(action)
        spent[0] += cpu
        spent[1] += wall
    history.close()
    million = total / 1e6
    return (
        Cost(kept[0] / million, kept[1] / million),
        Cost(rolled[0] / million, rolled[1] / million),
    )


def median_ms(action: Callable[[int], object], times: int = 21) -> float:
    """Median wall time of a call with 0, 1, 2..., ms."""
    spent = []
    for i in range(times):
        began = time.perf_counter()
        action(i)
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent)


def point_day(home: Path, points: int, every_ms: int) -> tuple[float, float, int, Cost]:
    """Median ms of one point's day: open, closed; readings in it; cost of closing the day."""
    clock = Clock()
    history = LocalHistory(home, "Asia/Shanghai", clock=clock)
    for group in groups(points, every_ms, T0 + DAY, 50_000):
        clock.ms = group.received_at
        history.consume([group])
        history.tick()
        upkeep.merge_small(history.archive, 500_000)
    step = max(points // 21, 1)
    found = len(history.raw(0, T0, T0 + DAY).ts)
    opened = median_ms(lambda i: history.raw(i * step, T0, T0 + DAY))
    history.flush()
    clock.ms = T0 + DAY + 3_600_000
    total = points * (DAY // every_ms) / 1e6
    cpu, wall = measured(history.upkeep)
    closed = median_ms(lambda i: history.raw(i * step, T0, T0 + DAY))
    history.close()
    return opened, closed, found, Cost(cpu / total, wall / total)


def month(home: Path, enterprises: int) -> float:
    """Median ms of a month of daily energy of all enterprises from stored roll-ups."""
    clock = Clock()
    every = 900_000
    all_traits = Traits(np.full(enterprises, 1_800_000, np.int64), np.ones(enterprises, bool))
    history = LocalHistory(home, "Asia/Shanghai", traits=all_traits, clock=clock)
    roller = Roller(history, clock=clock)
    start = 0
    for at in range(T0, T0 + 31 * DAY, every):
        point = np.arange(enterprises, dtype=np.int32)
        readings = Readings(
            point,
            np.full(enterprises, at, np.int64),
            np.asarray((at - T0) / 3.6e6 * (point + 1.0), np.float64),
            np.zeros(enterprises, np.uint8),
        )
        group = Group(start, at, readings, ())
        start += enterprises
        clock.ms = at + 60_000
        history.consume([group])
        roller.consume([group])
        if (at - T0) % (6 * 3_600_000) == 0:
            history.tick()
            roller.tick()
    clock.ms = T0 + 31 * DAY + 3_600_000
    roller.tick()
    roller.flush()
    points = list(range(enterprises))
    answer = history.buckets(points, T0, T0 + 31 * DAY, "1d")
    if {len(b.start) for b in answer.values()} != {31}:
        raise RuntimeError("the month is not complete")
    spent = median_ms(lambda _: history.buckets(points, T0, T0 + 31 * DAY, "1d"))
    history.close()
    return spent


class _Sink(BaseHTTPRequestHandler):
    """Takes every write and says 204."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        """Read the body, store nothing."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()


def forwarding(home: Path, rows: int) -> float:
    """Lines a second through the forwarder into a sink that answers at once."""

    class Meant(NamedTuple):
        domain: str
        asset: str
        property: str

    points = 10_000
    model = {f"MH-{i:05d}.level": Meant("sewer", f"MH-{i:05d}", "level") for i in range(points)}
    lines = Lines(list(model), model)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    link = InfluxLink(f"http://127.0.0.1:{server.server_address[1]}")
    cursors = Cursors(home / "forward.sqlite")
    forwarder = Forwarder(link, lambda: lines, cursors)
    found = list(groups(points, 1000, T0 + rows // points * 1000, 5_000))
    began = time.perf_counter()
    for a in range(0, len(found), 10):
        forwarder.consume(found[a : a + 10])
    spent = time.perf_counter() - began
    link.close()
    cursors.close()
    server.shutdown()
    server.server_close()
    return forwarder.sent / spent


def run(long: bool = False) -> list[Row]:
    """All figures; `long` uses ten times the readings."""
    scale = 10 if long else 1
    with tempfile.TemporaryDirectory(prefix="parktwin-bench-") as folder:
        home = Path(folder)
        full, roll_full = stream(home / "full", 10_000, 12_000_000 * scale, 20)
        live, roll_live = stream(home / "live", 10_000, 2_400_000 * scale, 5_000)
        wide, roll_wide = stream(home / "wide", 100_000, 12_000_000 * scale, 200)
        opened, closed, found, closing = point_day(home / "day", 1_000, 10_000 // scale)
        days = month(home / "month", 186)
        sent = forwarding(home, 500_000)
    note = "one consumer alone"
    return [
        Row("history, CPU per million readings, 500,000/s", full.cpu, "s", 0.5, note=note),
        Row("history, readings a second", 1e6 / full.wall, "1/s", 500_000, "high", note),
        Row("roll-ups, CPU per million readings, 500,000/s", roll_full.cpu, "s", 0.5, note=note),
        Row("history, CPU per million readings, 2,000/s", live.cpu, "s", None),
        Row("roll-ups, CPU per million readings, 2,000/s", roll_live.cpu, "s", None),
        Row("history, 100,000 points against 10,000", wide.cpu / full.cpu, "x", 2),
        Row("roll-ups, 100,000 points against 10,000", roll_wide.cpu / roll_full.cpu, "x", 2),
        Row(f"one point, one open day, {found} readings", opened, "ms", 30),
        Row(f"one point, one closed day, {found} readings", closed, "ms", 30),
        Row("closing a day, CPU per million readings", closing.cpu, "s", None, note="once a day"),
        Row("186 enterprises, 31 days, daily energy", days, "ms", 200),
        Row("forwarder, lines a second into a sink", sent, "1/s", 10_000, "high", "5x live"),
        Row("peak memory of this process", _peak_mb(), "MB", 300),
    ]


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(show(run("--long" in sys.argv), "History"))
