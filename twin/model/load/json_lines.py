"""JSON with line numbers: items of a list one by one, and the line of any value inside an item.

The items themselves are decoded by the standard decoder; only where a fault must be named is the
item walked again to find the line of the value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from twin.model.load.text import Text

_BLANK = re.compile(r"[ \t\r\n]*")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for position, key in enumerate(keys) if key in keys[:position])
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


_DECODER = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_unique)


class JsonFault(Exception):
    """The text is not JSON, at this line."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Item:
    """One decoded value and where it begins."""

    text: Text
    offset: int
    value: Any

    @property
    def line(self) -> int:
        """1-based line of its first character."""
        return self.text.line_at(self.offset)

    def line_of(self, path: Sequence[str | int]) -> int:
        """The line of the value at `path` inside it, or of its nearest parent."""
        offset = self.offset
        for step in path:
            found = next((o for k, o in _children(self.text, offset) if k == step), None)
            if found is None:
                break
            offset = found
        return self.text.line_at(offset)


def members(text: Text) -> Iterator[tuple[str, Item]]:
    """The members of the object that is the whole text; a list member comes undecoded (value None),

    to be read with `items`.
    """
    start = _skip(text, 0)
    for key, offset in _children(text, start, expect="{"):
        value = None if text.content[offset] == "[" else _decode(text, offset)[0]
        yield str(key), Item(text, offset, value)
    rest = _skip(text, _decode(text, start)[1])
    if rest != len(text.content):
        raise JsonFault(text.line_at(rest), "something follows the end of the object")


def items(item: Item) -> Iterator[Item]:
    """The items of a list that `members` left undecoded."""
    for _, offset in _children(item.text, item.offset, expect="["):
        yield Item(item.text, offset, _decode(item.text, offset)[0])


def _children(text: Text, offset: int, expect: str = "") -> Iterator[tuple[str | int, int]]:
    """Key or position, and offset, of each direct child of the object or list at `offset`."""
    content = text.content
    opening = content[offset : offset + 1]
    if (expect and opening != expect) or (not expect and opening not in ("{", "[")):
        if expect:
            raise JsonFault(text.line_at(offset), f"expected {expect!r}")
        return
    closing = "}" if opening == "{" else "]"
    position = _skip(text, offset + 1)
    number = 0
    if content[position : position + 1] == closing:
        return
    while True:
        key: str | int = number
        if opening == "{":
            if content[position : position + 1] != '"':
                raise JsonFault(text.line_at(position), "expected a key in double quotes")
            key, position = _decode(text, position)
            position = _skip(text, position)
            if content[position : position + 1] != ":":
                raise JsonFault(text.line_at(position), "expected ':' after the key")
            position = _skip(text, position + 1)
        yield key, position
        position = _skip(text, _decode(text, position)[1])
        number += 1
        mark = content[position : position + 1]
        if mark == closing:
            return
        if mark != ",":
            raise JsonFault(text.line_at(position), f"expected ',' or {closing!r}")
        position = _skip(text, position + 1)


def _skip(text: Text, offset: int) -> int:
    match = _BLANK.match(text.content, offset)
    assert match is not None
    return match.end()


def _decode(text: Text, offset: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text.content, offset)
    except json.JSONDecodeError as problem:
        raise JsonFault(text.line_at(problem.pos), problem.msg) from problem
    except ValueError as problem:
        raise JsonFault(text.line_at(offset), str(problem)) from problem
    except RecursionError as problem:
        raise JsonFault(text.line_at(offset), "nested too deeply") from problem
