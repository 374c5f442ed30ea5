"""Runs Debian's Mosquitto on a free loopback port for the length of a test.

Owns the process and its files under the given folder; kill and restart keep port and persistence.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Debian puts the daemon in /usr/sbin, which is not on every user's PATH.
PROGRAM = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment.

    Below the range from which the system takes ports for outgoing connections: one of those could
    take it before the server that it is meant for listens.
    """
    while True:
        port = random.SystemRandom().randrange(18000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Mosquitto:
    """One broker; `port` and `url` stay the same across `kill9` and `restart`."""

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, str] | None = None,
        acl: str | None = None,
        persistence: bool = True,
        settings: str = "",
    ) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log_file = folder / "mosquitto.log"
        self._config = folder / "mosquitto.conf"
        lines = [
            "per_listener_settings false",
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'false' if users else 'true'}",
            "max_inflight_messages 1000",
            "max_queued_messages 200000",
            "max_packet_size 262144",
            "set_tcp_nodelay true",
        ]
        if os.geteuid() == 0:
            lines.append("user root")  # else it drops to a user who cannot write here
        if persistence:
            lines += [
                "persistence true",
                f"persistence_location {folder}/",
                "autosave_on_changes true",
                "autosave_interval 1000",
            ]
        else:
            lines.append("persistence false")
        if users:
            passwords = folder / "passwords"
            passwords.write_text("".join(f"{name}:{word}\n" for name, word in users.items()))
            passwords.chmod(0o600)
            subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
            lines.append(f"password_file {passwords}")
        if acl is not None:
            rules = folder / "acl"
            rules.write_text(acl)
            rules.chmod(0o600)
            lines.append(f"acl_file {rules}")
        self._config.write_text("\n".join([*lines, settings, ""]))

    @property
    def url(self) -> str:
        """`mqtt://127.0.0.1:port`."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The running broker's process id."""
        if self._process is None:
            raise RuntimeError("the broker is not running")
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything that the broker has printed."""
        return self._log_file.read_text() if self._log_file.exists() else ""

    def start(self) -> None:
        """Start and wait until it accepts connections; raises RuntimeError with its log."""
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-c", str(self._config)], stdout=log, stderr=log, cwd=self.folder
            )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"mosquitto stopped at once:\n{self.log}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        self.stop()
        raise RuntimeError(f"mosquitto did not listen within 10 s:\n{self.log}")

    def stop(self) -> None:
        """SIGTERM: a clean stop, which writes the persistence file."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
            self._process = None

    def kill9(self) -> None:
        """SIGKILL: what was not yet on disk is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def restart(self) -> None:
        """Start again on the same port and files (after a clean stop if it still runs)."""
        self.stop()
        self.start()


@contextmanager
def running_mosquitto(
    folder: Path,
    *,
    users: Mapping[str, str] | None = None,
    acl: str | None = None,
    persistence: bool = True,
    settings: str = "",
) -> Iterator[Mosquitto]:
    """A broker with its files in `folder`.

    users: name -> password, None allows anonymous; acl: text of the ACL file; settings: further
    lines of mosquitto.conf.
    """
    broker = Mosquitto(folder, users=users, acl=acl, persistence=persistence, settings=settings)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
