"""The MQTT source: one thread that owns the connection, hands messages on and acknowledges them.

What it must get right: an error in a callback would end paho's loop while it still looks connected;
messages that were not acknowledged come back only after a reconnect; a late acknowledgement on a
new connection would delete another message, so marks carry the number of their connection;
subscriptions are made again on every connect. All of paho runs in this one thread, so nothing can
happen between looking at the connection's number and acknowledging on it.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from ingest.arrivals import Inbound, Mark
from ingest.broker_link import CONNECT_S, MqttCounters, MqttSettings, build_client
from ingest.burst import BurstClient

PAUSE_AT: Final = 20_000
"""So many messages before the committer, and the socket is not read (QoS 0 has no window)."""

_TOPIC_CACHE: Final = 50_000
_TICK_S: Final = 0.5
_BACKOFF_S: Final = (0.2, 10.0)

__all__ = ["MqttCounters", "MqttSettings", "MqttSource"]

log = structlog.get_logger(__name__)


class MqttSource:
    """Feeds a committer: give it `submit_all` and `waiting`, start it, stop it after the committer.

    `settle` may be called from any thread.
    """

    def __init__(
        self,
        settings: MqttSettings,
        submit: Callable[[Sequence[Inbound]], None],
        waiting: Callable[[], int] = lambda: 0,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.settings = settings
        self._client = self._build()
        self.counters = MqttCounters()
        self.connected = False
        """True while there is a connection on which the broker has taken our subscriptions."""
        self.problem = "not connected yet"
        """Why there is no connection, in a sentence; empty while there is one."""
        self._submit = submit
        self._waiting = waiting
        self._now = now
        self._linked = False  # CONNACK came
        self._connection = 0
        self._arrived_at = 0
        self._burst: list[Inbound] = []
        self._topics: dict[bytes, str] = {}
        self._settled: deque[tuple[Sequence[Mark], Sequence[tuple[str, bytes]]]] = deque()
        self._stopping = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._beat = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        """Start the thread; it connects, and connects again, by itself."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Send what was settled, disconnect, end the thread."""
        self._stopping.set()
        self._nudge()
        if self._thread.is_alive():
            self._thread.join(timeout)
        if not self._thread.is_alive():
            self._wake_in.close()
            self._wake_out.close()

    def settle(self, marks: Sequence[Mark], publications: Sequence[tuple[str, bytes]]) -> None:
        """Acknowledge messages in this order and publish; dropped while there is no connection.

        A message not acknowledged comes again, and so does a gateway that hears nothing.
        """
        self._settled.append((marks, publications))
        self._nudge()

    @property
    def alive(self) -> bool:
        """False when the thread has ended or made no turn for 15 s."""
        return self._thread.is_alive() and time.monotonic() - self._beat < 15.0

    def _nudge(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_out.send(b".")

    # --- the connection ------------------------------------------------------------------------

    def _build(self) -> BurstClient:
        client = build_client(self.settings)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.deliver = self._deliver
        return client

    def _on_connect(
        self, client: Any, _userdata: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        if reason.is_failure:
            self.problem = f"the broker refused the connection: {reason}"
            log.error("broker refused the connection", reason=str(reason))
            return
        self._linked = True
        self.counters.connects += 1
        client.subscribe([(topic, 1) for topic in self.settings.topics])

    def _on_subscribe(
        self, _client: object, _userdata: object, _mid: int, reasons: Any, _properties: object
    ) -> None:
        topics = zip(self.settings.topics, reasons, strict=False)
        refused = [topic for topic, reason in topics if reason.is_failure]
        if refused:
            self.problem = f"the broker does not let us read {', '.join(refused)}"
            log.error("broker refused subscriptions", topics=refused)
            return
        self.connected = True
        self.problem = ""
        log.info("connected to the broker", connection=self._connection)

    def _on_disconnect(
        self, _client: object, _userdata: object, _flags: object, reason: Any, _props: object
    ) -> None:
        if self.connected and not self._stopping.is_set():
            log.warning("broker connection lost", reason=self.problem or str(reason))
        self.counters.disconnects += self._linked
        self.connected = self._linked = False

    def _deliver(self, topic: bytes, payload: bytes, mid: int, retained: bool) -> None:
        known = self._topics.get(topic)
        if known is None:
            if len(self._topics) >= _TOPIC_CACHE:
                self._topics.clear()
            known = self._topics[topic] = topic.decode(errors="replace")
        mark = Mark(self._connection, mid) if mid else None
        self._burst.append(Inbound(known, payload, self._arrived_at, mark, retained))

    # --- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        pause = _BACKOFF_S[0]
        while not self._stopping.is_set():
            self._beat = time.monotonic()
            try:
                if self._client.socket() is None:
                    if self._connect():
                        pause = _BACKOFF_S[0]
                    else:
                        self._send_settled()  # drops them, and counts them
                        self._stopping.wait(random.uniform(0, pause))
                        pause = min(pause * 2, _BACKOFF_S[1])
                        continue
                self._turn(_TICK_S)
            except Exception:  # noqa: BLE001 - the thread must outlive a defect
                self.counters.loop_errors += 1
                log.error("MQTT loop", where=traceback.format_exc(limit=-3))
                self._drop_connection()
                self._stopping.wait(_BACKOFF_S[0])
        self._leave()

    def _connect(self) -> bool:
        """Open a connection under a new number; True once the broker has taken us."""
        self._connection += 1
        self.connected = self._linked = False
        self._burst.clear()
        try:
            self._client.reconnect()
        except OSError as error:
            self.problem = f"no connection to {self.settings.url}: {error}"
            return False
        deadline = time.monotonic() + CONNECT_S
        while not self._linked and not self._stopping.is_set():
            if self._client.socket() is None or time.monotonic() > deadline:
                self._drop_connection()
                return False
            self._turn(0.05)
        return self._linked

    def _turn(self, timeout: float) -> None:
        """Wait for something to do and do it: read a burst, acknowledge, write."""
        client = self._client
        burst = client.burst
        sock = client.socket()
        if sock is None or burst is None:
            return
        want_write = client.want_write() or burst.unsent() > 0
        reading = self._waiting() < PAUSE_AT
        readable, _, _ = select.select(
            [sock, self._wake_in] if reading else [self._wake_in],
            [sock] if want_write else [],
            [],
            timeout,
        )
        if self._wake_in in readable:
            self._wake_in.recv(65536)
        if sock in readable:
            self._read(client)
        self._send_settled()
        if client.socket() is not None and client.want_write():
            client.loop_write()
        if client.socket() is not None:
            try:
                burst.flush()
            except OSError:
                self._drop_connection()
                return
            client.loop_misc()

    def _read(self, client: BurstClient) -> None:
        self._arrived_at = self._now()
        try:
            client.read_burst()
        except (OSError, EOFError) as error:
            if self._linked:  # else the broker has said why
                self.problem = f"connection lost: {error}"
            self._drop_connection()
        finally:
            if self._burst:
                self.counters.received += len(self._burst)
                messages, self._burst = self._burst, []
                self._submit(messages)

    def _send_settled(self) -> None:
        client, counters, settled = self._client, self.counters, self._settled
        while settled:
            marks, publications = settled.popleft()
            if not self._linked:
                counters.stale_marks += len(marks)
                counters.dropped_publications += len(publications)
                continue
            mids = [mid for connection, mid in marks if connection == self._connection]
            client.acknowledge(mids)
            counters.acknowledged += len(mids)
            counters.stale_marks += len(marks) - len(mids)
            for topic, payload in publications:
                client.publish_soon(topic, payload)
            counters.published += len(publications)

    def _drop_connection(self) -> None:
        burst = self._client.burst
        if burst is not None:
            burst.close()
        # paho reads the end of the file, forgets its socket and calls on_disconnect.
        with contextlib.suppress(OSError, ValueError):
            self._client.loop_read()
        self.connected = self._linked = False

    def _leave(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._client.socket() is not None:
                self._send_settled()
                self._client.disconnect()
                self._client.loop_write()
            if self._client.burst is not None:
                self._client.burst.close()
        self.connected = self._linked = False
