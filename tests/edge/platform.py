"""A platform for gateway tests: keeps a ledger as the contract says, in memory, on a real broker.

It can be told to stay silent, to refuse messages, and to come back with an older ledger.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge.wire import Ack, Nack, Reading, Replay, State, Up, topic


class FakePlatform:
    """One gateway's ledger: `stored` by (box, sequence), `lost` and `poison` the same way."""

    def __init__(self, port: int, gateway: str) -> None:
        self.gateway = gateway
        self.epoch = "epoch-1"
        self.acking = True
        self.committed: dict[str, int] = {}
        self.first: dict[str, int] = {}
        self.stored: dict[tuple[str, int], Reading] = {}
        self.lost: dict[tuple[str, int], str] = {}
        self.poison: dict[tuple[str, int], bytes] = {}
        self.arrived: list[tuple[float, Up]] = []
        self.rejected = 0
        self.doubled: list[tuple[str, int]] = []
        self.alive: list[str] = []
        self.states: list[State] = []
        self.refuses: Callable[[bytes], bool] = lambda payload: False
        self.lock = threading.RLock()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"platform-{gateway}")
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port, keepalive=30)
        self._client.loop_start()

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe([(topic(self.gateway, leaf), 1) for leaf in ("up", "state", "alive")])

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def restore(self, marks: dict[str, int], epoch: str) -> None:
        """Come back from a backup: an older ledger under a new epoch."""
        with self.lock:
            self.epoch = epoch
            for box, committed in marks.items():
                self.committed[box] = committed
            for box in list(self.committed):
                if box not in marks:
                    del self.committed[box]
            for key in [k for k in self.stored if k[1] > marks.get(k[0], 0)]:
                del self.stored[key]

    def ack_all(self) -> None:
        """What the platform does on every `online`."""
        with self.lock:
            for box in list(self.committed):
                self._ack(box)

    def replay(self, box: str, first: int, last: int) -> None:
        request = Replay(box, first, last)
        self._client.publish(topic(self.gateway, "replay"), msgspec.json.encode(request), qos=1)

    def _ack(self, box: str) -> None:
        ack = Ack(box, self.committed.get(box, 0), self.epoch)
        self._client.publish(topic(self.gateway, "ack"), msgspec.json.encode(ack), qos=1)

    def _on_message(self, client: mqtt.Client, data: Any, packet: mqtt.MQTTMessage) -> None:
        leaf, payload = packet.topic.rpartition("/")[2], bytes(packet.payload)
        with self.lock:
            if leaf == "alive":
                self.alive.append(payload.decode())
                if payload == b"online" and self.acking:
                    self.ack_all()
            elif leaf == "state":
                self.states.append(msgspec.json.decode(payload, type=State))
            elif self.refuses(payload):
                digest = "sha256:" + hashlib.sha256(payload).hexdigest()
                nack = msgspec.json.encode(Nack(digest, "refused by the test"))
                self._client.publish(topic(self.gateway, "nack"), nack, qos=1)
            else:
                self._take(msgspec.json.decode(payload, type=Up))

    def _take(self, up: Up) -> None:
        self.arrived.append((time.monotonic(), up))
        if not self.acking:
            return
        box = up.box
        committed = self.committed.setdefault(box, up.first - 1)
        self.first.setdefault(box, up.first)
        n = up.lost or (1 if up.poison else len(up.readings or ()))
        if up.first > committed + 1:
            self.rejected += 1
            self._ack(box)
            return
        for i in range(max(committed + 1 - up.first, 0), n):
            key = (box, up.first + i)
            if key in self.stored:
                self.doubled.append(key)
            if up.readings is not None:
                self.stored[key] = up.readings[i]
            elif up.poison is not None:
                self.poison[key] = base64.b64decode(up.poison)
            else:
                self.lost[key] = up.reason or ""
        self.committed[box] = max(committed, up.first + n - 1)
        self._ack(box)

    def values(self, point: str) -> list[float | None]:
        """Values stored of one point, by event time."""
        with self.lock:
            rows = sorted((r[1], k, r[2]) for k, r in self.stored.items() if r[0] == point)
        return [value for _, _, value in rows]

    def count(self) -> int:
        with self.lock:
            return len(self.stored)


def wait_for(condition: Callable[[], bool], timeout: float = 10.0, what: str = "") -> None:
    """Wait until `condition` holds; raises AssertionError after `timeout` s."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(0.02)


@contextmanager
def fake_platform(port: int, gateway: str) -> Iterator[FakePlatform]:
    platform = FakePlatform(port, gateway)
    try:
        yield platform
    finally:
        platform.close()
