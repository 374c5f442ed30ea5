"""The audit: does what was acknowledged really lie in the history and in InfluxDB?

It recounts from the data. Every (point, time) in the newest part of the journal is looked up in
the local history; InfluxDB is asked for its own counts; every box's account must balance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.group import Group
from ingest.history.influx import InfluxHistory
from ingest.history.local import LocalHistory
from ingest.history.table import Table, order
from ingest.journal import Journal
from ingest.ledger import LedgerRow
from twin.model.names import Name

WINDOW: Final = 5_000_000
SLICE: Final = 250_000
HOUR_MS: Final = 3_600_000
SPARSE: Final = 2_000


@dataclass(frozen=True, slots=True)
class DayRow:
    """One source on one local day. readings: in the journal's window; distinct: (point, time) pairs
    among them; missing: pairs that the local history does not have.
    """

    source: str
    day: str
    readings: int
    distinct: int
    missing: int
    ok: bool
    sentence: Name


@dataclass(frozen=True, slots=True)
class InfluxRow:
    """One local day in InfluxDB: readings and values counted there and in the local history.

    waiting: readings that the forwarder has not sent yet.
    """

    day: str
    local_readings: int
    local_values: int
    influx_readings: int
    influx_values: int
    waiting: int
    points: tuple[int, ...]
    ok: bool
    sentence: Name


@dataclass(frozen=True, slots=True)
class BoxRow:
    """One account of the ledger; imbalance: sequence numbers that it cannot explain."""

    source: str
    box: str
    imbalance: int
    missing: int
    ok: bool
    sentence: Name


@dataclass(frozen=True, slots=True)
class AuditReport:
    """first..end: ordinals looked at; at: when (Unix ms)."""

    at: int
    first: int
    end: int
    days: tuple[DayRow, ...]
    influx: tuple[InfluxRow, ...]
    boxes: tuple[BoxRow, ...]

    @property
    def ok(self) -> bool:
        """True when everything agrees."""
        return all(self._verdicts)

    @property
    def _verdicts(self) -> list[bool]:
        return [
            *(row.ok for row in self.days),
            *(row.ok for row in self.influx),
            *(row.ok for row in self.boxes),
        ]

    @property
    def sentence(self) -> Name:
        """The verdict for a person."""
        n = sum(row.readings for row in self.days)
        bad = self._verdicts.count(False)
        if self.ok:
            return Name(
                zh=f"账实相符:核对了 {n} 条读数,全部在册。",
                en=f"Everything agrees: {n} readings were looked up and all are there.",
            )
        return Name(
            zh=f"账实不符:{bad} 处有差异,共核对 {n} 条读数。",
            en=f"{bad} entries do not agree; {n} readings were looked up.",
        )


@dataclass(slots=True)
class _Tally:
    readings: int = 0
    distinct: int = 0
    missing: int = 0


@dataclass(slots=True)
class _Slice:
    """Readings of some groups with the number of their source."""

    points: list[NDArray[np.int32]] = field(default_factory=list)
    ts: list[NDArray[np.int64]] = field(default_factory=list)
    source: list[NDArray[np.int64]] = field(default_factory=list)
    size: int = 0


def audit(
    journal: Journal,
    history: LocalHistory,
    now_ms: int,
    *,
    influx: InfluxHistory | None = None,
    forwarded: int = 0,
    window: int = WINDOW,
) -> AuditReport:
    """Compare the newest `window` readings of the journal with what the consumers keep.

    forwarded: the forwarder's position (with `influx`). Takes about a second per million readings.
    """
    end = min(journal.end, history.seen)
    first = max(journal.oldest, end - window)
    names: list[str] = []
    numbers: dict[str, int] = {}
    tallies: dict[tuple[int, int], _Tally] = {}
    for part in _slices(journal, first, end, names, numbers):
        _check(part, history, tallies)
    days = tuple(
        _day_row(names[source], _day_name(history, day), tally)
        for (source, day), tally in sorted(tallies.items(), key=lambda x: (names[x[0][0]], x[0][1]))
    )
    in_influx: tuple[InfluxRow, ...] = ()
    if influx is not None:
        touched = sorted({day for _, day in tallies})
        waiting = _waiting(journal, history, forwarded)
        in_influx = tuple(_influx_row(history, influx, day, waiting) for day in touched)
    boxes = tuple(_box_row(row) for row in journal.ledger())
    return AuditReport(now_ms, first, end, days, in_influx, boxes)


# --- the journal against the local history ---------------------------------------------------


def _slices(
    journal: Journal, first: int, end: int, names: list[str], numbers: dict[str, int]
) -> Iterator[_Slice]:
    part = _Slice()
    at = first
    while at < end:
        groups = journal.read(at, 200_000, skip_damaged=True)
        if not groups:
            break
        for group in groups:
            _add(part, group, end, names, numbers)
        at = groups[-1].end
        if part.size >= SLICE:
            yield part
            part = _Slice()
    if part.size:
        yield part


def _add(part: _Slice, group: Group, end: int, names: list[str], numbers: dict[str, int]) -> None:
    readings = group.readings[: max(end - group.start, 0)]
    heads = list(group.heads)
    source = np.empty(len(heads), np.int64)
    for i, head in enumerate(heads):
        number = numbers.get(head.source)
        if number is None:
            number = numbers[head.source] = len(names)
            names.append(head.source)
        source[i] = number
    part.points.append(readings.point)
    part.ts.append(readings.ts)
    part.source.append(np.repeat(source, [head.n for head in heads])[: len(readings)])
    part.size += len(readings)


def _check(part: _Slice, history: LocalHistory, tallies: dict[tuple[int, int], _Tally]) -> None:
    points, ts = np.concatenate(part.points), np.concatenate(part.ts)
    source = np.concatenate(part.source)
    day = history.calendar.starts(ts, "1d")
    for (number, start), n in _counted(source, day):
        tallies.setdefault((number, start), _Tally()).readings += n
    by = order(points, ts)  # one of each (point, time)
    points, ts, source, day = points[by], ts[by], source[by], day[by]
    for (number, start), n in _counted(source, day):
        tallies[number, start].distinct += n
    there = _present(history, points, ts)
    for (number, start), n in _counted(source[~there], day[~there]):
        tallies[number, start].missing += n


def _counted(
    source: NDArray[np.int64], day: NDArray[np.int64]
) -> Iterator[tuple[tuple[int, int], int]]:
    pairs, n = np.unique(np.stack((source, day)), axis=1, return_counts=True)
    for (number, start), count in zip(pairs.T.tolist(), n.tolist(), strict=True):
        yield (int(number), int(start)), count


def _present(
    history: LocalHistory, points: NDArray[np.int32], ts: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of these (point, time) pairs the history has."""
    there = np.zeros(len(ts), bool)
    hour = ts // HOUR_MS
    for one in np.unique(hour).tolist():
        at = np.flatnonzero(hour == one)
        start, end = int(ts[at].min()), int(ts[at].max()) + 1
        if len(at) < SPARSE:
            tables: Iterator[Table] = iter([history.store.pick(np.unique(points[at]), start, end)])
        else:
            tables = (
                history.store.block(low, high, start, end)
                for low, high in history.ranges(start, end)
            )
        for table in tables:
            mine = _keys(points[at], ts[at], start)
            there[at] |= np.isin(mine, _keys(table.points, table.rows["ts"], start))
    return there


def _keys(points: NDArray[np.int32], ts: NDArray[np.int64], base: int) -> NDArray[np.int64]:
    return points.astype(np.int64) << 42 | (ts - base)


def _day_row(source: str, day: str, tally: _Tally) -> DayRow:
    ok = tally.missing == 0
    if ok:
        sentence = Name(
            zh=f"{source} {day}:{tally.distinct} 条读数全部在本地历史中。",
            en=f"{source}, {day}: all {tally.distinct} readings are in the local history.",
        )
    else:
        sentence = Name(
            zh=f"{source} {day}:{tally.distinct} 条读数中有 {tally.missing} 条不在本地历史中。",
            en=(
                f"{source}, {day}: {tally.missing} of {tally.distinct} readings are not in the"
                " local history."
            ),
        )
    return DayRow(source, day, tally.readings, tally.distinct, tally.missing, ok, sentence)


# --- the local history against InfluxDB --------------------------------------------------------


def _waiting(journal: Journal, history: LocalHistory, forwarded: int) -> dict[int, dict[int, int]]:
    """Distinct readings by day and point that InfluxDB cannot have yet."""
    found: dict[int, dict[int, int]] = {}
    for part in _slices(journal, max(forwarded, journal.oldest), history.seen, [], {}):
        points, ts = np.concatenate(part.points), np.concatenate(part.ts)
        by = order(points, ts)
        day = history.calendar.starts(ts[by], "1d")
        for (start, point), n in _counted(day, points[by].astype(np.int64)):
            mine = found.setdefault(start, {})
            mine[point] = mine.get(point, 0) + n
    return found


def _influx_row(
    history: LocalHistory, influx: InfluxHistory, day: int, waiting: dict[int, dict[int, int]]
) -> InfluxRow:
    """A point differs when InfluxDB has more than the history, or less than what was sent."""
    end = history.calendar.end(day, "1d")
    local: dict[int, int] = {}
    values = 0
    for low, high in history.ranges(day, end):
        table = history.store.block(low, high, day, end)
        values += int((~np.isnan(table.rows["value"])).sum())
        some, n = np.unique(table.points, return_counts=True)
        local.update(zip(some.tolist(), n.tolist(), strict=True))
    there = influx.count(day, end)
    there_values = sum(influx.count(day, end, "values").values())
    late = waiting.get(day, {})
    differ = tuple(
        point
        for point in sorted(local.keys() | there.keys())
        if not local.get(point, 0) - late.get(point, 0)
        <= there.get(point, 0)
        <= local.get(point, 0)
    )
    total, total_there, behind = sum(local.values()), sum(there.values()), sum(late.values())
    ok = not differ and values - behind <= there_values
    name = _day_name(history, day)
    tail_zh = f",{behind} 条待转发" if behind else ""
    tail_en = f"; {behind} still wait to be sent" if behind else ""
    if ok:
        sentence = Name(
            zh=f"{name}:InfluxDB 有 {total_there} 条,本地有 {total} 条{tail_zh},一致。",
            en=f"{name}: InfluxDB has {total_there} readings of {total}{tail_en}; they agree.",
        )
    else:
        sentence = Name(
            zh=f"{name}:InfluxDB 有 {total_there} 条,本地有 {total} 条{tail_zh},"
            f"{len(differ)} 个测点不一致。",
            en=(
                f"{name}: InfluxDB has {total_there} readings, the local history {total}{tail_en};"
                f" {len(differ)} points differ."
            ),
        )
    return InfluxRow(name, total, values, total_there, there_values, behind, differ, ok, sentence)


# --- the ledger --------------------------------------------------------------------------------


def _box_row(row: LedgerRow) -> BoxRow:
    where = f"{row.source}/{row.box}" if row.box else row.source
    imbalance = row.imbalance
    if imbalance:
        sentence = Name(
            zh=f"{where}:账目有 {imbalance} 个序号无法解释。",
            en=f"{where}: the account cannot explain {imbalance} sequence numbers.",
        )
    elif row.missing:
        sentence = Name(
            zh=f"{where}:账目平衡;有 {row.missing} 个序号缺失,已报告。",
            en=f"{where}: balanced; {row.missing} sequence numbers are reported as missing.",
        )
    else:
        sentence = Name(zh=f"{where}:账目平衡。", en=f"{where}: balanced.")
    return BoxRow(row.source, row.box, imbalance, row.missing, imbalance == 0, sentence)


def _day_name(history: LocalHistory, start: int) -> str:
    return history.calendar.span(start, "day")[0]
