"""The text of one file of the folder, with line numbers; refuses what an editor may have broken.

Wrong encodings, missing files and control characters are faults here, before any parser sees them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from twin.model.errors import ModelError

# C0 and C1 controls except tab and line ends, the replacement character, zero-width characters,
# Unicode line ends, and the bidirectional overrides with which one name can be made to read as
# another.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd]"
)


@dataclass(slots=True)
class Faults:
    """Collects every fault of a folder; reading goes on as far as it makes sense."""

    errors: list[ModelError] = field(default_factory=list)

    def add(self, file: str, line: int, value: object, problem: str, mend: str) -> None:
        """Remember one fault; the same one twice counts once."""
        error = ModelError(file, line, str(value)[:120], problem, mend)
        if error not in self.errors:
            self.errors.append(error)


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text. `file` is its path inside the folder; line ends are as they were."""

    file: str
    content: str
    starts: tuple[int, ...]

    def line_at(self, offset: int) -> int:
        """1-based line of a character offset."""
        return bisect_right(self.starts, offset)

    @classmethod
    def of(cls, file: str, content: str) -> Text:
        """With the offsets of its line starts."""
        starts = (0, *(match.end() for match in re.finditer("\r\n|\n|\r", content)))
        return cls(file, content, starts)


def read_text(folder: Path, file: str, faults: Faults, *, required: bool = True) -> Text | None:
    """The text of `folder/file` (UTF-8, a byte order mark is dropped); None after a fault, or when

    the file is absent and not required.
    """
    path = folder / file
    if not path.is_file():
        if required:
            faults.add(file, 0, "", "the file is missing", f"Put {file} into the park folder.")
        return None
    raw = path.read_bytes()
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        shown = raw[problem.start : problem.start + 8].hex(" ")
        encoding = "UTF-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
        faults.add(
            file,
            line,
            f"bytes {shown}",
            f"the file is not UTF-8 but {encoding}",
            "Save it again as UTF-8 (in Excel: CSV UTF-8).",
        )
        return None
    text = Text.of(file, content)
    bad = False
    for match in _CONTROL.finditer(content):
        bad = True
        faults.add(
            file,
            text.line_at(match.start()),
            f"U+{ord(match.group()):04X}",
            "a control character that no editor shows",
            "Delete the invisible character on this line.",
        )
    return None if bad else text
