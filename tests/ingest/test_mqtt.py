"""The MQTT source against a real Mosquitto: every trap of the protocol and of paho that we know."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest.arrivals import Inbound, Mark
from ingest.burst import BurstClient
from ingest.mqtt import MqttSettings, MqttSource
from tests.ingest.desk import POINTS, desk, good, now_ms, until, up
from tests.peers.mosquitto import Mosquitto, running_mosquitto

Protocol = Literal["3.1.1", "5"]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with running_mosquitto(tmp_path / "broker") as running:
        yield running


@contextmanager
def publisher(broker: Mosquitto) -> Iterator[paho.Client]:
    """A connected client that we did not write."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(500)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def publish(broker: Mosquitto, messages: Sequence[tuple[str, bytes]], qos: int = 1) -> None:
    """Publish and wait for the PUBACKs."""
    with publisher(broker) as client:
        infos = [client.publish(topic, payload, qos=qos) for topic, payload in messages]
        for info in infos:
            info.wait_for_publish(10)


class Inbox:
    """A source that keeps what it receives and acknowledges when told."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.messages: list[Inbound] = []
        self.source = MqttSource(MqttSettings(url, **settings), self.take)

    def take(self, messages: Sequence[Inbound]) -> None:
        self.messages += messages

    def marks(self) -> list[Mark]:
        return [m.mark for m in self.messages if m.mark is not None]

    def numbers(self) -> list[int]:
        """Payloads as numbers."""
        return [int(m.payload) for m in self.messages]

    def __enter__(self) -> Inbox:
        self.source.start()
        until(lambda: self.source.connected or self.messages)
        return self

    def __exit__(self, *_: object) -> None:
        self.source.stop()


def numbered(count: int, first: int = 0) -> list[tuple[str, bytes]]:
    """Messages 0, 1, 2..."""
    return [("in/plant/json", str(i).encode()) for i in range(first, first + count)]


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_what_was_not_acknowledged_comes_again_after_a_restart_and_nothing_else(
    broker: Mosquitto, protocol: Protocol
) -> None:
    with Inbox(broker.url, protocol=protocol) as inbox:
        publish(broker, numbered(50))
        until(lambda: len(inbox.messages) == 50)
        inbox.source.settle(inbox.marks()[:30], [])
        until(lambda: inbox.source.counters.acknowledged == 30)
    with Inbox(broker.url, protocol=protocol) as again:
        until(lambda: len(again.messages) == 20)
        time.sleep(0.2)
        assert again.numbers() == list(range(30, 50))


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_late_acknowledgement_never_deletes_a_message_of_the_next_connection(
    broker: Mosquitto, protocol: Protocol
) -> None:
    with Inbox(broker.url, protocol=protocol) as inbox:
        publish(broker, numbered(20))
        until(lambda: len(inbox.messages) == 20)
        late = inbox.marks()
        broker.kill9()  # with its memory: message ids begin at 1 again
        until(lambda: not inbox.source.connected)
        inbox.source.settle(late[:10], [])
        for file in broker.folder.glob("*.db"):
            file.unlink()
        broker.start()
        until(lambda: inbox.source.connected)
        inbox.messages.clear()
        publish(broker, numbered(20, first=100))
        until(lambda: len(inbox.messages) == 20)
        assert {m.mid for m in inbox.marks()} & {m.mid for m in late}
        inbox.source.settle(late[10:], [])
        until(lambda: inbox.source.counters.stale_marks == 20)
        assert inbox.source.counters.acknowledged == 0
    with Inbox(broker.url, protocol=protocol) as again:
        until(lambda: len(again.messages) == 20)
        assert again.numbers() == list(range(100, 120))


def test_it_subscribes_again_when_the_broker_forgot_it(broker: Mosquitto) -> None:
    with Inbox(broker.url) as inbox:
        broker.kill9()
        until(lambda: not inbox.source.connected)
        assert inbox.source.problem
        for file in broker.folder.glob("*.db"):
            file.unlink()
        broker.start()
        until(lambda: inbox.source.connected)
        publish(broker, numbered(5))
        until(lambda: len(inbox.messages) == 5)
        assert inbox.source.counters.connects == 2


@pytest.mark.parametrize(("protocol", "window"), [("3.1.1", 1000), ("5", 70)])
def test_the_broker_sends_a_window_and_then_waits(
    broker: Mosquitto, protocol: Protocol, window: int
) -> None:
    with Inbox(broker.url, protocol=protocol, window=window) as inbox:
        publish(broker, numbered(1200))
        until(lambda: len(inbox.messages) == window)
        time.sleep(0.2)
        assert len(inbox.messages) == window
        inbox.source.settle(inbox.marks(), [])
        # Mosquitto 2.0.11 forgets the window of an MQTT 5 client once it sends from its queue.
        until(lambda: len(inbox.messages) >= min(2 * window, 1200))


def test_an_error_while_handing_over_does_not_end_the_thread(broker: Mosquitto) -> None:
    calls: list[int] = []
    inbox = Inbox(broker.url)

    def take(messages: Sequence[Inbound]) -> None:
        calls.append(len(messages))
        if len(calls) == 1:
            raise RuntimeError("defect")
        inbox.take(messages)

    inbox.source._submit = take
    with inbox:
        publish(broker, numbered(5))
        until(lambda: len(inbox.messages) >= 5)
        assert inbox.source.alive
        assert inbox.source.counters.loop_errors == 1
        assert inbox.numbers()[-5:] == list(range(5))


def test_a_thread_that_stands_still_is_seen(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Inbox(broker.url) as inbox:
        assert inbox.source.alive
        clock = time.monotonic
        monkeypatch.setattr("ingest.mqtt.time.monotonic", lambda: clock() + 60)
        monkeypatch.setattr(inbox.source, "_turn", lambda _: time.sleep(0.5))
        inbox.source._beat = clock()
        seen = [inbox.source.alive]
        monkeypatch.undo()
    seen.append(inbox.source.alive)
    assert seen == [False, False]


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_odd_packets_arrive_whole(broker: Mosquitto, protocol: Protocol) -> None:
    payloads = [b"", b"x", b"y" * 127, b"z" * 128, b"w" * 16_384, b"v" * 250_000, b"\x00\xff"]
    expected = [*payloads, b"1"]
    with Inbox(broker.url, protocol=protocol) as inbox:
        publish(broker, [("in/a/b/c/json", p) for p in payloads])
        publish(broker, [("in/温度/json", b"1")], qos=0)
        until(lambda: len(inbox.messages) == len(expected))
        assert [m.payload for m in inbox.messages] == expected
        assert inbox.messages[-1].topic == "in/温度/json"
        assert inbox.messages[-1].mark is None
        inbox.source.settle(inbox.marks(), [])


def test_packets_cut_anywhere_are_put_together() -> None:
    topic, payload = b"in/p/json", bytes(range(200))
    body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", 7) + payload
    length = len(body)
    packet = bytes((0x32, length & 0x7F | 0x80, length >> 7)) + body
    for step in (1, 2, 3, 7, 100):
        got: list[tuple[bytes, bytes, int, bool]] = []
        client = BurstClient(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        client.deliver = lambda *message, got=got: got.append(message)
        near, far = socket.socketpair()
        from ingest.burst import BurstSocket

        near.setblocking(False)
        client.burst = BurstSocket(near)
        stream = packet * 3
        for at in range(0, len(stream), step):
            far.send(stream[at : at + step])
            client.read_burst()
        assert got == [(topic, payload, 7, False)] * 3
        near.close()
        far.close()


def test_publications_reach_a_client_that_we_did_not_write(broker: Mosquitto) -> None:
    heard: list[tuple[str, bytes]] = []
    ready = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _c, _u, m: heard.append((m.topic, bytes(m.payload)))
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", broker.port)
    client.subscribe("park/#")
    client.loop_start()
    assert ready.wait(5)
    said = [("park/GW-1/ack", b"{}"), ("park/网关/nack", b"x" * 300), ("park/GW-1/ack", b"")]
    try:
        for protocol in ("3.1.1", "5"):
            heard.clear()
            with Inbox(broker.url, protocol=protocol) as inbox:
                inbox.source.settle([], said)
                until(lambda: len(heard) == 3)
            assert heard == said
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_wrong_password_and_a_missing_broker_are_told_in_a_sentence(tmp_path: Path) -> None:
    with running_mosquitto(tmp_path / "b", users={"node": "right"}) as broker:
        source = MqttSource(MqttSettings(broker.url, user="node", password="wrong"), lambda _: None)
        source.start()
        until(lambda: "refused" in source.problem)
        source.stop()
        with_it = MqttSettings(broker.url.replace("mqtt://", "mqtt://node:right@"))
        source = MqttSource(with_it, lambda _: None)
        source.start()
        until(lambda: source.connected)
        url = broker.url
        source.stop()
    source = MqttSource(MqttSettings(url), lambda _: None)
    source.start()
    until(lambda: "Connection refused" in source.problem)
    assert source.alive
    source.stop()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="write mqtt://user@host:port"):
        MqttSource(MqttSettings("localhost:1883"), lambda _: None)


def test_the_socket_is_not_read_while_the_committer_is_far_behind(broker: Mosquitto) -> None:
    waiting = 30_000
    inbox = Inbox(broker.url)
    inbox.source._waiting = lambda: waiting
    inbox.source.start()
    waiting = 0
    until(lambda: inbox.source.connected)
    waiting = 30_000
    time.sleep(0.7)  # the turn under way still reads
    publish(broker, numbered(10), qos=0)
    time.sleep(0.2)
    assert inbox.messages == []
    waiting = 0
    until(lambda: len(inbox.messages) == 10)
    inbox.source.stop()


def test_a_batch_travels_from_a_strangers_client_to_the_journal_and_its_ack_back(
    broker: Mosquitto, tmp_path: Path
) -> None:
    acks: list[bytes] = []
    ready = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _c, _u, m: acks.append(bytes(m.payload))
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", broker.port)
    client.subscribe("park/GW-1/ack")
    client.loop_start()
    assert ready.wait(5)
    with desk(tmp_path / "journal.db") as at:
        settings = MqttSettings(broker.url)
        source = MqttSource(settings, at.committer.submit_all, lambda: at.committer.waiting)
        at.committer.attach(source)
        source.start()
        until(lambda: source.connected)
        client.publish("park/GW-1/up", up(1, good(10)), qos=1)
        until(lambda: acks)
        assert b'"committed":10' in acks[0]
        assert at.journal.end == 10
        source.stop()
    client.disconnect()
    client.loop_stop()


RUMQTTD = """
import sys
from pathlib import Path
from parktwin.broker import serve, write_config
config = Path(sys.argv[1])
write_config(config, int(sys.argv[2]), {"node": "secret", "GW-1": "secret"})
serve(config)
"""


def test_the_embedded_broker_gives_unacknowledged_messages_again(
    tmp_path: Path, free_port: int
) -> None:
    broker = subprocess.Popen(
        [sys.executable, "-c", RUMQTTD, str(tmp_path / "b.toml"), str(free_port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )
    url = f"mqtt://node:secret@127.0.0.1:{free_port}"
    try:
        with Inbox(url, window=100) as inbox:
            client = paho.Client(CallbackAPIVersion.VERSION2)
            client.username_pw_set("GW-1", "secret")
            client.connect("127.0.0.1", free_port)
            client.loop_start()
            for topic, payload in numbered(300):
                client.publish(topic, payload, qos=1)
            until(lambda: len(inbox.messages) >= 50)
            time.sleep(0.3)
            first = len(inbox.messages)
            inbox.source.settle(inbox.marks()[:50], [])
            until(lambda: len(inbox.messages) > first)
            time.sleep(0.3)
            assert (first, len(inbox.messages)) == (100, 150)
        with Inbox(url, window=100) as again:
            until(lambda: len(again.messages) == 100)
            assert again.numbers() == list(range(50, 150))
            again.source.settle(again.marks(), [])
            until(lambda: len(again.messages) == 200)
            assert again.numbers()[100:] == list(range(150, 250))
        client.disconnect()
        client.loop_stop()
    finally:
        broker.kill()
        broker.wait(10)


def test_now_is_the_time_of_arrival(broker: Mosquitto) -> None:
    with Inbox(broker.url) as inbox:
        before = now_ms()
        publish(broker, [("park/GW-1/up", up(1, [[POINTS[0], before, 1.0, 0]]))])
        until(lambda: inbox.messages)
        assert before <= inbox.messages[0].received_at <= now_ms()
