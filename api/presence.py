"""Gateways as callers see them: those of the model joined with what each last said of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.gateways import GatewayView
from twin.model import Name


@dataclass(frozen=True, slots=True)
class Presence:
    """One gateway. last_seen_at: Unix ms of its last message, None when never; lag_ms: since then.

    waiting: readings in its outbox not yet acknowledged, as it last reported.
    """

    id: str
    name: Name
    online: bool
    last_seen_at: int | None
    lag_ms: int | None
    waiting: int
    details: Mapping[str, Any]

    def brief(self) -> dict[str, Any]:
        """What the live feed carries."""
        return {
            "id": self.id,
            "online": self.online,
            "last_seen_at": self.last_seen_at,
            "lag_ms": self.lag_ms,
            "waiting": self.waiting,
        }


def presences(
    modelled: Iterable[str], names: Mapping[str, Name], views: Sequence[GatewayView], now_ms: int
) -> list[Presence]:
    """Every gateway of the model, then others that were heard; a gateway never heard is offline."""
    heard = {view.id: view for view in views}
    every = [*modelled, *(view.id for view in views)]
    return [
        _presence(heard.get(gateway) or GatewayView(gateway), names, now_ms)
        for gateway in dict.fromkeys(every)
    ]


def _presence(view: GatewayView, names: Mapping[str, Name], now_ms: int) -> Presence:
    seen = view.last_seen_at or None
    return Presence(
        id=view.id,
        name=names.get(view.id, Name(view.id, view.id)),
        online=view.online is True,
        last_seen_at=seen,
        lag_ms=None if seen is None else max(0, now_ms - seen),
        waiting=view.waiting,
        details={
            "software": view.software,
            "config": view.config,
            "reported": view.reported,
            "boxes": view.boxes,
            "clock_offset_ms": view.clock_offset,
        },
    )
