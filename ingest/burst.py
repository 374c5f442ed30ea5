"""A fast lane under paho for the three packets of which there are thousands a second.

paho stays in charge of the connection: CONNECT, TLS, login, SUBSCRIBE, keep-alive, DISCONNECT. But
it asks the socket for one byte, then another, then the rest, and spends some 45 µs of Python on
each message. So whole packets are cut from a buffer here: a PUBLISH goes straight to `deliver`, any
other packet is left for paho to read; PUBACKs and QoS 0 publications are written as bytes, many at
once.
Layouts: MQTT 3.1.1 and 5.0, sections 2.2, 3.3 and 3.4.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from paho.mqtt.client import MQTT_ERR_SUCCESS, Client, MQTTv5

CHUNK: Final = 256 * 1024
_LINGER_S: Final = 0.3
_PUBLISH: Final = 0x30
_LONGEST: Final = 4  # bytes of a remaining length

Deliver = Callable[[bytes, bytes, int, bool], None]
"""Topic (UTF-8), payload, packet id (0 at QoS 0), retained. Must not raise."""


class BurstSocket:
    """Wraps a connected, non-blocking socket, plain or TLS; used by one thread."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self.data = b""
        """What was read; the bytes before `at` are used up."""
        self.at = 0
        self._out = bytearray()
        self._closed = False

    def fill(self) -> bool:
        """Read what the network has; True when it was something. Raises OSError, EOFError."""
        try:
            more = self._inner.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        if not more:
            raise EOFError("the broker closed the connection")
        self.data = self.data[self.at :] + more
        self.at = 0
        return True

    def recv(self, size: int) -> bytes:
        """For paho: at most `size` bytes out of the buffer; BlockingIOError when it is empty."""
        part = self.data[self.at : self.at + size]
        if not part and not self._closed:
            raise BlockingIOError
        self.at += len(part)
        return part

    def pending(self) -> bool:
        """Whether decrypted bytes wait below us, which select does not see."""
        return isinstance(self._inner, ssl.SSLSocket) and self._inner.pending() > 0

    def send(self, data: bytes | bytearray) -> int:
        """Keep the bytes until `flush`."""
        self._out += data
        return len(data)

    def flush(self) -> bool:
        """Write what was kept; False when some is left because the network is full."""
        while self._out:
            try:
                sent = self._inner.send(self._out)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return False
            del self._out[:sent]
        return True

    def unsent(self) -> int:
        """Bytes that `flush` has still to write."""
        return len(self._out)

    def fileno(self) -> int:
        """The file descriptor, for select."""
        return self._inner.fileno()

    def setblocking(self, flag: bool) -> None:
        """As of a socket."""
        self._inner.setblocking(flag)

    def close(self) -> None:
        """Write what was kept (a DISCONNECT), and close.

        Closed over unread bytes, the kernel would reset the connection, and the broker lose our
        last acknowledgements: so the end is announced, and what still comes is read for a moment.
        """
        with contextlib.suppress(OSError):
            self.flush()
            self._inner.shutdown(socket.SHUT_WR)
            self._inner.settimeout(_LINGER_S)
            end = time.monotonic() + _LINGER_S
            while time.monotonic() < end and self._inner.recv(CHUNK):
                pass
        self.data, self.at, self._closed = b"", 0, True
        self._inner.close()


class BurstClient(Client):
    """paho's client over a `BurstSocket`; drive it by `read_burst`, loop_write and loop_misc."""

    burst: BurstSocket | None = None
    deliver: Deliver

    def _create_socket(self) -> Any:
        inner: Any = super()._create_socket()
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.burst = BurstSocket(inner)
        return self.burst

    def read_burst(self) -> None:
        """Handle every whole packet that the network has; raises OSError when it is lost."""
        burst = self.burst
        if burst is None or not burst.fill():
            return
        while burst.pending():
            burst.fill()
        five = self._protocol == MQTTv5
        deliver = self.deliver
        while True:
            data, at = burst.data, burst.at
            have = len(data) - at
            if have < 2:
                return
            length, body = data[at + 1], at + 2
            if length & 0x80:
                head = _remaining(data, at + 1)
                if head is None:
                    return
                length, body = head
            end = body + length
            if end > len(data):
                return
            command = data[at]
            if command & 0xF0 != _PUBLISH or command & 0x06 == 0x04:
                self._leave_to_paho(burst)
                continue
            middle = body + 2 + (data[body] << 8 | data[body + 1])
            topic = data[body + 2 : middle]
            mid = 0
            if command & 0x06:
                mid = data[middle] << 8 | data[middle + 1]
                middle += 2
            if five:
                size, middle = _remaining(data, middle) or (0, end)
                middle += size
            burst.at = end
            deliver(topic, data[middle:end], mid, bool(command & 0x01))

    def _leave_to_paho(self, burst: BurstSocket) -> None:
        code = self.loop_read()
        if code != MQTT_ERR_SUCCESS or self.burst is not burst or self.socket() is None:
            raise ConnectionError(f"the connection ended: {code!s}")

    def acknowledge(self, mids: Iterable[int]) -> None:
        """PUBACK these packet ids, in this order, at the next flush."""
        if self.burst is not None:
            self.burst.send(b"".join([b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids]))

    def publish_soon(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 0 at the next flush."""
        if self.burst is None:
            return
        name = topic.encode()
        length = 2 + len(name) + len(payload) + (self._protocol == MQTTv5)
        head = bytearray((_PUBLISH,))
        while length >= 0x80:
            head.append(length & 0x7F | 0x80)
            length >>= 7
        head.append(length)
        head += len(name).to_bytes(2, "big")
        head += name
        if self._protocol == MQTTv5:
            head.append(0)
        head += payload
        self.burst.send(head)


def _remaining(data: bytes, at: int) -> tuple[int, int] | None:
    """A variable length at `at` and where it ends; None while bytes are missing."""
    value = 0
    for place in range(_LONGEST):
        if at + place >= len(data):
            return None
        digit = data[at + place]
        value |= (digit & 0x7F) << (7 * place)
        if not digit & 0x80:
            return value, at + place + 1
    raise ConnectionError("malformed packet: a length of more than four bytes")
