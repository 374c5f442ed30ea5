"""All benchmarks in one table: what ``make bench`` prints."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from parktwin.bench import history, load, tick
from parktwin.bench.latency import latency
from parktwin.bench.start import start
from parktwin.bench.table import Row, show


def ticks() -> list[Row]:
    """One tick of the twin and all rules, 100,000 points."""
    spent = tick.measure(100_000)
    note = f"worst {max(spent):.1f} ms of {len(spent)}; 310,000 rule instances"
    what = "tick of the twin and all rules, 100,000 points"
    return [Row(what, statistics.median(spent), "ms", tick.TARGET_MS, "low", note)]


def measure_all(seconds: float) -> int:
    """Run everything and print one table; 1 when a target was missed."""
    parts: list[tuple[str, Callable[[], list[Row]]]] = [
        ("ThingsBoard's load", lambda: load.thingsboard(seconds)),
        ("single readings", lambda: load.highest(1, load.SINGLE, seconds)),
        ("batches", lambda: load.highest(100, load.BATCHES, seconds)),
        ("latency", latency),
        ("tick", ticks),
        ("history", history.run),
        ("start", start),
        ("memory", load.memory),
        ("growth", lambda: load.growth(seconds)),
    ]
    rows: list[Row] = []
    for name, measure in parts:
        print(f"measuring: {name} ...", flush=True)
        rows += measure()
    return show(rows, "Speed, measured against its targets")
