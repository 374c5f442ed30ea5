"""Reads compose.yaml the way Compose does: variables filled in, anchors merged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def fill(text: str, environment: Mapping[str, str]) -> str:
    """`text` with ``${NAME:-default}`` filled in; defaults may nest, ``$$`` is a dollar sign."""
    out = []
    at = 0
    while at < len(text):
        if text.startswith("$$", at):
            out.append("$")
            at += 2
        elif text.startswith("${", at):
            end = _closing(text, at + 2)
            name, _, default = text[at + 2 : end].partition(":-")
            out.append(environment.get(name) or fill(default, environment))
            at = end + 1
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


def _closing(text: str, at: int) -> int:
    depth = 1
    while True:
        if text.startswith("${", at):
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1


def _fill_all(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return fill(value, environment)
    if isinstance(value, dict):
        return {key: _fill_all(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill_all(item, environment) for item in value]
    return value


def load_compose(
    environment: Mapping[str, str] | None = None, file: str = "compose.yaml"
) -> dict[str, Any]:
    """`file` as data, for the given ``.env``."""
    document = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    filled = _fill_all(document, environment or {})
    assert isinstance(filled, dict)
    return filled
