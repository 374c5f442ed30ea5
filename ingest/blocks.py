"""Blocks: readings of many messages on their way into one draft, as columns.

Those of native messages are known by sequence, all others by (source, point, time). What cannot be
stored becomes quarantine rows of the draft, with a reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.arrivals import Handed, Inbound, Native, Receipt
from ingest.columns import (
    Limits,
    explain_native,
    explain_time,
    foreign_columns,
    judge,
    native_columns,
)
from ingest.decode import Fault, Row
from ingest.group import HeadRow
from ingest.identity import Identities
from ingest.ledger import Box, Draft, Rejected
from ingest.points import PointIndex
from ingest.readings import Readings


class NativeBlock:
    """Rows of native messages on their way to columns."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.heads: list[tuple[Box, Native, int, int]] = []  # account, message, first, count
        self.faults: dict[int, Fault] = {}

    def add(
        self,
        box: Box,
        arrival: Native,
        first: int,
        rows: Sequence[Row],
        begin: int,
        end: int,
        faults: Mapping[int, Fault] | None,
    ) -> None:
        """The rows [begin, end) of a message, which are new."""
        if faults:
            base = len(self.rows) - begin
            self.faults.update({base + p: f for p, f in faults.items() if begin <= p < end})
        count = end - begin
        self.rows.extend(rows if count == len(rows) else rows[begin:end])
        self.heads.append((box, arrival, first, count))
        box.stored += count

    def finish(self, draft: Draft, points: PointIndex, limits: Limits) -> Readings:
        """Columns of what can be stored; the rest becomes quarantine rows of the draft."""
        if not self.rows:
            return Readings.empty()
        counts = np.array([h[3] for h in self.heads], np.int64)
        received = np.repeat(np.array([h[1][0][2] for h in self.heads], np.int64), counts)
        shifts = np.array([h[1][4] for h in self.heads], np.int64)
        shift = np.repeat(shifts, counts) if shifts.any() else None
        columns = native_columns(self.rows, points.lookup().get)
        readings, bad = judge(columns, received, shift, None, limits)
        kept = counts
        if bad is not None:
            ends = np.cumsum(counts)
            kept = counts - np.add.reduceat(bad.astype(np.int64), ends - counts)
            for i in np.flatnonzero(bad).tolist():
                at = int(np.searchsorted(ends, i, "right"))
                box, arrival, first, count = self.heads[at]
                box.stored -= 1
                box.quarantined += 1
                message, delta = arrival.message, arrival.shift
                fault = self.faults.get(i) or explain_native(
                    self.rows[i], delta, message.received_at
                )
                sequence = first + i - (int(ends[at]) - count)
                draft.rejected.append(item_rejected(message, box, sequence, delta, fault))
            good = ~bad
            readings = Readings(
                readings.point[good],
                readings.ts[good],
                readings.value[good],
                readings.quality[good],
            )
        draft.heads.extend(
            [
                HeadRow(box.number, first, count, n, arrival[0][2], arrival[4])
                for (box, arrival, first, count), n in zip(self.heads, kept.tolist(), strict=True)
            ]
        )
        return readings


@dataclass(slots=True)
class Lot:
    """Readings of one message or caller that go by identity, or were quarantined before."""

    box: Box
    received_at: int
    late_ms: int
    topic: str = ""
    sequence: int = -1
    shift: int = 0
    handed: Handed | None = None


class PlainBlock:
    """Readings without sequence on their way into the draft."""

    def __init__(self) -> None:
        self.row_lots: list[tuple[Lot, int]] = []
        self.rows: list[tuple[int, int, float, int]] = []
        self.lots: list[tuple[Lot, int]] = []
        self.parts: list[Readings] = []
        self.receipts: list[tuple[Handed, Receipt]] = []

    def add(self, lot: Lot, readings: Readings) -> None:
        """Readings of one lot."""
        self.lots.append((lot, len(readings)))
        self.parts.append(readings)

    def add_rows(self, lot: Lot, rows: Sequence[tuple[int, int, float, int]]) -> None:
        """Readings of one lot as (point, time, value, quality); many small ones are cheap."""
        self.row_lots.append((lot, len(rows)))
        self.rows.extend(rows)

    def finish(
        self, draft: Draft, points: PointIndex, limits: Limits, identities: Identities
    ) -> Readings:
        """Columns without duplicates; impossible times become quarantine rows.

        `receipts` then says what became of each lot that was handed over, counting ordinals from
        the first reading of this block.
        """
        lots = self.row_lots + self.lots
        if not lots:
            return Readings.empty()
        counts = np.array([n for _, n in lots], np.int64)
        received = np.repeat(np.array([x.received_at for x, _ in lots], np.int64), counts)
        late = np.repeat(np.array([x.late_ms for x, _ in lots], np.int64), counts)
        shifts = np.array([x.shift for x, _ in lots], np.int64)
        shift = np.repeat(shifts, counts) if shifts.any() else None
        columns = Readings.concat([foreign_columns(self.rows), *self.parts])
        readings, bad = judge(columns, received, shift, late, limits)
        flags = bad.tolist() if bad is not None else None
        numbers, times = readings.point.tolist(), readings.ts.tolist()
        values = readings.value.tolist()
        keep: list[int] = []
        at = 0
        seen = identities.seen
        for lot, n in lots:
            box, number, before = lot.box, lot.box.number, len(keep)
            duplicates = corrections = rejected = 0
            for i in range(at, at + n):
                if flags is not None and flags[i]:
                    rejected += 1
                    _reject(draft, lot, readings, i, points)
                    continue
                if lot.sequence < 0:
                    known = seen((number, numbers[i], times[i]), values[i])
                    if known:
                        duplicates += 1
                        continue
                    corrections += known is False
                keep.append(i)
            at += n
            stored = len(keep) - before
            box.stored += stored
            box.duplicates += duplicates
            box.corrections += corrections
            box.quarantined += rejected
            box.last_received_at = max(box.last_received_at, lot.received_at)
            covers = 0 if lot.sequence < 0 else 1
            draft.heads.append(
                HeadRow(number, lot.sequence, covers, stored, lot.received_at, lot.shift)
            )
            if lot.handed is not None:
                receipt = Receipt(before, stored, duplicates, corrections, rejected)
                self.receipts.append((lot.handed, receipt))
        if len(keep) == len(numbers):
            return readings
        chosen = np.array(keep, np.int64)
        return Readings(
            readings.point[chosen],
            readings.ts[chosen],
            readings.value[chosen],
            readings.quality[chosen],
        )


def _reject(draft: Draft, lot: Lot, readings: Readings, i: int, points: PointIndex) -> None:
    ts, value = int(readings.ts[i]), float(readings.value[i])
    number = int(readings.point[i])
    known = 0 <= number < len(points)
    point = points.id(number) if known else f"#{number}"
    code, reason = explain_time(ts, lot.received_at, lot.late_ms) or (
        "unknown-point",
        f"there is no point number {number}",
    )
    item = [point, ts - lot.shift, None if value != value else value, int(readings.quality[i])]
    fault = (code, f"{point}: {reason}", json.dumps(item).encode())
    message = Inbound(lot.topic, b"", lot.received_at)
    draft.rejected.append(item_rejected(message, lot.box, lot.sequence, lot.shift, fault))


def item_rejected(message: Inbound, box: Box, sequence: int, shift: int, fault: Fault) -> Rejected:
    """A quarantine row for one item of a message."""
    code, reason, raw = fault
    return Rejected(
        box.source,
        box.name,
        sequence,
        message.topic,
        code,
        reason,
        raw,
        message.received_at,
        shift,
    )
