"""Who sent which value for which time: how sources without sequence are kept from doubling.

Owns a bounded memory of (source, point, time) -> value of the newest foreign and derived readings.
What is older than the memory counts as new; history still holds one value per point and time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

CAPACITY = 100_000

Key = tuple[int, int, int]
"""(ledger number of the source, point number, time in ms)."""


class Identities:
    """Committed identities, and a stage for those of the group under way."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._known: dict[Key, float] = {}
        self._staged: dict[Key, float] = {}

    def __len__(self) -> int:
        return len(self._known)

    def begin(self) -> None:
        """Forget what was staged; at the start of every group."""
        self._staged = {}

    def seen(self, key: Key, value: float) -> bool | None:
        """None: new. True: the same value again, a duplicate. False: another value, a correction.

        What is not a duplicate is staged.
        """
        staged = self._staged
        old = staged.get(key)
        if old is None:
            old = self._known.get(key)
        if old is None:
            staged[key] = value
            return None
        if old == value or (math.isnan(old) and math.isnan(value)):
            return True
        staged[key] = value
        return False

    def commit(self) -> None:
        """The group is durable: its identities are known from now on."""
        self.learn(self._staged.items())
        self._staged = {}

    def learn(self, items: Iterable[tuple[Key, float]]) -> None:
        """Take identities in, oldest first; the oldest known ones make room."""
        known = self._known
        known.update(items)
        surplus = len(known) - self._capacity
        if surplus > 0:
            for key in [key for key, _ in zip(known, range(surplus), strict=False)]:
                del known[key]
