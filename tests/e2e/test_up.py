"""`parktwin up` as a newcomer meets it: from the command to an alarm, and a clean end."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from parktwin.up import any_free_port
from tests.e2e.site import eventually
from tests.screen.conftest import CHROMIUM, MAP

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
OLD = ROOT / "parks/demo/gateways/gw-old.yaml"


class Up:
    """One run of the command."""

    def __init__(self, home: Path, port: int) -> None:
        self.begun = time.monotonic()
        self.address = f"http://127.0.0.1:{port}"
        self.log = home.parent / f"up-{time.time_ns()}.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "parktwin", "up", "--home", str(home), "--port", str(port)],
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env={**os.environ, "COLUMNS": "200"},
            )

    def login(self, seconds: float = 120) -> str:
        """The address with the one-time login that it printed."""
        while time.monotonic() - self.begun < seconds:
            if found := re.search(r"open\s+(http\S+#login=\S+)", self.said):
                return found.group(1)
            assert self.process.poll() is None, self.said
            time.sleep(0.1)
        raise AssertionError(f"no login after {seconds:g} s:\n{self.said}")

    @property
    def said(self) -> str:
        """Everything printed so far."""
        return self.log.read_text(encoding="utf-8")

    @property
    def offset(self) -> str:
        """How far the simulated devices' ports are moved."""
        found = re.search(r"--port-offset (\d+)", self.said)
        return found.group(1) if found else "0"

    def family(self) -> list[psutil.Process]:
        """All processes that it started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "home"


@pytest.fixture(scope="module")
def up(home: Path) -> Iterator[Up]:
    run = Up(home, any_free_port())
    yield run
    if run.process.poll() is None:
        run.stop()


@pytest.fixture(scope="module")
def page(up: Up) -> Iterator[Page]:
    """The screen, logged in by the printed address."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=MAP)
        context = browser.new_context(
            viewport={"width": 1920, "height": 1080}, reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto(up.login())
        yield page
        browser.close()


def fault(up: Up, device: str, switch: str) -> None:
    """Plant a device's fault, or mend it, with the command that the README names."""
    subprocess.run(
        [
            *(sys.executable, "-m", "parktwin", "edge", "fault", str(OLD), device, switch),
            *("--port-offset", up.offset),
        ],
        check=True,
        timeout=60,
    )


def test_the_printed_login_shows_the_park_live(up: Up, page: Page) -> None:
    expect(page.get_by_test_id("park-name")).to_contain_text("霁川县经济开发区")
    expect(page.get_by_test_id("lamp")).to_have_attribute("data-state", "live", timeout=60_000)
    power = page.locator('[data-testid="kpi"][data-point="PARK.active_power"]')
    expect(power).to_have_attribute("data-state", "good", timeout=150_000)
    expect(page.locator("#map")).to_have_attribute("data-ready", "true", timeout=90_000)


def test_a_value_changes_on_the_map_by_itself(page: Page) -> None:
    shown = "parktwin.mapState().assets['FM-1'].value"
    seen: set[str] = set()

    def another() -> bool:
        value = page.evaluate(shown)
        if value:
            seen.add(value)
        return len(seen) > 1

    eventually(another, 60, "the flow meter's figure on the map changes")


def test_a_planted_fault_becomes_an_alarm_that_can_be_acknowledged(
    up: Up, page: Page, home: Path
) -> None:
    assert page.get_by_test_id("alarm").count() == 0, "a healthy demo raises no alarm"
    fault(up, "RTU-2", "--on")
    alarm = page.locator('[data-alarm="level-high:MH-041.level"]')
    expect(alarm).to_be_visible(timeout=90_000)
    alarm.locator(".alarm-main").click()
    eventually(
        lambda: page.evaluate("parktwin.mapState().assets['MH-041'].alarm") > 0,
        20,
        "the alarm's marker on the map",
    )
    page.screenshot(path=home.parent / "alarm.png", timeout=120_000)
    alarm.get_by_test_id("ack").click()
    expect(alarm).to_have_attribute("data-state", "ACKED", timeout=20_000)
    others = page.locator('[data-testid="alarm"]:not([data-asset="MH-041"])')
    assert others.count() == 0, "one blocked pipe raises alarms of one manhole only"
    fault(up, "RTU-2", "--off")


def test_the_screen_speaks_english_at_a_click(page: Page, home: Path) -> None:
    page.get_by_test_id("language").click()
    expect(page.get_by_test_id("park-name")).to_contain_text("Jichuan")
    page.wait_for_timeout(1500)
    page.screenshot(path=home.parent / "english.png", timeout=120_000)


def test_a_node_that_was_killed_comes_back_with_a_login_that_works(up: Up, page: Page) -> None:
    node = next(child for child in up.family() if "--login-code" in child.cmdline())
    node.kill()
    said = r"a new login that works once: (http\S+)"
    eventually(lambda: re.search(said, up.said) is not None, 60, "the new login is printed")
    expect(page.get_by_test_id("lamp")).to_have_attribute("data-state", "live", timeout=60_000)
    found = re.search(said, up.said)
    assert found is not None
    page.goto("about:blank")
    page.context.clear_cookies()
    page.goto(found.group(1))
    expect(page.get_by_test_id("lamp")).to_have_attribute("data-state", "live", timeout=60_000)


def test_ctrl_c_stops_every_process_and_the_next_start_resumes(
    up: Up, page: Page, home: Path
) -> None:
    children = up.family()
    assert len(children) >= 5
    assert up.stop() == 0
    assert [child for child in children if child.is_running()] == []
    assert "the next start resumes" in up.said
    again = Up(home, any_free_port())
    try:
        page.goto(again.login())
        expect(page.get_by_test_id("lamp")).to_have_attribute("data-state", "live", timeout=60_000)
        history = page.evaluate(
            "async () => (await (await fetch('/api/v1/points/MH-041.level/history')).json()).rows"
        )
        assert history[0][0] < (time.time() - (time.monotonic() - again.begun)) * 1000
        rows = page.evaluate("async () => (await (await fetch('/api/v1/ledger')).json()).rows")
        natives = [row for row in rows if row["kind"] == "native"]
        assert len(natives) >= 2
        assert all(row["imbalance"] == 0 and row["missing"] == 0 for row in natives)
    finally:
        again.stop()


def test_a_taken_port_is_said_in_a_sentence_not_in_a_traceback(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = subprocess.run(
            [sys.executable, "-m", "parktwin", "up", "--home", str(tmp_path), "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert answer.returncode == 1
    said = " ".join(answer.stdout.split())
    assert f"Port {port} is in use by another program. Stop it, or choose another port" in said
    assert "Traceback" not in answer.stdout + answer.stderr


def test_a_home_folder_in_use_is_said_in_a_sentence(up: Up, home: Path) -> None:
    home.mkdir(exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = Up(home, any_free_port())
        assert second.process.wait(60) == 1
    assert "Another parktwin runs on" in " ".join(second.said.split())
