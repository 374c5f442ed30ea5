"""The ledger: what each source sent, by sequence number, and what became of it.

Pure bookkeeping in memory; `ingest.journal` makes it durable in the same transaction as the
readings. For every box of a native gateway it holds

    committed - first + 1 == stored + quarantined + lost + missing

where `missing` counts the sequence numbers in reported gaps, which may still be repaired.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from ingest.clock import ClockMemory
from ingest.group import HeadRow
from ingest.readings import Readings

Kind = Literal["native", "foreign", "derived"]
Span = tuple[int, int]

MAX_SEQUENCE: Final = 2**53
"""Beyond it JSON numbers stop being exact."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The account of one (source, box); counts are numbers of readings since the journal began.

    kind says what the source is promised: "native" end to end, "foreign" from the broker on,
    "derived" computed here. first and committed are -1 without sequence. missing = sequence numbers
    in `gaps` (closed ranges), lost = declared as lost by the gateway, duplicates = sent again and
    not stored again, corrections = same (point, time) with another value, refused = messages that
    could not be decoded (not in the equation: they carry no sequence).
    """

    source: str
    box: str
    kind: Kind
    first: int
    committed: int
    stored: int
    quarantined: int
    lost: int
    missing: int
    duplicates: int
    corrections: int
    refused: int
    last_received_at: int
    gaps: tuple[Span, ...]

    @property
    def imbalance(self) -> int:
        """Sequence numbers that the account cannot explain: 0 in a healthy ledger."""
        if self.first < 0:
            return 0
        known = self.stored + self.quarantined + self.lost + self.missing
        return self.committed - self.first + 1 - known


@dataclass(slots=True)
class Box:
    """The mutable account behind a `LedgerRow`; `number` is its key in the database."""

    number: int
    source: str
    name: str
    kind: Kind
    first: int = -1
    committed: int = -1
    stored: int = 0
    quarantined: int = 0
    lost: int = 0
    missing: int = 0
    duplicates: int = 0
    corrections: int = 0
    refused: int = 0
    last_received_at: int = 0
    gaps: tuple[Span, ...] = ()

    def copy(self) -> Box:
        """An independent account with the same figures."""
        return Box(
            self.number,
            self.source,
            self.name,
            self.kind,
            self.first,
            self.committed,
            self.stored,
            self.quarantined,
            self.lost,
            self.missing,
            self.duplicates,
            self.corrections,
            self.refused,
            self.last_received_at,
            self.gaps,
        )

    def row(self) -> LedgerRow:
        """A frozen view."""
        return LedgerRow(
            self.source,
            self.name,
            self.kind,
            self.first,
            self.committed,
            self.stored,
            self.quarantined,
            self.lost,
            self.missing,
            self.duplicates,
            self.corrections,
            self.refused,
            self.last_received_at,
            self.gaps,
        )

    def accept(self, first: int, count: int) -> tuple[Span, ...]:
        """Advance over a message of `count` sequences from `first`.

        Returns the parts to keep as (begin, end) offsets into the message. Nothing is kept, and
        nothing changes, when the message begins beyond ``committed + 1``; what was accepted before
        is trimmed and counted; a part that lies in a gap is kept and mends the gap. The caller
        counts the kept sequences as stored, quarantined or lost.
        """
        if count <= 0:
            return ()
        if self.first < 0:
            self.first = min(first, 1)
            self.committed = first - 1
            if first > 1:
                self.gaps = ((1, first - 1),)
                self.missing = first - 1
        done = self.committed
        if first > done + 1:
            return ()
        end = first + count  # one past the last
        if first == done + 1:
            self.committed = end - 1
            return ((0, count),)
        parts = self._repair(first, min(end - 1, done)) if self.gaps else []
        if end - 1 > done:
            parts.append((done + 1, end))
            self.committed = end - 1
        self.duplicates += count - sum(e - b for b, e in parts)
        return tuple((b - first, e - first) for b, e in parts)

    def _repair(self, first: int, last: int) -> list[Span]:
        """Take [first, last] out of the gaps; returns what was in them as half-open ranges."""
        mended: list[Span] = []
        left: list[Span] = []
        for low, high in self.gaps:
            begin, end = max(low, first), min(high, last)
            if begin > end:
                left.append((low, high))
                continue
            mended.append((begin, end + 1))
            if low < begin:
                left.append((low, begin - 1))
            if end < high:
                left.append((end + 1, high))
        if mended:
            self.gaps = tuple(left)
            self.missing -= sum(e - b for b, e in mended)
        return mended

    def skip_to(self, oldest: int) -> Span | None:
        """Report a gap up to `oldest`: the gateway says that it keeps nothing before it."""
        if self.first < 0 or oldest <= self.committed + 1:
            return None
        gap = (self.committed + 1, oldest - 1)
        self.gaps = (*self.gaps, gap)
        self.missing += gap[1] - gap[0] + 1
        self.committed = oldest - 1
        return gap


@dataclass(frozen=True, slots=True)
class Loss:
    """A range of sequences that the gateway declared lost, or that the ledger found missing."""

    source: str
    box: str
    first: int
    last: int
    kind: Literal["lost", "gap"]
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something to quarantine: one reading as a JSON item, or (whole) the payload of a message.

    sequence is -1 without one; code is a stable English word, reason a sentence for a person; shift
    is the clock correction in ms.
    """

    source: str
    box: str
    sequence: int
    topic: str
    code: str
    reason: str
    raw: bytes
    at: int
    shift: int = 0
    whole: bool = False


@dataclass(slots=True)
class Draft:
    """Everything that one group commit will change; nothing is visible before it is committed."""

    received_at: int
    _boxes: dict[tuple[str, str], Box]
    first_new: int  # boxes from this number on are not in the database yet
    readings: Readings = field(default_factory=Readings.empty)
    heads: list[HeadRow] = field(default_factory=list)
    changed: dict[tuple[str, str], Box] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    clocks: dict[str, ClockMemory] = field(default_factory=dict)
    _new: int = 0

    def box(self, source: str, name: str, kind: Kind) -> Box:
        """The account of (source, box) for change in this draft."""
        key = (source, name)
        box = self.changed.get(key)
        if box is None:
            known = self._boxes.get(key)
            if known is not None:
                box = known.copy()
            else:
                box = Box(self.first_new + self._new, source, name, kind)
                self._new += 1
            self.changed[key] = box
        return box

    def empty(self) -> bool:
        """True when a commit would change nothing."""
        return not (self.changed or self.released or self.clocks)


class Ledger:
    """The committed accounts, mirrored in memory."""

    def __init__(self, boxes: Iterable[Box] = ()) -> None:
        self._boxes = {(b.source, b.name): b for b in boxes}
        self._sources: dict[str, list[str]] = {}
        self.names: list[tuple[str, str]] = []
        """(source, box) by number; it only grows."""
        for box in sorted(self._boxes.values(), key=lambda b: b.number):
            self._name(box)

    def _name(self, box: Box) -> None:
        while len(self.names) <= box.number:
            self.names.append(("", ""))
        self.names[box.number] = (box.source, box.name)
        self._sources.setdefault(box.source, []).append(box.name)

    def draft(self, received_at: int) -> Draft:
        """A unit of work over the committed state."""
        return Draft(received_at, self._boxes, len(self.names))

    def merge(self, draft: Draft) -> None:
        """Make a committed draft the state."""
        for box in draft.changed.values():
            if box.number >= len(self.names):
                self._name(box)
        self._boxes.update(draft.changed)

    def get(self, source: str, name: str) -> Box | None:
        """The committed account, not to be changed."""
        return self._boxes.get((source, name))

    def boxes(self, source: str) -> list[Box]:
        """The committed accounts of a source in the order in which they appeared."""
        return [self._boxes[source, name] for name in self._sources.get(source, ())]

    def rows(self) -> list[LedgerRow]:
        """All accounts, by source and box."""
        return sorted(
            (b.row() for b in self._boxes.copy().values()), key=lambda r: (r.source, r.box)
        )
