"""The journal alone: what a group commit costs by its size, how small readings become, and why.

``python -m parktwin.bench.journal [folder]`` prints the table; the folder says which disk.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zstandard
from rich.console import Console
from rich.table import Table

from ingest.arrivals import Inbound, Native, Sorter
from ingest.assembly import Assembly
from ingest.bindings import Bindings
from ingest.clock import Clocks
from ingest.columns import Limits
from ingest.group import HeadRow, decode, encode, head_rows
from ingest.journal import Journal
from ingest.readings import Readings
from parktwin.bench.table import machine

POINTS = 10_000
GROUPS = (1, 50, 500, 5_000, 20_000)
SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one repetition: wall and CPU seconds (median, mean)."""

    wall: float
    cpu: float


Random = np.random.Generator


def repeat(action: Callable[[], object], seconds: float = SECONDS) -> Cost:
    """Run for about `seconds`; the first run is not counted."""
    action()
    walls: list[float] = []
    cpu, end = time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end or len(walls) < 5:
        begin = time.perf_counter()
        action()
        walls.append(time.perf_counter() - begin)
    return Cost(float(np.median(walls)), (time.process_time() - cpu) / len(walls))


def meters(count: int, random: Random, now: int) -> Readings:
    """`count` readings as a park sends them: points in turn, two decimals, times near now."""
    point = (np.arange(count) + random.integers(0, POINTS)) % POINTS
    value = np.round(20 + point % 40 + random.normal(0, 0.4, count), 2)
    ts = now - random.integers(0, 5_000, count)
    return Readings(point.astype(np.int32), ts, value, np.zeros(count, np.uint8))


def sync_times(folder: Path) -> tuple[float, float]:
    """Median and 99th percentile of fdatasync after 8 KiB, in ms."""
    path = folder / "probe"
    took: list[float] = []
    with path.open("wb", buffering=0) as file:
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end or len(took) < 20:
            file.write(os.urandom(8192))
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - begin) * 1000)
    path.unlink()
    return float(np.median(took)), float(np.percentile(took, 99))


def commits(folder: Path) -> Table:
    """Commit cost by group size: one message of 100 readings (or fewer) after the other."""
    table = Table(
        "group",
        "wall ms",
        "CPU ms",
        "CPU µs/reading",
        "readings/s by one core",
        "bytes/reading",
        title="group commit (columns, zstd, ledger, SQLite with synchronous=FULL)",
        box=None,
    )
    for size in GROUPS:
        random = np.random.default_rng(1)
        with Journal(folder / f"commit-{size}.db") as journal:

            def commit(
                size: int = size, journal: Journal = journal, random: Random = random
            ) -> None:
                now = time.time_ns() // 1_000_000
                draft = journal.draft(now)
                box = draft.box("GW-1", "box", "native")
                draft.readings = meters(size, random, now)
                each = min(size, 100)
                for _ in range(size // each):
                    first = box.committed + 1
                    box.accept(first, each)
                    draft.heads.append(HeadRow(box.number, first, each, each, now, 0))
                journal.commit(draft)

            cost = repeat(commit)
            making = repeat(
                lambda size=size: meters(size, np.random.default_rng(1), 0),  # type: ignore[misc]
                0.2,
            )
            cpu = max(cost.cpu - making.cpu, 1e-9)
            stored = journal.end
        size_on_disk = (folder / f"commit-{size}.db").stat().st_size
        table.add_row(
            f"{size:,}",
            f"{cost.wall * 1e3:.2f}",
            f"{cpu * 1e3:.2f}",
            f"{cpu / size * 1e6:.2f}",
            f"{size / cpu:,.0f}",
            f"{size_on_disk / stored:.1f}",
        )
    return table


def blobs() -> Table:
    """Ways to write a group's columns down, 5,000 readings (21 bytes each in memory)."""
    now = 1_763_890_000_000
    readings = meters(5_000, np.random.default_rng(1), now)
    heads = head_rows([HeadRow(0, 1 + 100 * i, 100, 100, now, 0) for i in range(50)])
    plain = b"".join(
        column.tobytes()
        for column in (readings.point, readings.ts - now, readings.value, readings.quality)
    )
    table = Table("blob of 5,000", "bytes/reading", "µs to write", "µs to read", box=None)

    def row(
        name: str, blob: bytes, write: Callable[[], object], read: Callable[[], object]
    ) -> None:
        table.add_row(
            name,
            f"{len(blob) / 5000:.1f}",
            f"{repeat(write, 0.3).wall * 1e6:,.0f}",
            f"{repeat(read, 0.3).wall * 1e6:,.0f}",
        )

    for level in (1, 3):
        packer, unpacker = zstandard.ZstdCompressor(level=level), zstandard.ZstdDecompressor()
        blob = packer.compress(plain)
        row(
            f"columns, zstd {level}",
            blob,
            lambda packer=packer: packer.compress(plain),  # type: ignore[misc]
            lambda unpacker=unpacker, blob=blob: unpacker.decompress(blob),  # type: ignore[misc]
        )
    for level in (1, 3, 9):
        blob = encode(0, now, readings, heads, level)
        row(
            f"transposed columns, zstd {level}" + (" (the journal's)" if level == 1 else ""),
            blob,
            lambda level=level: encode(0, now, readings, heads, level),  # type: ignore[misc]
            lambda blob=blob: decode(0, blob, [("GW-1", "box")]),  # type: ignore[misc]
        )
    text = json.dumps(
        [[f"MH-{p:05}.level", t, v, 0] for p, t, v in zip(*_lists(readings), strict=True)],
        separators=(",", ":"),
    ).encode()
    packer = zstandard.ZstdCompressor(level=1)
    blob = packer.compress(text)
    row("the messages' JSON, zstd 1", blob, lambda: packer.compress(text), lambda: json.loads(text))
    return table


def _lists(readings: Readings) -> tuple[list[int], list[int], list[float]]:
    return readings.point.tolist(), readings.ts.tolist(), readings.value.tolist()


def payloads(each: int, count: int, first: int) -> list[Inbound]:
    """`count` messages of `each` readings, sequences from `first` on."""
    now = time.time_ns() // 1_000_000
    out = []
    for start in range(first, first + each * count, each):
        rows = ",".join(
            f'["MH-{(start + k) % POINTS:05}.level",{now},{k % 9 + 0.25},0]' for k in range(each)
        )
        frame = f'"v":1,"box":"box","first":{start},"sent":{now},"uptime":{now}'
        out.append(Inbound("park/GW-1/up", f'{{{frame},"readings":[{rows}]}}'.encode(), now))
    return out


def messages(folder: Path) -> Table:
    """From MQTT payload to commit: decode, clock, ledger, columns, quality, commit."""
    table = Table(
        "readings a message",
        "CPU µs/message",
        "CPU µs/reading",
        "messages/s by one core",
        "readings/s by one core",
        title="message to disk, without the network",
        box=None,
    )
    for each, count in ((1, 500), (3, 500), (100, 50)):
        with Journal(folder / f"messages-{each}.db") as journal:
            journal.points.ensure(f"MH-{i:05}.level" for i in range(POINTS))
            bindings = Bindings((), {})
            assembly = Assembly(journal, bindings, Limits.of([(0.0, 1e6)] * POINTS))
            sorter = Sorter(Clocks(), bindings)
            spent, groups = 0.0, 0
            end = time.perf_counter() + SECONDS
            while time.perf_counter() < end:
                inbound = payloads(each, count, 1 + groups * each * count)
                begin = time.process_time()
                arrivals = [sorter.sort(message) for message in inbound]
                plan = assembly.plan(arrivals, inbound[0].received_at)
                journal.commit(plan.draft)
                assembly.committed(plan)
                spent += time.process_time() - begin
                groups += 1
            assert all(isinstance(a, Native) for a in arrivals)
            assert journal.end == groups * each * count
        one = spent / (groups * count)
        table.add_row(
            f"{each}",
            f"{one * 1e6:.1f}",
            f"{one / each * 1e6:.2f}",
            f"{1 / one:,.0f}",
            f"{each / one:,.0f}",
        )
    return table


def main(arguments: list[str]) -> None:
    """Print every table for the disk that holds the folder."""
    console = Console(width=110, highlight=False)
    console.print(f"machine: {machine()}")
    with tempfile.TemporaryDirectory(dir=arguments[0] if arguments else None) as name:
        folder = Path(name)
        median, worst = sync_times(folder)
        console.print(f"fdatasync of 8 KiB: median {median:.2f} ms, 99 % {worst:.2f} ms\n")
        for table in (commits(folder), blobs(), messages(folder)):
            console.print(table)
            console.print()


if __name__ == "__main__":
    main(sys.argv[1:])
