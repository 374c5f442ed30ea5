"""Load for the benchmarks, in a process of its own: MQTT packets as bytes over plain sockets.

A client library would take more CPU than the node under test; what this process uses is reported.
It speaks just enough MQTT 3.1.1 for load: CONNECT, PUBLISH with QoS 1, PUBACK counted.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import msgspec


@dataclass(frozen=True)
class Load:
    """What to send: `connections` share `rate` messages a second (0 = as fast as acknowledged)."""

    host: str
    port: int
    user: str
    password: str
    profile: str  # native | thingsboard
    points: int
    per_message: int
    rate: float
    seconds: float
    connections: int = 4
    window: int = 400


@dataclass
class Sent:
    """What was sent and what it cost this process."""

    messages: int
    readings: int
    seconds: float
    cpu_seconds: float
    behind_seconds: float


def text_field(text: str) -> bytes:
    """A string as MQTT carries it: length, then UTF-8."""
    raw = text.encode()
    return struct.pack("!H", len(raw)) + raw


def _packet(kind: int, body: bytes) -> bytes:
    length = len(body)
    head = bytearray([kind])
    while True:
        digit, length = length % 128, length // 128
        head.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


class Publisher:
    """One connection, never blocking: `send` queues packets, `pump` moves bytes, counts PUBACKs."""

    def __init__(self, load: Load, name: str) -> None:
        self._socket = socket.create_connection((load.host, load.port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        flags = 0x02 | 0x80 | 0x40
        body = text_field("MQTT") + bytes([4, flags, 0, 60]) + text_field(name)
        self._socket.sendall(
            _packet(0x10, body + text_field(load.user) + text_field(load.password))
        )
        answer = self._socket.recv(4)
        if len(answer) < 4 or answer[3] != 0:
            raise ConnectionError(f"the broker refused the load generator: {answer!r}")
        self._socket.setblocking(False)
        self._out = bytearray()
        self._in = 0
        self._mid = 0
        self.under_way = 0

    def send(self, topic: bytes, payload: bytes) -> None:
        """Queue one QoS 1 message."""
        self._mid = self._mid % 65535 + 1
        self._out += _packet(0x32, topic + self._mid.to_bytes(2, "big") + payload)
        self.under_way += 1

    def pump(self) -> None:
        """Write what the socket takes, count the PUBACKs that have come."""
        if self._out:
            try:
                sent = self._socket.send(self._out)
                del self._out[:sent]
            except BlockingIOError:
                pass
        try:
            got = self._socket.recv(65536)
            if not got:
                raise ConnectionError("the broker closed the load generator's connection")
            self._in += len(got)
        except BlockingIOError:
            pass
        done, self._in = divmod(self._in, 4)
        self.under_way -= done

    @property
    def socket(self) -> socket.socket:
        """For select."""
        return self._socket

    @property
    def wants_write(self) -> bool:
        """Whether bytes wait."""
        return bool(self._out)


Message = tuple[bytes, bytes]


def native(load: Load, connection: int) -> Iterator[Message]:
    """Messages of one gateway: its share of the points in turn, `per_message` readings each."""
    gateway = f"load-{connection}"
    topic = text_field(f"park/{gateway}/up")
    mine = range(connection, load.points, load.connections)
    bodies = []
    for start in range(0, len(mine), load.per_message):
        chosen = mine[start : start + load.per_message]
        bodies.append(
            (
                len(chosen),
                ",".join(
                    f'["B-{i:06d}.level",@T@,{1 + i % 7 / 10:.2f},0]' for i in chosen
                ).encode(),
            )
        )
    box = f"load-{time.time_ns()}"
    first = 1
    last = 0
    while True:
        for count, body in bodies:
            now = max(int(time.time() * 1000), last + 1 if len(bodies) == 1 else 0)
            last = now
            head = b'{"v":1,"box":"%s","first":%d,"sent":%d,"uptime":%d,"readings":[' % (
                box.encode(),
                first,
                now,
                now,
            )
            yield topic, head + body.replace(b"@T@", b"%d" % now) + b"]}"
            first += count


def thingsboard(load: Load, connection: int) -> Iterator[Message]:
    """ThingsBoard's published profile: each device its own topic, flat JSON of three values."""
    devices = range(connection, load.points // 3, load.connections)
    topics = [text_field(f"in/device-{i:05d}/json") for i in devices]
    turn = 0
    while True:
        for topic in topics:
            turn += 1
            now = int(time.time() * 1000)
            yield (
                topic,
                b'{"ts":%d,"pulseCounter":%d,"leakage":%d,"batteryLevel":%d}'
                % (now, turn, turn % 2, turn % 100),
            )


PROFILES: dict[str, Callable[[Load, int], Iterator[Message]]] = {
    "native": native,
    "thingsboard": thingsboard,
}


def run(load: Load) -> Sent:
    """Send for `load.seconds`, then wait until the broker has acknowledged all of it."""
    publishers = [Publisher(load, f"generator-{i}") for i in range(load.connections)]
    sources = [PROFILES[load.profile](load, i) for i in range(load.connections)]
    each = 3 if load.profile == "thingsboard" else load.per_message
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    begin = time.monotonic()
    sent = 0
    while (elapsed := time.monotonic() - begin) < load.seconds:
        due = int(elapsed * load.rate) - sent if load.rate else len(publishers) * load.window
        moved = 0
        for publisher, source in zip(publishers, sources, strict=True):
            room = min(load.window - publisher.under_way, max(0, due - moved), 100)
            for _ in range(room):
                publisher.send(*next(source))
            moved += max(room, 0)
            publisher.pump()
        sent += moved
        if not moved:
            busy = [p.socket for p in publishers]
            full = [p.socket for p in publishers if p.wants_write]
            select.select(busy, full, [], 0.002)
    took = time.monotonic() - begin
    behind = max(0.0, load.seconds * load.rate - sent) / load.rate if load.rate else 0.0
    drained = time.monotonic() + 30
    while any(p.under_way for p in publishers) and time.monotonic() < drained:
        for publisher in publishers:
            publisher.pump()
        select.select([p.socket for p in publishers], [], [], 0.01)
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    for publisher in publishers:
        publisher.socket.close()
    return Sent(sent, sent * each, took, used, behind)


if __name__ == "__main__":
    json.dump(asdict(run(msgspec.convert(json.loads(sys.argv[1]), Load))), sys.stdout)
