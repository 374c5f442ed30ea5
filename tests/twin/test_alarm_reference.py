"""The vectorised engine against one alarm at a time by hand, over thousands of random steps."""

from __future__ import annotations

import math
import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin import small_park
from tests.twin.alarm_by_hand import AlarmByHand
from tests.twin.small_park import high, rule
from twin.alarms.engine import AlarmEngine
from twin.alarms.standing import Transition
from twin.model.rules import Condition, RuleRow

NAMES = [f"MH-{i}.level" for i in range(12)]
STALE_S = 20.0
T0 = 1_000_000


def make_rules(seed: random.Random) -> list[RuleRow]:
    """High, low and rate rules over parts of the park, with and without delays and deadband."""
    delays = [0, 0, 3, 10, 30]
    rules = []
    for number in range(5):
        points = seed.sample(NAMES, seed.randint(1, len(NAMES)))
        condition = seed.choice(
            [
                Condition("limit", 2.0, "high", seed.choice([0.0, 0.5])),
                Condition("limit", 1.0, "low", seed.choice([0.0, 0.5])),
                Condition("rate", 1.0, per_s=8, deadband=seed.choice([0.0, 0.3])),
            ]
        )
        rules.append(
            rule(f"r{number}", points, condition, seed.choice(delays), seed.choice(delays))
        )
    return rules


class Pair:
    """The engine and the alarms by hand, fed alike."""

    def __init__(self, rules: list[RuleRow]) -> None:
        rows = [small_park.point(name, STALE_S) for name in NAMES]
        self.engine: AlarmEngine = small_park.engine(rows, rules)
        self.hand = {
            f"{r.id}:{p}": AlarmByHand(r, round(STALE_S * 1000)) for r in rules for p in r.points
        }
        self.log: dict[str, list[tuple[str, int, float]]] = {alarm: [] for alarm in self.hand}
        self.engine.tick(T0)

    def deliver(self, readings: list[tuple[int, int, float, int]], now: int) -> None:
        columns = (
            np.array([r[0] for r in readings], np.int32),
            np.array([r[1] for r in readings], np.int64),
            np.array([r[2] for r in readings], np.float64),
            np.array([r[3] for r in readings], np.uint8),
        )
        self._note(self.engine.apply(*columns, now))
        self.engine.state.apply(*columns, now)
        # By hand: in time order, of equal times only the last.
        story = {(r[0], r[1]): r for r in readings}
        for point, ts, value, quality in sorted(story.values(), key=lambda r: (r[1], r[0])):
            for alarm, hand in self.hand.items():
                if alarm.endswith(f":{NAMES[point]}"):
                    hand.reading(ts, value, quality, now)

    def time(self, now: int) -> None:
        self._note(self.engine.tick(now))
        for hand in self.hand.values():
            hand.time(now, T0)

    def check(self) -> None:
        for alarm, hand in self.hand.items():
            assert _rounded(self.log[alarm]) == _rounded(hand.log), alarm
            standing = self.engine.book.standing(alarm)
            active = standing is not None and standing.memory.active
            pending = standing.pending.due if standing and standing.pending else None
            assert (active, pending) == (hand.active, hand.due), alarm

    def _note(self, found: list[Transition]) -> None:
        for t in found:
            value = math.nan if t.value is None else t.value
            self.log[t.alarm].append((t.kind.value, t.at, value))


def _rounded(log: list[tuple[str, int, float]]) -> list[tuple[str, int, str]]:
    return [(kind, at, f"{value:.9f}") for kind, at, value in log]


def story(seed: random.Random, now: int) -> list[tuple[int, int, float, int]]:
    """One delivery: one reading each of many points, or several of few, some late, some bad."""
    readings = []
    many = seed.random() < 0.4
    points = seed.sample(range(len(NAMES)), seed.randint(1, len(NAMES)))
    for point in points:
        for _ in range(1 if many else seed.choice([1, 1, 2, 6])):
            ts = now - seed.choice([0, 0, 200, 1000, 5000, 15_000])
            value = seed.choice([0.2, 0.8, 1.2, 1.7, 2.2, 3.0, math.nan])
            readings.append((point, ts, value, seed.choice([0, 0, 0, 64, 128])))
    seed.shuffle(readings)
    return readings


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_the_engine_does_what_one_alarm_at_a_time_does(number: int) -> None:
    seed = random.Random(number)
    pair, now = Pair(make_rules(seed)), T0
    for _ in range(60):
        now += seed.choice([100, 1000, 1000, 3000, 12_000, 40_000])
        if seed.random() < 0.75:
            pair.deliver(story(seed, now), now)
        if seed.random() < 0.7:
            pair.time(now)
        pair.check()
    assert pair.engine.state.clock > 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_order_within_a_delivery_and_repeated_deliveries_change_nothing(
    number: int,
) -> None:
    seed = random.Random(number)
    rules = make_rules(seed)
    one, other, now = Pair(rules), Pair(rules), T0
    for _ in range(30):
        now += seed.choice([500, 2000, 12_000])
        readings = list({(r[0], r[1]): r for r in story(seed, now)}.values())
        one.deliver(readings, now)
        shuffled = readings.copy()
        seed.shuffle(shuffled)
        other.deliver(shuffled, now)
        newest = {r[0]: r for r in sorted(readings, key=lambda r: r[1])}
        other.deliver(list(newest.values()), now)
        one.time(now)
        other.time(now)
    assert one.log == other.log
    assert _standing(one) == _standing(other)


def _standing(pair: Pair) -> list[tuple[str, object, object]]:
    found = [(alarm, pair.engine.book.standing(alarm)) for alarm in pair.hand]
    return [(alarm, s and s.memory, s and s.pending) for alarm, s in found]


def test_the_dense_and_the_sparse_evaluation_agree() -> None:
    seed = random.Random(4)
    rules = [*make_rules(seed), high(NAMES, on_s=3)]
    dense, sparse, now = Pair(rules), Pair(rules), T0
    for _ in range(300):
        now += 1000
        values = [seed.choice([0.2, 1.2, 1.7, 2.2, 3.0, math.nan]) for _ in NAMES]
        readings = [(p, now, value, 0) for p, value in enumerate(values)]
        dense.deliver(readings, now)
        for reading in readings:
            sparse.deliver([reading], now)
    dense.check()
    assert {a: log for a, log in dense.log.items() if log} == {
        a: log for a, log in sparse.log.items() if log
    }
    assert sum(len(log) for log in dense.log.values()) > 100
