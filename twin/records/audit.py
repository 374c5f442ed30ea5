"""The audit trail: who did what to which object, before and after, from where. Append-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from twin.records.schema import AuditRow
from twin.records.store import Unit


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One deed. who: account or key id; object: "alarm:level-high:MH-012.level"; at: Unix ms."""

    at: int
    who: str
    action: str
    object: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    ip: str | None = None
    request_id: str | None = None
    seq: int = 0


def write_audit(unit: Unit, entry: AuditEntry) -> int:
    """Add an entry, in the transaction of the deed itself; its number."""
    row = AuditRow(
        at=entry.at,
        who=entry.who,
        action=entry.action,
        object=entry.object,
        before=None if entry.before is None else dict(entry.before),
        after=None if entry.after is None else dict(entry.after),
        ip=entry.ip,
        request_id=entry.request_id,
    )
    unit.add(row)
    unit.flush()
    return row.seq


def read_audit(unit: Unit, *, limit: int = 100, before_seq: int | None = None) -> list[AuditEntry]:
    """The newest entries first; page on with the `seq` of the last one."""
    query = select(AuditRow).order_by(AuditRow.seq.desc()).limit(limit)
    if before_seq is not None:
        query = query.where(AuditRow.seq < before_seq)
    return [
        AuditEntry(
            row.at,
            row.who,
            row.action,
            row.object,
            row.before,
            row.after,
            row.ip,
            row.request_id,
            row.seq,
        )
        for row in unit.scalars(query)
    ]
