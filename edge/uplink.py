"""Sends the outbox to the platform over MQTT and takes its answers.

Owns the connection and one sending thread; what to send and what an answer means is decided by
`edge.send_window`. paho's callbacks only queue: an exception in one would kill its thread.
"""

from __future__ import annotations

import base64
import hashlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.broker import BrokerAddress
from edge.outbox import Outbox
from edge.outbox_file import OutboxReader
from edge.parcel import Parcel, message
from edge.send_window import Effects, Order, SendWindow
from edge.wire import OFFLINE, ONLINE, WIRE_VERSION, Ack, BoxState, Nack, Replay, State, Up, topic

log = structlog.get_logger()

_HEARS: Final = ("ack", "nack", "replay")
_STATE_EVERY_S: Final = 5.0
_EVENTS: Final = 10_000
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
        self._events: queue.Queue[tuple[str, bytes]] = queue.Queue(_EVENTS)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._pubacks = 0  # messages given to paho that the broker has not taken yet
        self._pubacks_lock = threading.Lock()
        self._most_pubacks = 64
        self._state_sent: list[BoxState] | None = None
        self._state_at = 0.0
        self._linked = False
        self._client = self._make_client()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        """Connect in the background, for as long as it takes."""
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=30)
        self._client.loop_start()
        self._thread.start()

    def wake(self) -> None:
        """There is something new to send; any thread."""
        self._wake.set()

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
        if self._client.is_connected():
            said = self._client.publish(self._topic("alive"), OFFLINE, qos=1, retain=True)
            try:
                said.wait_for_publish(1.0)
            except (RuntimeError, ValueError) as error:
                log.info("could not say offline", problem=str(error))
        self._client.disconnect()
        self._client.loop_stop()

    def _topic(self, leaf: str) -> str:
        return topic(self._gateway, leaf)

    # paho's network thread: these only queue.

    def _make_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"parktwin-edge-{self._gateway}",
            clean_session=True,
            protocol=mqtt.MQTTv311,
        )
        if self._broker.user:
            client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.tls:
            client.tls_set(ca_certs=str(self._broker.ca) if self._broker.ca else None)
        client.will_set(self._topic("alive"), OFFLINE, qos=1, retain=True)
        client.reconnect_delay_set(1, 30)
        client.max_inflight_messages_set(self._most_pubacks)
        client.max_queued_messages_set(4 * self._most_pubacks)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _put(self, kind: str, payload: bytes = b"") -> None:
        try:
            self._events.put_nowait((kind, payload))
        except queue.Full:
            self.counters.events_dropped += 1  # marks are cumulative: the next ack makes up for it
        self._wake.set()

    def _on_connect(
        self,
        client: mqtt.Client,
        _data: Any,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._put("refused", str(reason).encode())
            return
        client.subscribe([(self._topic(leaf), 1) for leaf in _HEARS])

    def _on_subscribe(
        self,
        _client: mqtt.Client,
        _data: Any,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._put("refused", b"the broker does not let this gateway subscribe to its acks")
        else:
            self._put("up")

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _data: Any,
        _flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._put("down", str(reason).encode())

    def _on_message(self, _client: mqtt.Client, _data: Any, packet: mqtt.MQTTMessage) -> None:
        self._put(packet.topic.rpartition("/")[2], bytes(packet.payload))

    def _on_publish(
        self,
        _client: mqtt.Client,
        _data: Any,
        _mid: int,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        with self._pubacks_lock:
            self._pubacks = max(self._pubacks - 1, 0)
        self._wake.set()

    # The sending thread.

    def _run(self) -> None:
        reader = self._outbox.reader()
        try:
            while not self._stopping.is_set():
                self._wake.wait(_TICK_S)
                self._wake.clear()
                self._turn(reader)
        finally:
            reader.close()

    def _turn(self, reader: OutboxReader) -> None:
        """Take the answers, then send what may go out."""
        self._window.update(self._outbox.boxes())
        while True:
            try:
                kind, payload = self._events.get_nowait()
            except queue.Empty:
                break
            self._take(kind, payload)
        self._apply(self._window.tick(self._monotonic()))
        while self._pubacks < self._most_pubacks:
            order = self._window.next(self._monotonic())
            if order is None or not self._send(order, reader):
                break
        self._tell_state(self._monotonic() - self._state_at >= _STATE_EVERY_S)
        counters = self.counters
        counters.unacked = self._window.unacked
        counters.in_flight = self._window.in_flight
        counters.went_back = self._window.went_back

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
        self._publish("alive", ONLINE, retain=True)

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
        if not self._publish("up", payload):
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

    def _publish(self, leaf: str, payload: bytes, *, retain: bool = False) -> bool:
        with self._pubacks_lock:
            self._pubacks += 1
        info = self._client.publish(self._topic(leaf), payload, qos=1, retain=retain)
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            return True
        if info.rc != MQTTErrorCode.MQTT_ERR_NO_CONN:  # then paho keeps it and sends it later
            with self._pubacks_lock:
                self._pubacks = max(self._pubacks - 1, 0)
        return False

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
            if self._publish("state", msgspec.json.encode(state), retain=True):
                self._state_sent = boxes
        self._state_at = self._monotonic()
