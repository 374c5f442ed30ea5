"""Derived points: what a total is of its parts, and how much it is to be believed."""

from __future__ import annotations

import numpy as np
import pytest

from twin.model.rules import Function, TotalRow
from twin.state import LiveState
from twin.totals import MINUTE_MS, TotalsPlan

NAMES = ["A.flow", "B.flow", "C.flow", "G1.flow", "G2.flow", "PARK.flow"]
INDEX = {name: i for i, name in enumerate(NAMES)}
STALE = np.full(len(NAMES), 120_000, np.int64)
END = 100 * MINUTE_MS


def state(*readings: tuple[str, float, int, int]) -> LiveState:
    live = LiveState(len(NAMES))
    for name, value, quality, age_s in readings:
        live.apply(
            np.array([INDEX[name]], np.int32),
            np.array([END - age_s * 1000]),
            np.array([value]),
            np.array([quality], np.uint8),
            END,
        )
    return live


def compute(live: LiveState, *totals: TotalRow) -> dict[str, tuple[float, int]]:
    done = TotalsPlan(totals, INDEX.get, STALE).compute(live, 100)
    assert (done.ts == END).all()
    return {
        NAMES[p]: (float(v), int(q))
        for p, v, q in zip(done.point, done.value, done.quality, strict=True)
    }


@pytest.mark.parametrize(
    ("function", "expected"), [("sum", 6.0), ("mean", 2.0), ("min", 1.0), ("max", 3.0)]
)
def test_each_function_of_good_parts_is_good(function: Function, expected: float) -> None:
    live = state(("A.flow", 1, 0, 5), ("B.flow", 2, 0, 5), ("C.flow", 3, 0, 5))
    total = TotalRow("G1.flow", function, ("A.flow", "B.flow", "C.flow"))
    assert compute(live, total) == {"G1.flow": (expected, 0)}


@pytest.mark.parametrize(
    "part",
    [("C.flow", 9.0, 128, 5), ("C.flow", float("nan"), 134, 5), ("C.flow", 9.0, 0, 121)],
    ids=["bad", "failed", "stale"],
)
@pytest.mark.parametrize(
    ("function", "expected"), [("sum", 3.0), ("mean", 1.5), ("min", 1.0), ("max", 2.0)]
)
def test_a_bad_failed_or_stale_part_is_left_out_and_makes_the_total_uncertain(
    part: tuple[str, float, int, int], function: Function, expected: float
) -> None:
    live = state(("A.flow", 1, 0, 5), ("B.flow", 2, 0, 5), part)
    total = TotalRow("G1.flow", function, ("A.flow", "B.flow", "C.flow"))
    assert compute(live, total) == {"G1.flow": (expected, 64)}


def test_an_uncertain_part_counts_and_makes_the_total_uncertain() -> None:
    live = state(("A.flow", 1, 0, 5), ("B.flow", 2, 69, 5))
    total = TotalRow("G1.flow", "sum", ("A.flow", "B.flow"))
    assert compute(live, total) == {"G1.flow": (3.0, 64)}


def test_without_any_usable_part_a_total_is_null_and_bad_never_zero() -> None:
    live = state(("A.flow", 5.0, 128, 5), ("C.flow", 4.0, 0, 5))
    done = compute(
        live,
        TotalRow("G1.flow", "sum", ("A.flow", "B.flow")),
        TotalRow("G2.flow", "max", ("C.flow",)),
    )
    assert np.isnan(done["G1.flow"][0])
    assert done["G1.flow"][1] == 134
    assert done["G2.flow"] == (4.0, 0)


def test_a_total_of_totals_uses_those_of_the_same_minute() -> None:
    live = state(
        ("A.flow", 1, 0, 5), ("B.flow", 2, 0, 5), ("G1.flow", 50, 0, 60), ("G2.flow", 50, 0, 60)
    )
    done = compute(
        live,
        TotalRow("PARK.flow", "sum", ("G1.flow", "G2.flow")),
        TotalRow("G1.flow", "sum", ("A.flow", "B.flow")),
        TotalRow("G2.flow", "sum", ("B.flow", "C.flow")),
    )
    assert done == {"G1.flow": (3.0, 0), "G2.flow": (2.0, 64), "PARK.flow": (5.0, 64)}


def test_the_same_state_gives_the_same_total_and_the_state_is_left_alone() -> None:
    live = state(("A.flow", 0.1, 0, 5), ("B.flow", 0.2, 0, 5), ("C.flow", 0.3, 0, 5))
    before = live.snapshot(0)
    total = TotalRow("G1.flow", "mean", ("A.flow", "B.flow", "C.flow"))
    assert compute(live, total) == compute(live, total)
    after = live.snapshot(0)
    assert np.array_equal(before.value, after.value, equal_nan=True)
    assert before.version == after.version


def test_no_totals_are_no_readings() -> None:
    done = TotalsPlan((), INDEX.get, STALE).compute(state(), 100)
    assert len(done.point) == len(done.value) == 0


@pytest.mark.parametrize(
    ("totals", "words"),
    [
        (
            [TotalRow("G1.flow", "sum", ("G2.flow",)), TotalRow("G2.flow", "sum", ("G1.flow",))],
            "G1",
        ),
        ([TotalRow("G1.flow", "sum", ())], "no parts"),
        ([TotalRow("G1.flow", "sum", ("X.flow",))], "X.flow"),
    ],
    ids=["circle", "empty", "unknown"],
)
def test_totals_that_cannot_be_computed_are_refused_at_the_start(
    totals: list[TotalRow], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        TotalsPlan(totals, INDEX.get, STALE)
