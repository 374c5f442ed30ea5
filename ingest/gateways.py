"""The gateway book: what each gateway last said about itself, for the API and the screen.

Owns retained state, presence and reported configuration in memory; the broker gives them again
after a restart. Bounded: the gateway silent for longest makes room.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from edge.wire import BoxState, ConfigReported, State

LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class GatewayView:
    """One gateway. online None: it never said; last_seen_at: Unix ms of its last message, or 0.

    clock_offset: platform minus gateway clock in ms. boxes: its outboxes as it last reported them.
    """

    id: str
    online: bool | None = None
    last_seen_at: int = 0
    boxes: tuple[BoxState, ...] = ()
    software: str = ""
    config: str = ""
    reported: ConfigReported | None = None
    clock_offset: int = 0

    @property
    def waiting(self) -> int:
        """Readings in its outboxes that it has not seen acknowledged, as it last reported."""
        return sum(max(box.newest - box.acked, 0) for box in self.boxes)


class GatewayBook:
    """All gateways that were heard of; any thread."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._views: dict[str, GatewayView] = {}
        self._seen: dict[str, tuple[int, int]] = {}

    def get(self, gateway: str) -> GatewayView | None:
        """The last view of a gateway."""
        with self._lock:
            return self._fresh(self._views[gateway]) if gateway in self._views else None

    def all(self) -> list[GatewayView]:
        """Every gateway by id."""
        with self._lock:
            return sorted(map(self._fresh, self._views.values()), key=lambda view: view.id)

    def seen(self, arrivals: Mapping[str, tuple[int, int]]) -> None:
        """Batches of readings came: gateway -> (when in Unix ms, clock offset in ms)."""
        with self._lock:
            self._seen.update(arrivals)
            for gateway in arrivals.keys() - self._views.keys():
                self._put(GatewayView(gateway))

    def presence(self, gateway: str, online: bool, at: int, *, retained: bool) -> None:
        """It connected, or the broker spoke its will. A retained word says nothing about now."""
        with self._lock:
            view = self._at(gateway)
            self._put(
                replace(view, online=online, last_seen_at=view.last_seen_at if retained else at)
            )

    def state(self, gateway: str, state: State, at: int, *, retained: bool) -> None:
        """It reported its outboxes."""
        with self._lock:
            view = self._at(gateway)
            self._put(
                replace(
                    view,
                    boxes=tuple(state.boxes),
                    software=state.software,
                    config=state.config,
                    last_seen_at=view.last_seen_at if retained else at,
                )
            )

    def configured(self, gateway: str, reported: ConfigReported) -> None:
        """It reported what became of a configuration."""
        with self._lock:
            self._put(replace(self._at(gateway), reported=reported))

    def _at(self, gateway: str) -> GatewayView:
        return self._views.get(gateway) or GatewayView(gateway)

    def _fresh(self, view: GatewayView) -> GatewayView:
        at, offset = self._seen.get(view.id, (0, view.clock_offset))
        return replace(view, last_seen_at=max(at, view.last_seen_at), clock_offset=offset)

    def _put(self, view: GatewayView) -> None:
        self._views[view.id] = view
        if len(self._views) > self._limit:
            oldest = min(map(self._fresh, self._views.values()), key=lambda v: v.last_seen_at).id
            del self._views[oldest]
            self._seen.pop(oldest, None)
