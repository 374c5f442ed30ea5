"""Alarm rules and totals as the park folder declares them: rows, not behaviour.

The loader has already expanded `property` + `type` selections into point ids. Conditions are
evaluated by `twin.alarms`, totals by `twin.totals`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twin.model.names import Name

Priority = Literal["critical", "high", "medium", "low"]
Function = Literal["sum", "mean", "min", "max"]


@dataclass(frozen=True, slots=True)
class Condition:
    """When a rule is true.

    kind "limit": value beyond `value` on the `side` named, back within it by `deadband` (point's
    unit). kind "rate": the value moves by more than `value` within `per_s` seconds, either way.
    kind "no_data": no reading with a value for `value` seconds of receive time.
    """

    kind: Literal["limit", "rate", "no_data"]
    value: float
    side: Literal["high", "low"] = "high"
    deadband: float = 0.0
    per_s: float = 60.0


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One alarm rule of `rules.yaml` with the points it watches; delays in seconds."""

    id: str
    name: Name
    points: tuple[str, ...]
    condition: Condition
    on_delay_s: float
    off_delay_s: float
    priority: Priority
    consequence: Name
    action: Name


@dataclass(frozen=True, slots=True)
class TotalRow:
    """One derived point of `totals.yaml`: `point` = function(parts), all in the same unit."""

    point: str
    function: Function
    parts: tuple[str, ...]
