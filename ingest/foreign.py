"""Foreign payloads to rows: flat JSON and line protocol of publishers that we did not write.

Pure. Such a message has no sequence; a reading is known by (source, point, time). Without a time of
its own a reading gets the time of its arrival. Fields that no binding names are counted, not kept.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from line_protocol_parser import LineFormatError, parse_line

from ingest.bindings import SourceBindings, Target
from ingest.decode import MAX_PAYLOAD, Fault, Refused, kind_of, show
from twin.quality import BAD, DEVICE, GOOD

TIME_KEYS: Final = ("ts", "time", "timestamp")
NO_VALUE: Final = BAD | DEVICE
_NUMBERS: Final = frozenset((int, float))
_PLAIN: Final = 1e15

Row = tuple[int, int, float, int]
"""(point number, time in Unix ms, value with NaN for null, quality byte)."""


@dataclass(slots=True)
class Found:
    """What a foreign message gave; `ignored` counts fields without a binding."""

    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    ignored: int = 0


_decode = msgspec.json.Decoder().decode


def milliseconds(number: float) -> int:
    """A Unix time in s, ms, µs or ns, told apart by its size, in ms; raises OverflowError."""
    size = abs(number)
    if size > 1e20:
        raise OverflowError(number)
    if size < 1e11:
        return round(number * 1000)
    if size < 1e14:
        return round(number)
    return int(number) // (1_000 if size < 1e17 else 1_000_000)


def read_json(payload: bytes, bindings: SourceBindings, received_at: int) -> Found | Refused:
    """A flat JSON object, ``{"ts": ..., "values": {...}}``, or an array of either."""
    if len(payload) > MAX_PAYLOAD:
        return _too_large(payload)
    data: Any
    try:
        data = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            data = json.loads(payload, strict=False)  # it takes NaN, so the rest can be saved
        except RecursionError:
            return Refused("not-json", "not JSON that can be read: nested too deeply")
        except ValueError as error:
            return Refused("not-json", f"not JSON: {error}")
    found = Found()
    objects = data if isinstance(data, list) else [data]
    for item in objects:
        if not isinstance(item, dict):
            return Refused("shape", f"expected a JSON object, got {kind_of(item)}")
        _object(item, bindings, received_at, found)
    if not found.rows and not found.faults:
        keys = sorted({k for item in objects for k in item})[:8]
        return Refused(
            "no-binding", f"no binding of this source names any of its keys: {show(keys)}"
        )
    return found


def _object(item: dict[str, Any], bindings: SourceBindings, received_at: int, found: Found) -> None:
    ts = received_at
    used = 0
    for key in TIME_KEYS:
        if key in item and key not in bindings.flat:
            given = _time(item[key])
            if isinstance(given, str):
                raw = json.dumps(item, ensure_ascii=False)[:8192].encode(errors="replace")
                found.faults.append(("time", given, raw))
                return
            ts = given
            used = 1
            break
    inner = item.get("values")
    values: dict[str, Any] = item
    if isinstance(inner, dict):
        values, used = inner, 0
    rows = found.rows
    for key, target in bindings.flat.items():
        if key in values:
            used += 1
            value = values[key]
            # The usual case without a call; NaN, infinities and huge numbers are looked at.
            if type(value) in _NUMBERS and -_PLAIN < value < _PLAIN:
                rows.append((target.point, ts, value * target.scale, GOOD))
            else:
                _value(value, target, ts, found)
    for path, target in bindings.nested.items():
        at: Any = values
        for step in path:
            at = at.get(step) if isinstance(at, dict) else None
        if at is not None:
            used += 1
            _value(at, target, ts, found)
    found.ignored += max(len(values) - used, 0)


def _time(value: Any) -> int | str:
    """Unix ms, or a sentence about what is wrong."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return f"the time must be a Unix time or ISO 8601, got {show(value)}"
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return f"the time {show(value)} is neither a Unix time nor ISO 8601"
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    try:
        return milliseconds(value)
    except (OverflowError, ValueError):
        return f"the time {show(value)} is not a Unix time"


def _value(value: Any, target: Target, ts: int, found: Found) -> None:
    """A value as a row, or as a fault whose raw bytes are a native reading."""
    kind = type(value)
    if kind is float or kind is int:
        try:
            number = value * target.scale
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            found.rows.append((target.point, ts, number, GOOD))
            return
        code, reason = "not-finite", f"{target.id}: {show(value)} is not a finite number"
    elif value is None:
        found.rows.append((target.point, ts, math.nan, NO_VALUE))
        return
    else:
        code, reason = "value", f"{target.id}: the value must be a number, got {show(value)}"
    raw = json.dumps([target.id, ts, value, GOOD], ensure_ascii=False)
    found.faults.append((code, reason, raw[:8192].encode(errors="replace")))


def read_lines(payload: bytes, bindings: SourceBindings, received_at: int) -> Found | Refused:
    """InfluxDB line protocol; a broken line does not stop the others."""
    if len(payload) > MAX_PAYLOAD:
        return _too_large(payload)
    found = Found()
    lines = payload.decode(errors="replace").splitlines()
    for text in lines:
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        raw = line[:8192].encode()
        try:
            parsed: Mapping[str, Any] = parse_line(line)
        except (LineFormatError, ValueError, OverflowError) as error:
            found.faults.append(("not-line-protocol", f"not line protocol: {error}", raw))
            continue
        given = parsed["time"]
        ts = received_at if given is None else milliseconds(given)
        tags = parsed["tags"].items()
        for name, value in parsed["fields"].items():
            target = _line_target(bindings, parsed["measurement"], name, tags)
            if target is None:
                found.ignored += 1
            else:
                _value(value, target, ts, found)
    if not found.rows and not found.faults:
        return Refused("no-binding", "no binding of this source matches any of its lines")
    return found


def _line_target(bindings: SourceBindings, measurement: str, name: str, tags: Any) -> Target | None:
    for candidate in bindings.lines.get((measurement, name), ()):
        if candidate.tags <= tags:
            return candidate.target
    return None


def _too_large(payload: bytes) -> Refused:
    return Refused(
        "too-large", f"the message has {len(payload):,} bytes; the limit is {MAX_PAYLOAD:,}"
    )
