"""A few manholes and rules on them, for tests of the live twin: no files, no loader."""

from __future__ import annotations

from collections.abc import Sequence

from twin.alarms.engine import AlarmEngine
from twin.alarms.rule import compile_rules
from twin.model.names import Name
from twin.model.park import Asset, Park, Point
from twin.model.rules import Condition, RuleRow, TotalRow
from twin.state import LiveState

CONSEQUENCE = Name("污水外溢", "Sewage overflows")
ACTION = Name("检查下游管道", "Look at the pipe downstream")


def asset(name: str) -> Asset:
    """A manhole."""
    return Asset(name, "manhole", Name(name, name), {"type": "Point", "coordinates": [0, 0]}, {})


def point(name: str, stale_s: float = 3600.0, kind: str = "gauge") -> Point:
    """A level in metres of the manhole before the dot."""
    owner, measured = name.split(".")
    label = Name("液位", "level")
    assert kind in {"gauge", "derived"}
    return Point(
        name,
        owner,
        measured,
        "m",
        "sewer",
        "derived" if kind == "derived" else "gauge",
        0,
        6,
        stale_s,
        label,
    )


def high(
    points: Sequence[str],
    value: float = 2.5,
    deadband: float = 0.05,
    on_s: float = 0,
    off_s: float = 0,
    name: str = "level-high",
) -> RuleRow:
    """A high limit."""
    return rule(name, points, Condition("limit", value, "high", deadband), on_s, off_s)


def rule(
    name: str, points: Sequence[str], condition: Condition, on_s: float = 0, off_s: float = 0
) -> RuleRow:
    """Any rule, of priority high."""
    label = Name("液位高", "Level high")
    return RuleRow(name, label, tuple(points), condition, on_s, off_s, "high", CONSEQUENCE, ACTION)


def park(
    points: Sequence[str | Point], rules: Sequence[RuleRow], totals: Sequence[TotalRow] = ()
) -> Park:
    """A park of these points; each asset is made from the point's id."""
    rows = [p if isinstance(p, Point) else point(p) for p in points]
    return Park(
        id="small",
        name=Name("小园区", "Small park"),
        timezone="Asia/Shanghai",
        zones=(),
        assets={p.asset: asset(p.asset) for p in rows},
        points={p.id: p for p in rows},
        relations=(),
        types={},
        bindings=(),
        rules=tuple(rules),
        totals=tuple(totals),
        kpis=(),
        gateways={},
        settings={},
        hash="sha256:small",
    )


def engine(points: Sequence[str | Point], rules: Sequence[RuleRow]) -> AlarmEngine:
    """An engine over a state of its own; points are numbered in the order given."""
    small = park(points, rules)
    index = {name: number for number, name in enumerate(small.points)}
    compiled = compile_rules(rules, small.points, small.assets, index.get, len(index))
    return AlarmEngine(compiled, LiveState(len(index)))
