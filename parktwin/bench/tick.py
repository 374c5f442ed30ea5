"""One tick of the twin: new readings for every point, all rules, all timers. No I/O.

``python -m parktwin.bench.tick [points]`` prints the figure, the target and the machine.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time

import numpy as np

from twin.alarms.engine import AlarmEngine
from twin.alarms.rule import compile_rules
from twin.model.names import Name
from twin.model.park import Asset, Point
from twin.model.rules import Condition, RuleRow
from twin.state import LiveState

TARGET_MS = 20.0


def build(n: int) -> AlarmEngine:
    """`n` points with a high and a low limit and a no-data rule each, and a rate on one in ten."""
    names = [f"A{i:06d}.level" for i in range(n)]
    assets = {
        name[:7]: Asset(name[:7], "manhole", Name(name[:7], name[:7]), {}, {}) for name in names
    }
    points = {
        name: Point(name, name[:7], "level", "m", "sewer", "gauge", 0, 6, 60, Name("液位", "level"))
        for name in names
    }

    def rule(identity: str, condition: Condition, every: int) -> RuleRow:
        label = Name(identity, identity)
        watched = tuple(names[::every])
        return RuleRow(identity, label, watched, condition, 60, 60, "high", label, label)

    rules = [
        rule("high", Condition("limit", 2.5, "high", 0.05), 1),
        rule("low", Condition("limit", 0.05, "low", 0.01), 1),
        rule("silent", Condition("no_data", 300), 1),
        rule("rate", Condition("rate", 0.5, per_s=60), 10),
    ]
    index = {name: i for i, name in enumerate(names)}
    state = LiveState(n)
    return AlarmEngine(compile_rules(rules, points, assets, index.get, n), state)


def measure(n: int, ticks: int = 60, near: float = 0.001) -> list[float]:
    """Milliseconds of each tick. near: the share of points that cross their limit at each tick."""
    engine = build(n)
    state, random = engine.state, np.random.default_rng(7)
    point = random.permutation(n).astype(np.int32)
    quality = np.zeros(n, np.uint8)
    spent: list[float] = []
    now = 1_760_000_000_000
    for number in range(ticks):
        value = random.normal(1.0, 0.05, n)
        crossing = random.integers(0, n, int(n * near))
        value[crossing] = 2.6 if number % 2 else 0.02
        ts = np.full(n, now, np.int64) + random.integers(-400, 0, n)
        begin = time.perf_counter()
        engine.apply(point, ts, value, quality, now)
        state.apply(point, ts, value, quality, now)
        engine.tick(now)
        spent.append((time.perf_counter() - begin) * 1000)
        now += 1000
    return spent[5:]


def main() -> int:
    """Print the table; 0 when the target is met."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    spent = measure(n)
    median, worst = statistics.median(spent), max(spent)
    rules = 3 * n + n // 10
    print(
        f"machine    {platform.machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}"
    )
    print(f"points     {n:,} with {rules:,} rule instances, 0.1 % crossing a limit each tick")
    print(f"tick       {median:.1f} ms median, {worst:.1f} ms worst of {len(spent)}")
    verdict = "met" if median <= TARGET_MS else "MISSED"
    print(f"target     {TARGET_MS:.0f} ms at 100,000 points: {verdict}")
    return 0 if median <= TARGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
