"""Assembly: arrivals become one draft of a group commit.

Asks the ledger what is new, builds the columns of all messages at once, quarantines what cannot be
stored, and says what is to be told to gateways afterwards. It writes nothing; the same arrivals can
be assembled again after a failed commit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Final

from edge.wire import HELLO, BoxState, Nack, Replay
from ingest import decode, foreign
from ingest.arrivals import Arrival, Bad, Foreign, Handed, Native, Receipt, Retry, Told
from ingest.bindings import Bindings
from ingest.blocks import Lot, NativeBlock, PlainBlock, item_rejected
from ingest.columns import (
    LATE_MS,
    Limits,
    explain_native,
    explain_time,
    foreign_columns,
    native_columns,
)
from ingest.decode import Refused
from ingest.identity import Identities
from ingest.journal import Journal
from ingest.ledger import Draft, Loss, Rejected
from ingest.quarantine import QuarantineRow
from ingest.readings import Readings

ACKED_ON_ONLINE: Final = 32
_REFUSED_REMEMBERED: Final = 1_000
_NEVER_LATE: Final = 2**52


@dataclass(slots=True)
class Plan:
    """A draft, and what to do once it is durable (receipts: relative to its group)."""

    draft: Draft
    acks: dict[tuple[str, str], None] = field(default_factory=dict)
    nacks: list[tuple[str, Nack]] = field(default_factory=list)
    replays: list[tuple[str, Replay]] = field(default_factory=list)
    receipts: list[tuple[Handed, Receipt]] = field(default_factory=list)
    retried: list[tuple[Retry, dict[int, str]]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    ahead: int = 0
    ignored_fields: int = 0


class Assembly:
    """Builds plans against one journal; what they must remember is kept by `committed`."""

    def __init__(self, journal: Journal, bindings: Bindings, limits: Limits) -> None:
        self.bindings = bindings
        self.limits = limits
        self.identities = Identities()
        self._journal = journal
        self._refused: dict[tuple[str, str], None] = {}

    def plan(self, arrivals: Iterable[Arrival], now: int) -> Plan:
        """Everything that these arrivals change, in their order."""
        self.identities.begin()
        plan = Plan(self._journal.draft(now))
        native = NativeBlock()
        plain = PlainBlock()
        for arrival in arrivals:
            if type(arrival) is Native:
                self._native(plan, native, arrival)
            elif isinstance(arrival, Foreign):
                self._foreign(plan, plain, arrival)
            elif isinstance(arrival, Handed):
                box = plan.draft.box(arrival.source, "", arrival.kind)
                late = LATE_MS if arrival.kind == "foreign" else _NEVER_LATE
                plain.add(Lot(box, arrival.received_at, late, handed=arrival), arrival.readings)
            elif isinstance(arrival, Bad):
                self._bad(plan, arrival)
            elif isinstance(arrival, Told):
                self._told(plan, arrival)
            elif isinstance(arrival, Retry):
                self._retry(plan, plain, arrival)
        draft = plan.draft
        points = self._journal.points
        first = native.finish(draft, points, self.limits)
        second = plain.finish(draft, points, self.limits, self.identities)
        draft.readings = Readings.concat([first, second])
        plan.receipts = [
            (handed, replace(receipt, start=len(first) + receipt.start))
            for handed, receipt in plain.receipts
        ]
        return plan

    def committed(self, plan: Plan) -> None:
        """The plan is durable."""
        self.identities.commit()
        self._refused.update(dict.fromkeys(plan.refused))
        while len(self._refused) > _REFUSED_REMEMBERED:
            del self._refused[next(iter(self._refused))]

    def remember(self, start: int) -> None:
        """Learn the identities of foreign and derived readings from ordinal `start` on."""
        self.identities.begin()
        while groups := self._journal.read(start, skip_damaged=True):
            for group in groups:
                for head in group.heads:
                    account = self._journal.account(head.source, head.box)
                    if account is None or head.first >= 0 or not head.n:
                        continue
                    part = group.readings[head.offset : head.offset + head.n]
                    keys = zip(
                        repeat(account.number), part.point.tolist(), part.ts.tolist(), strict=False
                    )
                    self.identities.learn(zip(keys, part.value.tolist(), strict=True))
            start = groups[-1].end

    # --- one message each ----------------------------------------------------------------------

    def _native(self, plan: Plan, block: NativeBlock, arrival: Native) -> None:
        message, gateway, up, faults, _ = arrival
        box = plan.draft.box(gateway, up.box, "native")
        box.last_received_at = plan.seen[gateway] = message.received_at
        plan.acks[gateway, up.box] = None
        rows = up.readings
        count = len(rows) if rows is not None else up.lost or 1
        unseen = box.first < 0
        parts = box.accept(up.first, count)
        if not parts:
            plan.ahead += up.first > box.committed + 1 and not unseen
            return
        if unseen and up.first > 1:
            why = "the first message of this box began later"
            gap = Loss(gateway, up.box, 1, up.first - 1, "gap", why, message.received_at)
            plan.draft.losses.append(gap)
        for begin, end in parts:
            if rows is not None:
                block.add(box, arrival, up.first + begin, rows, begin, end, faults)
            elif up.lost is not None:
                box.lost += end - begin
                span = (up.first + begin, up.first + end - 1)
                reason = (up.reason or "not told")[:200]
                loss = Loss(gateway, up.box, *span, "lost", reason, message.received_at)
                plan.draft.losses.append(loss)
            else:
                box.quarantined += 1
                reason = "a message that the platform could not read, returned by the gateway"
                raw = decode.read_poison(up.poison or "")
                plan.draft.rejected.append(
                    item_rejected(message, box, up.first, arrival.shift, ("poison", reason, raw))
                )

    def _foreign(self, plan: Plan, block: PlainBlock, arrival: Foreign) -> None:
        message, source, found = arrival
        box = plan.draft.box(source, "", "foreign")
        box.last_received_at = message.received_at
        plan.ignored_fields += found.ignored
        for fault in found.faults:
            box.quarantined += 1
            plan.draft.rejected.append(item_rejected(message, box, -1, 0, fault))
        lot = Lot(box, message.received_at, LATE_MS, topic=message.topic)
        block.add_rows(lot, found.rows)

    def _bad(self, plan: Plan, arrival: Bad) -> None:
        message, source, refused, native = arrival
        box = plan.draft.box(source, "", "native" if native else "foreign")
        box.refused += 1
        box.last_received_at = message.received_at
        digest = refused.digest(message.payload)
        if native:
            plan.nacks.append((source, Nack(digest, refused.reason)))
        key = (source, digest)
        if key in self._refused or key in plan.refused:
            return  # a gateway that bisects, or a broker that repeats: one row tells it
        plan.refused.append(key)
        plan.draft.rejected.append(
            Rejected(
                source,
                "",
                -1,
                message.topic,
                refused.code,
                refused.reason,
                message.payload,
                message.received_at,
                whole=True,
            )
        )

    def _told(self, plan: Plan, arrival: Told) -> None:
        message, gateway, state, online, _ = arrival
        plan.told.append(arrival)
        accounts = self._journal.accounts(gateway)
        if online and not accounts:
            plan.acks[gateway, HELLO] = None
        elif online and not message.retained:
            for known in accounts[-ACKED_ON_ONLINE:]:
                if known.first >= 0:
                    plan.acks[gateway, known.name] = None
        for box in state.boxes if state is not None else ():
            account = plan.draft.changed.get((gateway, box.box)) or self._journal.account(
                gateway, box.box
            )
            if account is None or account.first < 0:
                continue
            plan.acks[gateway, box.box] = None
            if box.oldest > account.committed + 1:
                self._skip(plan, gateway, box, message.received_at)
            for low, high in account.gaps:
                kept = (max(low, box.oldest), min(high, box.newest))
                if kept[0] <= kept[1]:
                    plan.replays.append((gateway, Replay(box.box, kept[0], kept[1], True)))

    def _skip(self, plan: Plan, gateway: str, state: BoxState, at: int) -> None:
        gap = plan.draft.box(gateway, state.box, "native").skip_to(state.oldest)
        if gap is not None:
            reason = "the gateway keeps nothing before what it reported"
            plan.draft.losses.append(Loss(gateway, state.box, *gap, "gap", reason, at))

    def _retry(self, plan: Plan, block: PlainBlock, arrival: Retry) -> None:
        """Read quarantined rows again; those that still cannot be stored keep their place."""
        outcomes = dict.fromkeys(arrival.ids, "no such row, or it was released before")
        before = frozenset(plan.draft.released)  # asked for twice in one group
        for row in self._journal.release(arrival.ids):
            if row.id in before:
                continue
            account = self._journal.account(row.source, row.box)
            kind = account.kind if account is not None else "foreign"
            read = self._read_again(row)
            if isinstance(read, str):
                outcomes[row.id] = read
                continue
            outcomes[row.id] = ""
            plan.draft.released.append(row.id)
            box = plan.draft.box(row.source, row.box, kind)
            count = len(read)
            if row.whole:
                lot = Lot(box, row.at, LATE_MS, topic=row.topic)
            else:
                box.quarantined -= 1
                lot = Lot(box, row.at, _NEVER_LATE, row.topic, row.sequence, row.shift)
            if count:
                block.add(lot, read)
        plan.retried.append((arrival, outcomes))

    def _read_again(self, row: QuarantineRow) -> Readings | str:
        """The readings of a quarantined row, device times, or why there are none."""
        if row.whole:
            lines = row.topic.endswith("/lp")
            if not row.topic.startswith("in/") or not (lines or row.topic.endswith("/json")):
                return row.reason
            read = foreign.read_lines if lines else foreign.read_json
            found = read(row.raw, self.bindings.of(row.source), row.at)
            if isinstance(found, Refused):
                return found.reason
            if found.faults:
                return found.faults[0][1]
            return foreign_columns(found.rows)
        try:
            data = json.loads(row.raw)
        except (ValueError, RecursionError):
            return row.reason
        if row.code == "poison" and isinstance(data, dict):
            only = data.get("readings")
            data = only[0] if isinstance(only, list) and len(only) == 1 else None
        item = decode.read_item(data)
        if len(item) != 4:
            return item[1]
        readings = native_columns([item], self._journal.points.lookup().get)
        late = None if row.sequence >= 0 else LATE_MS
        problem = explain_time(item[1] + row.shift, row.at, late)
        if problem is not None:
            return problem[1]
        return readings if readings.point[0] >= 0 else explain_native(item, row.shift, row.at)[1]
