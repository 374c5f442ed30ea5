"""What a test can do to the screen's server: its values, alarms, gateways, delays and faults."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from tests.screen.park import Json, ScreenPark

CODE = "one-time-code"


class Levers:
    """The state that is served. Times are Unix ms of a clock that `skew_ms` may move."""

    def __init__(self, park: ScreenPark, *, tick_s: float = 0.2) -> None:
        self.park = park
        self.tick_s = tick_s
        self.skew_ms = 0
        self.lag_ms = 40
        self.role = "operator"
        self.ids: list[str] = [point["point"] for point in park.points]
        self.values: dict[str, tuple[float | None, int, int]] = {}
        self.alarms: list[Json] = []
        self.gateways: list[Json] = [self.gateway("GW-OLD"), self.gateway("GW-SOUTH")]
        self.delay: dict[str, float] = {}
        """Seconds to wait before answering a path that begins so."""
        self.fail: dict[str, int] = {}
        """Status to answer on a path that begins so."""
        self.refuse_sockets = False
        self.mute = False
        """An open socket that says nothing."""
        self.sessions = {"valid"}
        self.codes = {CODE}
        self.acks: list[tuple[str, int]] = []
        self.history: Callable[[str, int, int, int], list[list[float | None]]] = wave
        self.increments = True
        """False: increments are null, as those of a derived counter."""
        self.touched: dict[str, int] = {}
        self.version = 0
        self.alarm_version = 0
        self.gateway_version = 0

    def now(self) -> int:
        """The server's time."""
        return int(time.time() * 1000) + self.skew_ms

    def set(self, point: str, value: float | None, quality: int = 0, age_s: float = 0) -> None:
        """A reading of a point that is `age_s` old."""
        self.values[point] = (value, self.now() - int(age_s * 1000), quality)
        self.version += 1
        self.touched[point] = self.version

    def set_all(self, value: float = 10.0) -> None:
        """A fresh good reading of every point."""
        for point in self.ids:
            self.set(point, value)

    def raise_alarm(self, point: str, priority: str = "high", **more: Any) -> Json:
        """Opens an alarm on a point, or lets an open one occur again."""
        rule = more.pop("rule", "level-high")
        id = f"{rule}:{point}"
        known = next((alarm for alarm in self.alarms if alarm["id"] == id), None)
        alarm: Json = {
            "id": id,
            "occurrence": known["occurrence"] + 1 if known else 1,
            "rule": rule,
            "point": point,
            "asset": point.rsplit(".", 1)[0],
            "name": {"zh": "液位高", "en": "Level high"},
            "message": {"zh": "液位高于限值", "en": "Level above its limit"},
            "priority": priority,
            "state": "UNACK",
            "active": True,
            "unacked": True,
            "since": self.now() - 90_000,
            "raised_at": self.now(),
            "value": 2.71,
            "limit": 2.5,
            "unit": "m",
            "consequence": {"zh": "可能冒溢", "en": "It may overflow"},
            "action": {"zh": "检查下游是否堵塞", "en": "Look for a blockage downstream"},
            "acked_by": None,
            "acked_at": None,
            **more,
        }
        self.alarms = [other for other in self.alarms if other["id"] != id] + [alarm]
        self.alarm_version += 1
        return alarm

    def gateway(self, id: str, *, online: bool = True) -> Json:
        """A gateway row."""
        name = {"zh": f"网关 {id}", "en": f"Gateway {id}"}
        return {"id": id, "name": name, "online": online, "last_seen_at": self.now(), "lag_ms": 300}

    def set_gateway(self, id: str, *, online: bool) -> None:
        """Changes a gateway's state."""
        self.gateways = [
            self.gateway(id, online=online) if row["id"] == id else row for row in self.gateways
        ]
        self.gateway_version += 1


def wave(point: str, start: int, end: int, step: int) -> list[list[float | None]]:
    """A daily curve that is the same whenever it is asked for."""
    seed = sum(point.encode())
    rows: list[list[float | None]] = []
    for t in range(start - start % step, end, step):
        day = math.sin((t / 86_400_000 + seed % 7 / 7) * 2 * math.pi)
        ripple = math.sin(t / 611_000 + seed) * 0.12
        rows.append([t, round(20 + seed % 40 + 8 * day + 2 * ripple, 3), 0 if step == 5000 else 1])
    return rows
