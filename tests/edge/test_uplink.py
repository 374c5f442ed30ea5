"""The uplink against a real broker: nothing leaves the outbox before the platform committed it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.broker import BrokerAddress
from edge.config import OutboxLimits
from edge.outbox import Outbox
from edge.send_window import SendWindow
from edge.uplink import Uplink
from edge.wire import Reading
from tests.edge.platform import FakePlatform, fake_platform, wait_for
from tests.peers.mosquitto import Mosquitto

GATEWAY = "GW-T"
KEEP = OutboxLimits(max_mb=64, when_full="drop_oldest", retain_hours=24)


class Link:
    """An outbox with an uplink; `feed` appends consecutive values of one point."""

    def __init__(self, folder: Path, port: int, window: SendWindow, limits: OutboxLimits) -> None:
        self.uplinks: list[Uplink] = []
        self.outbox = Outbox(folder, limits, group_s=0.02, on_commit=self._wake)
        self.uplink = Uplink(GATEWAY, BrokerAddress("127.0.0.1", port), self.outbox, window=window)
        self.uplinks.append(self.uplink)
        self.fed = 0

    def _wake(self) -> None:
        for uplink in self.uplinks:
            uplink.wake()

    def feed(self, n: int) -> None:
        base = 1_795_000_000_000 + self.fed
        readings: list[Reading] = [
            ("MH-1.level", base + i, float(self.fed + i + 1), 0) for i in range(n)
        ]
        assert self.outbox.append(readings)
        self.fed += n
        assert self.outbox.flush(10)


def quick(epoch: str = "", *, timeout_s: float = 1.0, stall_s: float = 60.0) -> SendWindow:
    return SendWindow(epoch, timeout_s=timeout_s, stall_s=stall_s)


@contextmanager
def linked(
    folder: Path, port: int, window: SendWindow | None = None, limits: OutboxLimits = KEEP
) -> Iterator[Link]:
    link = Link(folder, port, window or quick(), limits)
    link.uplink.start()
    try:
        yield link
    finally:
        link.uplink.stop(0.2)
        link.outbox.close()


@pytest.fixture
def platform(broker: Mosquitto) -> Iterator[FakePlatform]:
    with fake_platform(broker.port, GATEWAY) as peer:
        yield peer


def settled(platform: FakePlatform, link: Link) -> bool:
    return sum(platform.committed.values()) >= link.fed and link.uplink.counters.unacked == 0


def numbers(n: int) -> list[float | None]:
    return [float(i + 1) for i in range(n)]


def test_every_reading_reaches_the_platform_once_and_in_order(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    with linked(tmp_path / "gw", broker.port) as link:
        for n in (1, 700, 30, 2000):
            link.feed(n)
        wait_for(lambda: settled(platform, link))
        assert platform.values("MH-1.level") == numbers(2731)
        assert platform.doubled == []
        assert all(len(up.readings or ()) <= 500 for _, up in platform.arrived)
        wait_for(lambda: platform.alive[-1:] == ["online"])
    wait_for(lambda: platform.alive[-1] == "offline")


def test_a_message_tells_when_it_was_sent_and_how_long_the_gateway_has_run(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    with linked(tmp_path / "gw", broker.port) as link:
        link.feed(1)
        wait_for(lambda: settled(platform, link))
    up = platform.arrived[0][1]
    assert up.v == 1
    assert up.sent is not None
    assert abs(up.sent - time.time() * 1000) < 10_000
    assert up.uptime is not None
    assert up.uptime > 0


def test_nothing_is_trimmed_on_the_brokers_word_alone(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    platform.acking = False
    gone_at_once = OutboxLimits(max_mb=64, retain_hours=0)
    with linked(tmp_path / "gw", broker.port, limits=gone_at_once) as link:
        link.feed(300)
        wait_for(lambda: len(platform.arrived) > 0)
        time.sleep(0.3)
        (mark,) = link.outbox.boxes()
        assert (mark.oldest, mark.newest, mark.acked) == (1, 300, 0)
        platform.acking = True
        platform.ack_all()
        wait_for(lambda: settled(platform, link))
        wait_for(lambda: link.outbox.boxes()[0].oldest == 301, what="trimmed after the ack")


def test_after_a_broker_killed_with_all_its_messages_everything_still_arrives_once(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    with linked(tmp_path / "gw", broker.port) as link:
        link.feed(500)
        broker.kill9()
        link.feed(1500)
        broker.restart()
        link.feed(100)
        wait_for(lambda: settled(platform, link), 20)
        assert platform.values("MH-1.level") == numbers(2100)
        assert platform.doubled == []


def test_a_silent_platform_is_probed_and_served_from_its_mark_when_it_is_back(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    with linked(tmp_path / "gw", broker.port, quick(timeout_s=0.3)) as link:
        link.feed(100)
        wait_for(lambda: settled(platform, link))
        platform.acking = False
        for _ in range(40):
            link.feed(500)
        wait_for(lambda: link.uplink.counters.went_back >= 2)
        # Probing: after the first timeouts no more than one message at a time goes out.
        assert link.uplink.counters.in_flight <= 1
        platform.acking = True
        platform.ack_all()
        wait_for(lambda: settled(platform, link))
        assert platform.values("MH-1.level") == numbers(20_100)


def test_a_lower_mark_makes_the_gateway_send_again_from_there(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    with linked(tmp_path / "gw", broker.port) as link:
        link.feed(2000)
        wait_for(lambda: settled(platform, link))
        (box,) = platform.committed
        platform.restore({box: 700}, platform.epoch)
        platform.ack_all()
        wait_for(lambda: platform.count() == 2000)
        assert platform.values("MH-1.level") == numbers(2000)


def test_a_new_epoch_rewinds_boxes_the_restored_ledger_has_never_seen(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    with linked(tmp_path / "gw", broker.port) as link:
        link.feed(1000)
        wait_for(lambda: settled(platform, link))
        (old,) = platform.committed
        link.outbox.seal()
        link.feed(800)
        wait_for(lambda: settled(platform, link))
        assert len(platform.committed) == 2
        platform.restore({old: 400}, "epoch-2")
        platform.ack_all()
        wait_for(lambda: platform.count() == 1800, what="both boxes sent again")
        assert platform.values("MH-1.level") == numbers(1800)
        assert link.outbox.flush(5)
        assert link.outbox.epoch == "epoch-2"


def test_what_a_restored_ledger_misses_beyond_the_kept_readings_is_declared_lost(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    gone_at_once = OutboxLimits(max_mb=64, retain_hours=0)
    with linked(tmp_path / "gw", broker.port, limits=gone_at_once) as link:
        link.feed(1000)
        wait_for(lambda: settled(platform, link))
        wait_for(lambda: link.outbox.boxes()[0].oldest == 1001)
        (box,) = platform.committed
        platform.restore({box: 600}, "epoch-2")
        platform.ack_all()
        link.feed(50)
        wait_for(lambda: platform.committed.get(box) == 1050)
        assert {key[1] for key in platform.lost} == set(range(601, 1001))
        assert set(platform.lost.values()) == {"gone"}


def test_an_undecodable_reading_is_found_by_halving_and_goes_as_poison(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    bad = {b",77.0,", b",401.0,"}
    platform.refuses = lambda payload: (
        b'"readings"' in payload and any(part in payload for part in bad)
    )
    with linked(tmp_path / "gw", broker.port) as link:
        link.feed(500)
        wait_for(lambda: settled(platform, link))
        assert {key[1] for key in platform.poison} == {77, 401}
        assert all(b'"readings"' in raw for raw in platform.poison.values())
        good = [v for v in numbers(500) if v not in (77.0, 401.0)]
        assert platform.values("MH-1.level") == good
        # Two bad ones in 500 by halving: some 2 log2(500), twice where messages overlap.
        assert link.uplink.counters.nacks <= 40


def test_a_poison_message_that_is_refused_too_becomes_a_declared_loss(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    platform.refuses = lambda payload: b",3.0," in payload or b'"poison"' in payload
    with linked(tmp_path / "gw", broker.port) as link:
        link.feed(8)
        wait_for(lambda: settled(platform, link))
        assert [(key[1], reason) for key, reason in platform.lost.items()] == [(3, "refused")]
        assert platform.count() == 7


def test_a_replay_request_is_served_from_what_is_kept(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    with linked(tmp_path / "gw", broker.port) as link:
        link.feed(1200)
        wait_for(lambda: settled(platform, link))
        (box,) = platform.committed
        before = len(platform.arrived)
        platform.replay(box, 101, 900)
        wait_for(lambda: sum(len(up.readings or ()) for _, up in platform.arrived[before:]) >= 800)
        again = [up for _, up in platform.arrived[before:]]
        got = [up.first + i for up in again for i in range(len(up.readings or ()))]
        assert got == list(range(101, 901))


def test_after_an_outage_live_readings_overtake_the_backlog(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    window = SendWindow("", timeout_s=1.0, stall_s=0.5, batches=8, backlog=4)
    with linked(tmp_path / "gw", broker.port, window) as link:
        link.feed(100)
        wait_for(lambda: settled(platform, link))
        broker.kill9()
        for _ in range(60):
            link.feed(500)
        time.sleep(1.2)
        link.feed(500)
        broker.restart()
        wait_for(lambda: bool(link.uplink.counters.connected), 20)
        wait_for(lambda: len(link.outbox.boxes()) >= 2, what="a sealed box and a live one")
        begun = len(platform.arrived)
        link.feed(10)
        wait_for(lambda: settled(platform, link), 20)
        newest = max(v for v in platform.values("MH-1.level") if v is not None)
        order = [up.box for _, up in platform.arrived[begun:]]
        assert newest == link.fed
        assert platform.values("MH-1.level") == numbers(link.fed)
        live = next(reversed(platform.committed))
        assert order.index(live) < len(order) - 1, "the live box did not wait for the backlog"
        assert platform.doubled == []


def test_the_retained_state_names_the_boxes_and_their_marks(
    tmp_path: Path, broker: Mosquitto, platform: FakePlatform
) -> None:
    with linked(tmp_path / "gw", broker.port) as link:
        link.feed(42)
        wait_for(lambda: settled(platform, link))
        wait_for(lambda: bool(platform.states) and bool(platform.states[-1].boxes), 10)
        wait_for(lambda: platform.states[-1].boxes[0].acked == 42, 12)
        assert platform.states[-1].boxes[0].newest == 42
        assert platform.states[-1].v == 1
