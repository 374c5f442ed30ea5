"""Park folders to break: the example of docs/park-model.md, and the demo park."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "parks" / "demo"
PAGE = ROOT / "docs" / "park-model.md"

_BLOCK = re.compile(r"^```\w+ file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Break:
    """`old` (its first occurrence) becomes `new`; the fault must be named at that line + shift, or

    at the line of `at`. problem, mend: words that the error must contain.
    """

    file: str
    old: str
    new: str
    problem: str
    mend: str
    shift: int = 0
    at: str = ""


def example(folder: Path) -> Path:
    """The park of the documentation page, as a folder."""
    park = folder / "park"
    for name, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        (park / name).parent.mkdir(parents=True, exist_ok=True)
        (park / name).write_text(text, encoding="utf-8", newline="\n")
    return park


def demo(folder: Path, own: str) -> Path:
    """The demo park in `folder`: links to its files, and a real copy of the file `own`."""
    park = folder / "park"
    (park / "gateways").mkdir(parents=True)
    for source in (*DEMO.glob("*.*"), *DEMO.glob("gateways/*.yaml")):
        name = source.relative_to(DEMO).as_posix()
        if source.suffix in (".yaml", ".csv", ".geojson", ".inp") and name != own:
            (park / name).symlink_to(source)
    shutil.copyfile(DEMO / own, park / own)
    return park


def break_it(park: Path, fault: Break) -> int:
    """Breaks a file of `park`; returns the line on which the fault stands."""
    path = park / fault.file
    text = path.read_text(encoding="utf-8")
    assert fault.old in text, f"{fault.file} has no {fault.old!r}"
    line = text.count("\n", 0, text.index(fault.at or fault.old)) + 1
    path.write_text(text.replace(fault.old, fault.new, 1), encoding="utf-8", newline="\n")
    return line + fault.shift


def replace_line(park: Path, file: str, number: int, line: str) -> None:
    """Line `number` of `file` becomes `line`; the file grows when it is shorter."""
    path = park / file
    lines = path.read_text(encoding="utf-8").splitlines()
    lines += [""] * (number - len(lines))
    lines[number - 1] = line
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
