"""A process that is killed: writes a journal and consumes it, as fast as it can, until it dies.

``python -m tests.ingest.live_victim FOLDER GROUPS``. What it writes depends only on how long the
journal already is, so that any number of kills gives the same readings.
"""

from __future__ import annotations

import math
import random
import sys
import time
from pathlib import Path

from ingest.consume import ConsumerThread
from ingest.live import LiveSettings
from ingest.readings import Readings
from tests.ingest.live_bench import T0, Bench

GROUP = 6


def second(number: int) -> list[tuple[int, float, int]]:
    """(point, value, quality) of the given second of the story: waves that cross the limits."""
    seed = random.Random(number)
    readings = []
    for point in range(GROUP):
        value = 1.6 + 1.7 * math.sin(number / (7 + point)) + seed.gauss(0, 0.05)
        quality = 128 if seed.random() < 0.02 else 0
        readings.append((point, value, quality))
    return readings


def write(bench: Bench, groups: int) -> None:
    """Append what is missing of the story, a second at a time, with gaps of half a minute."""
    while bench.live_groups() < groups:
        number = bench.live_groups()
        ts = T0 + number * 1000 + (number // 40) * 30_000
        rows = second(number)
        bench.now = ts
        columns = Readings.of(
            [r[0] for r in rows], [ts] * GROUP, [r[1] for r in rows], [r[2] for r in rows]
        )
        bench.journal.append(columns, source="GW-1", received_at=ts, kind="native")


def main() -> None:
    """Run until the story is told and consumed."""
    folder, groups = Path(sys.argv[1]), int(sys.argv[2])
    settings = LiveSettings(record_every_ms=3_000, checkpoint_every_ms=20_000)
    bench = Bench(folder, settings=settings, latest_now=True)
    thread = ConsumerThread(bench.journal, bench.live, min_batch_ms=1, tick_s=0.01)
    thread.start()
    print("running", flush=True)
    write(bench, groups)
    while bench.live.position() < bench.journal.end and thread.alive:
        bench.now += 100
        time.sleep(0.01)
    thread.stop()
    bench.close()
    print("done", thread.error, flush=True)


if __name__ == "__main__":
    main()
