"""The whole gateway: real Modbus devices, a real broker, a platform that counts every reading."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from edge.broker import BrokerAddress
from edge.config import Gateway
from edge.gateway import GatewayCounters, run
from edge.parcel import unpack
from edge.send_window import SendWindow
from edge.sim.record import Record
from edge.sim.server import Simulation, serve
from edge.uplink import Uplink
from edge.wire import READ_FAILED, Reading
from tests.edge.plant import Plant, plant, tickets
from tests.edge.platform import fake_platform, wait_for
from tests.peers.mosquitto import Mosquitto


@contextmanager
def simulated(made: Plant, record: Record | None = None) -> Iterator[Simulation]:
    """The devices in a thread of their own, as if on other machines."""
    ready: list[Simulation] = []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main() -> None:
        async with serve([made.gateway], made.sim, record=record) as simulation:
            ready.append(simulation)
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    try:
        wait_for(lambda: bool(ready), what="simulated devices")
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@contextmanager
def running(
    gateway: Gateway, port: int, home: Path, window: SendWindow | None = None
) -> Iterator[GatewayCounters]:
    """The gateway in a thread of its own."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    started: asyncio.Future[GatewayCounters] = loop.create_future()
    address = BrokerAddress("127.0.0.1", port)
    task = run(gateway, address, home, stop, window=window, on_start=started)
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    try:
        wait_for(started.done, what="gateway started")
        yield started.result()
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def test_every_value_a_device_served_is_committed_exactly_once(
    tmp_path: Path, broker: Mosquitto
) -> None:
    made = plant(tmp_path, *tickets(3, 5), every="100ms")
    record = Record()
    with (
        fake_platform(broker.port, "GW-T") as platform,
        simulated(made, record),
        running(made.gateway, broker.port, tmp_path / "home") as counters,
    ):
        wait_for(lambda: platform.count() > 200)
    with fake_platform(broker.port, "GW-T"):
        for point in made.gateway.points:
            served = [row.value for row in record.all() if row.point == point]
            assert served == [float(i + 1) for i in range(len(served))]
            assert platform.values(point) == served[: len(platform.values(point))]
            # A read under way when the gateway stopped may have been served and not taken.
            assert len(served) - len(platform.values(point)) <= 1
    assert platform.doubled == []
    assert counters.uplink.unacked == 0
    assert all(device.troubled == 0 for device in counters.devices.values())


def test_event_time_is_when_the_answer_arrived(tmp_path: Path, broker: Mosquitto) -> None:
    made = plant(tmp_path, *tickets(1, 1), every="100ms")
    record = Record()
    with (
        fake_platform(broker.port, "GW-T") as platform,
        simulated(made, record),
        running(made.gateway, broker.port, tmp_path / "home"),
    ):
        wait_for(lambda: platform.count() > 5)
    served = {row.value: row.at * 1000 for row in record.all()}
    for _, ts, value, _ in platform.stored.values():
        assert -2 <= ts - served[value] < 500


def test_a_dead_device_reads_as_failed_and_delays_nobody(tmp_path: Path, broker: Mosquitto) -> None:
    signals, behaviour = tickets(3, 2)
    made = plant(tmp_path, signals, behaviour, every="200ms", timeout="2s")
    with (
        fake_platform(broker.port, "GW-T") as platform,
        simulated(made) as simulation,
    ):
        simulation.units["D1"].silence(600)
        with running(made.gateway, broker.port, tmp_path / "home") as counters:
            begun = time.monotonic()
            wait_for(lambda: counters.devices["D0"].polls >= 15, 20)
            took = time.monotonic() - begun
            assert took < 15 * 0.2 + 2, "the dead device held the others up"
            wait_for(lambda: counters.devices["D1"].troubled >= 1)
            wait_for(lambda: None in platform.values("D1.p0"))
            assert counters.devices["D0"].overruns <= 2
    dead = [row for row in platform.stored.values() if row[0].startswith("D1.")]
    assert dead
    assert all((value, quality) == (None, READ_FAILED) for _, _, value, quality in dead)
    assert all(value is not None for value in platform.values("D0.p0"))


def test_a_fault_switched_on_at_the_device_shows_in_its_readings(
    tmp_path: Path, broker: Mosquitto
) -> None:
    rows = ["point: MH-1.level, table: holding, address: 0, type: float32"]
    behaviour = (
        "points: {MH-1.level: {shape: constant, mean: 0.4}}\n"
        "faults: {D0: {point: MH-1.level, add: 2.6, ramp_s: 0.5}}\n"
    )
    made = plant(tmp_path, [rows], behaviour, every="100ms")
    with (
        fake_platform(broker.port, "GW-T") as platform,
        simulated(made) as simulation,
        running(made.gateway, broker.port, tmp_path / "home"),
    ):
        wait_for(lambda: platform.values("MH-1.level")[:1] == [0.4])
        simulation.units["D0"].fault(True)
        wait_for(lambda: platform.values("MH-1.level")[-1] == 3.0)
        simulation.units["D0"].fault(False)
        wait_for(lambda: platform.values("MH-1.level")[-1] == 0.4)


def collected(home: Path) -> set[tuple[str, int]]:
    """(point, event time) of everything that is in the outbox file right now."""
    database = sqlite3.connect(home / "GW-T" / "outbox.sqlite", timeout=10)
    found = set()
    try:
        for (blob,) in database.execute("SELECT blob FROM rows WHERE reason IS NULL"):
            for point, ts, _, _ in msgspec.json.decode(unpack(blob), type=list[Reading]):
                found.add((point, ts))
    finally:
        database.close()
    return found


@pytest.mark.serial
def test_killing_the_gateway_again_and_again_loses_nothing_that_was_collected(
    tmp_path: Path, broker: Mosquitto, long_run: bool
) -> None:
    made = plant(tmp_path, *tickets(4, 10), every="100ms")
    home = tmp_path / "home"
    command = [sys.executable, "-m", "tests.edge.run_gateway"]
    luck = random.Random(7)
    record = Record()
    kept: set[tuple[str, int]] = set()
    with fake_platform(broker.port, "GW-T") as platform, simulated(made, record):
        for life in range(40 if long_run else 4):
            process = subprocess.Popen(
                [*command, str(made.file), str(broker.port), str(home)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                before = len(record.all())
                wait_for(lambda n=before: len(record.all()) > n + 80, 60)  # type: ignore[misc]
                if life == 2:
                    broker.kill9()  # the outbox must carry this life over
                time.sleep(luck.uniform(0.0, 0.6))
            finally:
                process.kill()
                process.wait(10)
            kept |= collected(home)
            if life == 2:
                broker.restart()
        process = subprocess.Popen([*command, str(made.file), str(broker.port), str(home)])
        try:
            last = len(record.all())
            wait_for(lambda: len(record.all()) > last, 60, "the last life polls")
            wait_for(
                lambda: kept <= {(r[0], r[1]) for r in list(platform.stored.values())},
                60,
                "all that was collected is committed",
            )
        finally:
            process.terminate()
            assert process.wait(20) == 0
    assert len(kept) > 300
    assert platform.doubled == []
    for point in made.gateway.points:
        got = platform.values(point)
        assert len(got) == len(set(got)), "a value twice"
        assert set(got) <= {row.value for row in record.all() if row.point == point} | {None}
    stored = [(row[0], row[1]) for row in platform.stored.values()]
    assert len(stored) == len(set(stored))


def test_sigterm_puts_everything_on_disk_and_says_offline(
    tmp_path: Path, broker: Mosquitto
) -> None:
    made = plant(tmp_path, *tickets(1, 3), every="100ms")
    record = Record()
    with fake_platform(broker.port, "GW-T") as platform, simulated(made, record):
        with running(made.gateway, broker.port, tmp_path / "home"):
            wait_for(lambda: platform.count() > 10)
            assert platform.alive[-1] == "online"
        wait_for(lambda: platform.alive[-1] == "offline")
    assert len(collected(tmp_path / "home")) >= len(record.all()) - 3


def test_a_full_outbox_with_stop_polling_pauses_the_polls_and_goes_on_after_the_ack(
    tmp_path: Path, broker: Mosquitto
) -> None:
    signals, behaviour = tickets(4, 60)
    outbox = "{max_mb: 1, when_full: stop_polling, retain_hours: 0}"
    made = plant(tmp_path, signals, behaviour, every="100ms", outbox=outbox)
    with fake_platform(broker.port, "GW-T") as platform, simulated(made):
        platform.acking = False
        home = tmp_path / "home" / "GW-T"
        home.mkdir(parents=True)
        fill(home, made.gateway)
        window = SendWindow("", timeout_s=0.5)
        with running(made.gateway, broker.port, tmp_path / "home", window) as counters:
            wait_for(lambda: counters.devices["D0"].paused >= 3, 60, "polls paused")
            platform.acking = True
            platform.ack_all()
            polls = counters.devices["D0"].polls
            wait_for(lambda: counters.devices["D0"].polls > polls + 3, 60, "polls go on")
            assert counters.outbox.lost == 0
    assert platform.lost == {}


def fill(folder: Path, gateway: Gateway) -> None:
    """Bring an outbox close to its limit with readings from another life."""
    from edge.outbox_file import Changes, OutboxFile
    from edge.parcel import pack

    file = OutboxFile(folder / "outbox.sqlite", gateway.outbox)
    luck = random.Random(1)
    n = 0
    while not file.full:
        rows: list[Reading] = [("OLD.x", n + i, luck.random(), 0) for i in range(500)]
        file.write(Changes(pack(rows)), n)
        n += 500
    file.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_gateway_whose_sending_thread_died_ends_instead_of_falling_silent(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plant(tmp_path, *tickets(1, 1))

    def broken(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(Uplink, "_turn", broken)
    home, stop = tmp_path / "home", asyncio.Event()
    with pytest.raises(RuntimeError, match="thread ended"):
        asyncio.run(run(made.gateway, BrokerAddress("127.0.0.1", broker.port), home, stop))
