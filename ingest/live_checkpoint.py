"""The live state on disk: one file, written beside and renamed, so that a restart replays little.

Owns the file format. A file that is damaged, of another journal or newer than the records is not
used; the live state is then rebuilt, so losing the file costs time only.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_MAGIC: Final = b"parktwin-live-1\n"

Columns = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The live state after every reading before ordinal `position` of the journal `epoch`.

    state: `LiveState.columns`; windows: alarm ids of rate rules, with their columns.
    """

    epoch: str
    position: int
    state: Columns
    alarms: list[str]
    windows: Columns


class DamagedCheckpoint(Exception):
    """The file is not what was written."""


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file durably. Raises OSError; the old file is then still there."""
    body = io.BytesIO()
    arrays: dict[str, Any] = {f"state.{name}": a for name, a in checkpoint.state.items()}
    arrays |= {f"window.{name}": a for name, a in checkpoint.windows.items()}
    np.savez(body, **arrays)
    data = body.getvalue()
    head = {
        "epoch": checkpoint.epoch,
        "position": checkpoint.position,
        "alarms": checkpoint.alarms,
        "bytes": len(data),
        "crc": zlib.crc32(data),
    }
    line = json.dumps(head).encode()
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(_MAGIC + f"{len(line)} {zlib.crc32(line)}\n".encode() + line + b"\n" + data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path) -> Checkpoint | None:
    """The checkpoint of a file; None when there is no file. Raises `DamagedCheckpoint`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedCheckpoint(str(error)) from error
    try:
        return _parse(data)
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DamagedCheckpoint(f"{path}: {error}") from error


def _parse(data: bytes) -> Checkpoint:
    if not data.startswith(_MAGIC):
        raise ValueError("it does not begin as a checkpoint does")
    sizes, rest = data[len(_MAGIC) :].split(b"\n", 1)
    length, crc = (int(number) for number in sizes.split())
    line, body = rest[:length], rest[length + 1 :]
    if zlib.crc32(line) != crc:
        raise ValueError("its head is damaged")
    head = json.loads(line)
    if len(body) != head["bytes"] or zlib.crc32(body) != head["crc"]:
        raise ValueError("its arrays are damaged or cut off")
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        columns = {name: arrays[name] for name in arrays.files}
    return Checkpoint(
        head["epoch"],
        head["position"],
        _part(columns, "state."),
        head["alarms"],
        _part(columns, "window."),
    )


def _part(columns: Columns, prefix: str) -> Columns:
    return {name[len(prefix) :]: a for name, a in columns.items() if name.startswith(prefix)}
