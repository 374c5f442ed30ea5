"""Machine keys: ``pk_<id>_<secret>``, for software that pushes or reads without a person.

Only an HMAC-SHA-256 of the secret under the installation's pepper is kept; a check costs
microseconds, so a flood of wrong keys is no lever. People's passwords are in `people`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from twin.records.people import Role
from twin.records.schema import MachineKeyRow
from twin.records.store import Unit

SHORTEST_PEPPER = 32


@dataclass(frozen=True, slots=True)
class MachineKey:
    """A key without its secret. scope: what it may touch, as the API reads it."""

    id: str
    name: str
    role: Role
    scope: Mapping[str, Any]
    created_by: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None

    def usable(self, now_ms: int) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now_ms < self.expires_at)


class MachineKeys:
    """Issues and checks keys under one pepper (at least 32 bytes; ValueError otherwise)."""

    def __init__(self, pepper: bytes) -> None:
        if len(pepper) < SHORTEST_PEPPER:
            raise ValueError(f"the pepper has {len(pepper)} bytes; it needs {SHORTEST_PEPPER}")
        self._pepper = pepper

    def issue(
        self,
        unit: Unit,
        name: str,
        *,
        role: Role,
        scope: Mapping[str, Any],
        created_by: str,
        now_ms: int,
        expires_at: int | None = None,
    ) -> tuple[str, MachineKey]:
        """A new key: its text, told only now, and what is kept of it."""
        key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        row = MachineKeyRow(
            id=key_id,
            name=name,
            mac=self._mac(key_id, secret),
            role=role.value,
            scope=dict(scope),
            created_by=created_by,
            created_at=now_ms,
            expires_at=expires_at,
            revoked_at=None,
        )
        unit.add(row)
        unit.flush()
        return f"pk_{key_id}_{secret}", _key(row)

    def verify(self, unit: Unit, text: str, now_ms: int) -> MachineKey | None:
        """The key of a text, or None when it is unknown, wrong, revoked or expired."""
        parts = text.split("_", 2)
        if len(parts) != 3 or parts[0] != "pk" or not text.isascii():
            return None
        row = unit.get(MachineKeyRow, parts[1])
        expected = row.mac if row is not None else "0" * 64
        right = hmac.compare_digest(self._mac(parts[1], parts[2]), expected)
        if row is None or not right:
            return None
        key = _key(row)
        return key if key.usable(now_ms) else None

    def revoke(self, unit: Unit, key_id: str, now_ms: int) -> bool:
        """Stop a key at once; False when there is none in force by that id."""
        stopped = unit.scalar(
            update(MachineKeyRow)
            .where(MachineKeyRow.id == key_id, MachineKeyRow.revoked_at.is_(None))
            .values(revoked_at=now_ms)
            .returning(MachineKeyRow.id)
        )
        return stopped is not None

    def list(self, unit: Unit) -> list[MachineKey]:
        """Every key that was ever issued, the newest first."""
        rows = unit.scalars(
            select(MachineKeyRow).order_by(MachineKeyRow.created_at.desc(), MachineKeyRow.id)
        )
        return [_key(row) for row in rows]

    def _mac(self, key_id: str, secret: str) -> str:
        text = f"{key_id}_{secret}".encode()
        return hmac.new(self._pepper, text, hashlib.sha256).hexdigest()


def _key(row: MachineKeyRow) -> MachineKey:
    return MachineKey(
        row.id,
        row.name,
        Role(row.role),
        row.scope,
        row.created_by,
        row.created_at,
        row.expires_at,
        row.revoked_at,
    )
