"""One row of any file (YAML mapping, CSV line, GeoJSON feature) read field by field.

Every reading method reports a fault with the field's own line and returns None instead of raising,
so that one row shows all its faults at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any

from twin.model.load.text import Faults
from twin.model.names import Name

ASSET_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}\Z")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)


def nearest(value: str, options: Collection[str]) -> str:
    """A mend: the closest of `options`, or all of them when they are few."""
    same = [option for option in options if option.casefold() == value.casefold()]
    close = same or get_close_matches(value, list(options), n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]}?"
    if 0 < len(options) <= 14:
        return f"Use one of: {', '.join(options)}."
    return ""


class Fields:
    """`values` by key, each with its line; `line_of(None)` is the row's own line."""

    def __init__(
        self,
        faults: Faults,
        file: str,
        values: Mapping[str, Any],
        line_of: Callable[[str | None], int],
    ) -> None:
        self.faults = faults
        self.file = file
        self.values = values
        self.line_of = line_of

    @property
    def line(self) -> int:
        """The row's own line."""
        return self.line_of(None)

    def fault(self, key: str | None, value: object, problem: str, mend: str) -> None:
        """A fault at the line of `key`."""
        line = self.line_of(key if key in self.values else None)
        self.faults.add(self.file, line, value, problem, mend)

    def only(self, keys: Collection[str]) -> None:
        """Every key that is not one of `keys` is a fault (most are slips of the pen)."""
        for key in self.values:
            if key not in keys:
                mend = nearest(str(key), keys) or "Remove it."
                self.fault(key, key, "this key is not known here", mend)

    def has(self, key: str) -> bool:
        """Whether the field is there and not empty."""
        return self.values.get(key) not in (None, "")

    def text(self, key: str) -> str | None:
        """A required text."""
        value = self.values.get(key)
        if value is None or value == "":
            self.fault(key, "", f"{key} is missing", f"Give {key}.")
            return None
        if not isinstance(value, str):
            self.fault(key, value, f"{key} must be a text", f"Write {key} in quotes.")
            return None
        return value

    def id(self, key: str) -> str | None:
        """A required id: a letter, then letters, digits, `-` and `_`."""
        value = self.text(key)
        if value is None or ASSET_ID.match(value):
            return value
        self.fault(
            key,
            value,
            f"{key} is not a valid id",
            "Use a letter, then up to 62 letters, digits, - or _ (ASCII, no blanks, no dots).",
        )
        return None

    def one_of(self, key: str, options: Collection[str]) -> str | None:
        """A required text out of `options`."""
        value = self.text(key)
        if value is None or value in options:
            return value
        mend = nearest(value, options) or f"Use one of: {', '.join(options)}."
        self.fault(key, value, f"{key} is not known", mend)
        return None

    def number(self, key: str, low: float | None = None, high: float | None = None) -> float | None:
        """A required finite number within low..high; CSV cells are parsed strictly."""
        value = self.values.get(key)
        if value is None or value == "":
            self.fault(key, "", f"{key} is missing", f"Give {key} as a number.")
            return None
        if isinstance(value, str) and _NUMBER.match(value):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(
                key,
                value,
                f"{key} is not a number",
                "Write digits with a point for decimals, no unit and no thousands separator.",
            )
            return None
        number = float(value)
        beyond = (low is not None and number < low) or (high is not None and number > high)
        if not math.isfinite(number) or beyond:
            bounds = f"{'-inf' if low is None else low} to {'inf' if high is None else high}"
            self.fault(key, value, f"{key} is out of range", f"Give a number from {bounds}.")
            return None
        return number

    def optional_number(self, key: str, default: float | None) -> float | None:
        """A number, or `default` when the field is empty."""
        return self.number(key) if self.has(key) else default

    def day(self, key: str) -> date | None:
        """A required date, YYYY-MM-DD."""
        value = self.values.get(key)
        if isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        self.fault(key, value, f"{key} is not a date", "Write it as YYYY-MM-DD.")
        return None

    def name(self, key: str) -> Name | None:
        """A required `{zh: ..., en: ...}`."""
        value = self.values.get(key)
        if isinstance(value, Mapping):
            zh, en = value.get("zh"), value.get("en")
            if isinstance(zh, str) and zh and isinstance(en, str) and en:
                return Name(zh, en)
        mend = f"Write {key}: {{zh: 中文名, en: English name}}."
        self.fault(key, value or "", f"{key} must have a Chinese and an English text", mend)
        return None

    def names(self, zh: str, en: str) -> Name | None:
        """A required name from two text fields."""
        chinese, english = self.text(zh), self.text(en)
        return Name(chinese, english) if chinese and english else None

    def ids(self, key: str) -> list[str] | None:
        """A list of texts, or one text alone."""
        value = self.values.get(key)
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        self.fault(key, value or "", f"{key} must be a list of ids", "Write [A, B, C].")
        return None
