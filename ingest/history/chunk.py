"""Chunk files: rows of an open day as NumPy writes them (.npz, not compressed), sorted by
(point, ts), with an offset per point, so that one point is two small reads of the file.

The name carries the range of sequence numbers it covers; a file whose range lies inside another's
was merged into that one. The zip container holds a CRC-32 of every member.
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ingest.history.table import Table, empty, join

_NAME: Final = re.compile(r"(\d{16})-(\d{16})\.npz")
_LOCAL_HEADER: Final = 30


class Damaged(Exception):
    """A file of the history is not what was written."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def fsync_folder(folder: Path) -> None:
    """Make names created or renamed in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def chunk_name(first: int, end: int) -> str:
    """File name of the chunk with sequences ``first .. end-1``."""
    return f"{first:016d}-{end:016d}.npz"


def covers(name: str) -> tuple[int, int] | None:
    """(first, end) of a chunk's file name, None for other names."""
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def write_chunk(folder: Path, first: int, end: int, table: Table) -> Chunk:
    """Write a chunk durably (temporary name, fsync, rename, fsync of the folder)."""
    low = int(table.points[0])
    counts = np.bincount(table.points - low)
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    ts = table.rows["ts"]
    head = np.array([low, int(ts.min()), int(ts.max())], np.int64)
    path = folder / chunk_name(first, end)
    draft = path.with_suffix(".tmp")
    try:
        with draft.open("wb") as file:
            np.savez(file, head=head, offsets=offsets, rows=table.rows)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        draft.unlink(missing_ok=True)  # a full disk must not fill further with every attempt
        raise
    draft.rename(path)
    fsync_folder(folder)
    return Chunk(path, table.rows.dtype)


class Chunk:
    """A chunk file. Reading opens it for the moment only; raises `Damaged`."""

    __slots__ = (
        "_rows_at", "dtype", "end", "first", "low", "max_ts", "min_ts", "offsets_at", "path",
        "size", "width",
    )  # fmt: skip

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        span = covers(path.name)
        if span is None:
            raise Damaged(path, "its name is not that of a chunk")
        self.path, self.dtype = path, dtype
        self.first, self.end = span
        try:
            with zipfile.ZipFile(path) as box:
                head = np.load(box.open("head.npy"))
                self.low, self.min_ts, self.max_ts = (int(x) for x in head)
                self.offsets_at, count, _ = _data_of(path, box, "offsets.npy")
                self._rows_at, self.size, stored = _data_of(path, box, "rows.npy")
        except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
            raise Damaged(path, f"cannot be opened: {error}") from error
        if stored != dtype:
            raise Damaged(path, f"its rows are {stored}")
        self.width = count - 1

    def verify(self) -> None:
        """Read everything and compare the checksums; raises `Damaged`."""
        try:
            with zipfile.ZipFile(self.path) as box:
                bad = box.testzip()
        except (zipfile.BadZipFile, OSError, EOFError) as error:
            raise Damaged(self.path, str(error)) from error
        if bad is not None:
            raise Damaged(self.path, f"checksum of {bad} is wrong")

    def rows_per_point(self) -> tuple[int, NDArray[np.int64]]:
        """The lowest point, and the number of rows of it and of each point after it."""
        with _opened(self.path) as file:
            offsets = self._read(file, self.offsets_at, self.width + 1, np.dtype("<i8"))
        return self.low, np.diff(offsets)

    def read(self, low: int = 0, high: int = 1 << 31) -> Table:
        """All rows of the points low <= point < high."""
        a, b = max(low - self.low, 0), min(high - self.low, self.width)
        if a >= b:
            return empty(self.dtype)
        with _opened(self.path) as file:
            offsets = self._read(file, self.offsets_at + 8 * a, b - a + 1, np.dtype("<i8"))
            rows = self._rows(file, int(offsets[0]), int(offsets[-1]))
        points = np.repeat(np.arange(a, b, dtype=np.int32) + np.int32(self.low), np.diff(offsets))
        return Table(points, rows)

    def pick(self, points: NDArray[np.int32]) -> Table:
        """All rows of these points (sorted, without repeats)."""
        wanted = points[(points >= self.low) & (points < self.low + self.width)] - self.low
        if not len(wanted):
            return empty(self.dtype)
        reach = int(wanted[-1]) - int(wanted[0]) + 1
        if len(wanted) > 64 and len(wanted) * 16 > reach:
            table = self.read(int(points[0]), int(points[-1]) + 1)
            if len(wanted) == reach:
                return table
            return table.where(np.isin(table.points, points))
        found: list[NDArray[np.void]] = []
        counts = np.zeros(len(wanted), np.int64)
        with _opened(self.path) as file:
            offsets = None
            if len(wanted) > 64:
                offsets = self._read(file, self.offsets_at, self.width + 1, np.dtype("<i8"))
            for i, point in enumerate(wanted.tolist()):
                if offsets is not None:
                    a, b = offsets[point : point + 2].tolist()
                else:
                    pair = os.pread(file.fd, 16, self.offsets_at + 8 * point)
                    if len(pair) != 16:
                        raise Damaged(self.path, "it is cut short")
                    a, b = struct.unpack("<qq", pair)
                if a != b:
                    found.append(self._rows(file, a, b))
                    counts[i] = b - a
        if not found:
            return empty(self.dtype)
        rows = join(found, self.dtype)
        return Table(np.repeat(wanted + np.int32(self.low), counts).astype(np.int32), rows)

    def _rows(self, file: _opened, a: int, b: int) -> NDArray[np.void]:
        if not 0 <= a <= b <= self.size:
            raise Damaged(self.path, "its offsets are out of range")
        width = self.dtype.itemsize
        return self._read(file, self._rows_at + width * a, b - a, self.dtype)

    def _read(self, file: _opened, at: int, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        raw = os.pread(file.fd, count * dtype.itemsize, at)
        if len(raw) != count * dtype.itemsize:
            raise Damaged(self.path, "it is cut short")
        return np.frombuffer(raw, dtype)


class _opened:
    """A file descriptor for the length of a `with`."""

    __slots__ = ("fd", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = -1

    def __enter__(self) -> _opened:
        try:
            self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise Damaged(self.path, f"cannot be opened: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def _data_of(path: Path, box: zipfile.ZipFile, member: str) -> tuple[int, int, np.dtype[Any]]:
    """Where the array of a stored member begins in the file, its length and dtype."""
    info = box.getinfo(member)
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member} is compressed")
    with box.open(member) as stream:
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        header = stream.tell()
    with path.open("rb") as file:
        file.seek(info.header_offset)
        local = file.read(_LOCAL_HEADER)
        name, extra = struct.unpack("<HH", local[26:30])
    return info.header_offset + _LOCAL_HEADER + name + extra + header, int(shape[0]), dtype
