"""Closed days: which Parquet files hold them (`closed.json` in the day's folder), by point range.

A small park has one file a day; a large one several, so that neither closing a day nor reading a
point grows with the park. Replacing `closed.json` is the one step that makes a closing count.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ingest.history.chunk import Damaged, fsync_folder
from ingest.history.parquet import checksum

MANIFEST: Final = "closed.json"
LAST_POINT: Final = (1 << 21) - 1
_NAME: Final = re.compile(r"g(\d+)-p(\d+)-(\d+)\.parquet")


@dataclass(frozen=True, slots=True)
class Shard:
    """One Parquet file with the points low..high (both included) of a closed day."""

    file: str
    low: int
    high: int
    rows: int
    crc: int
    size: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The closed part of a day: every sequence number below `through` is in `shards`."""

    through: int = 0
    generation: int = 0
    closed_at: int = 0
    shards: tuple[Shard, ...] = ()


def shard_name(generation: int, low: int, high: int) -> str:
    """File name of the shard with points low..high."""
    return f"g{generation:04d}-p{low:07d}-{high:07d}.parquet"


def save(folder: Path, closed: Closed) -> None:
    """Replace the folder's `closed.json` durably."""
    body = json.dumps(asdict(closed), indent=1, sort_keys=True)
    text = json.dumps({"closed": json.loads(body), "crc32": zlib.crc32(body.encode())}, indent=1)
    draft = folder / (MANIFEST + ".tmp")
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(folder / MANIFEST)
    fsync_folder(folder)


def load(folder: Path) -> Closed:
    """What `save` wrote; raises `Damaged`. An open day has neither it nor Parquet files."""
    path = folder / MANIFEST
    if not path.exists():
        return found(folder)
    try:
        told = json.loads(path.read_text())
        closed, crc = told["closed"], told["crc32"]
        if zlib.crc32(json.dumps(closed, indent=1, sort_keys=True).encode()) != crc:
            raise Damaged(path, "its checksum is wrong")
        shards = tuple(Shard(**shard) for shard in closed.pop("shards"))
        return Closed(shards=shards, **closed)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(path, f"cannot be read: {error}") from error


def found(folder: Path) -> Closed:
    """A manifest made anew from the Parquet files that lie in the folder.

    Files of several generations may overlap; the later generation is read last and wins.
    """
    shards: list[Shard] = []
    generation = 0
    for path in sorted(folder.glob("*.parquet")):
        match = _NAME.fullmatch(path.name)
        if match:
            crc, size = checksum(path)
            shards.append(Shard(path.name, int(match[2]), int(match[3]), 0, crc, size))
            generation = max(generation, int(match[1]))
    return Closed(0, generation, 0, tuple(shards))
