"""kill -9 of the node, again and again, with and without the broker: nothing lost, nothing twice.

The checker is a set difference between what was offered and what the journal holds.
"""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest.journal import Journal
from tests.ingest.desk import now_ms, until
from tests.peers.mosquitto import Mosquitto, running_mosquitto

NODE = """
import sys, time
from pathlib import Path
import structlog
from ingest.bindings import Bindings
from ingest.committer import Committer
from ingest.journal import Journal
from ingest.mqtt import MqttSettings, MqttSource
from twin.model import Binding

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
journal = Journal(Path(sys.argv[1]))
journal.points.ensure(["GW-0.n", "GW-1.n", "plant.n"])
bound = Bindings([Binding("plant", "json", "n", "plant.n", 1.0)], journal.points.lookup())
committer = Committer(journal, bindings=bound)
if sys.argv[3] == "early":
    # The control: what a node does that tells before it has committed.
    real = committer._settle
    def settle(arrivals):
        from ingest.arrivals import Handed
        marks = [a.message.mark for a in arrivals if not isinstance(a, Handed)]
        source.settle([m for m in marks if m], [])
        time.sleep(0.3)
        real(arrivals)
    committer._settle = settle
source = MqttSource(MqttSettings(sys.argv[2]), committer.submit_all, lambda: committer.waiting)
committer.attach(source)
committer.start()
source.start()
while True:
    time.sleep(1)
"""


class Gateway:
    """Sends readings 1, 2, 3... and goes back to what was not acknowledged: the wire, no more."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.acked = 0
        self.offered = 0
        self.stop_at = 10**9
        self._lock = threading.Lock()
        self._next = 1
        self._progress = time.monotonic()
        self._ts = now_ms() - 3600_000
        self._done = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda c, *_: c.subscribe(f"park/{name}/ack", 1)
        self._client.on_message = self._ack
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _ack(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        ack = json.loads(message.payload)
        if ack["committed"] != self.acked:
            self.acked = ack["committed"]
            self._progress = time.monotonic()

    def _run(self) -> None:
        while not self._done.is_set():
            with self._lock:
                sent = self._turn()
            if not sent:
                time.sleep(0.005)

    def _turn(self) -> bool:
        if time.monotonic() - self._progress > 0.7:
            self._progress = time.monotonic()
            self._next = self.acked + 1
        if self._next > min(self.acked + 100, self.stop_at) or not self._client.is_connected():
            return False
        end = min(self._next + random.randint(1, 9), self.stop_at + 1)
        items = [[f"{self.name}.n", self._ts + n, n, 0] for n in range(self._next, end)]
        frame = {"box": "b", "first": self._next, "sent": now_ms(), "readings": items}
        self._client.publish(f"park/{self.name}/up", json.dumps(frame), qos=1)
        self._next = end
        self.offered = max(self.offered, end - 1)
        return True

    def close_offer(self) -> None:
        """Nothing new from now on."""
        with self._lock:
            self.stop_at = self.offered

    def stop(self) -> None:
        self._done.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()


class Plant:
    """A foreign publisher that trusts the broker's PUBACK."""

    def __init__(self, port: int) -> None:
        self.offered = 0
        self._ts = now_ms() - 3600_000
        self._done = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._done.is_set():
            number = self.offered + 1
            body = json.dumps({"n": number, "ts": self._ts + number})
            self._client.publish("in/plant/json", body, qos=1).wait_for_publish(20)
            self.offered = number
            time.sleep(0.002)

    def stop(self) -> None:
        self._done.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()


class Node:
    """The node under attack."""

    def __init__(self, journal: Path, url: str, manner: str = "honest") -> None:
        self._command = [sys.executable, "-c", NODE, str(journal), url, manner]
        self._log = journal.with_name("node.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, cwd=Path(__file__).parents[2], stderr=self._log
        )

    def kill9(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def close(self) -> None:
        self.kill9()
        self._log.close()


@contextmanager
def attack(folder: Path, manner: str = "honest") -> Iterator[tuple[Mosquitto, Node, Path]]:
    """A broker and a node on a journal in `folder`."""
    path = folder / "journal.db"
    with running_mosquitto(folder / "broker") as broker:
        node = Node(path, broker.url, manner)
        node.start()
        try:
            yield broker, node, path
        finally:
            node.close()


def stored(path: Path) -> dict[str, Counter[int]]:
    """How often each number lies in the journal, by point; the ledger must balance."""
    found: dict[str, Counter[int]] = {}
    with Journal(path) as journal:
        for group in journal.read(0, 10**9):
            names = [journal.points.id(p) for p in group.readings.point.tolist()]
            for name, value in zip(names, group.readings.value.tolist(), strict=True):
                found.setdefault(name, Counter())[int(value)] += 1
        assert [row.imbalance for row in journal.ledger()] == [0] * len(journal.ledger())
        assert journal.verify() == []
        assert journal.quarantine() == []
    return found


def wait_for_progress(gateways: list[Gateway], before: list[int]) -> None:
    """Until every gateway had something acknowledged since."""
    until(lambda: all(g.acked > b for g, b in zip(gateways, before, strict=True)), 60)


def wait_for_offers(plant: Plant, count: int) -> None:
    """Until the broker has acknowledged so many."""
    until(lambda: plant.offered > count, 60)


def committed(path: Path) -> int:
    """Readings of the foreign publisher that the running node has stored."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        row = db.execute("SELECT stored FROM boxes WHERE source = 'plant'").fetchone()
    return row[0] if row is not None else 0


def wait_for_node(path: Path) -> None:
    """Until the node takes in what the publisher sends."""
    before = committed(path)
    until(lambda: committed(path) > before, 60)
    time.sleep(random.uniform(0.3, 0.5))


@pytest.mark.serial
def test_native_readings_survive_kills_of_node_and_broker_once_each(
    tmp_path: Path, long_run: bool
) -> None:
    rounds = 40 if long_run else 8
    chance = random.Random(7)
    with attack(tmp_path) as (broker, node, path):
        gateways = [Gateway(f"GW-{i}", broker.port) for i in (0, 1)]
        try:
            until(lambda: all(g.acked > 0 for g in gateways), 30)
            for turn in range(rounds):
                before = [g.acked for g in gateways]
                time.sleep(chance.uniform(0.05, 0.4))
                if turn % 3 != 1:
                    node.kill9()
                if turn % 3 != 0:
                    broker.kill9()
                    broker.start()
                if turn % 3 != 1:
                    node.start()
                wait_for_progress(gateways, before)
            for gateway in gateways:
                gateway.close_offer()
            until(lambda: all(g.acked == g.stop_at for g in gateways), 60)
        finally:
            for gateway in gateways:
                gateway.stop()
    found = stored(path)
    for gateway in gateways:
        numbers = found[f"{gateway.name}.n"]
        offered = set(range(1, gateway.stop_at + 1))
        assert offered - set(numbers) == set(), "lost"
        assert set(numbers) - offered == set(), "invented"
        assert [n for n, times in numbers.items() if times > 1] == [], "stored twice"


def plant_under_attack(folder: Path, manner: str, rounds: int) -> tuple[int, Counter[int]]:
    """(offered, what the journal holds) of a foreign publisher while the node is killed."""
    with attack(folder, manner) as (broker, node, path):
        time.sleep(2)  # the first subscription: before it the broker has nobody to keep for
        until(lambda: "parktwin-node" in broker.log, 30)
        plant = Plant(broker.port)
        try:
            for _ in range(rounds):
                wait_for_offers(plant, plant.offered + 50)
                wait_for_node(path)
                node.kill9()
                node.start()
        finally:
            plant.stop()
        node.kill9()
        node.start()

        deadline = time.monotonic() + (30 if manner == "honest" else 6)
        while time.monotonic() < deadline and committed(path) < plant.offered:
            time.sleep(0.2)
    return plant.offered, stored(path).get("plant.n", Counter())


@pytest.mark.serial
def test_foreign_readings_survive_kills_of_the_node_once_each(
    tmp_path: Path, long_run: bool
) -> None:
    offered, found = plant_under_attack(tmp_path, "honest", 20 if long_run else 3)
    assert set(range(1, offered + 1)) - set(found) == set()
    assert [n for n, times in found.items() if times > 1] == []


@pytest.mark.serial
def test_the_control_that_acknowledges_before_it_commits_loses_readings(tmp_path: Path) -> None:
    offered, found = plant_under_attack(tmp_path, "early", 4)
    assert set(range(1, offered + 1)) - set(found) != set()
