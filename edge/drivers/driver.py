"""What every field driver offers to the poll loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from edge.form import Form
from edge.wire import Reading


class Settings(Protocol):
    """What every driver's settings tell, whatever else they hold."""

    @property
    def points(self) -> tuple[str, ...]:
        """Ids of the points that the device's signals are bound to, in file order."""
        ...

    @property
    def address(self) -> str:
        """Where the device is, for people: ``10.0.3.7:502 unit 1``."""
        ...


class Sample(NamedTuple):
    """One signal read once, for a person who checks a gateway: what came and how fast."""

    point: str
    raw: str
    value: float | None
    quality: int
    latency_ms: float
    problem: str


class Driver(Protocol):
    """One device. `poll` never raises for a device's fault: that is a reading with bad quality."""

    async def poll(self) -> list[Reading]:
        """Every signal once; event time is when its answer arrived (Unix ms)."""
        ...

    async def sample(self) -> list[Sample]:
        """Every signal once, with what a person wants to see."""
        ...

    async def close(self) -> None:
        """Give the connection back; the driver is not used again."""
        ...

    @property
    def trouble(self) -> str:
        """Why the last poll failed, wholly or in part; empty when it did not."""
        ...


ReadSettings = Callable[[Form, int], Settings]
"""(the device's form, port offset) -> settings; errors go to the form."""

OpenDriver = Callable[[str, Any, float, Callable[[], float]], Driver]
"""(device id, settings, timeout in s, wall clock in s) -> driver."""
