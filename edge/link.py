"""The MQTT connection of one gateway: connect, subscribe, publish, queue what arrives.

Owns paho and its network thread. Its callbacks only queue, because an exception in one would end
that thread while the client goes on saying that it is connected.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Final

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.broker import BrokerAddress
from edge.wire import OFFLINE, topic

log = structlog.get_logger()

_HEARS: Final = ("ack", "nack", "replay")
_EVENTS: Final = 10_000
_ON_THE_WAY: Final = 64

Event = tuple[str, bytes]
"""("up" | "down" | "refused" | the topic's last word, payload or reason)."""


class Link:
    """One gateway's client; `wake` is called from paho's thread whenever there is an event."""

    def __init__(self, gateway: str, broker: BrokerAddress, wake: Callable[[], None]) -> None:
        self.events_dropped = 0
        self._gateway = gateway
        self._broker = broker
        self._wake = wake
        self._events: queue.Queue[Event] = queue.Queue(_EVENTS)
        self._on_the_way = 0  # messages given to paho that the broker has not taken yet
        self._lock = threading.Lock()
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"parktwin-edge-{gateway}",
            clean_session=True,
            protocol=mqtt.MQTTv311,
        )
        if broker.user:
            client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            client.tls_set(ca_certs=str(broker.ca) if broker.ca else None)
        client.will_set(self._topic("alive"), OFFLINE, qos=1, retain=True)
        client.reconnect_delay_set(1, 30)
        client.max_inflight_messages_set(_ON_THE_WAY)
        client.max_queued_messages_set(4 * _ON_THE_WAY)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish

    def start(self) -> None:
        """Connect in the background, and again after every break."""
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=30)
        self._client.loop_start()

    def stop(self) -> None:
        """Say ``offline`` and disconnect."""
        if self._client.is_connected():
            said = self._client.publish(self._topic("alive"), OFFLINE, qos=1, retain=True)
            try:
                said.wait_for_publish(1.0)
            except (RuntimeError, ValueError) as error:
                log.info("could not say offline", problem=str(error))
        self._client.disconnect()
        self._client.loop_stop()

    def event(self) -> Event | None:
        """The next thing that happened, or None."""
        try:
            return self._events.get_nowait()
        except queue.Empty:
            return None

    @property
    def has_room(self) -> bool:
        """False while the broker has not taken what it was given."""
        return self._on_the_way < _ON_THE_WAY

    def publish(self, leaf: str, payload: bytes, *, retain: bool = False) -> bool:
        """Give a message to the broker with QoS 1; False when paho cannot take it now."""
        with self._lock:
            self._on_the_way += 1
        info = self._client.publish(self._topic(leaf), payload, qos=1, retain=retain)
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            return True
        if info.rc != MQTTErrorCode.MQTT_ERR_NO_CONN:  # then paho keeps it and sends it later
            self._taken()
        return False

    def _topic(self, leaf: str) -> str:
        return topic(self._gateway, leaf)

    def _taken(self) -> None:
        with self._lock:
            self._on_the_way = max(self._on_the_way - 1, 0)

    # paho's network thread.

    def _put(self, kind: str, payload: bytes = b"") -> None:
        try:
            self._events.put_nowait((kind, payload))
        except queue.Full:
            self.events_dropped += 1  # marks are cumulative: the next ack makes up for it
        self._wake()

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
        else:
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
        self._taken()
        self._wake()
