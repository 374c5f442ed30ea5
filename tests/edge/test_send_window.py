"""The sending protocol as pure logic: whatever the network and the platform do, nothing is lost."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.outbox_file import BoxMark
from edge.send_line import Order
from edge.send_window import SendWindow
from edge.wire import HELLO, Ack, Nack, Replay


def mark(
    box: str, newest: int, *, oldest: int = 1, acked: int = 0, sealed: bool = False
) -> BoxMark:
    return BoxMark(box, 0, oldest, newest, acked, sealed)


def drain(window: SendWindow, now: float, size: int = 500) -> list[Order]:
    """Send until the window says stop; messages of at most `size` readings."""
    sent: list[Order] = []
    while (order := window.next(now)) is not None and len(sent) < 1000:
        last = min(order.last, order.first + size - 1)
        window.sent(order, last, f"{order.box}:{order.first}-{last}", now)
        sent.append(order._replace(last=last))
    return sent


def up(*boxes: BoxMark, epoch: str = "e", **options: float) -> SendWindow:
    window = SendWindow(epoch, **options)  # type: ignore[arg-type]
    window.update(boxes)
    window.link_up(0.0)
    for box in boxes:
        window.ack(Ack(box.box, box.acked, epoch), 0.0)
    return window


def test_nothing_is_sent_before_the_link_is_up_or_after_it_is_down() -> None:
    window = SendWindow("e")
    window.update([mark("a", 10)])
    assert window.next(0.0) is None
    window.link_up(0.0)
    assert drain(window, 0.0)
    window.link_down()
    window.update([mark("a", 20)])
    assert window.next(1.0) is None


def test_until_the_platform_knows_a_box_one_message_goes_out_and_no_more() -> None:
    window = SendWindow("e")
    window.update([mark("a", 5000)])
    window.link_up(0.0)
    assert len(drain(window, 0.0)) == 1
    window.ack(Ack("a", 500, "e"), 0.1)
    assert len(drain(window, 0.2)) == 9


def test_a_message_from_before_the_platform_listened_is_repeated_within_seconds() -> None:
    window = SendWindow("e", timeout_s=10.0, probe_s=1.0)
    window.update([mark("a", 5000)])
    window.link_up(0.0)
    drain(window, 0.0)
    sent_at = []
    for step in range(1, 200):
        window.tick(step / 10)
        if drain(window, step / 10):
            sent_at.append(step / 10)
    assert [round(at) for at in sent_at] == [1, 3, 7, 15], "twice as long each time"
    window.ack(Ack("a", 500, "e"), 20.0)
    assert len(drain(window, 20.1)) == 9
    window.tick(29.0)
    assert drain(window, 29.0) == [], "a platform that answers is given the whole time"


def test_a_platform_that_has_just_begun_to_listen_is_sent_to_at_once() -> None:
    window = SendWindow("e")
    window.update([mark("a", 5000)])
    window.link_up(0.0)
    assert len(drain(window, 0.0)) == 1
    assert drain(window, 0.2) == []
    window.ack(Ack(HELLO, 0, "e"), 0.3)
    assert [order.first for order in drain(window, 0.3)] == [1], "one message, as to any stranger"


def test_a_platform_that_may_be_new_is_shown_the_oldest_reading_first() -> None:
    window = SendWindow("e", greeting_s=1.0)
    window.update([mark("a", 5000, oldest=201, acked=4000)])
    window.link_up(0.0)
    assert drain(window, 0.5) == [], "its acks in answer to `online` are awaited first"
    assert [order.first for order in drain(window, 1.5)] == [201]
    window.ack(Ack("a", 4000, "e"), 1.6)
    assert [order.first for order in drain(window, 1.7)] == [4001, 4501]


def test_the_window_is_bounded_and_the_backlog_leaves_room_for_live_readings() -> None:
    window = up(mark("old", 100_000, sealed=True), mark("live", 0), batches=32, backlog=16)
    assert len(drain(window, 0.0)) == 16
    window.update([mark("old", 100_000, sealed=True), mark("live", 100_000)])
    orders = drain(window, 0.1)
    assert [order.box for order in orders] == ["live"] * 16
    assert drain(window, 0.2) == []


def test_live_goes_before_the_backlog() -> None:
    window = up(mark("old", 2000, sealed=True), mark("live", 1000))
    assert [order.box for order in drain(window, 0.0)] == ["live"] * 2 + ["old"] * 4


def test_a_box_that_the_platform_never_answers_lets_the_others_pass() -> None:
    window = up(
        mark("stuck", 50_000, sealed=True), mark("next", 50_000, sealed=True), backlog=4, batches=8
    )
    assert {order.box for order in drain(window, 0.0)} == {"stuck"}
    window.tick(11.0)
    assert "next" in {order.box for order in drain(window, 11.0)}


def test_patience_doubles_and_probes_shrink_to_one_message() -> None:
    window = up(mark("a", 100_000))
    now, sizes = 0.0, []
    for _ in range(6):
        sizes.append(len(drain(window, now)))
        before = window.went_back
        while window.went_back == before:
            now += 1.0
            window.tick(now)
    assert sizes == [32, 1, 1, 1, 1, 1]
    assert now > 10 + 20 + 40 + 60 + 60
    window.ack(Ack("a", 0, "e"), now)
    assert len(drain(window, now)) == 32


def test_a_minute_without_any_ack_seals_the_live_box_once_and_again_when_it_ends() -> None:
    window = up(mark("a", 10))
    drain(window, 0.0)
    window.tick(1.0)
    assert not window.tick(59.0).seal
    assert window.tick(62.0).seal
    window.update([mark("a", 10, sealed=True), mark("b", 10)])
    assert not window.tick(200.0).seal
    assert window.ack(Ack("a", 10, "e"), 300.0).seal
    assert not window.ack(Ack("b", 10, "e"), 300.1).seal


def test_a_gateway_with_nothing_to_send_is_not_stalled() -> None:
    window = up(mark("a", 10, acked=10))
    assert not any(window.tick(float(t)).seal for t in range(0, 1000, 10))


def test_a_late_lower_ack_after_a_reconnect_only_repeats_readings() -> None:
    window = up(mark("a", 3000))
    drain(window, 0.0)
    window.ack(Ack("a", 3000, "e"), 0.1)
    effects = window.ack(Ack("a", 1000, "e"), 0.2)
    assert effects.marks == {"a": 1000}
    assert drain(window, 0.3)[0].first == 1001


def test_an_ack_beyond_what_was_written_is_counted_and_clamped() -> None:
    window = up(mark("a", 10))
    assert window.ack(Ack("a", 99, "e"), 0.1).marks == {"a": 10}
    assert window.ahead == 1


def test_acks_and_nacks_for_unknown_boxes_and_messages_change_nothing() -> None:
    window = up(mark("a", 10))
    assert window.ack(Ack("who", 3, "e"), 0.1).marks == {}
    assert not window.nack(Nack("sha256:0", "?"))


def test_a_new_epoch_forgets_every_mark_until_the_platform_tells_it_again() -> None:
    window = up(
        mark("a", 900, oldest=101, acked=900, sealed=True), mark("b", 900, acked=900), epoch="e1"
    )
    effects = window.ack(Ack("b", 600, "e2"), 5.0)
    assert effects.epoch == "e2"
    assert effects.marks == {"a": 100, "b": 600}
    orders = drain(window, 10.0)
    assert [(o.box, o.first) for o in orders] == [("b", 601), ("a", 101)]


def test_replays_come_last_and_at_their_own_pace() -> None:
    window = up(mark("a", 600, acked=500), replay_s=1.0)
    window.replay(Replay("a", 1, 400))
    window.replay(Replay("a", 1, 400))  # asked twice, sent once
    window.replay(Replay("a", 100, 300))  # within what waits already
    window.replay(Replay("a", 9, 2))  # nonsense
    orders = drain(window, 100.0, size=100)
    assert [(o.form, o.first) for o in orders] == [("readings", 501), ("replay", 1)]
    assert [o.first for t in (101.5, 103.0, 104.5, 106.0) for o in drain(window, t, 100)] == [
        101,
        201,
        301,
    ]


def test_more_than_a_hundred_replay_requests_are_dropped_and_counted() -> None:
    window = up(mark("a", 600, acked=600))
    for first in range(1, 261, 2):
        window.replay(Replay("a", first, first))
    assert window.replays_dropped == 30


@dataclass
class Ledger:
    """What the platform holds: the accept rule of the contract, gaps that can be mended."""

    epoch: int = 1
    committed: dict[str, int] = field(default_factory=dict)
    stored: dict[str, set[int]] = field(default_factory=dict)

    def take(self, order: Order) -> Ack:
        box = order.box
        mark_ = self.committed.setdefault(box, order.first - 1)
        have = self.stored.setdefault(box, set())
        if order.first <= mark_ + 1:
            have |= set(range(order.first, order.last + 1))
            self.committed[box] = max(mark_, order.last)
        return self.ack(box)

    def missing(self, box: str) -> set[int]:
        return set(range(1, self.committed.get(box, 0) + 1)) - self.stored.get(box, set())

    def ack(self, box: str) -> Ack:
        return Ack(box, self.committed.get(box, 0), f"e{self.epoch}")

    def restore(self, backup: Ledger) -> None:
        self.epoch += 1
        self.committed = dict(backup.committed)
        self.stored = {box: set(have) for box, have in backup.stored.items()}

    def copy(self) -> Ledger:
        return Ledger(self.epoch, dict(self.committed), {b: set(s) for b, s in self.stored.items()})


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_after_any_losses_outages_and_restores_the_platform_has_every_sequence(seed: int) -> None:
    luck = random.Random(seed)
    window = SendWindow("", timeout_s=2.0, stall_s=20.0, greeting_s=0.5)
    ledger = Ledger()
    backup = ledger.copy()
    boxes: list[BoxMark] = [mark("b0", 0)]
    wire: list[Order] = []
    answers: list[Ack] = []
    now, linked, listening = 0.0, False, True

    def apply(effects: object) -> None:
        assert isinstance(effects, tuple)
        for box, acked in effects[0].items():
            for i, one in enumerate(boxes):
                if one.box == box:
                    boxes[i] = one._replace(acked=acked)
        if effects[2]:
            boxes[-1] = boxes[-1]._replace(sealed=True)
            boxes.append(mark(f"b{len(boxes)}", 0))

    def greet() -> None:
        """The platform sees `online` or `state` and acks every box it knows."""
        answers.extend(ledger.ack(box) for box in ledger.committed)

    def mend() -> None:
        """The platform reads the retained `state` and asks for what lies in its gaps."""
        for box in boxes:
            gaps = sorted(ledger.missing(box.box))
            if gaps:
                window.replay(Replay(box.box, gaps[0], gaps[-1]))

    events = ["", "", "", "drop", "cut", "deaf", "backup", "restore"]

    def step(calm: bool) -> None:
        nonlocal now, linked, listening, backup
        now += luck.choice([0.01, 0.3, 1.0])
        event = "" if calm else luck.choice(events)
        if calm or luck.random() < 0.3:
            if not linked:
                linked = True
                window.link_up(now)
                if listening:
                    greet()
            if not listening:
                listening = True
                greet()
        if event == "cut":
            linked = False
            window.link_down()
            wire.clear()
            answers.clear()
        elif event == "drop":
            del wire[luck.randrange(len(wire) + 1) :]
            del answers[luck.randrange(len(answers) + 1) :]
        elif event == "deaf":
            listening = False
        elif event == "backup":
            backup = ledger.copy()
        elif event == "restore":
            ledger.restore(backup)
            greet()
        if not calm and luck.random() < 0.7:
            boxes[-1] = boxes[-1]._replace(newest=boxes[-1].newest + luck.randrange(900))
        window.update(boxes)
        wire.extend(drain(window, now, size=100))
        if listening and linked:
            answers.extend(ledger.take(order) for order in wire)
            wire.clear()
            if luck.random() < 0.2:
                mend()
            for ack in answers:
                apply(window.ack(ack, now))
            answers.clear()
        apply(window.tick(now))

    for _ in range(60):
        step(calm=False)
    for _ in range(2000):
        step(calm=True)
        if window.unacked == 0 and not any(ledger.missing(box.box) for box in boxes):
            break
    assert window.unacked == 0
    for box in boxes:
        if box.newest == 0:
            continue
        missing = set(range(1, box.newest + 1)) - ledger.stored.get(box.box, set())
        assert not missing, f"{box.box} lacks {len(missing)} of {box.newest}"
