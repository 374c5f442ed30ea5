"""What the application is built on: everything it serves, handed over ready-made.

Owns the seam only. The journal, the model and the records are the real classes; what the API merely
looks at is a protocol or a function, so that the composition root decides what stands behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from api.language import Words
from api.limits import Limits
from ingest.audit import AuditReport
from ingest.committer import Committer
from ingest.consume import ConsumerThread
from ingest.gateways import GatewayBook
from ingest.history.protocol import History
from ingest.journal import Journal
from ingest.mqtt import MqttCounters
from twin.alarms.view import AlarmView
from twin.model import Name, Park
from twin.records import Records
from twin.state import Snapshot

Wake = Callable[[], None]


class LiveSource(Protocol):
    """The live twin, as far as the API looks at it. Any thread."""

    def snapshot(self) -> Snapshot:
        """The whole live state."""

    def changed_since(self, version: int) -> tuple[int, NDArray[np.integer[Any]]]:
        """The version now, and the indices of points that changed after `version`."""

    def alarms(self) -> Sequence[AlarmView]:
        """Open alarms: active, or unacknowledged."""

    def acknowledge(
        self, alarm_id: str, occurrence: int, user: str, comment: str | None, now_ms: int
    ) -> AlarmView:
        """Raises `StaleOccurrence` and `UnknownAlarm`."""

    def subscribe(self, wake: Wake) -> Wake:
        """Have `wake` called, in any thread, after transitions and ticks; returns the undoing."""


class BrokerLink(Protocol):
    """The connection to the broker, e.g. `ingest.mqtt.MqttSource`, as far as metrics tell of it."""

    @property
    def counters(self) -> MqttCounters:
        """Totals since start."""

    @property
    def connected(self) -> bool:
        """There is a connection and a subscription."""


Probe = Callable[[], Words | None]
"""None when all is well, else one sentence of what is wrong. Called from a worker thread."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made at first start, one set for each node. pepper: keys machine keys and anti-forgery."""

    pepper: bytes

    def __post_init__(self) -> None:
        if len(set(self.pepper)) < 16:
            raise ValueError("the pepper must be 32 or more random bytes, made at first start")


def _nothing() -> None:
    return None


def _no_lag() -> int:
    return 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Services:
    """Everything `api.app.create_app` needs.

    gateways: what was heard of them; gateway_names: what people call them, by id; consumers: the
    journal's, for readiness and metrics; committer, mqtt: the way in, for metrics; lag_ms: how far
    the twin is behind the journal; last_audit: the newest audit report, None before the first;
    run_audit: makes one now; probes: named checks of `/readyz`; public_url: how browsers reach the
    node when a proxy stands before it; now_ms: wall clock.
    """

    park: Park
    journal: Journal
    history: History
    live: LiveSource
    records: Records
    secrets: Secrets
    gateways: GatewayBook
    gateway_names: Mapping[str, Name] = field(default_factory=dict)
    consumers: Sequence[ConsumerThread] = ()
    committer: Committer | None = None
    mqtt: BrokerLink | None = None
    screen_dir: Path | None = None
    lag_ms: Callable[[], int] = _no_lag
    last_audit: Callable[[], AuditReport | None] = _nothing
    run_audit: Callable[[], AuditReport | None] = _nothing
    probes: Mapping[str, Probe] = field(default_factory=dict)
    public_url: str = ""
    now_ms: Callable[[], int] = _now_ms
    limits: Limits = field(default_factory=Limits)
