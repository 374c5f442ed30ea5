"""The broker peer itself: it listens, checks passwords, and survives kill and restart."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.peers.mosquitto import Mosquitto, running_mosquitto


def publish(broker: Mosquitto, *options: str) -> int:
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", "t", "-m", "x"]
    return subprocess.run([*command, *options], capture_output=True, timeout=10).returncode


def test_a_broker_accepts_a_message_and_comes_back_on_its_port_after_kill_9(tmp_path: Path) -> None:
    with running_mosquitto(tmp_path) as broker:
        assert publish(broker) == 0
        port = broker.port
        broker.kill9()
        assert publish(broker) != 0
        broker.restart()
        assert broker.port == port
        assert publish(broker) == 0


def test_a_broker_with_users_refuses_a_wrong_password(tmp_path: Path) -> None:
    with running_mosquitto(tmp_path, users={"gw": "secret"}, acl="user gw\ntopic t\n") as broker:
        assert publish(broker, "-u", "gw", "-P", "secret") == 0
        assert publish(broker, "-u", "gw", "-P", "wrong") != 0
        assert publish(broker) != 0
