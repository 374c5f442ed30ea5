"""How far consumers have come, derived readings on their way, and models that were in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select

from twin.records.schema import CursorRow, DerivedRow, ModelVersionRow
from twin.records.store import Unit


@dataclass(frozen=True, slots=True)
class Cursor:
    """position: the next ordinal wanted of the journal named by `epoch`; detail: plain data."""

    epoch: str
    position: int
    detail: Mapping[str, Any] = field(default_factory=dict)


def read_cursor(unit: Unit, name: str) -> Cursor | None:
    """Where a consumer stands; None before its first commit."""
    row = unit.get(CursorRow, name)
    return None if row is None else Cursor(row.epoch, row.position, row.detail)


def write_cursor(unit: Unit, name: str, cursor: Cursor, now_ms: int) -> None:
    """Move a cursor, in the transaction that holds the consumer's effect."""
    unit.merge(
        CursorRow(
            name=name,
            epoch=cursor.epoch,
            position=cursor.position,
            detail=dict(cursor.detail),
            updated_at=now_ms,
        )
    )


def queue_derived(unit: Unit, minute: int, readings: bytes) -> None:
    """Keep the derived readings of a minute until the journal has them."""
    unit.merge(DerivedRow(minute=minute, readings=readings))


def queued_derived(unit: Unit) -> list[tuple[int, bytes]]:
    """(minute, readings) not yet known to be in the journal, the oldest first."""
    rows = unit.scalars(select(DerivedRow).order_by(DerivedRow.minute))
    return [(row.minute, row.readings) for row in rows]


def forget_derived(unit: Unit, minute: int) -> None:
    """The journal has the derived readings of that minute."""
    unit.execute(delete(DerivedRow).where(DerivedRow.minute == minute))


def record_model(
    unit: Unit, model_hash: str, park: str, counts: Mapping[str, Any], now_ms: int
) -> bool:
    """Note that a model is in force; True when it was never seen before."""
    row = unit.get(ModelVersionRow, model_hash)
    if row is not None:
        row.last_loaded_at = now_ms
        return False
    unit.add(
        ModelVersionRow(
            hash=model_hash,
            park=park,
            first_loaded_at=now_ms,
            last_loaded_at=now_ms,
            counts=dict(counts),
        )
    )
    unit.flush()
    return True
