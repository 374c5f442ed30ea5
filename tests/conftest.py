"""Rules of the whole test run: nothing is skipped in CI; free ports; long runs by flag."""

from __future__ import annotations

import os
import socket

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--long`` runs the fault tests at their full length (``make faults``)."""
    parser.addoption("--long", action="store_true", help="fault tests at full length")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    """A skipped test in continuous integration is a failed one: install what is missing."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return outcome


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def long_run(request: pytest.FixtureRequest) -> bool:
    """True under ``--long``."""
    return bool(request.config.getoption("--long"))
