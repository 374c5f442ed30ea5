"""A journal, records and a live twin over a small park, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from ingest.journal import Journal
from ingest.live import LiveSettings, LiveTwin
from ingest.live_restore import Latest
from ingest.readings import Readings
from tests.twin import small_park
from twin.alarms.standing import Transition
from twin.model.park import Park
from twin.model.rules import Condition, TotalRow
from twin.records import Records, Unit
from twin.records.alarms import alarm_history

T0 = 1_760_000_040_000  # a whole minute
POINTS = [f"MH-{n}.level" for n in range(6)]
TOTAL = "GRID-1.level"


def demo_park() -> Park:
    """Six manholes: high with and without delays, low, rate, silence; and a mean over them."""
    points = [small_park.point(name, 120) for name in POINTS]
    points.append(small_park.point(TOTAL, 180, "derived"))
    return small_park.park(
        points,
        [
            small_park.high(POINTS, on_s=10, off_s=10),
            small_park.high(POINTS, value=3.0, name="level-high-high"),
            small_park.rule("level-low", POINTS[:3], Condition("limit", 0.2, "low", 0.05), 5, 5),
            small_park.rule("level-jump", POINTS[:2], Condition("rate", 1.0, per_s=30)),
            small_park.rule("level-silent", POINTS, Condition("no_data", 300)),
        ],
        [TotalRow(TOTAL, "mean", tuple(POINTS))],
    )


class Bench:
    """One node's worth of live twin. Readings: (second, point number, value, quality)."""

    def __init__(
        self,
        folder: Path,
        *,
        park: Park | None = None,
        records: type[Records] = Records,
        latest: Latest | None = None,
        settings: LiveSettings | None = None,
        start: int = T0,
        url: str | None = None,
        latest_now: bool = False,
    ) -> None:
        self.folder = folder
        self.now = start
        self.park = park or demo_park()
        self.url = url or f"sqlite:///{folder}/records.db"
        self.journal = Journal(folder / "journal.db")
        self.journal.points.ensure(self.park.points)
        if latest_now:  # the clock goes on where the journal ends
            groups = self.journal.read(self.journal.oldest, 1_000_000)
            self.now = max([start, *(g.received_at for g in groups)])
        self.records = records.open(self.url)
        self.busy = False
        self.fed = 0
        self._known: set[tuple[int, int]] | None = None
        self.live = LiveTwin.open(
            self.park,
            self.journal,
            self.records,
            folder / "live.ckpt",
            latest=latest,
            store=self.store,
            settings=settings or LiveSettings(),
            clock_ms=lambda: self.now,
        )

    def store(self, readings: Readings) -> Future[Any]:
        """Derived readings into the journal, as the committer does: known ones are not repeated."""
        if self.busy:
            raise RuntimeError("busy")
        future: Future[Any] = Future()
        if self._known is None:
            self._known = {
                (int(p), int(t))
                for g in self.journal.read(self.journal.oldest, 1_000_000)
                for p, t in zip(g.readings.point, g.readings.ts, strict=True)
                if self.journal.points.id(int(p)) == TOTAL
            }
        reading = (int(readings.point[0]), int(readings.ts[0]))
        if reading not in self._known:
            self._known.add(reading)
            self.journal.append(readings, source="twin", received_at=self.now)
        future.set_result(None)
        return future

    def live_groups(self) -> int:
        """How many groups of the gateway the journal has (derived readings apart)."""
        return next((row.stored // 6 for row in self.journal.ledger() if row.source == "GW-1"), 0)

    def append(self, readings: Sequence[tuple[float, int, float, int]]) -> None:
        """A group commit; the clock moves to its newest reading."""
        ts = [T0 + round(r[0] * 1000) for r in readings]
        self.now = max(self.now, *ts)
        columns = Readings.of(
            [r[1] for r in readings], ts, [r[2] for r in readings], [r[3] for r in readings]
        )
        self.journal.append(columns, source="GW-1", received_at=self.now, kind="native")

    def run(self, start: int | None = None) -> None:
        """Consume what the journal has beyond what was consumed, group by group."""
        at = self.live.position() if start is None else start
        groups = self.journal.read(at)
        for group in groups:
            self.live.consume([group])
            self.fed = group.end

    def feed(self, *readings: tuple[float, int, float]) -> None:
        """Append and consume one group of good readings."""
        start = self.journal.end
        self.append([(*r, 0) for r in readings])
        self.live.consume(self.journal.read(start))

    def tick(self, second: float) -> None:
        """Move the clock and tick."""
        self.now = T0 + round(second * 1000)
        self.live.tick()

    def close(self, gently: bool = True) -> None:
        """Close everything; not gently leaves what a crash leaves."""
        if gently:
            self.live.close()
        self.records.close()
        self.journal.close()

    def history(self) -> list[Transition]:
        """All transitions recorded, the oldest first."""
        with self.records.reading() as unit:
            return [r.transition for r in reversed(alarm_history(unit, limit=10_000))]

    def told(self) -> list[tuple[str, int, str, int, float | None]]:
        """What happened, without wall times, by event time."""
        return sorted((t.alarm, t.occurrence, t.kind.value, t.at, t.value) for t in self.history())

    def count(self, table: str) -> int:
        """Rows of a table of the records."""
        with self.records.reading() as unit:
            return rows(unit, table)


def rows(unit: Unit, table: str) -> int:
    """How many rows a table has."""
    return int(unit.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


@contextmanager
def bench(folder: Path, **options: Any) -> Iterator[Bench]:
    """A bench that is closed at the end."""
    made = Bench(folder, **options)
    try:
        yield made
    finally:
        made.close()
