"""Decides what to send next and what an answer means: the gateway's side of the ack protocol.

Pure: no socket, no file, no clock. Boxes are sent and acknowledged independently, live first,
backlog by quota; only the platform's ack moves a mark.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from edge.outbox_file import BoxMark
from edge.send_line import Flight, Line, Order
from edge.wire import HELLO, Ack, Nack, Replay

_MOST_PATIENCE_S: Final = 60.0
_MOST_REPLAYS: Final = 100


class Effects(NamedTuple):
    """What must be made durable: marks by box, a new epoch, and whether to seal the live box."""

    marks: dict[str, int]
    epoch: str = ""
    seal: bool = False


class SendWindow:
    """All boxes of one gateway.

    batches: messages that may be unacknowledged; backlog: how many of them may be of sealed boxes;
    timeout_s: without progress for that long a box goes back; stall_s: without any ack for that
    long the live box is sealed, so that fresh readings need not queue behind old ones; replay_s:
    pause between replayed messages; greeting_s: how long to wait for the acks that answer `online`;
    probe_s: as timeout_s, until the platform has answered for the box on this connection.
    """

    def __init__(
        self,
        epoch: str,
        *,
        batches: int = 32,
        backlog: int = 16,
        timeout_s: float = 10.0,
        stall_s: float = 60.0,
        replay_s: float = 0.1,
        greeting_s: float = 1.0,
        probe_s: float = 1.0,
    ) -> None:
        self.epoch = epoch
        self._lines: dict[str, Line] = {}
        self._batches = batches
        self._backlog = backlog
        self._timeout_s = timeout_s
        self._stall_s = stall_s
        self._replay_s = replay_s
        self._greeting_s = greeting_s
        self._probe_s = min(probe_s, timeout_s)
        self._linked = False
        self._linked_at = 0.0
        self._waiting_since: float | None = None
        self._stalled = False
        self._heard_at = float("-inf")
        self._replays: deque[Order] = deque()
        self._replay_at = 0.0
        self.went_back = 0
        self.replays_dropped = 0
        self.ahead = 0

    @property
    def unacked(self) -> int:
        """Readings kept that the platform has not committed."""
        return sum(line.mark.newest - line.acked for line in self._lines.values())

    @property
    def in_flight(self) -> int:
        """Messages sent and not acknowledged by the platform."""
        return sum(len(line.flights) for line in self._lines.values())

    def acked(self, box: str) -> int:
        """The platform's mark for a box; 0 for one that is not kept."""
        return self._lines[box].acked if box in self._lines else 0

    def update(self, boxes: Sequence[BoxMark]) -> None:
        """Take over what the outbox holds now."""
        lines: dict[str, Line] = {}
        for mark in boxes:
            line = self._lines.get(mark.box)
            if line is None:
                line = Line(mark, mark.acked, mark.acked + 1)
            line.mark = mark
            lines[mark.box] = line
        self._lines = lines

    def link_up(self, now: float) -> None:
        """Connected and subscribed: everything unacknowledged goes out again."""
        self._linked = True
        for line in self._lines.values():
            line.timeouts = 0
            line.progress_at = now
            line.confirmed = False
            line.restart()
        self._linked_at = now

    def link_down(self) -> None:
        """Nothing goes out until `link_up`."""
        self._linked = False

    def next(self, now: float) -> Order | None:
        """What to send now, or None."""
        if not self._linked:
            return None
        total = self.in_flight
        backlog = sum(len(line.flights) for line in self._lines.values() if line.mark.sealed)
        for line in self._by_urgency():
            if total >= self._batches or (line.mark.sealed and backlog >= self._backlog):
                continue
            if line.flights and (line.timeouts or not line.confirmed):
                continue  # one message at a time until the platform answers
            if (
                not line.confirmed
                and line.acked >= line.mark.oldest
                and now < self._linked_at + self._greeting_s
            ):
                continue  # its mark is about to come, in answer to `online`
            order = line.order()
            if order is not None:
                return order
        if self._replays and now >= self._replay_at:
            return self._replays[0]
        return None

    def _by_urgency(self) -> Iterator[Line]:
        """The live box, then sealed ones, oldest first; boxes that time out let others pass."""
        lines = self._lines.values()
        yield from (line for line in lines if not line.mark.sealed)
        yield from sorted(
            (line for line in lines if line.mark.sealed), key=lambda line: line.timeouts
        )

    def sent(self, order: Order, last: int, digest: str, now: float) -> None:
        """Sequences order.first..last went out in the message with this digest."""
        if order.form == "replay":
            self._replay_at = now + self._replay_s
            self._replays.popleft()
            if last < order.last:
                self._replays.appendleft(order._replace(first=last + 1))
            return
        line = self._lines[order.box]
        if not line.flights:
            line.progress_at = now
        line.flights.append(Flight(order.first, last, now, digest, order.form))
        line.next = last + 1

    def ack(self, ack: Ack, now: float) -> Effects:
        """The platform has committed up to a mark; lower than believed means: send again."""
        marks: dict[str, int] = {}
        epoch = ""
        if ack.epoch != self.epoch:
            if self.epoch:
                self._rewind(marks)
            self.epoch = epoch = ack.epoch
        seal = self._stalled and any(not line.mark.sealed for line in self._lines.values())
        self._stalled = False
        self._waiting_since = now
        if now - self._heard_at > self._timeout_s:  # the platform is back: no more single probes
            for quiet in self._lines.values():
                if quiet.timeouts:
                    quiet.timeouts = 0
                    quiet.restart()
        self._heard_at = now
        line = self._lines.get(ack.box)
        if ack.box == HELLO:
            for unheard in self._lines.values():
                if not unheard.confirmed:
                    unheard.timeouts = 0
                    unheard.restart()
        if line is None:
            return Effects(marks, epoch, seal)
        if ack.committed > line.mark.newest:
            self.ahead += 1
        committed = min(ack.committed, line.mark.newest)
        if committed > line.acked:
            line.advance(committed, now)
            marks[ack.box] = committed
        elif committed < line.acked:
            line.acked = committed
            line.progress_at = now
            self.went_back += 1
            line.restart()
            marks[ack.box] = committed
        elif line.timeouts or not line.confirmed:
            line.restart()
        line.timeouts = 0
        line.confirmed = True
        return Effects(marks, epoch, seal)

    def _rewind(self, marks: dict[str, int]) -> None:
        """A ledger with another history: what it holds is unknown until it acks, box by box."""
        for box, line in self._lines.items():
            line.acked = line.mark.oldest - 1
            line.confirmed = False
            line.restart()
            marks[box] = line.acked

    def nack(self, nack: Nack) -> bool:
        """A message could not be decoded: halve it, or send its only reading as poison.

        False when no message in flight has that digest.
        """
        for line in self._lines.values():
            for flight in line.flights:
                if flight.digest == nack.digest:
                    line.split(flight)
                    return True
        return False

    def replay(self, request: Replay) -> None:
        """Send a range again, after everything else; ranges beyond the hundredth are dropped."""
        order = Order(request.box, request.from_, request.to, "replay")
        if order.first < 1 or order.last < order.first:
            return
        for waiting in [one for one in self._replays if one.overlaps(order)]:
            # The platform asks again while a gap is being filled: send every part once.
            self._replays.remove(waiting)
            first, last = min(order.first, waiting.first), max(order.last, waiting.last)
            order = order._replace(first=first, last=last)
        if len(self._replays) >= _MOST_REPLAYS:
            self.replays_dropped += 1
            return
        self._replays.append(order)

    def tick(self, now: float) -> Effects:
        """Time passes: boxes without progress go back, a long silence seals the live box."""
        for line in self._lines.values():
            # What was sent before the platform subscribed is gone; the one probe is repeated soon.
            first = self._timeout_s if line.confirmed else self._probe_s
            patience = min(first * 2.0**line.timeouts, _MOST_PATIENCE_S)
            if line.flights and now - line.progress_at > patience:
                line.timeouts = min(line.timeouts + 1, 8)
                line.progress_at = now
                self.went_back += 1
                line.restart()
        if self.unacked == 0:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        elif not self._stalled and now - self._waiting_since > self._stall_s:
            self._stalled = True
            return Effects({}, seal=any(not line.mark.sealed for line in self._lines.values()))
        return Effects({})
