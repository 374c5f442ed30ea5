"""The park's bindings made ready for lookup: which field of a foreign source is which point.

Pure. Rows come from the park model; points that the journal does not know cannot be bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol


class BindingRow(Protocol):
    """A row of bindings.csv (`twin.model.Binding` is one)."""

    @property
    def source(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def match(self) -> str: ...
    @property
    def point(self) -> str: ...
    @property
    def scale(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Target:
    """Where a field goes: the point (number and id) and the factor into its unit."""

    point: int
    id: str
    scale: float


@dataclass(frozen=True, slots=True)
class LineTarget:
    """A target behind tags: a line matches when it carries all of `tags` with these values."""

    tags: frozenset[tuple[str, str]]
    target: Target


@dataclass(slots=True)
class SourceBindings:
    """Of one source: flat by top-level key, nested by path, lines by (measurement, field)."""

    flat: dict[str, Target] = field(default_factory=dict)
    nested: dict[tuple[str, ...], Target] = field(default_factory=dict)
    lines: dict[tuple[str, str], list[LineTarget]] = field(default_factory=dict)


NOTHING: Final = SourceBindings()


class BindingError(ValueError):
    """A binding that cannot be read; the message names it."""


class Bindings:
    """All bindings by source. `points` maps point id to number."""

    def __init__(self, rows: Iterable[BindingRow], points: Mapping[str, int]) -> None:
        self._sources: dict[str, SourceBindings] = {}
        for row in rows:
            number = points.get(row.point)
            if number is None:
                raise BindingError(f"{row.source} {row.match}: no point {row.point!r}")
            own = self._sources.setdefault(row.source, SourceBindings())
            target = Target(number, row.point, row.scale)
            if row.format == "json":
                own.flat[row.match] = target
                if "." in row.match:
                    own.nested[tuple(row.match.split("."))] = target
            elif row.format == "lp":
                measurement, tags, name = _line_match(row)
                own.lines.setdefault((measurement, name), []).append(LineTarget(tags, target))
            else:
                raise BindingError(f"{row.source} {row.match}: no format {row.format!r}")
        for own in self._sources.values():
            for candidates in own.lines.values():
                candidates.sort(key=lambda c: -len(c.tags))  # the most specific first

    def of(self, source: str) -> SourceBindings:
        """Bindings of a source; `NOTHING` when it has none."""
        return self._sources.get(source, NOTHING)

    def sources(self) -> list[str]:
        """Sources that have bindings."""
        return sorted(self._sources)


def _line_match(row: BindingRow) -> tuple[str, frozenset[tuple[str, str]], str]:
    """``measurement,tag=value field`` in its parts."""
    head, space, name = row.match.rpartition(" ")
    if not space or not head or not name:
        raise BindingError(
            f"{row.source}: {row.match!r} is not of the form 'measurement,tag=value field'"
        )
    measurement, *pairs = head.split(",")
    tags = set()
    for pair in pairs:
        tag, equals, value = pair.partition("=")
        if not equals:
            raise BindingError(f"{row.source}: {pair!r} in {row.match!r} is not tag=value")
        tags.add((tag, value))
    return measurement, frozenset(tags), name
