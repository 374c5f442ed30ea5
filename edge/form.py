"""Reads a YAML mapping field by field and collects every error with file, line and mend.

Owns the wording of configuration errors; what a gateway or a driver may say is owned by their
own modules. It reads a file only in `read_form`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from edge.marks import MarkedList, MarkedMap, read_marked

T = TypeVar("T")

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_POINT: Final = r"[^\s.#+/\x00-\x1f]{1,64}\.[a-z][a-z0-9_]{0,63}"
_SECRETS: Final = ("password", "passwd", "secret", "token", "username", "user", "key")


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One thing wrong in a file: `line` counts from 1, `path` is like ``devices[2].port``."""

    file: str
    line: int
    path: str
    value: str
    problem: str
    mend: str

    def __str__(self) -> str:
        shown = f" (found {self.value})" if self.value else ""
        return f"{self.file}:{self.line}: {self.path}: {self.problem}{shown}. {self.mend}"


class ConfigErrors(Exception):
    """Every error of a file; nothing starts from a file that has one."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors: tuple[ConfigError, ...] = tuple(errors)


class Form:
    """One YAML mapping being read; errors of it and its children go to one shared list.

    Every getter returns a usable value even after an error, so that reading goes on and all
    errors are found at once. `done` reports the keys that nobody asked for.
    """

    def __init__(
        self,
        file: str,
        node: Any,
        path: str = "",
        line: int = 1,
        errors: list[ConfigError] | None = None,
        bound: dict[str, tuple[str, int]] | None = None,
    ) -> None:
        self.file = file
        self.path = path
        self.line = line
        self.errors: list[ConfigError] = [] if errors is None else errors
        self._bound: dict[str, tuple[str, int]] = {} if bound is None else bound
        self._asked: set[str] = set()
        if isinstance(node, Mapping):
            self._node: Mapping[str, Any] = node
        else:
            self._node = {}
            self.wrong("", node, "must be a mapping", "Write it as `key: value` lines.")

    def __contains__(self, key: str) -> bool:
        return key in self._node

    def fields(self) -> list[str]:
        """The keys as written, in file order."""
        return [str(key) for key in self._node]

    def line_of(self, key: str) -> int:
        """Line of `key`, counted from 1; the mapping's own line when the key is absent."""
        return (
            self._node.lines.get(key, self.line) if isinstance(self._node, MarkedMap) else self.line
        )

    def wrong(self, key: str, value: Any, problem: str, mend: str) -> None:
        """Record an error at `key` ("" for the mapping itself)."""
        path = ".".join(part for part in (self.path, key) if part) or "(file)"
        shown = "" if value is None else repr(value) if isinstance(value, str) else str(value)
        line = self.line_of(key) if key else self.line
        self.errors.append(ConfigError(self.file, line, path, shown[:80], problem, mend))

    def _get(self, key: str, default: Any, mend: str) -> Any:
        self._asked.add(key)
        value = self._node.get(key)
        if value is None and default is None:
            self.wrong(key, None, "is missing", mend)
        return default if value is None else value

    def text(
        self, key: str, default: str | None = None, *, pattern: str = "", say: str = ""
    ) -> str:
        """A non-empty string; `pattern` must match all of it and `say` names what it asks for."""
        value = self._get(key, default, f"Add `{key}: ...`.")
        if value is None:
            return ""
        if not isinstance(value, str) or not value.strip():
            self.wrong(key, value, "must be a text", "Put it in quotes if it looks like a number.")
            return default or ""
        if pattern and not re.fullmatch(pattern, value):
            self.wrong(key, value, "is not allowed", f"Use {say or pattern}.")
        return str(value)

    def point(self, key: str) -> str:
        """A point id, ``ASSET.property``."""
        return self.text(key, pattern=_POINT, say="ASSET.property, e.g. MH-012.level")

    def bind(self, key: str) -> str:
        """A point id that may be bound only once in the file."""
        point = self.point(key)
        here = (self.path, self.line_of(key))
        if point and self._bound.setdefault(point, here) != here:
            mend = f"Read a point in one place; line {self._bound[point][1]} has it already."
            self.wrong(key, point, "is bound twice", mend)
        return point

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number within `low`..`high`."""
        value = self._get(key, default, f"Add `{key}:` with a whole number {low}..{high}.")
        if value is None:
            return low
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(key, value, "must be a whole number", f"Use a number {low}..{high}.")
        elif not low <= value <= high:
            self.wrong(key, value, "is out of range", f"Use a number {low}..{high}.")
        else:
            return int(value)
        return low if default is None else default

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number."""
        value = self._get(key, default, f"Add `{key}:` with a number.")
        if value is None:
            return 0.0
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.wrong(key, value, "must be a number", "Use digits with a point, e.g. 0.1.")
        elif value - value != 0:  # infinity and NaN
            self.wrong(key, value, "must be a finite number", "Use digits with a point.")
        else:
            return float(value)
        return 0.0 if default is None else default

    def optional_number(self, key: str) -> float | None:
        """A finite number, or None when absent."""
        self._asked.add(key)
        return self.number(key) if self._node.get(key) is not None else None

    def choice(self, key: str, among: Sequence[str], default: str | None = None) -> str:
        """One of `among`."""
        value = self._get(key, default, f"Add `{key}:` with one of {', '.join(among)}.")
        if value is None:
            return among[0]
        if value not in among:
            near = difflib.get_close_matches(str(value), among, 1)
            hint = f"Did you mean {near[0]}? " if near else ""
            self.wrong(key, value, "is unknown", f"{hint}Use one of {', '.join(among)}.")
            return among[0]
        return str(value)

    def duration(self, key: str, low: float, high: float, default: str | None = None) -> float:
        """Seconds from text like ``500ms``, ``5s``, ``2m``, ``1h``, within `low`..`high`."""
        value = self._get(key, default, f"Add `{key}:` with a duration, e.g. 5s.")
        if value is None:
            return low
        match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            self.wrong(key, value, "is not a duration", "Use a number and ms, s, m, h or d: 500ms.")
            return low
        seconds = float(match[1]) * _SECONDS[match[2]]
        if not low <= seconds <= high:
            self.wrong(key, value, "is out of range", f"Use {low:g}s to {high:g}s.")
            return low
        return seconds

    def child(self, key: str, *, required: bool = False) -> Form:
        """The mapping under `key`; an empty one when absent."""
        value = self._get(key, None if required else {}, f"Add `{key}:`.")
        path = f"{self.path}.{key}" if self.path else key
        node = {} if value is None else value
        return Form(self.file, node, path, self.line_of(key), self.errors, self._bound)

    def children(self, key: str, *, say: str) -> list[Form]:
        """The mappings of the list under `key`; at least one is asked for, `say` names it."""
        value = self._get(key, None, f"Add `{key}:` with {say}.")
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.wrong(key, value, "must be a list", f"Write {say} under it, each with a dash.")
            return []
        if not value:
            self.wrong(key, None, "is empty", f"Add {say}.")
        path = f"{self.path}.{key}" if self.path else key
        forms = []
        for i, item in enumerate(value):
            line = value.lines[i] if isinstance(value, MarkedList) else self.line_of(key)
            child = Form(self.file, item, f"{path}[{i}]", line, self.errors, self._bound)
            forms.append(child)
        return forms

    def done(self) -> None:
        """Report every key that was not asked for."""
        for key in self.fields():
            if key in self._asked:
                continue
            if key.lower() in _SECRETS:
                mend = "Remove it: secrets come from the environment, never from this file."
            else:
                near = difflib.get_close_matches(key, sorted(self._asked), 1)
                mend = f"Did you mean `{near[0]}`?" if near else "Remove it."
            self.wrong(key, None, "is an unknown key", mend)


def read_form(path: Path, build: Callable[[Form], T]) -> tuple[T, bytes]:
    """Read a YAML file, hand its form to `build`, and return what it built and the file's bytes.

    Raises ConfigErrors with every error, by line.
    """
    raw = _bytes(path)
    form = Form(str(path), _with_lines(path, raw))
    built = build(form)
    if form.errors:
        raise ConfigErrors(sorted(form.errors, key=lambda error: error.line))
    return built, raw


def _fail(path: Path, line: int, problem: str, mend: str) -> ConfigErrors:
    return ConfigErrors([ConfigError(str(path), line, "(file)", "", problem, mend)])


def _bytes(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise _fail(path, 1, problem, "Check the path and the rights.") from error
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _fail(path, line, "is not UTF-8", "Save the file with UTF-8 encoding.") from error
    return raw


def _with_lines(path: Path, raw: bytes) -> object:
    try:
        return read_marked(raw.decode())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = (mark.line + 1) if mark is not None else 1
        problem = " ".join(str(error.problem or "is not YAML").split())
        raise _fail(path, line, problem, "Mend the YAML here or on the line before.") from error
    except YAMLError as error:
        problem = " ".join(str(error).split())
        raise _fail(path, 1, problem, "Mend the YAML.") from error
