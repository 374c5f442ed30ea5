"""A node that lost a vital part ends, so that whoever supervises it starts it anew."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.readings import Readings
from parktwin.bench.park import write_park
from parktwin.node import Node
from parktwin.parts import NodeError
from parktwin.settings import Settings
from tests.peers.mosquitto import free_port


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A node over three points; nobody listens where its broker should be."""
    return Settings(
        home=tmp_path / "home",
        park=write_park(tmp_path / "park", 3, 0),
        broker_url=f"mqtt://node@127.0.0.1:{free_port()}",
        http_port=free_port(),
    )


@pytest.fixture
def node(settings: Settings) -> Iterator[Node]:
    made = Node(settings)
    yield made
    made.stop()


@pytest.mark.parametrize("part", ["twin", "history", "rollup"])
def test_a_dead_consumer_ends_the_node(
    node: Node, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    node.give_up = lambda: asked.append(node.failed)
    thread = next(t for t in node.threads if t.consumer.name == part)

    def broken(_groups: object) -> None:
        raise AssertionError("a defect")

    monkeypatch.setattr(thread.consumer, "consume", broken)
    node.start()
    node.journal.append(Readings.of([0], [int(time.time() * 1000)], [1.0], [0]))
    end = time.monotonic() + 15
    while not asked and time.monotonic() < end:
        time.sleep(0.05)
    assert asked == [part]


def test_a_broken_park_model_is_named_not_traced(settings: Settings) -> None:
    (settings.park / "points.csv").write_text("point,asset\nnowhere.level,nowhere\n")
    with pytest.raises(NodeError, match=r"points\.csv:.*\n*.*parktwin model check"):
        Node(settings)


def test_a_damaged_records_file_is_said_in_a_sentence(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "records.db").write_bytes(b"this is not a database" * 100)
    answer = subprocess.run(
        [sys.executable, "-m", "parktwin", "node"],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={
            **os.environ,
            "PARKTWIN_HOME": str(settings.home),
            "PARKTWIN_PARK": str(settings.park),
            "PARKTWIN_HTTP_PORT": str(settings.http_port),
        },
    )
    assert answer.returncode == 1
    assert "the node cannot start" in answer.stderr
    assert "Traceback" not in answer.stderr
