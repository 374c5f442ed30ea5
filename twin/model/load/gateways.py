"""gateways/*.yaml as the model sees them: which gateway binds which point, on which line.

Devices, registers and timing belong to the edge, which checks its own files in full.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from twin.model.load.fields import ASSET_ID
from twin.model.load.text import Faults, Text

# Two scans over the lines, not a YAML parse: a park of 10,000 points would spend 7 s parsing.
_GATEWAY = re.compile(r"^gateway:[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)
_POINT = re.compile(r"(?:^|[{,-])[ \t]*[\"']?point[\"']?:[ \t]+[\"']?([^\s,}\"'#]+)", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#[^\r\n]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class GatewayFile:
    """A gateway's id and its (point, line) signals."""

    file: str
    gateway: str
    line: int
    signals: tuple[tuple[str, int], ...]


def read_gateway(text: Text, faults: Faults) -> GatewayFile | None:
    """The gateway of one file; None after a fault."""
    content = _COMMENT.sub(lambda match: " " * len(match.group()), text.content)
    head = _GATEWAY.search(content)
    if head is None:
        mend = "Begin the file with `gateway: GW-...`."
        faults.add(text.file, 1, "", "the file names no gateway", mend)
        return None
    line = text.line_at(head.start())
    if not ASSET_ID.match(head.group(1)):
        mend = "Use a letter, then letters, digits, - or _."
        faults.add(text.file, line, head.group(1), "the gateway's id is not valid", mend)
    signals = tuple(
        (match.group(1), text.line_at(match.start(1))) for match in _POINT.finditer(content)
    )
    return GatewayFile(text.file, head.group(1), line, signals)
