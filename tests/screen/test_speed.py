"""How soon the page is useful and what it weighs, printed with the figures to reach."""

from __future__ import annotations

import gzip
import os

import pytest
from playwright.sync_api import Browser, expect

from dashboards.vendor import SCREEN
from tests.screen.conftest import Opener
from tests.screen.server import ScreenServer

TRANSFER = 1_500_000
OWN = 300_000


def test_the_page_weighs_little(capsys: pytest.CaptureFixture[str]) -> None:
    own = vendored = 0
    for path in SCREEN.rglob("*"):
        parts = path.relative_to(SCREEN).parts
        if not path.is_file() or "node_modules" in parts or path.name.startswith("LICENSE"):
            continue
        if path.suffix in {".js", ".mjs", ".css", ".html", ".svg"}:
            packed = len(gzip.compress(path.read_bytes(), 6, mtime=0))
        elif path.suffix == ".woff2":
            packed = path.stat().st_size
        else:
            continue
        if parts[0] == "vendor":
            vendored += packed
        else:
            own += path.stat().st_size
    with capsys.disabled():
        print(
            f"\nscreen: {vendored / 1000:.0f} kB of libraries and fonts (gzip), "
            f"{own / 1000:.0f} kB of our own code (plain; to reach <= {OWN / 1000:.0f})"
        )
    assert own <= OWN
    assert vendored + own <= TRANSFER


@pytest.mark.serial
def test_the_page_is_useful_soon(
    opened: Opener,
    map_browser: Browser,
    server: ScreenServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = opened(using=map_browser)
    expect(page.locator("#map")).to_have_attribute("data-ready", "true", timeout=60_000)
    marks = page.evaluate(
        "Object.fromEntries(performance.getEntriesByType('mark').map(m => [m.name, m.startTime]))"
    )
    load = os.getloadavg()[0]
    with capsys.disabled():
        print(
            f"\nscreen on loopback, WebGL drawn by the processor, load {load:.1f}: "
            f"useful after {marks['parktwin-shell'] / 1000:.2f} s (to reach 1.5), "
            f"figures and trend {marks['parktwin-complete'] / 1000:.2f} s, "
            f"map {marks['parktwin-map'] / 1000:.2f} s (to reach 3); "
            f"{server.sent_bytes / 1000:.0f} kB sent (to reach <= {TRANSFER / 1000:.0f})"
        )
    assert server.sent_bytes <= TRANSFER
    # Generous: the figures above are printed, this only catches a page that hangs.
    assert marks["parktwin-shell"] < 10_000
