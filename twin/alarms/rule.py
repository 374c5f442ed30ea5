"""Alarm rules compiled over points: one row of arrays for each (rule, point), an instance.

Pure: rules come from the park model as data, points are given by their index. Instances that run
in event time (limit, rate) come first, sorted by point; no-data instances follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.model.park import Asset, Point
from twin.model.rules import RuleRow

_MS = 1000


@dataclass(frozen=True, slots=True)
class Subject:
    """What an alarm message names: the asset and the point as the model knows them."""

    asset: Asset
    point: Point


@dataclass(frozen=True, eq=False, slots=True)
class Rules:
    """`m` instances; arrays have length m, times are ms.

    event: how many of them run in event time (they come first). ids: "rule:point". sign: +1 for a
    high limit, -1 for a low one; limit and back are multiplied by it, so that `sign * value >
    limit` is beyond and `sign * value <= back` is back. offsets: length points + 1, the event-time
    instances of point p are ``offsets[p]:offsets[p+1]``. window_ms: of rates, else 0. silence_ms:
    of no-data, else 0. stale_ms: how long the point's value is trusted.
    """

    ids: tuple[str, ...]
    rows: tuple[RuleRow, ...]
    subjects: tuple[Subject, ...]
    point: NDArray[np.int32]
    event: int
    is_rate: NDArray[np.bool_]
    sign: NDArray[np.float64]
    limit: NDArray[np.float64]
    back: NDArray[np.float64]
    on_ms: NDArray[np.int64]
    off_ms: NDArray[np.int64]
    window_ms: NDArray[np.int64]
    silence_ms: NDArray[np.int64]
    stale_ms: NDArray[np.int64]
    offsets: NDArray[np.int64]
    index: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.ids)


def compile_rules(
    rules: Sequence[RuleRow],
    points: Mapping[str, Point],
    assets: Mapping[str, Asset],
    index: Callable[[str], int | None],
    n_points: int,
) -> Rules:
    """The instances of all rules. Raises ValueError for a point without an index."""
    found: list[tuple[bool, int, int, RuleRow, Point]] = []
    for number, rule in enumerate(rules):
        for point_id in rule.points:
            place = index(point_id)
            if place is None or place >= n_points:
                raise ValueError(f"rule {rule.id}: point {point_id} has no index")
            silent = rule.condition.kind == "no_data"
            found.append((silent, place, number, rule, points[point_id]))
    found.sort(key=lambda item: item[:3])

    rows = [item[3] for item in found]
    conditions = [row.condition for row in rows]
    event = sum(1 for item in found if not item[0])
    sign = np.array([-1.0 if c.side == "low" else 1.0 for c in conditions])
    limit = sign * np.array([c.value for c in conditions])
    deadband = np.array([c.deadband for c in conditions])
    place_of = np.array([item[1] for item in found], np.int32)
    counts = np.bincount(place_of[:event], minlength=n_points) if n_points else np.zeros(0)
    ids = tuple(f"{item[3].id}:{item[4].id}" for item in found)

    def milliseconds(seconds: list[float]) -> NDArray[np.int64]:
        return np.round(np.array(seconds, np.float64) * _MS).astype(np.int64)

    return Rules(
        ids=ids,
        rows=tuple(rows),
        subjects=tuple(Subject(assets[item[4].asset], item[4]) for item in found),
        point=place_of,
        event=event,
        is_rate=np.array([c.kind == "rate" for c in conditions], np.bool_),
        sign=sign,
        limit=limit,
        back=limit - deadband,
        on_ms=milliseconds([row.on_delay_s for row in rows]),
        off_ms=milliseconds([row.off_delay_s for row in rows]),
        window_ms=milliseconds([c.per_s if c.kind == "rate" else 0.0 for c in conditions]),
        silence_ms=milliseconds([c.value if c.kind == "no_data" else 0.0 for c in conditions]),
        stale_ms=milliseconds([item[4].stale_s for item in found]),
        offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        index={alarm: number for number, alarm in enumerate(ids)},
    )
