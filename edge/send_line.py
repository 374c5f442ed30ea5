"""One box on its way to the platform: what is in flight, what must be sent apart or again."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from edge.outbox_file import BoxMark

Form = Literal["readings", "poison", "refused", "replay"]


class Order(NamedTuple):
    """Send sequences first..last (or fewer) of a box, in the given form."""

    box: str
    first: int
    last: int
    form: Form

    def overlaps(self, other: Order) -> bool:
        """True when both ask for some of the same sequences."""
        return self.box == other.box and self.first <= other.last and other.first <= self.last


class Flight(NamedTuple):
    """A message on its way: sent, not acknowledged by the platform."""

    first: int
    last: int
    sent_at: float
    digest: str
    form: Form


@dataclass(slots=True)
class Line:
    """One box in sending: `next` goes out next, `acked` is the platform's mark.

    A ledger that does not know a box (new, or restored from a backup) starts it at the first
    message that arrives. So until it has acked the box on this connection, one message goes out
    and no more, from the oldest sequence kept: else a refused first message would be jumped over.
    """

    mark: BoxMark
    acked: int
    next: int
    flights: deque[Flight] = field(default_factory=deque)
    cuts: list[int] = field(default_factory=list)  # a message must end at these sequences
    poison: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    timeouts: int = 0
    progress_at: float = 0.0
    confirmed: bool = False

    def restart(self) -> None:
        """Go back to the first sequence that the platform has not committed."""
        self.flights.clear()
        self.next = self.acked + 1

    def order(self) -> Order | None:
        """The next message of this box."""
        first, newest = self.next, self.mark.newest
        if first > newest:
            return None
        if not self.confirmed:
            first = min(first, self.mark.oldest)
        if first in self.refused:
            return Order(self.mark.box, first, first, "refused")
        if first in self.poison:
            return Order(self.mark.box, first, first, "poison")
        at = bisect_left(self.cuts, first)
        last = min(newest, self.cuts[at]) if at < len(self.cuts) else newest
        return Order(self.mark.box, first, last, "readings")

    def advance(self, committed: int, now: float) -> None:
        """The platform has everything up to `committed`."""
        self.acked = committed
        self.progress_at = now
        self.next = max(self.next, committed + 1)
        while self.flights and self.flights[0].last <= committed:
            self.flights.popleft()
        self.cuts = self.cuts[bisect_left(self.cuts, committed + 1) :]
        self.poison = {sequence for sequence in self.poison if sequence > committed}
        self.refused = {sequence for sequence in self.refused if sequence > committed}

    def split(self, flight: Flight) -> None:
        """The platform could not decode a message: send halves apart, at last the bad one alone."""
        if flight.form == "poison":
            self.refused.add(flight.first)
        elif flight.first == flight.last:
            self.poison.add(flight.first)
        for end in {flight.first - 1, (flight.first + flight.last) // 2, flight.last}:
            if end not in self.cuts:
                insort(self.cuts, end)
        self.restart()
