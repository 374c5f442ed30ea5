"""The form in which every benchmark prints: figure, target, verdict, and the machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One measured figure. better: which side of `target` is good; None target: for information."""

    what: str
    figure: float
    unit: str
    target: float | None = None
    better: Literal["low", "high"] = "low"
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the target is reached (True without one)."""
        if self.target is None:
            return True
        return self.figure <= self.target if self.better == "low" else self.figure >= self.target


def machine() -> str:
    """The machine in one line."""
    model = platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {sys.version.split()[0]}"
    )


def show(rows: Iterable[Row], title: str = "") -> int:
    """Print the table; 1 when a target was missed, else 0."""
    rows = list(rows)
    table = Table("what", "figure", "target", "", "note", title=title or None, box=None)
    for row in rows:
        sign = "≤" if row.better == "low" else "≥"
        target = "" if row.target is None else f"{sign} {_number(row.target)} {row.unit}"
        verdict = "" if row.target is None else ("met" if row.met else "MISSED")
        figure = f"{_number(row.figure)} {row.unit}"
        table.add_row(row.what, figure, target, verdict, row.note)
    console = Console(width=max(150, Console().width), highlight=False)
    console.print(f"machine: {machine()}")
    console.print(table)
    return 0 if all(row.met for row in rows) else 1


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
