"""rules.yaml and totals.yaml: alarm rules and derived points, expanded to the points they touch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from twin.model.load.fields import Fields, nearest
from twin.model.load.geojson import Assets, suggest
from twin.model.load.points_file import Points
from twin.model.load.yaml_rows import Document
from twin.model.names import Name
from twin.model.park import Point
from twin.model.rules import Condition, Function, Priority, RuleRow, TotalRow
from twin.model.topology import Topology, cycle, in_order

_RULE_KEYS = (
    *("id", "name", "on", "condition", "on_delay_s", "off_delay_s"),
    *("priority", "consequence", "action"),
)
_DAY_S = 86_400.0


class Selection:
    """Which points a row means: by id, or by property, asset type and place.

    whole: every point of the folder could be read, so an empty selection is the row's own fault.
    """

    def __init__(
        self, points: Points, assets: Assets, topology: Topology, *, whole: bool = True
    ) -> None:
        self.known = points
        self._whole = whole
        self._assets = assets
        self._topology = topology

    def of(self, fields: Fields, key: str, selector: Mapping[str, Any]) -> list[Point] | None:
        """The points of `selector` in the order of points.csv; None after a fault."""
        options = ("point", "property", "type", "assets_in")
        for name in selector:
            if name not in options:
                fields.fault(key, name, "this key is not known here", nearest(name, options))
                return None
        if "point" in selector:
            return self.points(fields, key, [selector["point"]])
        if not isinstance(selector.get("property"), str):
            mend = "Write {point: ID}, or {property: ..., type: ...}."
            fields.fault(key, selector, "neither a point nor a property is named", mend)
            return None
        return self._by_property(fields, key, selector)

    def points(self, fields: Fields, key: str, ids: list[Any]) -> list[Point] | None:
        """The points of these ids; a fault for each that does not exist."""
        missing = [str(one) for one in ids if str(one) not in self.known.seen]
        for one in missing:
            fields.fault(key, one, "there is no such point", self.known.suggest(one))
        if missing:
            return None
        return [self.known.points[str(one)] for one in ids if str(one) in self.known.points]

    def _by_property(
        self, fields: Fields, key: str, selector: Mapping[str, Any]
    ) -> list[Point] | None:
        wanted = selector.get("type", [])
        types = [wanted] if isinstance(wanted, str) else wanted
        place = selector.get("assets_in")
        if place is not None and place not in self._assets.seen:
            fields.fault(key, place, "there is no such asset", suggest(str(place), self._assets))
            return None
        inside = None if place is None else set(self._topology.inside(place))
        found = [
            point
            for point in self.known.points.values()
            if point.property == selector["property"]
            and (not types or self._assets.assets[point.asset].type in types)
            and (inside is None or point.asset in inside)
        ]
        if not found and self._whole:
            mend = "Correct the property, the type or the place."
            fields.fault(key, dict(selector), "this selects no point", mend)
        return found or None


def read_rules(document: Document, selection: Selection) -> list[RuleRow]:
    """Every rule that could be read."""
    found: list[RuleRow] = []
    lines: dict[str, int] = {}
    for fields in document.rows(()):
        fields.only(_RULE_KEYS)
        rule_id = fields.id("id")
        if rule_id in lines:
            mend = f"Line {lines[rule_id]} has it already: give one of the two another id."
            fields.fault("id", rule_id, "the same rule twice", mend)
        elif rule_id is not None:
            lines[rule_id] = fields.line
        selector = fields.values.get("on")
        points: list[Point] | None = None
        if isinstance(selector, Mapping):
            points = selection.of(fields, "on", selector)
        else:
            mend = "Write on: {property: ..., type: ...} or on: {point: ...}."
            fields.fault("on", selector or "", "the rule names no points", mend)
        condition = _condition(fields, points or [])
        on_delay = fields.number("on_delay_s", 0, _DAY_S) if fields.has("on_delay_s") else 0.0
        off_delay = fields.number("off_delay_s", 0, _DAY_S) if fields.has("off_delay_s") else 0.0
        priority = fields.one_of("priority", get_args(Priority))
        words = [fields.name(key) for key in ("name", "consequence", "action")]
        if rule_id and points and condition and priority:
            name, consequence, action = (word or Name("", "") for word in words)
            ids = tuple(point.id for point in points)
            row = RuleRow(
                *(rule_id, name, ids, condition, on_delay or 0.0, off_delay or 0.0),
                priority,  # type: ignore[arg-type]
                *(consequence, action),
            )
            found.append(row)
    return found


def _condition(fields: Fields, points: list[Point]) -> Condition | None:
    values = fields.values.get("condition")
    kinds = ("limit", "rate", "no_data")
    if not isinstance(values, Mapping) or len([k for k in kinds if k in values]) != 1:
        mend = "Write {limit: high, value: 2.5}, {rate: 0.5, per_s: 60} or {no_data: 300}."
        fields.fault("condition", values or "", "not exactly one kind of condition", mend)
        return None
    line = fields.line_of("condition")
    inner = Fields(fields.faults, fields.file, values, lambda _key: line)
    if "no_data" in values:
        inner.only(("no_data",))
        seconds = inner.number("no_data", low=1, high=30 * _DAY_S)
        return None if seconds is None else Condition("no_data", seconds)
    if "rate" in values:
        inner.only(("rate", "per_s"))
        rate, per = inner.number("rate", low=0), inner.number("per_s", low=1, high=_DAY_S)
        return None if rate is None or per is None else Condition("rate", rate, per_s=per)
    inner.only(("limit", "value", "deadband"))
    side, value = inner.one_of("limit", ("high", "low")), inner.number("value")
    deadband = inner.number("deadband", low=0) if inner.has("deadband") else 0.0
    if side is None or value is None or deadband is None:
        return None
    for point in points:
        never = (side == "high" and point.high is not None and value >= point.high) or (
            side == "low" and point.low is not None and value <= point.low
        )
        if never:
            problem = f"{point.id} never gets there: its range is {point.low} to {point.high}"
            inner.fault("value", value, problem, "Correct the limit or the point's range.")
            return None
    return Condition("limit", value, side, deadband)  # type: ignore[arg-type]


def read_totals(document: Document, selection: Selection) -> list[TotalRow]:
    """Every total that could be read, each after the totals that it stands on."""
    found: dict[str, TotalRow] = {}
    lines: dict[str, int] = {}
    functions = get_args(Function)
    for fields in document.rows(()):
        fields.only(("point", *functions))
        named = fields.text("point")
        target = selection.points(fields, "point", [named]) if named else None
        used = [function for function in functions if function in fields.values]
        if len(used) != 1:
            mend = f"Write one of: {', '.join(functions)}."
            fields.fault(None, named or "", "a total has exactly one function", mend)
            continue
        parts = _parts(fields, used[0], selection)
        if not target or parts is None:
            continue
        point = target[0]
        if point.id in lines:
            mend = f"Line {lines[point.id]} has it already: delete one of the two."
            fields.fault("point", point.id, "the same total twice", mend)
            continue
        lines[point.id] = fields.line
        if point.kind != "derived":
            mend = "Set kind to derived in points.csv."
            fields.fault("point", point.id, f"a total, but its kind is {point.kind}", mend)
        for part in parts:
            if part.unit != point.unit:
                problem = f"{part.id} is in {part.unit}, the total in {point.unit}"
                fields.fault(used[0], point.id, problem, "Give both the same unit.")
                break
        selected = isinstance(fields.values[used[0]], Mapping)
        ids = tuple(p.id for p in parts if not selected or p.id != point.id)
        found[point.id] = TotalRow(point.id, used[0], ids)
    return _sorted(document, found, lines)


def _parts(fields: Fields, function: str, selection: Selection) -> list[Point] | None:
    value = fields.values[function]
    if isinstance(value, Mapping):
        return selection.of(fields, function, value)
    if isinstance(value, list) and value:
        return selection.points(fields, function, value)
    mend = "Write a list of points, or {property: ..., assets_in: ..., type: ...}."
    fields.fault(function, value or "", "the total has no parts", mend)
    return None


def _sorted(
    document: Document, found: dict[str, TotalRow], lines: dict[str, int]
) -> list[TotalRow]:
    ring = cycle((row.point, part) for row in found.values() for part in row.parts)
    if ring:
        line = max(lines.get(point, 0) for point in ring)
        mend = "Take one of them out."
        document.faults.add(
            document.file, line, " -> ".join(ring), "totals that need each other", mend
        )
        return list(found.values())
    return [found[point] for point in in_order({k: row.parts for k, row in found.items()})]
