"""What the MQTT source needs to know of the broker, and the paho client made from it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest.burst import BurstClient

TOPICS: Final = (
    "park/+/up",
    "park/+/state",
    "park/+/alive",
    "park/+/config/reported",
    "in/#",
)
KEEPALIVE_S: Final = 30
CONNECT_S: Final = 5.0
SESSION_S: Final = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Where the broker is. url: mqtt:// or mqtts://[user@]host[:port]; password by itself.

    client_id must be the same at every start and belong to one node only: the broker keeps our
    session under it. window: messages that the broker sends before it wants acknowledgements; with
    MQTT 5 we tell it, with 3.1.1 it must be what the broker is configured to. ca_file: PEM file of
    the authority that signed the broker's certificate, for mqtts.
    """

    url: str
    user: str = ""
    password: str = ""
    client_id: str = "parktwin-node"
    window: int = 1000
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    ca_file: str = ""
    topics: tuple[str, ...] = TOPICS


@dataclass(slots=True)
class MqttCounters:
    """Totals since start, for /metrics."""

    received: int = 0
    acknowledged: int = 0
    stale_marks: int = 0
    published: int = 0
    dropped_publications: int = 0
    connects: int = 0
    disconnects: int = 0
    loop_errors: int = 0


def build_client(settings: MqttSettings) -> BurstClient:
    """A client that is ready to `reconnect`, without callbacks; ValueError for a bad address."""
    parts = urlsplit(settings.url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError(f"not a broker address: {settings.url!r}; write mqtt://user@host:port")
    five = settings.protocol == "5"
    client = BurstClient(
        CallbackAPIVersion.VERSION2,
        client_id=settings.client_id,
        clean_session=None if five else False,
        protocol=MQTTv5 if five else MQTTv311,
        manual_ack=True,
        reconnect_on_failure=False,
    )
    client.connect_timeout = CONNECT_S
    user = settings.user or unquote(parts.username or "")
    if user:
        client.username_pw_set(user, settings.password or unquote(parts.password or ""))
    if parts.scheme == "mqtts":
        client.tls_set_context(ssl.create_default_context(cafile=settings.ca_file or None))
    client.on_socket_register_write = _later  # or every packet would be flushed by itself
    port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    if five:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_S
        properties.ReceiveMaximum = settings.window
        client.connect_async(
            parts.hostname, port, KEEPALIVE_S, clean_start=False, properties=properties
        )
    else:
        client.connect_async(parts.hostname, port, KEEPALIVE_S)
    return client


def _later(_client: object, _userdata: object, _sock: object) -> None:
    """paho wants to write: the turn under way does it."""
