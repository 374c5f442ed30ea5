"""Readings packed for disk and for the wire: rows of the outbox file, bodies of messages.

Pure. A row's blob is the zstd-compressed JSON array that a message carries, so sending costs no
decoding; zstd's checksum tells a flipped bit.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import zstandard

from edge.wire import WIRE_VERSION, Reading, Up

MAX_READINGS: Final = 500
MAX_BYTES: Final = 128 * 1024

_items = msgspec.json.Decoder(list[msgspec.Raw])
_tools = threading.local()  # zstd contexts may not be shared between threads


class Damaged(Exception):
    """A blob does not decompress to what was written."""


class Chunk(NamedTuple):
    """Up to 500 readings ready for the file: `blob` holds `n` of them."""

    n: int
    blob: bytes


class Parcel(NamedTuple):
    """Sequences first..first+n-1 of a box: `body` is a JSON array, or None with a loss reason."""

    first: int
    n: int
    body: bytes | None
    reason: str = ""

    @property
    def last(self) -> int:
        """The last sequence inside."""
        return self.first + self.n - 1


def pack(readings: Sequence[Reading]) -> list[Chunk]:
    """Readings in order, in as few chunks as the message limits allow."""
    compressor: zstandard.ZstdCompressor | None = getattr(_tools, "compressor", None)
    if compressor is None:
        compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        _tools.compressor = compressor
    chunks: list[Chunk] = []
    waiting = [readings[i : i + MAX_READINGS] for i in range(0, len(readings), MAX_READINGS)]
    waiting.reverse()
    while waiting:
        part = waiting.pop()
        body = msgspec.json.encode(part)
        if len(body) > MAX_BYTES and len(part) > 1:
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]]
            continue
        chunks.append(Chunk(len(part), compressor.compress(body)))
    return chunks


def unpack(blob: bytes) -> bytes:
    """The JSON array in a blob; raises Damaged."""
    decompressor: zstandard.ZstdDecompressor | None = getattr(_tools, "decompressor", None)
    if decompressor is None:
        decompressor = zstandard.ZstdDecompressor()
        _tools.decompressor = decompressor
    try:
        return decompressor.decompress(blob, max_output_size=4 * MAX_BYTES)
    except zstandard.ZstdError as error:
        raise Damaged(str(error)) from error


def count(body: bytes) -> int:
    """How many readings a JSON array holds; raises Damaged."""
    try:
        return len(_items.decode(body))
    except msgspec.DecodeError as error:
        raise Damaged(str(error)) from error


def cut(body: bytes, begin: int, end: int) -> bytes:
    """Readings begin..end-1 of a JSON array, as a JSON array."""
    return b"[" + b",".join(bytes(item) for item in _items.decode(body)[begin:end]) + b"]"


def message(box: str, parcel: Parcel, sent: int, uptime: int) -> bytes:
    """Payload of ``park/{gateway}/up`` for a parcel; `sent` wall ms, `uptime` monotonic ms."""
    head = Up(box=box, first=parcel.first, v=WIRE_VERSION, sent=sent, uptime=uptime)
    if parcel.body is None:
        head.lost, head.reason = parcel.n, parcel.reason
        return msgspec.json.encode(head)
    return msgspec.json.encode(head)[:-1] + b',"readings":' + parcel.body + b"}"


def join(bodies: Sequence[bytes]) -> bytes:
    """Several JSON arrays as one."""
    return bodies[0] if len(bodies) == 1 else b"[" + b",".join(b[1:-1] for b in bodies) + b"]"
