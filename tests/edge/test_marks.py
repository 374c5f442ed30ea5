"""YAML with lines: the same values as YAML 1.2 asks for, each key's line, no key twice."""

from __future__ import annotations

import pytest
from ruamel.yaml.error import MarkedYAMLError

from edge.marks import MarkedList, MarkedMap, read_marked


def test_values_are_those_of_yaml_1_2() -> None:
    text = "a: on\nb: 1:30\nc: 0x1F\nd: 012\ne: 1e3\nf: ~\ng: 'x'\nh: true\n"
    expected = {"a": "on", "b": "1:30", "c": 31, "d": 12, "e": 1000.0, "f": None, "g": "x"}
    assert read_marked(text) == {**expected, "h": True}


def test_keys_and_items_know_their_lines() -> None:
    found = read_marked("# first\na: 1\nb:\n  - {c: 2}\n\n  - d: 3\n    e: 4\n")
    assert isinstance(found, MarkedMap)
    assert found.lines == {"a": 2, "b": 3}
    items = found["b"]
    assert isinstance(items, MarkedList)
    assert items.lines == [4, 6]
    assert items[1].lines == {"d": 6, "e": 7}


def test_a_key_twice_is_an_error_with_its_line() -> None:
    with pytest.raises(MarkedYAMLError) as caught:
        read_marked("a: 1\nb: 2\na: 3\n")
    assert caught.value.problem_mark is not None
    assert caught.value.problem_mark.line == 2


def test_a_merge_gives_defaults_that_the_mapping_overrides() -> None:
    text = "base: &b {host: h, port: 502}\ndevice:\n  <<: *b\n  port: 1502\n"
    assert read_marked(text)["device"] == {"host": "h", "port": 1502}
