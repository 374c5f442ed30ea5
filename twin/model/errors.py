"""What can be wrong with a park folder, said so that a person can mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ModelError:
    """One fault of a park folder.

    file: path inside the folder, with forward slashes; line: 1-based, 0 when the whole file is
    meant (a missing file); value: the offending text; problem and mend: one sentence each.
    """

    file: str
    line: int
    value: str
    problem: str
    mend: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        value = f" ({self.value})" if self.value else ""
        return f"{where}: {self.problem}{value}. {self.mend}"


class ModelErrors(Exception):
    """A park folder cannot be loaded; `errors` names every fault found, by file and line."""

    def __init__(self, errors: Sequence[ModelError]) -> None:
        self.errors = list(errors)
        lines = "\n".join(str(error) for error in self.errors)
        super().__init__(f"{len(self.errors)} error(s) in the park model:\n{lines}")
