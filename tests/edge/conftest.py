"""Fixtures of the gateway's tests: a broker, an outbox, gateway files on free ports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.peers.mosquitto import Mosquitto, running_mosquitto

# A loaded machine may take any time for one example; pytest's own timeout bounds the whole test.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A real Mosquitto without passwords."""
    with running_mosquitto(tmp_path / "broker") as mosquitto:
        yield mosquitto
