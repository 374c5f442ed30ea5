"""Forwards readings and roll-ups to InfluxDB: every reading at least once, with its own event time,
so that it is there exactly once. What InfluxDB will never take is handed to a quarantine; for
everything else the journal waits, however long that is.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from ingest.cursor import Cursors
from ingest.group import Group
from ingest.history.feed import Note, RollupFeed
from ingest.history.influx_client import InfluxLink, Refused, Rejected, TooLarge
from ingest.history.lineprotocol import Lines, newest_only
from ingest.history.rolled import RolledUp
from ingest.readings import Readings

log = structlog.get_logger(__name__)

BATCH: Final = 10_000
HOPELESS: Final = 100
"""So many lines refused one by one without any accepted: the fault is not in the lines."""

RAW: Final = "raw"
ROLLUP: Final = "rollup"

Quarantine = Callable[[str, Sequence[tuple[str, str]]], None]
"""(bucket, [(line, reason)]): keeps lines that InfluxDB refuses for good."""


@dataclass(slots=True)
class Body:
    """Lines on their way to one bucket. end: the cursor when all are settled; at: lines before it
    are; suspect: one of these lines is bad; most: lines that InfluxDB takes at once.
    """

    bucket: str
    lines: list[str]
    end: int
    at: int = 0
    suspect: tuple[int, int] | None = None
    most: int = 1 << 30
    reason: str = ""
    bad: list[tuple[str, str]] = field(default_factory=list)
    accepted: int = 0


class Forwarder:
    """Consumer "influx". lines: formats of the points known now (asked again when there are more).

    rolled, feed: roll-ups to forward beside the readings. quarantine: called before the cursor
    moves past refused lines.
    """

    name = "influx"

    def __init__(
        self,
        link: InfluxLink,
        lines: Callable[[], Lines],
        cursors: Cursors,
        *,
        rolled: RolledUp | None = None,
        feed: RollupFeed | None = None,
        quarantine: Quarantine | None = None,
        batch: int = BATCH,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._link, self._make_lines, self._cursors = link, lines, cursors
        self._lines = lines()
        self._rolled, self._feed = rolled, feed
        self._quarantine = quarantine
        self._batch = batch
        self._clock = clock
        self._position = cursors.get(self.name)
        self._pending: Body | None = None
        self._rolling: Body | None = None
        self.sent = 0
        self.rollups_sent = 0
        self.requests = 0
        self.refused_lines = 0
        self.expired_lines = 0
        self.last_success: float | None = None
        self.alarm: str | None = None
        """What a person must mend (address, token, bucket), None when nothing."""

    def position(self) -> int:
        """Everything below was acknowledged by InfluxDB, or is in quarantine."""
        return self._position

    def consume(self, groups: Sequence[Group]) -> None:
        """Send readings; the position moves with every body that was taken.

        Raises `RetriableError`; what was under way is then sent again, byte for byte the same.
        """
        while True:
            if self._pending is None:
                self._pending = self._cut(groups)
                if self._pending is None:
                    return
            body = self._pending
            self._deliver(body)
            self._cursors.set(**{self.name: body.end})
            self.sent += len(body.lines) - len(body.bad)
            self._position, self._pending = body.end, None

    def tick(self) -> None:
        """Send roll-ups that changed, for two seconds at most."""
        until = self._clock() + 2.0
        while self._feed is not None and self._clock() < until:
            if self._rolling is None:
                self._rolling = self._rollups(self._feed.take(64))
                if self._rolling is None:
                    return
            body = self._rolling
            self._deliver(body)
            self._feed.done(body.end)
            self.rollups_sent += len(body.lines) - len(body.bad)
            self._rolling = None

    def _cut(self, groups: Sequence[Group]) -> Body | None:
        """The next `batch` readings after the position, None when there are none."""
        parts: list[Readings] = []
        room, end = self._batch, self._position
        first = bisect.bisect_right(groups, self._position, key=lambda g: g.end)
        for group in groups[first:]:
            part = group.readings[max(self._position - group.start, 0) :]
            left = group.end - len(part)
            part = part[:room]
            parts.append(part)
            room, end = room - len(part), left + len(part)
            if not room:
                break
        if not parts:
            return None
        readings = newest_only(Readings.concat(parts))
        return Body(RAW, self._formats(readings.point).readings(readings), end)

    def _rollups(self, notes: Sequence[tuple[int, Note]]) -> Body | None:
        """Lines of the buckets that the oldest notes name, about a batch of them."""
        if self._rolled is None or not notes:
            return None
        lines: list[str] = []
        end = 0
        for number, note in notes:
            table = self._rolled.stored(note.level, note.points, note.start, note.end)
            lines += self._formats(table.points).rollups(table, note.level)
            end = number
            if len(lines) >= self._batch:
                break
        return Body(ROLLUP, lines, end)

    def _formats(self, points: NDArray[np.int32]) -> Lines:
        if len(points) and int(points.max()) >= self._lines.size:
            self._lines = self._make_lines()
        return self._lines

    def _deliver(self, body: Body) -> None:
        """Send what is left of a body; refused lines are searched for by halving."""
        try:
            while body.at < len(body.lines):
                self._send_some(body)
        except Refused as error:
            if self.alarm is None:
                log.error("InfluxDB needs a person", why=str(error))
            self.alarm = str(error)
            raise
        if body.bad:
            self.refused_lines += len(body.bad)
            log.warning("InfluxDB refuses lines", bucket=body.bucket, n=len(body.bad))
            if self._quarantine is not None:
                self._quarantine(body.bucket, body.bad)

    def _send_some(self, body: Body) -> None:
        start, stop = body.at, len(body.lines)
        if body.suspect is not None:
            low, high = body.suspect
            if high - low == 1:
                self._give_up(body)
                return
            stop = (low + high) // 2
        stop = min(stop, start + body.most)
        self.requests += 1
        try:
            dropped = self._link.write(body.bucket, "\n".join(body.lines[start:stop]).encode())
        except TooLarge as error:
            if stop - start > 1:
                body.most = (stop - start) // 2
            else:
                body.suspect, body.reason = (start, stop), str(error)
            return
        except Rejected as error:
            body.suspect, body.reason = (start, stop), str(error)
            return
        self.alarm, self.last_success = None, self._clock()
        self.expired_lines += dropped
        body.accepted += stop - start
        body.at = stop
        if body.suspect is not None:
            body.suspect = (stop, body.suspect[1])

    def _give_up(self, body: Body) -> None:
        """The line at `body.at` is the bad one."""
        body.bad.append((body.lines[body.at], body.reason))
        body.at, body.suspect = body.at + 1, None
        if len(body.bad) >= HOPELESS and not body.accepted:
            reason = body.reason
            body.at, body.bad = 0, []
            raise Refused(f"InfluxDB takes no line at all: {reason}", self._link.slow_s)
