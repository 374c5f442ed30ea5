"""The sentence of an alarm in Chinese and English: asset, quantity, value, unit and limit."""

from __future__ import annotations

import math

from twin.alarms.rule import Subject
from twin.model.names import Name
from twin.model.rules import Condition


def message(subject: Subject, condition: Condition, value: float | None) -> Name:
    """What an operator reads: "MH-012 液位 2.61 m，高于 2.50 m".

    value: the reading at the raise; for a rate, the change within its window.
    """
    zh, en = _quantity(subject)
    unit = subject.point.unit
    if condition.kind == "no_data":
        span = _seconds(condition.value)
        return Name(f"{zh} 已 {span[0]}无数据", f"{en}: no data for {span[1]}")
    limit = measure(condition.value, unit, condition.value)
    shown = "?" if value is None else measure(value, unit, condition.value)
    if condition.kind == "rate":
        span = _seconds(condition.per_s)
        return Name(
            f"{zh} {span[0]}内变化 {shown}，超过 {limit}",
            f"{en} changed by {shown} within {span[1]}, more than {limit}",
        )
    if condition.side == "high":
        return Name(f"{zh} {shown}，高于 {limit}", f"{en} {shown}, above {limit}")
    return Name(f"{zh} {shown}，低于 {limit}", f"{en} {shown}, below {limit}")


def measure(value: float, unit: str, like: float) -> str:
    """A value with its unit, with as many decimals as suit a limit of the size `like`."""
    size = abs(like)
    decimals = 0 if size >= 1000 else 1 if size >= 100 else 2
    while decimals < 6 and not math.isclose(round(like, decimals), like, rel_tol=1e-9):
        decimals += 1
    text = f"{value:.{decimals}f}"
    return f"{text} {unit}" if unit else text


def _quantity(subject: Subject) -> tuple[str, str]:
    """ "MH-012 液位"; a point whose name already names its asset is not named twice."""
    asset, point = subject.asset, subject.point.name
    said = (asset.id, asset.name.zh, asset.name.en)
    zh = point.zh if any(point.zh.startswith(s) for s in said if s) else f"{asset.id} {point.zh}"
    en = point.en if any(point.en.startswith(s) for s in said if s) else f"{asset.id} {point.en}"
    return zh, en


def _seconds(seconds: float) -> tuple[str, str]:
    if seconds >= 120 and seconds % 60 == 0:
        return f"{seconds / 60:g} 分钟", f"{seconds / 60:g} min"
    return f"{seconds:g} 秒", f"{seconds:g} s"
