"""Login attempts: slows guessing without letting a stranger lock an operator out for long.

Pure: time is an argument. Failures are counted per (address, user), per address and per user.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 900.0
"""Failures older than this are forgotten."""

REMEMBERED: Final = 10_000
"""Keys kept; beyond it the longest unused is forgotten."""

PER_PAIR: Final = 5
PER_ADDRESS: Final = 40
PER_USER: Final = 100
FIRST_WAIT_S: Final = 15.0
LONGEST_WAIT_S: Final = 900.0


@dataclass(slots=True)
class _Tally:
    failures: int = 0
    last: float = 0.0
    locked_until: float = 0.0


class Attempts:
    """Counts failed logins and says how long the next must wait.

    Past a limit each further failure doubles the wait, from 15 s up to 15 min. A success clears
    the pair of address and user only, so that knowing one password buys no more guesses at others.
    """

    def __init__(self) -> None:
        self._tallies: OrderedDict[tuple[str, str], _Tally] = OrderedDict()

    def wait(self, address: str, user: str, now: float) -> float:
        """Seconds until `address` may try `user` again; 0 when it may now."""
        locked = [
            tally.locked_until
            for key, _ in _keys(address, user)
            if (tally := self._tallies.get(key)) is not None
        ]
        return max(0.0, max(locked, default=0.0) - now)

    def begin(self, address: str, user: str, now: float) -> None:
        """An attempt starts: it counts as failed until it succeeds, so that attempts made at the

        same time cannot slip past the limit.
        """
        for key, limit in _keys(address, user):
            tally = self._tallies.setdefault(key, _Tally())
            self._tallies.move_to_end(key)
            if now - tally.last > WINDOW_S:
                tally.failures = 0
            tally.failures += 1
            tally.last = now
            over = tally.failures - limit
            if over >= 0:
                tally.locked_until = now + min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(over, 10))
        while len(self._tallies) > REMEMBERED:
            self._tallies.popitem(last=False)

    def succeeded(self, address: str, user: str) -> None:
        """The attempt that began was a good login."""
        self._tallies.pop((address, user), None)
        for key, limit in _keys(address, user)[1:]:
            tally = self._tallies.get(key)
            if tally is not None:
                tally.failures -= 1
                if tally.failures < limit:
                    tally.locked_until = 0.0

    def __len__(self) -> int:
        return len(self._tallies)


def _keys(address: str, user: str) -> tuple[tuple[tuple[str, str], int], ...]:
    return (((address, user), PER_PAIR), ((address, ""), PER_ADDRESS), (("", user), PER_USER))
