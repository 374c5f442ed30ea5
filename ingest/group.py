"""A group commit as it lies in the journal: readings as columns, and which message each came from.

Owns the blob format. Columns are byte-transposed before compression because neighbouring readings
share their high bytes; the zstd frame carries a checksum and the blob repeats its place in the
journal, so a flipped bit or a row in the wrong place is found, never read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple, overload

import numpy as np
import zstandard
from numpy.typing import NDArray

from ingest.readings import Readings

FORMAT: Final = 1
LEVEL: Final = 1
_HEAD = struct.Struct("<BxxxIIqq")  # format, readings, heads, start ordinal, received_at


class DamagedGroup(Exception):
    """The stored bytes of a group are not what was written."""

    def __init__(self, start: int, problem: str) -> None:
        super().__init__(f"journal group at ordinal {start} is damaged: {problem}")
        self.start = start
        self.problem = problem


@dataclass(frozen=True, slots=True)
class BatchHead:
    """One accepted message inside a group; its readings are ``group.readings[offset:offset+n]``.

    source: gateway id, foreign source, or "twin" for derived readings. box: "" for sources without
    sequence. first: its first sequence, -1 without sequence. count: sequence numbers covered
    (stored, quarantined and lost). shift: ms added to the device's times, so the device's own time
    is ``ts - shift``.
    """

    source: str
    box: str
    first: int
    count: int
    offset: int
    n: int
    received_at: int
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """One commit: `readings` have the ordinals ``start .. end-1``; received_at in Unix ms."""

    start: int
    received_at: int
    readings: Readings
    heads: Sequence[BatchHead]

    @property
    def end(self) -> int:
        """The ordinal after the last reading."""
        return self.start + len(self.readings)


class HeadRow(NamedTuple):
    """A head before it is written; `box` is the ledger's number of the (source, box) pair."""

    box: int
    first: int
    covers: int
    n: int
    received_at: int
    shift: int


class Heads(Sequence[BatchHead]):
    """The heads of a group, made into objects only when somebody looks at one."""

    __slots__ = ("_boxes", "_offsets", "_rows")

    def __init__(self, rows: NDArray[np.int64], boxes: Sequence[tuple[str, str]]) -> None:
        self._rows = rows  # (heads, 6): box, first, count, n, received_at, shift
        self._boxes = boxes
        self._offsets = np.concatenate(([0], np.cumsum(rows[:, 3])))

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, item: int) -> BatchHead: ...
    @overload
    def __getitem__(self, item: slice) -> Sequence[BatchHead]: ...
    def __getitem__(self, item: int | slice) -> BatchHead | Sequence[BatchHead]:
        if isinstance(item, slice):
            return [self[i] for i in range(*item.indices(len(self)))]
        if item < 0:
            item += len(self)
        box, first, count, n, received_at, shift = self._rows[item].tolist()
        source, name = self._boxes[box]
        offset = int(self._offsets[item])
        return BatchHead(source, name, first, count, offset, n, received_at, shift)

    def __iter__(self) -> Iterator[BatchHead]:
        return (self[i] for i in range(len(self)))

    def trimmed(self, skip: int) -> Heads:
        """The heads of the group without its first `skip` readings."""
        rows = self._rows.copy()
        begin = np.maximum(self._offsets[:-1], skip)
        rows[:, 3] = np.maximum(self._offsets[1:] - begin, 0)
        return Heads(rows[self._offsets[1:] > skip], self._boxes)


def trim(group: Group, start: int) -> Group:
    """The part of a group from ordinal `start` on."""
    skip = start - group.start
    if skip <= 0:
        return group
    heads = group.heads
    return Group(
        start,
        group.received_at,
        group.readings[skip:],
        heads.trimmed(skip) if isinstance(heads, Heads) else heads,
    )


def head_rows(heads: Sequence[HeadRow]) -> NDArray[np.int64]:
    """Heads as one (n, 6) int64 array."""
    return np.fromiter(chain.from_iterable(heads), np.int64, len(heads) * 6).reshape(-1, 6)


def _planes(column: NDArray[np.generic]) -> bytes:
    """All first bytes, then all second bytes...: equal high bytes become runs."""
    width = column.dtype.itemsize
    return np.ascontiguousarray(column).view(np.uint8).reshape(-1, width).T.tobytes()


def encode(
    start: int, received_at: int, readings: Readings, heads: NDArray[np.int64], level: int = LEVEL
) -> bytes:
    """The blob of a group, compressed and with a checksum."""
    ts = readings.ts - received_at
    body = b"".join(
        (
            _HEAD.pack(FORMAT, len(readings), len(heads), start, received_at),
            _planes(heads.T.ravel()),
            _planes(readings.point),
            _planes(ts),
            _planes(readings.value),
            readings.quality.tobytes(),
        )
    )
    return zstandard.ZstdCompressor(level=level, write_checksum=True).compress(body)


def decode(start: int, blob: bytes, boxes: Sequence[tuple[str, str]]) -> Group:
    """The group of a blob; raises `DamagedGroup`. `boxes` names the ledger's box numbers."""
    try:
        body = zstandard.ZstdDecompressor().decompress(blob)
    except zstandard.ZstdError as error:
        raise DamagedGroup(start, str(error)) from error
    form, n, m, own_start, received_at = _HEAD.unpack_from(body)
    if form != FORMAT or own_start != start or len(body) != _HEAD.size + n * 21 + m * 48:
        raise DamagedGroup(start, "its header does not belong to this place")
    at = _HEAD.size

    def column(count: int, width: int) -> bytes:
        nonlocal at
        raw = np.frombuffer(body, np.uint8, count * width, at)
        at += count * width
        return raw.reshape(width, -1).T.tobytes() if count else b""

    rows = np.frombuffer(column(m * 6, 8), np.int64).reshape(6, -1).T
    readings = Readings(
        point=np.frombuffer(column(n, 4), np.int32),
        ts=np.frombuffer(column(n, 8), np.int64) + received_at,
        value=np.frombuffer(column(n, 8), np.float64),
        quality=np.frombuffer(column(n, 1), np.uint8),
    )
    return Group(start, received_at, readings, Heads(rows, boxes))
