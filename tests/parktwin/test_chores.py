"""The node's regular chores: a long audit or an error keeps none of them from being done."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from parktwin import node as node_module
from parktwin.node import Node
from tests.edge.platform import wait_for


def test_an_audit_that_takes_long_does_not_hide_that_a_gateway_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_module, "HOLD_EVERY_S", 0.01)
    monkeypatch.setattr(node_module, "TRIM_EVERY_S", 0.0)
    auditing, done = threading.Event(), threading.Event()
    away: list[str] = []
    told: list[list[str]] = []
    broken = [RuntimeError("never foreseen")]

    def audit() -> None:
        auditing.set()
        done.wait(20)

    def hold(points: Any) -> None:
        if broken:
            raise broken.pop()
        told.append(list(points))

    node = cast(Any, object.__new__(Node))
    node.threads = []
    node._stopping = threading.Event()
    node.gateways = [SimpleNamespace(id="GW-1", points=["GW-1.uptime", "MH-1.level"])]
    owners = {"GW-1.uptime": "GW-1", "MH-1.level": "MH-1"}
    node.park = SimpleNamespace(
        points={point: SimpleNamespace(asset=asset) for point, asset in owners.items()}
    )
    node.book = SimpleNamespace(
        all=lambda: [SimpleNamespace(id=g, online=False, waiting=0) for g in away]
    )
    node.live = SimpleNamespace(hold=hold)
    node.run_audit = audit
    node._trim = lambda: None
    chores = [
        threading.Thread(target=target, daemon=True)
        for target in (node._do_chores, node._hold_gateways)
    ]
    for chore in chores:
        chore.start()
    try:
        assert auditing.wait(5)
        away.append("GW-1")
        wait_for(lambda: told == [["MH-1.level"]], 5)
    finally:
        done.set()
        node._stopping.set()
        for chore in chores:
            chore.join(5)
