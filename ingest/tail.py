"""The journal's tail: the newest groups in memory, so that live consumers never touch the disk."""

from __future__ import annotations

import bisect
import threading
from collections import deque
from typing import Final

from ingest.group import Group, trim

MAX_GROUPS: Final = 4_096


class Tail:
    """Bounded by readings and groups; one writer, any number of readers."""

    def __init__(self, max_readings: int) -> None:
        self._max_readings = max_readings
        self._lock = threading.Lock()
        self._groups: deque[Group] = deque()
        self._size = 0

    def append(self, group: Group) -> None:
        """The group after the last one; the oldest make room."""
        with self._lock:
            self._groups.append(group)
            self._size += len(group.readings)
            while len(self._groups) > 1 and (
                self._size > self._max_readings or len(self._groups) > MAX_GROUPS
            ):
                self._size -= len(self._groups.popleft().readings)

    def clear(self) -> None:
        """Forget everything; after a failed commit the disk alone is believed."""
        with self._lock:
            self._groups.clear()
            self._size = 0

    def drop_before(self, ordinal: int) -> None:
        """Forget groups that end at or before an ordinal."""
        with self._lock:
            while self._groups and self._groups[0].end <= ordinal:
                self._size -= len(self._groups.popleft().readings)

    def read(self, start: int, limit: int) -> list[Group] | None:
        """As `Journal.read`; None when the tail does not reach back to `start`."""
        with self._lock:
            if not self._groups or self._groups[0].start > start:
                return None
            held = list(self._groups)
        first = bisect.bisect_right(held, start, key=lambda g: g.start) - 1
        groups, count = [trim(held[first], start)], held[first].end - start
        for group in held[first + 1 :]:
            if count >= limit:
                break
            groups.append(group)
            count += len(group.readings)
        return groups
