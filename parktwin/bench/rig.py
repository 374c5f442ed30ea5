"""A node under load: broker, node and generator as processes of their own, their CPU counted."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from parktwin.bench.generator import Load, Sent
from parktwin.bench.park import write_park
from parktwin.broker import WINDOW, write_config
from parktwin.secrets import BROKER_NODE, BROKER_PASSWORDS, broker_users, make_secrets
from parktwin.up import answers, any_free_port, ready

_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous false
password_file {passwords}
max_inflight_messages 1000
max_queued_messages 200000
max_packet_size 262144
set_tcp_nodelay true
log_dest none
"""


@dataclass(frozen=True)
class Outcome:
    """One load. cpu: seconds of CPU by process name; drained: seconds from the last message until
    the node had stored everything, None when it never did.
    """

    sent: Sent
    stored: int
    drained: float | None
    cpu: Mapping[str, float]

    @property
    def node_and_broker(self) -> float:
        """Cores used by node and broker together while the load ran."""
        return (self.cpu["node"] + self.cpu["broker"]) / self.sent.seconds

    @property
    def held(self) -> bool:
        """Everything arrived, in time, with no backlog left two seconds later."""
        fine = self.drained is not None and self.drained <= 2.0
        return fine and self.stored == self.sent.readings and self.sent.behind_seconds < 0.5


@dataclass
class Rig:
    """The running processes. home: the node's folder."""

    home: Path
    address: str
    broker_port: int
    password: str
    broker: subprocess.Popen[bytes]
    node: subprocess.Popen[bytes]
    kind: str

    def metric(self, name: str) -> float:
        """Sum over all labels of one metric of the node."""
        with urllib.request.urlopen(f"{self.address}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        rows = (line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} ")))
        return sum(float(line.rsplit(" ", 1)[1]) for line in rows)

    def load(self, load: Load) -> Outcome:
        """Run the generator and wait until the node has it all (30 s at most)."""
        before, stored = self._cpu(), self.metric("parktwin_readings_stored_total")
        answer = subprocess.run(
            [sys.executable, "-m", "parktwin.bench.generator", json.dumps(asdict(load))],
            check=True,
            capture_output=True,
            timeout=load.seconds + 120,
        )
        ended = time.monotonic()
        sent = Sent(**json.loads(answer.stdout))
        cpu = {name: used - before[name] for name, used in self._cpu().items()}
        cpu["generator"] = sent.cpu_seconds
        drained: float | None = None
        arrived = 0
        while time.monotonic() - ended < 30:
            arrived = int(self.metric("parktwin_readings_stored_total") - stored)
            if arrived >= sent.readings:
                drained = time.monotonic() - ended
                break
            time.sleep(0.2)
        return Outcome(sent, arrived, drained, cpu)

    def memory_mb(self) -> float:
        """Resident memory of the node."""
        import psutil

        return float(psutil.Process(self.node.pid).memory_info().rss) / 2**20

    def native(self, **changes: object) -> Load:
        """A load of gateways on this rig; `changes` are fields of `Load`."""
        fields: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.broker_port,
            "user": "node",
            "password": self.password,
            "profile": "native",
            "points": 10_000,
            "per_message": 1,
            "rate": 1000.0,
            "seconds": 10.0,
            **changes,
        }
        return Load(**fields)  # type: ignore[arg-type]

    def _cpu(self) -> dict[str, float]:
        import psutil

        def used(pid: int) -> float:
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            return sum(sum(process.cpu_times()[:2]) for process in family)

        return {"node": used(self.node.pid), "broker": used(self.broker.pid)}


@contextlib.contextmanager
def running(points: int, devices: int = 0, kind: str = "") -> Iterator[Rig]:
    """A broker and a node over a bench park; kind: mosquitto or embedded (what there is)."""
    mosquitto = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    kind = kind or ("mosquitto" if mosquitto else "embedded")
    with tempfile.TemporaryDirectory(prefix="parktwin-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        park = write_park(home / "park", points, devices)
        make_secrets(home / "secrets")
        password = (home / "secrets" / BROKER_NODE).read_text().strip()
        port, http = any_free_port(), any_free_port()
        me = [sys.executable, "-m", "parktwin"]
        if kind == "mosquitto":
            assert mosquitto is not None
            # Started by root, Mosquitto gives up its rights before it reads the password file.
            passwords = home / "passwords"
            passwords.write_text((home / "secrets" / BROKER_PASSWORDS).read_text())
            passwords.chmod(0o644)
            settings = home / "mosquitto.conf"
            settings.write_text(_MOSQUITTO.format(port=port, passwords=passwords))
            command = [mosquitto, "-c", str(settings)]
        else:
            write_config(home / "broker.toml", port, broker_users(home / "secrets"))
            command = [*me, "broker", str(home / "broker.toml")]
        with contextlib.ExitStack() as stack:
            broker = stack.enter_context(_process(command, home / "broker.log", {}))
            _wait(lambda: answers(port), 15, home / "broker.log")
            environment = {
                "PARKTWIN_HOME": str(home / "node"),
                "PARKTWIN_PARK": str(park),
                "PARKTWIN_HTTP_PORT": str(http),
                "PARKTWIN_BROKER_URL": f"mqtt://node@127.0.0.1:{port}",
                "PARKTWIN_BROKER_PASSWORD_FILE": str(home / "secrets" / BROKER_NODE),
                "PARKTWIN_BROKER_WINDOW": str(1000 if kind == "mosquitto" else WINDOW),
            }
            command = [*me, "node", "--login-code", str(home / "login-code")]
            node = stack.enter_context(_process(command, home / "node.log", environment))
            address = f"http://127.0.0.1:{http}"
            _wait(lambda: ready(address)[0], 180, home / "node.log")
            yield Rig(home, address, port, password, broker, node, kind)


@contextlib.contextmanager
def _process(
    command: list[str], log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(condition: object, seconds: float, log: Path) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not ready after {seconds:g} s:\n{log.read_text()[-3000:]}")
        time.sleep(0.05)
