"""From ``parktwin up`` on an empty folder to live values of the demo park."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from parktwin.bench.latency import session
from parktwin.bench.table import Row
from parktwin.up import any_free_port

SHARE = 0.9
MEASURED = 909
"""Points of the demo park that its two gateways read."""


def start(timeout: float = 120.0) -> list[Row]:
    """Seconds until 90 % of the measured points have a live value."""
    with tempfile.TemporaryDirectory(prefix="parktwin-bench-") as folder:
        home, port = Path(folder) / "home", any_free_port()
        begun = time.monotonic()
        command = [sys.executable, "-m", "parktwin", "up", "--home", str(home), "--port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as up:
            try:
                code = _login_code(up)
                ready = time.monotonic() - begun
                (home / "code").write_text(code)
                address = f"http://127.0.0.1:{port}"
                cookie = session(address, home / "code")
                share = 0.0
                while share < SHARE and time.monotonic() - begun < timeout:
                    share = _share(address, cookie)
                    time.sleep(0.1)
                live = time.monotonic() - begun if share >= SHARE else float("inf")
            finally:
                up.send_signal(signal.SIGINT)
                up.communicate(timeout=60)
    note = f"node ready after {ready:.1f} s; five processes on this machine, empty home folder"
    return [Row("start of the demo park to live values", live, "s", 10, "low", note)]


def _login_code(up: subprocess.Popen[str]) -> str:
    assert up.stdout is not None
    said = []
    for line in up.stdout:
        said.append(line)
        if found := re.search(r"#login=(\S+)", line):
            return found.group(1)
    raise RuntimeError("parktwin up ended:\n" + "".join(said))


def _share(address: str, cookie: str) -> float:
    request = urllib.request.Request(f"{address}/api/v1/twin", headers={"Cookie": cookie})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            values = json.load(answer)["values"]
    except urllib.error.URLError:
        return 0.0
    live = [p for p, row in values.items() if row[0] is not None and not p.startswith(_DERIVED)]
    return len(live) / MEASURED


_DERIVED = ("PARK.", "ZONE-", "GRID-", "WS-1.", "WQ-042.")
