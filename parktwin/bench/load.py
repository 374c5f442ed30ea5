"""Loads on a whole node: ThingsBoard's published profile, single readings, batches, growth."""

from __future__ import annotations

from collections.abc import Sequence

from parktwin.bench.rig import Outcome, Rig, running
from parktwin.bench.table import Row

SINGLE: Sequence[float] = (4_000, 6_000, 8_000, 10_000, 12_000, 15_000)
BATCHES: Sequence[float] = (1_000, 2_000, 3_000, 4_000, 5_000, 6_000)


def _note(outcome: Outcome, rig: Rig) -> str:
    shares = ", ".join(
        f"{name} {used / outcome.sent.seconds:.0%}" for name, used in sorted(outcome.cpu.items())
    )
    drained = "never" if outcome.drained is None else f"{outcome.drained:.1f} s"
    return f"{rig.kind}; CPU of one core: {shares}; drained {drained} after the last message"


def thingsboard(seconds: float = 20.0, kind: str = "") -> list[Row]:
    """5,000 devices, each its own topic, 5,000 msg/s of three values; share of two cores used."""
    with running(0, 5_000, kind) as rig:
        outcome = rig.load(
            rig.native(profile="thingsboard", points=15_000, rate=5_000.0, seconds=seconds)
        )
        share = outcome.node_and_broker / 2 * 100
        note = _note(outcome, rig) + ("" if outcome.held else "; NOT HELD")
        return [
            Row(
                "5,000 devices, 5,000 msg/s x 3 values",
                share if outcome.held else float("inf"),
                "% of 2 cores",
                40,
                "low",
                note,
            )
        ]


def highest(per_message: int, rates: Sequence[float], seconds: float, kind: str = "") -> list[Row]:
    """The highest of `rates` (messages a second) that leaves no backlog, on 10,000 points."""
    best: tuple[float, str] | None = None
    first_failure = ""
    with running(10_000, 0, kind) as rig:
        for rate in rates:
            outcome = rig.load(
                rig.native(per_message=per_message, rate=rate, seconds=seconds, connections=4)
            )
            if not outcome.held:
                first_failure = f"; not held at {rate:,.0f} msg/s ({_note(outcome, rig)})"
                break
            best = (rate, _note(outcome, rig))
    figure = best[0] * per_message if best else 0.0
    note = (best[1] if best else "none held") + first_failure
    if per_message == 1:
        return [Row("single-reading messages", figure, "msg/s", 10_000, "high", note)]
    return [Row(f"messages of {per_message} readings", figure, "readings/s", 500_000, "high", note)]


def growth(seconds: float = 10.0, sizes: Sequence[int] = (1_000, 100_000)) -> list[Row]:
    """CPU of the node per reading at 50,000 readings/s, for small and large parks."""
    costs: list[tuple[int, float]] = []
    for size in sizes:
        with running(size) as rig:
            load = rig.native(points=size, per_message=100, rate=500.0, seconds=seconds)
            rig.load(load)
            outcome = rig.load(load)
            costs.append((size, outcome.cpu["node"] / max(outcome.sent.readings, 1) * 1e6))
    ratio = costs[-1][1] / costs[0][1]
    note = ", ".join(f"{size:,} points: {cost:.2f} µs" for size, cost in costs)
    return [Row("CPU per reading, largest park to smallest", ratio, "x", 1.5, "low", note)]


def memory(seconds: float = 30.0) -> list[Row]:
    """Resident memory of a node with 10,000 points, each read once a second."""
    with running(10_000) as rig:
        rig.load(rig.native(per_message=100, rate=100.0, seconds=seconds))
        note = f"after {seconds:.0f} s of 10,000 readings/s"
        return [Row("memory of the node, 10,000 points", rig.memory_mb(), "MB", 300, "low", note)]
