"""Native payloads to rows: strict and fast where a message is right, patient where it is not.

Pure. `parse` never raises: a message whose frame can be read but whose items are partly wrong gives
its good rows and the bad ones with reasons; what has no readable frame gives `Refused`, and the
gateway is told so. Times, ranges and unknown points are judged on columns, in `ingest.columns`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from edge.wire import WIRE_VERSION

MAX_PAYLOAD: Final = 256 * 1024
MAX_SEQUENCE: Final = 2**53
_SHOWN: Final = 120

Row = tuple[str, int, float | None, int]
"""(point id, device time in Unix ms, value or None, quality byte)."""

Fault = tuple[str, str, bytes]
"""(code, readable reason, raw bytes) of an item that cannot be stored."""

HOLLOW: Final[Row] = ("", 0, None, 0)
"""Keeps the place of a bad item, so that row i stays sequence ``first + i``."""

_Count = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]
_Time = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]
_Quality = Annotated[int, Meta(ge=0, le=191)]


class Up(msgspec.Struct, gc=False):
    """`edge.wire.Up` as the platform reads it: the same fields, with their limits."""

    box: Annotated[str, Meta(min_length=1, max_length=64)]
    first: _Count
    v: int = 0
    sent: _Time | None = None
    uptime: _Count | None = None
    readings: list[tuple[str, _Time, float | None, _Quality]] | None = None
    lost: Annotated[int, Meta(ge=1, le=MAX_SEQUENCE)] | None = None
    reason: str | None = None
    poison: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A message without a readable frame; it takes no sequence number."""

    code: str
    reason: str

    def digest(self, payload: bytes) -> str:
        """How the gateway recognises the message in a nack."""
        return "sha256:" + hashlib.sha256(payload).hexdigest()


Parsed = tuple[Up, dict[int, Fault] | None]
"""The message, and its bad items by place (None in the usual case that there are none)."""

_decoder = msgspec.json.Decoder(Up)
_decode = _decoder.decode


def parse(payload: bytes) -> Parsed | Refused:
    """Read one payload of ``park/{gateway}/up``."""
    if len(payload) > MAX_PAYLOAD:
        return Refused(
            "too-large",
            f"the message has {len(payload):,} bytes; the limit is {MAX_PAYLOAD:,}",
        )
    try:
        up = _decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _patiently(payload)
    return _framed(up, None)


def _framed(up: Up, faults: dict[int, Fault] | None) -> Parsed | Refused:
    """The rules that hold between the fields."""
    given = (up.readings is not None) + (up.lost is not None) + (up.poison is not None)
    if given != 1:
        return Refused("frame", "give exactly one of readings, lost and poison")
    if up.v > WIRE_VERSION:
        return Refused("version", f"wire version {up.v} is newer than {WIRE_VERSION}")
    if not up.box.isprintable():
        return Refused("frame", f"the box id {show(up.box)} has control characters")
    return up, faults


def _patiently(payload: bytes) -> Parsed | Refused:
    """Read what the strict decoder refused, item by item."""
    try:
        data = json.loads(payload, strict=False)
    except RecursionError:
        return Refused("not-json", "not JSON that can be read: nested too deeply")
    except ValueError as error:
        return Refused("not-json", f"not JSON: {error}")
    if not isinstance(data, dict):
        return Refused("frame", f"expected a JSON object, got {kind_of(data)}")
    readings = data.pop("readings", None)
    try:
        up = msgspec.convert(data, Up)
    except (msgspec.ValidationError, OverflowError) as error:
        return Refused("frame", f"the message's frame is wrong: {error}")
    if readings is None:
        return _framed(up, None)
    if not isinstance(readings, list):
        return Refused("frame", f"readings must be an array, got {kind_of(readings)}")
    faults: dict[int, Fault] = {}
    up.readings = rows = []
    for place, item in enumerate(readings):
        row = read_item(item)
        if len(row) == 4:
            rows.append(row)
        else:
            rows.append(HOLLOW)
            faults[place] = row
    return _framed(up, faults)


def read_item(item: Any) -> Row | Fault:
    """One element of `readings` as parsed from JSON: the row, or what is wrong with it."""

    def fault(code: str, reason: str) -> Fault:
        return code, reason, json.dumps(item, ensure_ascii=False)[:8192].encode(errors="replace")

    if not isinstance(item, list) or len(item) != 4:
        return fault("shape", f"a reading is [point, time, value, quality], got {show(item)}")
    point, ts, value, quality = item
    if not isinstance(point, str):
        return fault("shape", f"the point id must be text, got {show(point)}")
    if isinstance(ts, bool) or not isinstance(ts, int) or not 0 <= ts <= MAX_SEQUENCE:
        return fault("time", f"the time must be Unix milliseconds, got {show(ts)}")
    if isinstance(value, bool) or not (value is None or isinstance(value, int | float)):
        return fault("value", f"the value must be a number or null, got {show(value)}")
    if value is not None:
        try:
            value = float(value)
        except OverflowError:
            value = float("inf")
        if value != value or value in (float("inf"), float("-inf")):
            return fault("not-finite", f"the value {show(item[2])} is not a finite number")
    if isinstance(quality, bool) or not isinstance(quality, int) or not 0 <= quality <= 191:
        return fault("quality", f"the quality must be a code from 0 to 191, got {show(quality)}")
    return point, ts, value, quality


def read_poison(text: str) -> bytes:
    """The bytes that a gateway returned after a nack; the text itself when it is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode(errors="replace")


def kind_of(value: object) -> str:
    """What a JSON value is, in a word."""
    names = {dict: "an object", list: "an array", str: "text", bool: "true or false"}
    return names.get(type(value), "null" if value is None else "a number")


def show(value: object) -> str:
    """A JSON value for a sentence: short, and without control characters."""
    try:
        text = json.dumps(value)
    except (ValueError, RecursionError):
        text = kind_of(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
