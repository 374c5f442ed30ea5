"""Records what simulated devices served, so that a test can look for each value downstream."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import NamedTuple, TextIO


class Served(NamedTuple):
    """One point in one answer: register bytes as on the wire, the value they mean, Unix s."""

    device: str
    point: str
    raw: bytes
    value: float | None
    at: float


class Record:
    """A list of what was served, thread-safe; with a file, one JSON line each as well."""

    def __init__(self, file: Path | None = None) -> None:
        self._served: list[Served] = []
        self._lock = threading.Lock()
        self._file: TextIO | None = file.open("a", encoding="utf-8") if file else None

    def add(self, served: Served) -> None:
        """Keep one."""
        with self._lock:
            self._served.append(served)
            if self._file is not None:
                row = [served.device, served.point, served.raw.hex(), served.value, served.at]
                self._file.write(json.dumps(row) + "\n")
                self._file.flush()

    def all(self) -> list[Served]:
        """A copy, in the order served."""
        with self._lock:
            return list(self._served)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read_record(file: Path) -> list[Served]:
    """What `Record` wrote to a file; a last line cut off by a kill is left out."""
    rows = []
    for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            device, point, raw, value, at = json.loads(line)
            rows.append(Served(device, point, bytes.fromhex(raw), value, at))
    return rows
