"""A browser, a server that can misbehave, and a page that is logged in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.screen.park import small_park
from tests.screen.server import COOKIE, ScreenServer

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
MAP = [*QUIET, "--enable-unsafe-swiftshader"]
"""WebGL is drawn by the processor; everything else is too."""

expect.set_options(timeout=15_000)

Opener = Callable[..., Page]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """One driver for all tests of this worker."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser without WebGL: quick, and every figure must work there too."""
    chromium = playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*QUIET, "--disable-3d-apis"]
    )
    yield chromium
    chromium.close()


@pytest.fixture(scope="session")
def map_browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser that draws the map."""
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=MAP)
    yield chromium
    chromium.close()


@pytest.fixture
def server() -> Iterator[ScreenServer]:
    """A server with the small park, every point good and fresh."""
    server = ScreenServer(small_park())
    server.set_all()
    with server.run():
        yield server


@pytest.fixture
def opened(browser: Browser, server: ScreenServer) -> Iterator[Opener]:
    """Opens the page of `server` in a context of its own; closes them all at the end.

    A script error, or a request to anywhere but the server, fails the test.
    """
    contexts = []
    problems: list[str] = []

    def open_page(
        *,
        logged_in: bool = True,
        script: str = "",
        path: str = "",
        width: int = 1920,
        height: int = 1080,
        using: Browser = browser,
    ) -> Page:
        context = using.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce"
        )
        contexts.append(context)
        if logged_in:
            context.add_cookies([{"name": COOKIE, "value": "valid", "url": server.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((server.url, "blob:", "data:"))
                else problems.append(f"asked for {request.url}")
            ),
        )
        if script:
            page.add_init_script(script)
        page.goto(server.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(opened: Opener) -> Page:
    """The page, logged in and live."""
    page = opened()
    expect(page.get_by_test_id("lamp")).to_have_attribute("data-state", "live")
    return page
