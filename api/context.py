"""What the routes of one application share: its services, gate, live hub, meters and documents."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated
from zoneinfo import ZoneInfo

import anyio
from fastapi import Depends
from starlette.requests import HTTPConnection

from api import catalogue
from api.attempts import Attempts
from api.live import LiveHub
from api.metrics import Meters
from api.presence import Presence
from api.reply import Document
from api.security import Gate
from api.services import Probe, Services
from ingest.history.calendar import Calendar


@dataclass(eq=False)
class Context:
    """One per application, made by `create_app`."""

    services: Services
    gate: Gate
    hub: LiveHub
    attempts: Attempts
    meters: Meters
    probes: Mapping[str, Probe]
    presences: Callable[[], list[Presence]]
    auditing: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The park's time zone."""
        return ZoneInfo(self.services.park.timezone)

    @cached_property
    def calendar(self) -> Calendar:
        """Where buckets begin in the park's time zone."""
        return Calendar(self.services.park.timezone)

    @cached_property
    def park(self) -> Document:
        """The park document."""
        return Document(catalogue.park(self.services.park))

    @cached_property
    def points(self) -> Document:
        """Every point."""
        return Document(catalogue.points(self.services.park))

    @cached_property
    def assets(self) -> Document:
        """Every asset."""
        return Document(catalogue.assets(self.services.park))

    @cached_property
    def asset_points(self) -> dict[str, list[str]]:
        """Point ids by asset."""
        return catalogue.points_by_asset(self.services.park)

    @cached_property
    def relations(self) -> dict[str, list[dict[str, str]]]:
        """Relations by asset."""
        return catalogue.relations(self.services.park)

    @cached_property
    def queries(self) -> anyio.CapacityLimiter:
        """Worker threads for history queries; made inside the running loop."""
        return anyio.CapacityLimiter(self.services.limits.queries)


def context_of(connection: HTTPConnection) -> Context:
    """The application's context."""
    context = connection.app.state.context
    assert isinstance(context, Context)
    return context


App = Annotated[Context, Depends(context_of)]
