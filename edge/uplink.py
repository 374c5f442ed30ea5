"""Sends the outbox to the platform and takes its answers.

Owns the sending thread; the connection is `edge.link`'s, and what to send and what an answer means
is decided by `edge.send_window`.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from edge.broker import BrokerAddress
from edge.link import Link
from edge.outbox import Outbox
from edge.outbox_reader import OutboxReader
from edge.parcel import Parcel, message
from edge.send_line import Order
from edge.send_window import Effects, SendWindow
from edge.wire import ONLINE, WIRE_VERSION, Ack, BoxState, Nack, Replay, State, Up

log = structlog.get_logger()

_STATE_EVERY_S: Final = 5.0
_TICK_S: Final = 0.5


@dataclass(slots=True)
class UplinkCounters:
    """Since start: messages and what became of them."""

    messages: int = 0
    readings: int = 0
    acks: int = 0
    nacks: int = 0
    replays: int = 0
    poisons: int = 0
    went_back: int = 0
    connects: int = 0
    malformed: int = 0
    events_dropped: int = 0
    unacked: int = 0
    in_flight: int = 0
    connected: bool = False


class Uplink:
    """One gateway's connection to the platform."""

    def __init__(
        self,
        gateway: str,
        broker: BrokerAddress,
        outbox: Outbox,
        *,
        config: str = "",
        software: str = "",
        window: SendWindow | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """config: hash of the gateway file, for `state`; the clocks are in seconds."""
        self.counters = UplinkCounters()
        self._gateway = gateway
        self._broker = broker
        self._outbox = outbox
        self._config = config
        self._software = software
        self._window = window or SendWindow(outbox.epoch)
        self._clock = clock
        self._monotonic = monotonic
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._state_sent: list[BoxState] | None = None
        self._state_at = 0.0
        self._linked = False
        self._link = Link(gateway, broker, self._wake.set)
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        """Connect in the background, for as long as it takes."""
        self._link.start()
        self._thread.start()

    def wake(self) -> None:
        """There is something new to send; any thread."""
        self._wake.set()

    @property
    def running(self) -> bool:
        """False when the sending thread has ended, which it does only on a bug."""
        return self._thread.is_alive()

    def stop(self, timeout: float = 3.0) -> None:
        """Send what is left for at most `timeout` s, say ``offline``, disconnect."""
        deadline = time.monotonic() + timeout
        while self.counters.connected and time.monotonic() < deadline:
            if self.counters.unacked == 0:
                break
            self._wake.set()
            time.sleep(0.02)
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        self._link.stop()

    # The sending thread.

    def _run(self) -> None:
        reader = self._outbox.reader()
        try:
            while not self._stopping.is_set():
                self._wake.wait(_TICK_S)
                self._wake.clear()
                try:
                    self._turn(reader)
                except sqlite3.Error as error:
                    log.error("outbox cannot be read", problem=str(error))
                    reader.close()
                    self._stopping.wait(1.0)
                    reader = self._outbox.reader()
        finally:
            reader.close()

    def _turn(self, reader: OutboxReader) -> None:
        """Take the answers, then send what may go out."""
        self._window.update(self._outbox.boxes())
        while (event := self._link.event()) is not None:
            self._take(*event)
        self._apply(self._window.tick(self._monotonic()))
        while self._link.has_room:
            order = self._window.next(self._monotonic())
            if order is None or not self._send(order, reader):
                break
        self._tell_state(self._monotonic() - self._state_at >= _STATE_EVERY_S)
        counters = self.counters
        counters.unacked = self._window.unacked
        counters.in_flight = self._window.in_flight
        counters.went_back = self._window.went_back
        counters.events_dropped = self._link.events_dropped

    def _take(self, kind: str, payload: bytes) -> None:
        now = self._monotonic()
        try:
            match kind:
                case "ack":
                    self.counters.acks += 1
                    self._apply(self._window.ack(msgspec.json.decode(payload, type=Ack), now))
                case "nack":
                    self.counters.nacks += 1
                    nack = msgspec.json.decode(payload, type=Nack)
                    if self._window.nack(nack):
                        log.info("platform could not read a message", reason=nack.reason)
                case "replay":
                    self.counters.replays += 1
                    request = msgspec.json.decode(payload, type=Replay)
                    log.info("replay asked for", box=request.box, first=request.from_)
                    self._window.replay(request)
                case "up":
                    self._link_up(now)
                case "down":
                    self._link_down(payload.decode())
                case "refused":
                    log.error("broker refuses this gateway", reason=payload.decode())
        except msgspec.DecodeError as error:
            self.counters.malformed += 1
            log.warning("unreadable message from the platform", kind=kind, problem=str(error))

    def _link_up(self, now: float) -> None:
        self.counters.connects += 1
        self.counters.connected = self._linked = True
        log.info("connected", broker=f"{self._broker.host}:{self._broker.port}")
        self._window.link_up(now)
        self._state_sent = None
        self._tell_state(True)
        # After `state`, so that the platform knows the boxes when it answers `online` with acks.
        self._link.publish("alive", ONLINE, retain=True)

    def _link_down(self, reason: str) -> None:
        self.counters.connected = self._linked = False
        self._window.link_down()
        log.warning("disconnected", reason=reason)

    def _apply(self, effects: Effects) -> None:
        for box, acked in effects.marks.items():
            self._outbox.mark(box, acked)
        if effects.epoch:
            self._outbox.set_epoch(effects.epoch)
        if effects.seal:
            self._outbox.seal()

    def _send(self, order: Order, reader: OutboxReader) -> bool:
        """One message out; False when paho cannot take it now."""
        parcel = self._parcel(order, reader)
        payload = message(
            order.box, parcel, int(self._clock() * 1000), int(self._monotonic() * 1000)
        )
        if order.form == "poison" and parcel.body is not None:
            self.counters.poisons += 1
            log.warning("unreadable reading sent as poison", box=order.box, sequence=order.first)
            poison = base64.b64encode(payload).decode()
            payload = msgspec.json.encode(
                Up(box=order.box, first=order.first, v=WIRE_VERSION, poison=poison)
            )
        if not self._link.publish("up", payload):
            return False
        digest = "sha256:" + hashlib.sha256(payload).hexdigest()
        self._window.sent(order, parcel.last, digest, self._monotonic())
        self.counters.messages += 1
        self.counters.readings += parcel.n if parcel.body is not None else 0
        return True

    def _parcel(self, order: Order, reader: OutboxReader) -> Parcel:
        if order.form == "refused":
            return Parcel(order.first, 1, None, "refused")
        return reader.read(order.box, order.first, order.last)

    def _tell_state(self, due: bool) -> None:
        """Publish the boxes, retained, at most every five seconds and only when they changed."""
        if not due or not self._linked:
            return
        boxes = [
            BoxState(mark.box, mark.oldest, mark.newest, self._window.acked(mark.box))
            for mark in self._outbox.boxes()
        ]
        if boxes != self._state_sent:
            state = State(boxes, config=self._config, software=self._software)
            if self._link.publish("state", msgspec.json.encode(state), retain=True):
                self._state_sent = boxes
        self._state_at = self._monotonic()
