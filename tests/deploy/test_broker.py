"""The mounted broker files in a real Mosquitto: who gets in, and who reaches which topic."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from parktwin.access import mosquitto_acl
from parktwin.handout import hand_out
from parktwin.secrets import hash_password, make_secrets, read_secret
from tests.deploy.compose_file import ROOT
from tests.deploy.conftest import GATEWAYS, SOURCE, Broker, keep_owner, run_broker

# The table of the contract, written out a second time on purpose.
WRITES = {"up", "state", "alive", "config/reported"}
READS = {"ack", "nack", "replay", "config/desired"}
LEAVES = sorted(WRITES | READS)
FOREIGN = ["in/cloud-7/json", "in/cloud-7/lp", "in/other/json", "spBv1.0/G/NDATA/N"]
TOPICS = [f"park/{gateway}/{leaf}" for gateway in GATEWAYS for leaf in LEAVES] + FOREIGN
OBSERVER = "observer"
WORD = "seen-only-in-this-test-0123"


class Client:
    """A connected client that keeps what it receives; `reason` is CONNACK's answer."""

    def __init__(
        self, broker: Broker, user: str | None, password: str, client_id: str, keep: bool
    ) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.reason = ""
        self.ended = threading.Event()
        self._answered = threading.Event()
        self._acked: set[int] = set()
        self._change = threading.Condition()
        self._mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=not keep,
            reconnect_on_failure=False,
        )
        if user is not None:
            self._mqtt.username_pw_set(user, password)
        self._mqtt.on_connect = self._connected
        self._mqtt.on_disconnect = lambda *_: self.ended.set()
        self._mqtt.on_message = self._message
        self._mqtt.on_publish = lambda _c, _u, mid, *_: self._done(mid)
        self._mqtt.on_subscribe = lambda _c, _u, mid, *_: self._done(mid)
        self._mqtt.connect("127.0.0.1", broker.port, keepalive=60)
        self._mqtt.loop_start()
        assert self._answered.wait(10)

    def _connected(self, _c: object, _u: object, _f: object, reason: object, _p: object) -> None:
        self.reason = str(reason)
        self._answered.set()

    def _message(self, _c: object, _u: object, message: mqtt.MQTTMessage) -> None:
        with self._change:
            self.received.append((message.topic, bytes(message.payload)))
            self._change.notify_all()

    def _done(self, mid: int) -> None:
        with self._change:
            self._acked.add(mid)
            self._change.notify_all()

    def _wait(self, mid: int | None) -> None:
        with self._change:
            assert self._change.wait_for(lambda: mid in self._acked, 10)

    def subscribe(self, *topics: str) -> None:
        _, mid = self._mqtt.subscribe([(topic, 1) for topic in topics])
        self._wait(mid)

    def publish(self, topic: str, payload: bytes = b"x") -> None:
        self._wait(self._mqtt.publish(topic, payload, qos=1).mid)

    def send_and_forget(self, topic: str, payload: bytes) -> None:
        self._mqtt.publish(topic, payload, qos=1)

    def wait_for(self, topic: str, count: int = 1) -> None:
        with self._change:
            assert self._change.wait_for(
                lambda: sum(t == topic for t, _ in self.received) >= count, 20
            )

    def close(self) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()


@contextmanager
def client(
    broker: Broker,
    user: str | None,
    password: str | None = None,
    client_id: str = "",
    keep: bool = False,
) -> Iterator[Client]:
    if password is None:
        password = broker.users.get(user or "", WORD)
    connected = Client(broker, user, password, client_id or f"test-{user}", keep)
    try:
        yield connected
    finally:
        connected.close()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Broker]:
    """The mounted files, and one more user who may do everything and so sees what got through."""
    with run_broker(
        tmp_path,
        extra_acl=f"\nuser {OBSERVER}\ntopic readwrite #\n",
        extra_users=f"{OBSERVER}:{hash_password(WORD)}\n",
    ) as running:
        yield running


def may_write(user: str) -> set[str]:
    if user == "node":
        return {f"park/{g}/{leaf}" for g in GATEWAYS for leaf in READS}
    if user == SOURCE:
        return {f"in/{SOURCE}/json", f"in/{SOURCE}/lp"}
    return {f"park/{user}/{leaf}" for leaf in WRITES} if user in GATEWAYS else set()


def may_read(user: str) -> set[str]:
    if user == "node":
        return {f"park/{g}/{leaf}" for g in GATEWAYS for leaf in WRITES} | set(FOREIGN)
    return {f"park/{user}/{leaf}" for leaf in READS} if user in GATEWAYS else set()


USERS = [*GATEWAYS, SOURCE, "node", "health"]


@pytest.mark.parametrize("user", USERS)
def test_a_user_writes_own_topics_and_no_others(watched: Broker, user: str) -> None:
    with client(watched, OBSERVER) as observer, client(watched, user) as writer:
        assert writer.reason == "Success"
        observer.subscribe("#")
        for topic in TOPICS:
            writer.publish(topic)
        observer.publish("done")
        observer.wait_for("done")
        got_through = {topic for topic, _ in observer.received} - {"done"}
    assert got_through == may_write(user)


@pytest.mark.parametrize("user", USERS)
def test_a_user_reads_own_topics_and_no_others(watched: Broker, user: str) -> None:
    with client(watched, OBSERVER) as observer, client(watched, user) as reader:
        reader.subscribe("#", "park/#", "park/+/ack", "$SYS/#", *TOPICS)
        observer.subscribe("#")
        for topic in TOPICS:
            observer.publish(topic)
        observer.publish("done")
        observer.wait_for("done")
        for topic in may_read(user):
            reader.wait_for(topic)
        time.sleep(0.2)  # for what should not come
        seen = {topic for topic, _ in reader.received if not topic.startswith("$SYS/")}
    assert seen == may_read(user)


def test_a_retained_configuration_reaches_its_own_gateway_only(watched: Broker) -> None:
    topic = "park/GW-OLD/config/desired"
    publish = subprocess.run(
        f"mosquitto_pub -h 127.0.0.1 -p {watched.port} -u node -P {watched.users['node']} "
        f"-q 1 -r -t {topic} -m v7".split(),
        check=False,
    )
    assert publish.returncode == 0
    with client(watched, "GW-OLD") as own, client(watched, "GW-NEW") as other:
        for subscriber in (own, other):
            subscriber.subscribe(topic, "park/#")
        own.wait_for(topic)
        time.sleep(0.2)
        assert other.received == []


@pytest.mark.parametrize(
    ("user", "password"),
    [(None, ""), ("node", ""), ("node", "node"), ("admin", "admin"), ("GW-OLD", None)],
)
def test_who_does_not_know_the_password_stays_out(
    broker: Broker, user: str | None, password: str | None
) -> None:
    # The last row: one gateway's password does not open another's name.
    word = broker.users["GW-NEW"] if password is None else password
    with client(broker, user, word) as refused:
        assert refused.reason != "Success"


@pytest.mark.parametrize("user", ["node", "health", SOURCE, *GATEWAYS])
def test_everybody_with_a_file_in_the_secrets_folder_gets_in(broker: Broker, user: str) -> None:
    with client(broker, user) as welcome:
        assert welcome.reason == "Success"


def test_a_gateway_cannot_end_or_take_over_anothers_session(broker: Broker) -> None:
    with client(broker, "GW-OLD", client_id="GW-OLD") as own:
        own.subscribe("park/GW-OLD/ack")
        with client(broker, "GW-NEW", client_id="GW-OLD") as thief:
            assert thief.reason == "Success"
            assert not own.ended.wait(0.5)
            with client(broker, "node") as node:
                node.publish("park/GW-OLD/ack")
            own.wait_for("park/GW-OLD/ack")
            assert thief.received == []


def test_a_new_gateway_gets_in_after_a_hang_up_signal_and_nobody_is_disconnected(
    broker: Broker,
) -> None:
    with client(broker, "GW-OLD") as running:
        make_secrets(broker.secrets, [*GATEWAYS, "GW-LATE"])
        hand_out(broker.secrets, chown=keep_owner)
        os.kill(broker.pid, signal.SIGHUP)
        word = read_secret(broker.secrets / "gateways/GW-LATE")
        for _ in range(50):
            with client(broker, "GW-LATE", word) as late:
                if late.reason == "Success":
                    break
            time.sleep(0.1)
        assert late.reason == "Success"
        assert not running.ended.is_set()


def test_the_node_gets_what_came_while_it_was_away(broker: Broker) -> None:
    with client(broker, "node", client_id="parktwin-node", keep=True) as node:
        node.subscribe("park/+/up")
    with client(broker, "GW-OLD") as gateway:
        for _ in range(1500):  # more than the default queue of 1000
            gateway.publish("park/GW-OLD/up")
    with client(broker, "node", client_id="parktwin-node", keep=True) as node:
        node.wait_for("park/GW-OLD/up", 1500)


def test_the_health_check_logs_in_and_reads_one_message(broker: Broker) -> None:
    command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port)]
    share = broker.secrets / "for/broker"
    healthy = subprocess.run(
        command,
        env={**os.environ, "XDG_CONFIG_HOME": str(share)},
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert healthy.returncode == 0, healthy.stderr
    assert b"seconds" in healthy.stdout
    blind = subprocess.run(
        [*command, "-t", "$SYS/broker/uptime", "-C", "1", "-W", "2"],
        env={**os.environ, "XDG_CONFIG_HOME": "/nonexistent", "HOME": "/nonexistent"},
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert blind.returncode != 0


def test_a_message_above_the_limit_ends_that_connection_only(broker: Broker) -> None:
    with client(broker, "GW-OLD") as other, client(broker, "GW-NEW") as sender:
        sender.send_and_forget("park/GW-NEW/up", b"x" * 1_000_000)
        assert sender.ended.wait(5)
        other.publish("park/GW-OLD/up")
        assert not other.ended.is_set()


def test_it_starts_on_the_mounted_files_without_a_complaint_and_keeps_its_store(
    tmp_path: Path,
) -> None:
    with run_broker(tmp_path) as running, client(running, "node") as node:
        node.publish("park/GW-OLD/config/desired")
    log = running.log.replace("Warning: Mosquitto should not be run as root", "")  # the test is
    assert "New client connected" in log
    assert not re.search("error|warning|unable|invalid|deprecated", log, re.IGNORECASE), log
    assert (tmp_path / "data/mosquitto.db").stat().st_size > 0


def test_a_listener_with_tls_is_added_by_a_file(tmp_path: Path) -> None:
    tls = tmp_path / "tls"
    tls.mkdir()
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost -keyout server.key -out server.crt".split(),
        cwd=tls,
        check=True,
        capture_output=True,
    )
    with run_broker(tmp_path / "broker", tls=tls) as running:
        command = ["mosquitto_sub", "-h", "localhost", "-p", str(running.tls_port), "-u", "health"]
        command += ["-t", "$SYS/broker/uptime", "-C", "1", "-W", "5"]
        inside = subprocess.run(
            [*command, "-P", running.users["health"], "--cafile", str(tls / "server.crt")],
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert inside.returncode == 0, inside.stderr
        without_tls = subprocess.run(
            [*command, "-P", running.users["health"]], capture_output=True, timeout=20, check=False
        )
        assert without_tls.returncode != 0


def test_the_access_file_gives_no_rights_by_name_but_to_the_platform() -> None:
    lines = mosquitto_acl().splitlines()
    assert [line for line in lines if line.startswith("user ")] == ["user node", "user health"]
    assert "pattern write park/%u/up" in lines
    rights = [line for line in lines if line and not line.startswith(("#", "user "))]
    assert not any("readwrite" in line or line.endswith(" #") for line in rights)


def test_nobody_is_anonymous_by_any_listener() -> None:
    files = [*(ROOT / "deploy").rglob("*.conf")]
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert "allow_anonymous false" in lines
    assert "allow_anonymous true" not in lines
    # Options of a listener's own would leave the other listener without a password file.
    assert "per_listener_settings false" in lines
