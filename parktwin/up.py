"""``parktwin up``: a whole park on one machine, in one supervised command.

Starts the embedded broker, the simulated devices, the park's gateways and the node, waits until
values are live, prints the address and a one-time login, and stops all of it on Ctrl-C. What the
node and the gateways keep lies in the home folder, so the next start resumes there.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console

from edge.config import ConfigErrors, Gateway, load_gateway
from edge.drivers.modbus_tcp.config import ModbusTcpSettings
from parktwin.broker import WINDOW, write_config
from parktwin.handout import gateway_names, source_names
from parktwin.secrets import BROKER_NODE, SecretError, broker_users, make_secrets
from parktwin.supervise import Child, Supervisor

DEMO_FAULT: Final = "RTU-2"
FREE_MB: Final = 500
READY_SECONDS: Final = 120.0
PORT_SECONDS: Final = 30.0
FIRST: Final = ("broker", "devices", "node")
OFFSETS: Final = range(0, 5000, 100)


class CannotStart(Exception):
    """Why the park does not start, and what to do; one or a few sentences."""


@dataclass(frozen=True)
class Plan:
    """What shall run and where it keeps its things."""

    home: Path
    park: Path
    http_port: int
    broker_port: int
    port_offset: int
    device_ports: tuple[int, ...]
    gateways: tuple[Gateway, ...]

    @property
    def secrets(self) -> Path:
        """Folder of the passwords."""
        return self.home / "secrets"

    @property
    def login(self) -> Path:
        """File in which the node leaves its one-time login code."""
        return self.home / "login-code"

    @property
    def address(self) -> str:
        """Where the screen is."""
        return f"http://127.0.0.1:{self.http_port}"


def port_is_free(port: int) -> bool:
    """Whether a server may listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def any_free_port() -> int:
    """A loopback port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def plan(home: Path, park: Path, http_port: int) -> Plan:
    """Check everything that can be known before the first process starts. Raises `CannotStart`."""
    if not port_is_free(http_port):
        raise CannotStart(
            f"Port {http_port} is in use by another program. Stop it, or choose another port: "
            f"make up PORT={http_port + 1}"
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(home).free // 2**20
    except OSError as problem:
        raise CannotStart(
            f"The folder {home} cannot be used ({problem.strerror}). Choose another: "
            "parktwin up --home FOLDER"
        ) from problem
    if free < FREE_MB:
        raise CannotStart(
            f"Only {free} MB are free where {home} lies; at least {FREE_MB} MB are needed. "
            "Free some space, or choose another folder: parktwin up --home FOLDER"
        )
    files = sorted((park / "gateways").glob("*.yaml"))
    if not files:
        raise CannotStart(f"{park} has no gateway files (gateways/*.yaml); is it a park folder?")
    try:
        gateways = tuple(load_gateway(file) for file in files)
    except ConfigErrors as errors:
        raise CannotStart(str(errors)) from errors
    ports = {
        device.settings.port
        for gateway in gateways
        for device in gateway.devices
        if isinstance(device.settings, ModbusTcpSettings)
    }
    for offset in OFFSETS:
        if all(port_is_free(port + offset) for port in ports):
            moved = tuple(sorted(port + offset for port in ports))
            return Plan(home, park, http_port, any_free_port(), offset, moved, gateways)
    raise CannotStart("No range of free ports was found for the simulated devices.")


@contextmanager
def owned(home: Path) -> Iterator[None]:
    """Hold the home folder for this process alone. Raises `CannotStart` when another has it."""
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            if problem.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise CannotStart(
                f"Another parktwin runs on {home} already. Stop it, or give this one a folder of "
                "its own: parktwin up --home FOLDER"
            ) from problem
        yield


def children(plan: Plan) -> list[Child]:
    """The processes, in the order in which they start."""
    home, logs = plan.home, plan.home / "log"
    me = [sys.executable, "-m", "parktwin"]
    broker = f"127.0.0.1:{plan.broker_port}"
    offset = ["--port-offset", str(plan.port_offset)]
    files = [str(gateway.file) for gateway in plan.gateways]
    found = [
        Child("broker", [*me, "broker", str(home / "broker.toml")], logs / "broker.log"),
        Child(
            "devices",
            [*me, "edge", "sim", *files, "--behaviour", str(plan.park / "sim.yaml"), *offset],
            logs / "devices.log",
        ),
        Child(
            "node",
            [*me, "node", "--login-code", str(plan.login)],
            logs / "node.log",
            {
                "PARKTWIN_HOME": str(home),
                "PARKTWIN_PARK": str(plan.park),
                "PARKTWIN_HTTP_HOST": "127.0.0.1",
                "PARKTWIN_HTTP_PORT": str(plan.http_port),
                "PARKTWIN_BROKER_URL": f"mqtt://node@{broker}",
                "PARKTWIN_BROKER_PASSWORD_FILE": str(plan.secrets / BROKER_NODE),
                "PARKTWIN_BROKER_WINDOW": str(WINDOW),
                "PARKTWIN_SECRETS": str(plan.secrets),
            },
        ),
    ]
    for gateway in plan.gateways:
        command = [*me, "edge", "run", str(gateway.file), *offset]
        command += ["--home", str(home / "gateways")]
        command += ["--broker", f"mqtt://{gateway.id}@{broker}"]
        command += ["--password-file", str(plan.secrets / "gateways" / gateway.id)]
        found.append(Child(gateway.id, command, logs / f"{gateway.id}.log"))
    return found


def ready(address: str) -> tuple[bool, str]:
    """Whether the node says that it is ready, and its words when it is not."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:
            return answer.status == 200, ""
    except urllib.error.HTTPError as problem:
        return False, problem.read().decode("utf-8", "replace")
    except OSError as problem:
        return False, str(problem)


def run(home: Path, park: Path, http_port: int, console: Console) -> int:
    """Run until Ctrl-C or SIGTERM; returns the exit code."""
    begun = time.monotonic()
    stop = _stop_on_signal()
    try:
        made = plan(home.resolve(), park.resolve(), http_port)
        with owned(made.home):
            return _run(made, console, stop, begun)
    except (CannotStart, SecretError) as problem:
        console.print(f"[red]parktwin cannot start.[/] {problem}", highlight=False)
        return 1


def _run(made: Plan, console: Console, stop: Callable[[], bool], begun: float) -> int:
    make_secrets(made.secrets, gateway_names(made.park), source_names(made.park))
    write_config(made.home / "broker.toml", made.broker_port, broker_users(made.secrets))
    made.login.unlink(missing_ok=True)

    def tell(line: str) -> None:
        console.print(f"[yellow]{time.strftime('%H:%M:%S')}[/] {line}", highlight=False)

    supervisor = Supervisor(tell)
    try:
        for child in children(made):
            if child.name not in FIRST:
                # A gateway that finds its devices asleep asks again a whole period later.
                _wait_for_ports(made.device_ports, supervisor.children[1], stop)
            console.print(f"  starting {child.name}", highlight=False)
            supervisor.start(child)
            if child.name == "broker":
                _wait_for_ports((made.broker_port,), child, stop)
        node = next(child for child in supervisor.children if child.name == "node")
        words = _wait_until_ready(made, supervisor, stop)
        if words is None:
            return 0
        if words:
            raise CannotStart(
                f"The node is not ready after {READY_SECONDS:g} s: {words}\n{node.last_words()}"
            )
        code = _login_code(made)
        took = time.monotonic() - begun
        console.print(f"\n[green]The park is live[/] after {took:.1f} s.", highlight=False)
        console.print(f"  open   {made.address}/#login={code}", highlight=False, soft_wrap=True)
        console.print("         (this login works once; the next start prints a new one)")
        console.print(f"  logs   {made.home / 'log'}", highlight=False, soft_wrap=True)
        for line in _try_this(made):
            console.print(line, highlight=False, soft_wrap=True)
        console.print("  stop   Ctrl-C\n")
        while not stop():
            supervisor.tend()
            if (fresh := _login_code(made)) and fresh != code:
                # A node that was started again has made the link above useless.
                code = fresh
                tell(f"a new login that works once: {made.address}/#login={code}")
            time.sleep(0.2)
        return 0
    finally:
        console.print("stopping ...")
        supervisor.stop()
        console.print("stopped; the next start resumes where this one ended")


def _login_code(made: Plan) -> str:
    try:
        return made.login.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _try_this(made: Plan) -> list[str]:
    """A fault of the demo park to plant and to mend, with this run's ports."""
    for gateway in made.gateways:
        if any(device.id == DEMO_FAULT for device in gateway.devices):
            offset = f" --port-offset {made.port_offset}" if made.port_offset else ""
            command = f"parktwin edge fault {_short(gateway.file)} {DEMO_FAULT}{offset}"
            return [
                f"  try    .venv/bin/{command} --on",
                "         (a sewer blocks: an alarm within half a minute; --off mends it)",
            ]
    return []


def _short(file: Path) -> str:
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)


def _wait_until_ready(made: Plan, supervisor: Supervisor, stop: Callable[[], bool]) -> str | None:
    """Empty when the node is ready, its words when it is not in time, None when stopped."""
    end = time.monotonic() + READY_SECONDS
    words = ""
    while time.monotonic() < end:
        if stop():
            return None
        for child in supervisor.children:
            if code := child.exit_code():
                raise CannotStart(
                    f"{child.name} ended with exit code {code}:\n{child.last_words()}"
                )
        fine, words = ready(made.address)
        if fine and made.login.exists():
            return ""
        time.sleep(0.1)
    return words or "no answer"


def _wait_for_ports(ports: Sequence[int], child: Child, stop: Callable[[], bool]) -> None:
    """Until `child` listens on all of them; raises `CannotStart` when it ends or takes too long."""
    end = time.monotonic() + PORT_SECONDS
    for port in ports:
        while not answers(port):
            if stop():
                return
            if child.exit_code() is not None or time.monotonic() > end:
                raise CannotStart(f"{child.name} did not start:\n{child.last_words()}")
            time.sleep(0.05)


def answers(port: int) -> bool:
    """Whether something listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _stop_on_signal() -> Callable[[], bool]:
    """From now on SIGINT and SIGTERM only set a flag; a second one ends the process at once."""
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if asked:
            os._exit(128 + number)
        asked.append(number)

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    return lambda: bool(asked)
