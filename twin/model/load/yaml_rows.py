"""YAML 1.2 with the line of every key and item, for files that people edit by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from twin.model.load.fields import Fields
from twin.model.load.text import Faults, Text

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data and, by path (keys and list positions), the 1-based line it stands on."""

    file: str
    data: Any
    lines: Mapping[Path, int]
    faults: Faults

    def line(self, path: Path) -> int:
        """The line of `path`, or of its nearest parent that is there."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]

    def fields(self, path: Path) -> Fields | None:
        """The mapping at `path` as fields; a fault when something else stands there."""
        node = self.data
        for step in path:
            node = node[step]
        if not isinstance(node, dict):
            mend = "Write `key: value` pairs here."
            self.faults.add(self.file, self.line(path), node, "a mapping is expected", mend)
            return None

        def line_of(key: str | None) -> int:
            return self.line(path if key is None else (*path, key))

        return Fields(self.faults, self.file, node, line_of)

    def rows(self, path: Path) -> Iterator[Fields]:
        """Each mapping of the list at `path`."""
        node = self.data
        for step in path:
            node = node[step]
        if node is None:
            return
        if not isinstance(node, list):
            mend = "Write a list: one `- ...` for each entry."
            self.faults.add(self.file, self.line(path), node, "a list is expected", mend)
            return
        for position in range(len(node)):
            fields = self.fields((*path, position))
            if fields is not None:
                yield fields


def parse_yaml(text: Text, faults: Faults) -> Document | None:
    """The one document of `text`; None after a fault."""
    try:
        node = YAML(typ="safe").compose(text.content)
    except MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        line = mark.line + 1 if mark else 0
        said = " ".join(part for part in (problem.context, problem.problem) if part)
        faults.add(text.file, line, "", f"not valid YAML: {said}", _MEND)
        return None
    except YAMLError as problem:
        faults.add(text.file, 0, "", f"not valid YAML: {problem}", _MEND)
        return None
    lines: dict[Path, int] = {(): 1}
    data = _build(node, (), lines, _reporter(text, faults)) if node is not None else None
    return Document(text.file, data, lines, faults)


_MEND = "Check indentation, colons and quotes on this line and the one above."
Report = Callable[[Node, str, str, str], None]


def _reporter(text: Text, faults: Faults) -> Report:
    def report(node: Node, value: str, problem: str, mend: str) -> None:
        faults.add(text.file, node.start_mark.line + 1, value, problem, mend)

    return report


def _build(node: Node, path: Path, lines: dict[Path, int], report: Report) -> Any:
    if isinstance(node, MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in found:
                report(key_node, key, "the same key twice", "Keep one of the two.")
            lines[(*path, key)] = key_node.start_mark.line + 1
            found[key] = _build(value_node, (*path, key), lines, report)
        return found
    if isinstance(node, SequenceNode):
        items = []
        for position, item in enumerate(node.value):
            lines[(*path, position)] = item.start_mark.line + 1
            items.append(_build(item, (*path, position), lines, report))
        return items
    assert isinstance(node, ScalarNode)
    return _scalar(node, report)


def _scalar(node: ScalarNode, report: Report) -> Any:
    kind = str(node.tag).rpartition(":")[2]
    value = str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return value.lower() == "true"
    try:
        if kind == "int":
            return int(value.replace("_", ""), 0) if value[:2] in ("0x", "0o") else int(value)
        if kind == "float":
            return float(value.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        report(node, value, "not a number that is understood", "Write plain decimal digits.")
        return None
    return value
