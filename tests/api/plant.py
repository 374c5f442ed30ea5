"""One node's stores, real ones in a temporary folder, for the API to serve in tests."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from api.limits import Limits
from api.services import Secrets, Services
from ingest.gateways import GatewayBook
from ingest.history.local import LocalHistory
from ingest.history.roller import traits_of
from ingest.journal import Journal
from ingest.readings import Readings
from tests.api.parks import small_park
from tests.api.scripted import ScriptedTwin
from twin.model import Park
from twin.records import Records
from twin.records.keys import MachineKeys
from twin.records.people import Role, create_user, find_user, issue_login_code

PEPPER = bytes(range(7, 47))
PASSWORD = "correct horse battery"


def now_ms() -> int:
    """Wall clock, Unix ms."""
    return time.time_ns() // 1_000_000


def make_accounts(home: Path) -> Path:
    """A records database with one account for each role, named like it."""
    path = home / "accounts.db"
    records = Records.open(f"sqlite:///{path}")
    with records.unit() as unit:
        for role in Role:
            create_user(unit, role.value, PASSWORD, role, now_ms())
    records.close()
    return path


@dataclass
class Plant:
    """The stores, over a park."""

    park: Park
    journal: Journal
    history: LocalHistory
    records: Records
    twin: ScriptedTwin
    gateways: GatewayBook

    @classmethod
    def build(cls, home: Path, accounts: Path, park: Park | None = None) -> Self:
        """Open everything in `home`; `accounts` is a records database to start from."""
        park = park or small_park()
        journal = Journal(home / "journal.db", synchronous="OFF")
        journal.points.ensure(park.points)
        shutil.copy(accounts, home / "records.db")
        return cls(
            park,
            journal,
            LocalHistory(
                home / "history",
                park.timezone,
                journal=journal,
                traits=traits_of(park.points, journal.points),
            ),
            Records.open(f"sqlite:///{home / 'records.db'}"),
            ScriptedTwin(len(journal.points)),
            GatewayBook(),
        )

    def services(self, **changes: Any) -> Services:
        """For `create_app`."""
        return Services(
            **{
                "park": self.park,
                "journal": self.journal,
                "history": self.history,
                "live": self.twin,
                "records": self.records,
                "secrets": Secrets(PEPPER),
                "gateways": self.gateways,
                "limits": Limits(tick_s=0.1, trust_s=0.3),
                **changes,
            }
        )

    def store(
        self, point: str, rows: Sequence[tuple[int, float, int]], *, source: str = "GW-1"
    ) -> None:
        """Journal (ts, value, quality) rows of a point and have the history take them."""
        index = self.journal.points.index(point)
        assert index is not None
        ts, value, quality = zip(*rows, strict=True)
        start = self.journal.end
        self.journal.append(Readings.of([index] * len(rows), ts, value, quality), source=source)
        self.history.consume(self.journal.read(start))

    def code(self, user: str) -> str:
        """A one-time login code of an account."""
        with self.records.unit() as unit:
            account = find_user(unit, user)
            assert account is not None
            return issue_login_code(unit, account, now_ms(), 600_000)

    def key(self, points: Sequence[str], role: Role = Role.VIEWER) -> str:
        """A machine key for those points."""
        with self.records.unit() as unit:
            text, _ = MachineKeys(PEPPER).issue(
                unit,
                "test",
                role=role,
                scope={"points": list(points)},
                created_by="admin",
                now_ms=now_ms(),
            )
        return text

    def close(self) -> None:
        """Close every store."""
        self.history.close()
        self.journal.close()
        self.records.close()
