"""A live twin whose alarms a test sets by hand, for cases that readings cannot bring about in time

(an alarm that occurs again between a click and its request, ten thousand changes in one second).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.api.parks import LEVEL
from twin.alarms.book import StaleOccurrence, UnknownAlarm
from twin.alarms.view import AlarmView
from twin.model import Name
from twin.state import LiveState, Snapshot


def scripted_alarm(**changes: Any) -> AlarmView:
    """An open alarm on `LEVEL`."""
    words = {
        "name": Name("液位高", "Level high"),
        "message": Name("液位 2.6 m", "Level 2.6 m"),
        "consequence": Name("可能溢流", "May overflow"),
        "action": Name("检查下游", "Check downstream"),
    }
    plain = {
        "id": f"level-high:{LEVEL}",
        "occurrence": 1,
        "rule": "level-high",
        "point": LEVEL,
        "asset": "MH-1",
        "priority": "high",
        "state": "UNACK",
        "active": True,
        "unacked": True,
        "since": 1_763_890_000_000,
        "raised_at": 1_763_890_000_100,
        "value": 2.6,
        "limit": 2.5,
        "unit": "m",
        "acked_by": None,
        "acked_at": None,
    }
    return AlarmView(**{**words, **plain, **changes})


class ScriptedTwin:
    """Implements `api.services.LiveSource`."""

    def __init__(self, points: int) -> None:
        self.state = LiveState(points)
        self.open: dict[str, AlarmView] = {}
        self._lock = threading.Lock()
        self._wakes: list[Callable[[], None]] = []

    def snapshot(self) -> Snapshot:
        """Copies."""
        with self._lock:
            return self.state.snapshot(0)

    def changed_since(self, version: int) -> tuple[int, NDArray[np.intp]]:
        """As LiveState."""
        with self._lock:
            return self.state.changed_since(version)

    def alarms(self) -> list[AlarmView]:
        """What the test put in `open`."""
        with self._lock:
            return list(self.open.values())

    def acknowledge(
        self, alarm_id: str, occurrence: int, user: str, comment: str | None, now_ms: int
    ) -> AlarmView:
        """Compare and set."""
        with self._lock:
            alarm = self.open.get(alarm_id)
            if alarm is None:
                raise UnknownAlarm(alarm_id)
            if alarm.occurrence != occurrence:
                raise StaleOccurrence(alarm_id, occurrence, alarm.occurrence)
            acked = replace(alarm, state="ACKED", unacked=False, acked_by=user, acked_at=now_ms)
            self.open[alarm_id] = acked
        self.wake()
        return acked

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """As the real one."""
        self._wakes.append(wake)
        return lambda: self._wakes.remove(wake)

    def wake(self) -> None:
        """Something happened."""
        for wake in list(self._wakes):
            wake()

    def set(self, points: list[int], ts: int, values: list[float], quality: int = 0) -> None:
        """New values."""
        with self._lock:
            self.state.apply(
                np.asarray(points, np.int32),
                np.full(len(points), ts, np.int64),
                np.asarray(values, np.float64),
                np.full(len(points), quality, np.uint8),
                ts,
            )

    def put(self, alarm: AlarmView) -> None:
        """Open or change an alarm, as a transition does."""
        with self._lock:
            self.open[alarm.id] = alarm
        self.wake()
