"""The live socket against a real server and a real WebSocket client."""

from __future__ import annotations

import contextlib
import json
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from api.limits import Limits
from tests.api.parks import LEVEL, small_park
from tests.api.plant import Plant, now_ms
from tests.api.running import cookie, running
from tests.api.scripted import scripted_alarm
from twin.alarms.view import AlarmView


@contextlib.contextmanager
def opened(address: str, session: str, **options: Any) -> Iterator[ClientConnection]:
    """A connected live socket."""
    headers = {"Cookie": session} if session else {}
    url = f"ws://{address}/api/v1/live"
    with connect(
        url, additional_headers=headers, max_size=None, compression=None, **options
    ) as live:
        yield live


def message(live: ClientConnection, timeout: float = 5.0) -> dict[str, Any]:
    """The next message."""
    found: dict[str, Any] = json.loads(live.recv(timeout=timeout))
    return found


def until(
    live: ClientConnection, wanted: Callable[[dict[str, Any]], bool], timeout: float = 5.0
) -> dict[str, Any]:
    """The first message that is wanted."""
    end = time.monotonic() + timeout
    while True:
        found = message(live, max(0.01, end - time.monotonic()))
        if wanted(found):
            return found


def closed_with(live: ClientConnection, timeout: float = 5.0) -> int | None:
    """Read until the server closes; its code, None when it just cut the connection."""
    end = time.monotonic() + timeout
    try:
        while time.monotonic() < end:
            live.recv(timeout=timeout)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
    pytest.fail("the server did not close the socket")


def test_a_snapshot_comes_first_then_only_what_changed(plant: Plant) -> None:
    now = now_ms()
    plant.twin.set([0, 1], now, [0.42, float("nan")], 0)
    plant.gateways.presence("GW-1", True, now, retained=False)
    with running(plant.services()) as address, opened(address, cookie(address, plant)) as live:
        first = message(live)
        assert first["type"] == "snapshot"
        assert first["points"] == plant.journal.points.ids()
        assert first["values"] == [[0.42, now, 0], [None, now, 0], None, None]
        assert first["alarms"] == []
        assert first["lag_ms"] == 0
        assert abs(first["now"] - now) < 60_000
        (gateway,) = first["gateways"]
        assert (gateway["id"], gateway["online"], gateway["last_seen_at"]) == ("GW-1", True, now)

        quiet = message(live)
        assert set(quiet) - {"gateways"} == {"type", "now", "lag_ms", "values"}
        assert quiet["values"] == []

        plant.twin.set([2], now + 1, [7.5], 64)
        changed = until(live, lambda m: bool(m["values"]))
        assert changed["type"] == "delta"
        assert changed["values"] == [[2, 7.5, now + 1, 64]]
        assert "alarms" not in changed


def test_values_come_each_tick_and_alarms_at_once(plant: Plant) -> None:
    services = plant.services(limits=Limits(tick_s=1.0))
    with running(services) as address, opened(address, cookie(address, plant)) as live:
        message(live)
        message(live)  # right after a tick
        begun = time.monotonic()
        plant.twin.put(scripted_alarm())
        alarm = until(live, lambda m: "alarms" in m)
        assert time.monotonic() - begun < 0.5
        assert alarm["alarms"][0]["id"] == f"level-high:{LEVEL}"
        assert alarm["alarms"][0]["name"] == {"zh": "液位高", "en": "Level high"}
        plant.twin.set([0], now_ms(), [1.0])
        plant.twin.wake()
        values = until(live, lambda m: bool(m["values"]))
        assert 0.3 < time.monotonic() - begun < 1.6
        assert "alarms" not in values


def test_alarms_are_the_complete_list_and_empty_when_the_last_is_gone(plant: Plant) -> None:
    with running(plant.services()) as address, opened(address, cookie(address, plant)) as live:
        message(live)
        one, two = scripted_alarm(), scripted_alarm(id="level-high:MH-2.level", point="MH-2.level")
        plant.twin.put(one)
        until(live, lambda m: "alarms" in m)
        plant.twin.put(two)
        assert len(until(live, lambda m: "alarms" in m)["alarms"]) == 2
        plant.twin.open.clear()
        plant.twin.wake()
        assert until(live, lambda m: "alarms" in m)["alarms"] == []


def test_a_gateway_that_goes_is_told_at_once(plant: Plant) -> None:
    plant.gateways.presence("GW-1", True, now_ms(), retained=False)
    services = plant.services(limits=Limits(tick_s=5.0))
    with running(services) as address, opened(address, cookie(address, plant)) as live:
        assert message(live)["gateways"][0]["online"] is True
        plant.gateways.presence("GW-1", False, now_ms(), retained=False)
        plant.twin.wake()
        told = until(live, lambda m: "gateways" in m, 2.0)
        assert told["gateways"][0]["online"] is False


def test_without_a_session_the_socket_is_closed_with_4401(plant: Plant) -> None:
    with running(plant.services()) as address:
        for session in ("", "parktwin_session=made-up"):
            with opened(address, session) as live:
                assert closed_with(live) == 4401


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_page_of_another_site_is_refused_before_the_handshake(origin: str, plant: Plant) -> None:
    with running(plant.services()) as address:
        session = cookie(address, plant)
        with (
            pytest.raises(InvalidStatus) as refused,
            opened(address, session, origin=origin) as _,
        ):
            pytest.fail("the handshake was accepted")
        assert refused.value.response.status_code == 403
        body = refused.value.response.body
        assert body is not None
        assert json.loads(body)["type"] == "/docs#cross-origin"
        with opened(address, session, origin=f"http://{address}") as live:
            assert message(live)["type"] == "snapshot"


def test_the_socket_ends_with_its_session(plant: Plant) -> None:
    ahead = 0
    services = plant.services(now_ms=lambda: now_ms() + ahead)
    with running(services) as address, opened(address, cookie(address, plant)) as live:
        message(live)
        ahead = 13 * 3_600_000
        assert closed_with(live) == 4401


def test_logging_out_closes_the_sockets_of_that_session_only(plant: Plant) -> None:
    with running(plant.services()) as address:
        mine, other = cookie(address, plant), cookie(address, plant)
        with opened(address, mine) as live, opened(address, other) as unmoved:
            message(live)
            url = f"http://{address}/api/v1/session"
            csrf = httpx2.get(url, headers={"Cookie": mine}).json()["csrf"]
            answer = httpx2.delete(url, headers={"Cookie": mine, "X-CSRF-Token": csrf})
            assert answer.status_code == 204
            assert closed_with(live) == 4401
            assert [message(unmoved)["type"] for _ in range(3)] == ["snapshot", "delta", "delta"]


def test_more_sockets_than_allowed_are_closed_with_1013(plant: Plant) -> None:
    services = plant.services(limits=Limits(tick_s=0.1, sockets=2))
    with running(services) as address:
        session = cookie(address, plant)
        with opened(address, session) as one, opened(address, session) as two:
            message(one), message(two)
            with opened(address, session) as three:
                assert closed_with(three) == 1013
        time.sleep(0.3)
        with opened(address, session) as again:
            assert message(again)["type"] == "snapshot"


def test_a_client_that_talks_is_closed(plant: Plant) -> None:
    with running(plant.services()) as address, opened(address, cookie(address, plant)) as live:
        message(live)
        with contextlib.suppress(ConnectionClosed):
            for _ in range(25):
                live.send("hello?")
        assert closed_with(live) == 1008


def test_a_snapshot_of_ten_thousand_points_is_shared_by_those_who_come_together(
    tmp_path: Path, accounts: Path
) -> None:
    big = Plant.build(tmp_path, accounts, small_park(extra_points=10_000))
    try:
        n = len(big.journal.points)
        now = now_ms()
        big.twin.set(list(range(n)), now, [i * 1.37 for i in range(n)])
        with running(big.services(limits=Limits(tick_s=1.0))) as address:
            session = cookie(address, big)
            begun = time.monotonic()
            with contextlib.ExitStack() as stack:
                sockets = [stack.enter_context(opened(address, session)) for _ in range(8)]
                firsts = [message(live, 10.0) for live in sockets]
                print(f"8 snapshots of {n} points: {time.monotonic() - begun:.3f} s")
                for first in firsts:
                    assert len(first["values"]) == n
                    assert first["values"][n - 1] == [(n - 1) * 1.37, now, 0]
                big.twin.set(list(range(n)), now + 1, [float(i) for i in range(n)])
                delta = until(sockets[3], lambda m: bool(m["values"]))
                assert len(delta["values"]) == n
    finally:
        big.close()


def test_a_slow_client_skips_to_newer_frames_and_others_do_not_wait(
    tmp_path: Path, accounts: Path
) -> None:
    big = Plant.build(tmp_path, accounts, small_park(extra_points=10_000))
    try:
        n = len(big.journal.points)
        stop = threading.Event()

        def change() -> None:
            step = 0
            while not stop.wait(0.05):
                step += 1
                big.twin.set(list(range(n)), now_ms(), [step + i / 7 for i in range(n)])

        services = big.services(limits=Limits(tick_s=0.1, slow_s=3.0))
        changer = threading.Thread(target=change)
        with running(services) as address, small_window(address) as narrow:
            session = cookie(address, big)
            with (
                opened(address, session, sock=narrow, max_queue=1) as slow,
                opened(address, session) as quick,
            ):
                changer.start()
                try:
                    gaps = []
                    before = time.monotonic()
                    for _ in range(40):  # some 4 s, in which the slow one reads nothing
                        message(quick)
                        now = time.monotonic()
                        gaps.append(now - before)
                        before = now
                    assert statistics.median(gaps) < 0.5
                    metrics = httpx2.get(f"http://{address}/metrics").text
                    frames = float(
                        next(
                            line.split()[1]
                            for line in metrics.splitlines()
                            if line.startswith("parktwin_live_frames_total")
                        )
                    )
                    assert frames < 75  # 40 for the quick one, few for the slow one
                    code = closed_with(slow, 20.0)
                    print(f"the slow client was closed with {code}")
                    assert code in {1013, None}
                    answer = httpx2.get(f"http://{address}/metrics").text
                    assert "parktwin_live_slow_total 1.0" in answer
                    assert "parktwin_live_clients 1.0" in answer
                finally:
                    stop.set()
                    changer.join()
    finally:
        big.close()


@contextlib.contextmanager
def small_window(address: str) -> Iterator[socket.socket]:
    """A connected socket with the smallest receive buffer."""
    host, _, port = address.partition(":")
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.connect((host, int(port)))
        yield narrow


def test_a_store_that_fails_for_a_while_does_not_end_the_feed(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(plant.services()) as address, opened(address, cookie(address, plant)) as live:
        message(live)

        def failing() -> list[AlarmView]:
            raise RuntimeError("records are away")

        with monkeypatch.context() as patched:
            patched.setattr(plant.twin, "alarms", failing)
            time.sleep(0.4)
        plant.twin.put(scripted_alarm())
        assert until(live, lambda m: "alarms" in m)["alarms"]


@pytest.mark.serial
def test_an_alarm_is_on_the_socket_within_a_quarter_of_a_second(plant: Plant) -> None:
    services = plant.services(limits=Limits(tick_s=1.0))
    delays = []
    with running(services) as address, opened(address, cookie(address, plant)) as live:
        message(live)
        alarm = scripted_alarm()
        for occurrence in range(1, 101):
            begun = time.monotonic()
            plant.twin.put(replace(alarm, occurrence=occurrence))
            found = until(live, lambda m: "alarms" in m)
            delays.append(time.monotonic() - begun)
            assert found["alarms"][0]["occurrence"] == occurrence
    worst = sorted(delays)[98]
    print(
        f"transition to WebSocket: median {statistics.median(delays) * 1000:.1f} ms, "
        f"p99 {worst * 1000:.1f} ms"
    )
    assert worst < 0.25
