"""Positions in JSON: whatever the layout, a value is found on the line where it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.model.load.json_lines import Item, JsonFault, items, members
from twin.model.load.text import Text

MARK = "here-it-is"

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=6).filter(lambda text: MARK not in text),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every value inside a value."""
    found = [path]
    if isinstance(value, dict):
        found += [one for key, child in value.items() for one in paths(child, (*path, key))]
    if isinstance(value, list):
        found += [one for key, child in enumerate(value) for one in paths(child, (*path, key))]
    return found


def put(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """A copy with another value at the path."""
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy


@given(values, st.data(), st.sampled_from([None, 0, 1, 3]))
def test_the_line_of_a_value_is_the_line_on_which_it_is_written(
    value: Any, data: st.DataObject, indent: int | None
) -> None:
    path = data.draw(st.sampled_from(paths(value)))
    marked = put(value, path, MARK)
    text = json.dumps({"before": [1, {"a": "\n"}], "it": [0, marked]}, indent=indent)
    member = dict(members(Text.of("f", text)))["it"]
    found = list(items(member))
    assert found[1].value == marked
    assert found[1].line_of(path) == text.count("\n", 0, text.index(MARK)) + 1


@given(values)
def test_members_and_items_decode_as_the_standard_decoder_does(value: Any) -> None:
    text = json.dumps({"plain": {"value": value}, "list": [value, value]})
    found = dict(members(Text.of("f", text)))
    assert found["plain"].value == {"value": value}
    assert [item.value for item in items(found["list"])] == [value, value]


def read_all(text: str) -> None:
    """Reads every member and every item."""
    for _, member in members(Text.of("f", text)):
        if member.value is None and text[member.offset] == "[":
            list(items(member))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("[]", 1),
        ('{"a": 1,\n"b" 2}', 2),
        ('{"a": 1\n"b": 2}', 2),
        ('{"a": 1}\n\n{"b": 2}', 3),
        ('{"a":\n\ntru}', 3),
        ('{"a": 1,\n', 2),
        ('{\n"a": {"b": 1,\n"b": 2}}', 2),
        ('{"a": -Infinity}', 1),
        ('{"a": ' + "[" * 100_000, 1),
    ],
)
def test_what_is_not_json_is_named_by_its_line(text: str, line: int) -> None:
    with pytest.raises(JsonFault) as caught:
        read_all(text)
    assert caught.value.line == line
    assert str(caught.value)


def test_a_path_that_does_not_exist_gives_the_nearest_parent() -> None:
    text = '{"a": {\n"b": {\n"c": 1}}}'
    item = dict(members(Text.of("f", text)))["a"]
    assert isinstance(item, Item)
    assert item.line_of(["b", "x", "y"]) == 2
    assert item.line_of([]) == 1
