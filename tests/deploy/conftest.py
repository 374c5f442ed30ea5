"""Real programs started on the files that compose.yaml mounts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from parktwin.handout import hand_out
from parktwin.secrets import broker_users, make_secrets
from tests.deploy.compose_file import ROOT

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
GATEWAYS = ("GW-NEW", "GW-OLD")
SOURCE = "cloud-7"


def keep_owner(path: Path, uid: int, gid: int) -> None:
    """In place of chown: a test need not be root, and the file must exist to be given away."""
    assert path.exists()
    assert uid > 0


@dataclass(frozen=True)
class Broker:
    """Mosquitto running on the mounted files."""

    port: int
    users: dict[str, str]
    folder: Path
    secrets: Path
    tls_port: int
    pid: int

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_broker(
    folder: Path, extra_acl: str = "", extra_users: str = "", tls: Path | None = None
) -> Iterator[Broker]:
    """Mosquitto on deploy/mosquitto, with nothing changed but paths and ports.

    With `tls`, a folder with server.crt and server.key, as deploy/tls.yaml mounts it.
    """
    secrets = folder / "secrets"
    make_secrets(secrets, GATEWAYS, (SOURCE,))
    hand_out(secrets, chown=keep_owner)
    share = secrets / "for/broker"
    for name, extra in (("broker-acl", extra_acl), ("broker-passwords", extra_users)):
        if extra:
            text = (share / name).read_text() + extra
            (share / name).unlink()
            (share / name).write_text(text)
            (share / name).chmod(0o400)
    config = folder / "config"
    shutil.copytree(ROOT / "deploy/mosquitto", config)
    if tls is not None:
        shutil.copytree(
            ROOT / "deploy/mosquitto-tls", config / "more-listeners", dirs_exist_ok=True
        )
    (folder / "data").mkdir()
    port, tls_port = free_port(), free_port()
    paths = {
        "/run/parktwin/": f"{share}/",
        "/mosquitto/config/": f"{config}/",
        "/mosquitto/data/": f"{folder}/data/",
        "/run/parktwin-tls/": f"{tls}/",
        "listener 1883": f"listener {port} 127.0.0.1",
        "listener 8883": f"listener {tls_port} 127.0.0.1",
    }
    for file in config.rglob("*.conf"):
        text = file.read_text()
        for inside, here in paths.items():
            text = text.replace(inside, here)
        file.write_text(text)
    if os.geteuid() == 0:
        main = config / "mosquitto.conf"
        main.write_text("user root\n" + main.read_text())  # else it drops to a user without rights
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [MOSQUITTO, "-c", str(config / "mosquitto.conf")], stdout=log, stderr=log
        )
    try:
        for _ in range(500):
            assert process.poll() is None, (folder / "log").read_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                break
        yield Broker(port, broker_users(secrets), folder, secrets, tls_port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Mosquitto exactly as mounted."""
    with run_broker(tmp_path) as running:
        yield running
