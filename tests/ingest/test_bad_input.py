"""Bad input: each piece leaves a reason that a person can read, none stops good readings."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ingest.desk import POINTS, Desk, desk, good, now_ms, up
from twin.model import Binding

DAY = 24 * 3600 * 1000


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Desk]:
    bindings = [
        Binding("plant", "json", "t", POINTS[0], 1.0),
        Binding("plant", "json", "deep.p", POINTS[1], 0.1),
        Binding("plant", "lp", "meter,line=2 power", POINTS[2], 1.0),
        Binding("plant", "lp", "meter power", POINTS[3], 1.0),
    ]
    with desk(tmp_path / "journal.db", bindings) as opened:
        yield opened


def item(**change: Any) -> list[Any]:
    """A reading with one field changed."""
    fields = {"point": POINTS[7], "time": now_ms(), "value": 1.5, "quality": 0} | change
    return list(fields.values())


NAMED = [
    ("unknown point", item(point="MH-999.level"), "unknown-point", '"MH-999.level" is not in the'),
    ("control character", item(point="MH-\u0007.level"), "unknown-point", "control characters"),
    ("NaN", item(value=float("nan")), "not-finite", "NaN is not a finite number"),
    ("Infinity", item(value=float("inf")), "not-finite", "Infinity is not a finite number"),
    ("minus Infinity", item(value=float("-inf")), "not-finite", "-Infinity is not"),
    ("text for a number", item(value="7.5"), "value", 'must be a number or null, got "7.5"'),
    ("true for a number", item(value=True), "value", "must be a number or null, got true"),
    ("object for a number", item(value={"a": 1}), "value", "must be a number or null"),
    ("time in 2038", item(time=2_147_483_648_000), "time", "2038-01-19T03:14:08.000+00:00 lies in"),
    ("time in 1970", item(time=12_345), "time", "1970-01-01T00:00:12.345+00:00 is before 2020"),
    ("time as text", item(time="now"), "time", 'must be Unix milliseconds, got "now"'),
    ("time as a fraction", item(time=1.5), "time", "must be Unix milliseconds, got 1.5"),
    ("negative time", item(time=-1), "time", "must be Unix milliseconds, got -1"),
    ("quality out of range", item(quality=300), "quality", "from 0 to 191, got 300"),
    ("quality without a severity", item(quality=192), "quality", "from 0 to 191, got 192"),
    ("too short", ["x", 1], "shape", "[point, time, value, quality]"),
    ("not a list", 5, "shape", "got 5"),
    ("a number for a point", item(point=5), "shape", "the point id must be text, got 5"),
]


@pytest.mark.parametrize(
    ("bad", "code", "sentence"), [n[1:] for n in NAMED], ids=[n[0] for n in NAMED]
)
def test_a_bad_item_is_quarantined_and_the_readings_beside_it_are_stored(
    at: Desk, bad: Any, code: str, sentence: str
) -> None:
    before, after = good(2, value=1), good(2, value=10)
    at.send("park/GW-1/up", up(1, [*before, bad, *after]))
    assert at.values() == [1, 2, 10, 11]
    ((found, reason),) = at.reasons()
    assert found == code
    assert sentence in reason
    row = at.journal.quarantine()[0]
    assert (row.source, row.box, row.sequence) == ("GW-1", "box-1", 3)
    assert json.dumps(json.loads(row.raw)) == json.dumps(bad)
    (account,) = at.journal.ledger()
    assert (account.stored, account.quarantined, account.committed) == (4, 1, 5)
    assert account.imbalance == 0
    assert at.ear.acks() == [("box-1", 5)]


REFUSED = [
    ("malformed JSON", b'{"box":"b","first":1,"rea', "not-json", "not JSON: "),
    ("not UTF-8", b"\xff\xfe\x00", "not-json", "not JSON: "),
    ("nothing", b"", "not-json", "not JSON: "),
    ("nested without end", b"[" * 50_000, "not-json", "nested too deeply"),
    ("an array", b"[1,2]", "frame", "expected a JSON object, got an array"),
    ("1 MB", up(1, good(20_000)), "too-large", "the limit is 262,144"),
    ("no box", b'{"first":1,"readings":[]}', "frame", "missing required field `box`"),
    ("negative sequence", up(-1, []), "frame", "`int` >= 0"),
    (
        "sequence as text",
        b'{"box":"b","first":"1","readings":[]}',
        "frame",
        "Expected `int`, got `str`",
    ),
    ("nothing given", up(1, [], readings=...), "frame", "exactly one of readings, lost and poison"),
    ("two things given", up(1, [], lost=3), "frame", "exactly one of"),
    ("readings is text", up(1, [], readings="x"), "frame", "must be an array, got text"),
    ("box with a bell", up(1, [], box="b\u0007"), "frame", "has control characters"),
    ("a later wire version", up(1, [], v=2), "version", "wire version 2 is newer than 1"),
]


@pytest.mark.parametrize(
    ("payload", "code", "sentence"), [n[1:] for n in REFUSED], ids=[n[0] for n in REFUSED]
)
def test_a_message_without_a_frame_is_refused_once_and_the_gateway_told(
    at: Desk, payload: bytes, code: str, sentence: str
) -> None:
    at.send("park/GW-1/up", payload)
    at.send("park/GW-1/up", payload)
    at.send("park/GW-1/up", up(1, good(3)))
    ((found, reason),) = at.reasons()
    assert found == code
    assert sentence in reason
    assert at.journal.quarantine()[0].raw == payload[: 64 * 1024]
    nacks = [said for topic, said in at.ear.said if topic == "park/GW-1/nack"]
    assert len(nacks) == 2
    assert nacks[0]["digest"].startswith("sha256:")
    assert nacks[0]["reason"] == reason
    assert len(at.values()) == 3
    assert at.ear.acks() == [("box-1", 3)]


def test_poison_takes_its_sequence_and_can_be_released_when_it_was_readable(at: Desk) -> None:
    inner = up(2, good(1, value=42))
    at.send("park/GW-1/up", up(1, good(1)))
    poison = base64.b64encode(inner).decode()
    at.send("park/GW-1/up", up(2, [], readings=..., poison=poison))
    assert at.ear.acks()[-1] == ("box-1", 2)
    (row,) = at.journal.quarantine()
    assert (row.code, row.raw) == ("poison", inner)
    assert at.committer.retry([row.id]).result(5) == {row.id: ""}
    assert at.values() == [0.5, 42]
    (account,) = at.journal.ledger()
    assert (account.stored, account.quarantined, account.imbalance) == (2, 0, 0)


def test_a_value_outside_its_physical_range_is_kept_but_not_called_good(at: Desk) -> None:
    at.send(
        "park/GW-1/up",
        up(1, [item(value=100.5), item(value=-1), item(value=50), item(value=900, quality=135)]),
    )
    assert at.values() == [100.5, -1, 50, 900]
    assert at.qualities() == [65, 65, 0, 135]


def test_a_null_is_never_called_good(at: Desk) -> None:
    at.send("park/GW-1/up", up(1, [item(value=None), item(value=None, quality=135)]))
    assert at.qualities() == [134, 135]


def test_a_reading_older_than_seven_days_is_taken_from_a_gateway_and_not_from_others(
    at: Desk,
) -> None:
    old = now_ms() - 8 * DAY
    at.send("park/GW-1/up", up(1, [item(time=old)]))
    at.send("in/plant/json", json.dumps({"t": 3, "ts": old}).encode())
    assert at.times() == [old]
    ((code, reason),) = at.reasons()
    assert code == "late"
    assert "8.0 days before its arrival" in reason


def test_a_clock_two_hours_ahead_is_corrected_and_the_devices_time_kept(at: Desk) -> None:
    fast = now_ms() + 2 * 3600 * 1000
    at.send("park/GW-1/up", up(1, [item(time=fast), item(time=fast + 1, quality=134)], sent=fast))
    (group,) = at.journal.read(0)
    assert abs(int(group.readings.ts[0]) - now_ms()) < 5_000
    assert int(group.readings.ts[0]) - group.heads[0].shift == fast
    assert at.qualities() == [69, 134]


FOREIGN = [
    ("malformed JSON", "json", b'{"t":', "not-json", "not JSON"),
    ("text for a number", "json", b'{"t":"warm"}', "value", 'must be a number, got "warm"'),
    ("true for a number", "json", b'{"t":true}', "value", "must be a number, got true"),
    ("NaN", "json", b'{"t":NaN}', "not-finite", "NaN is not a finite number"),
    ("no such key", "json", b'{"x":1}', "no-binding", 'names any of its keys: ["x"]'),
    ("an array of numbers", "json", b"[1]", "shape", "expected a JSON object, got a number"),
    ("bad time", "json", b'{"t":1,"ts":"today"}', "time", "neither a Unix time nor ISO 8601"),
    ("endless time", "json", b'{"t":1,"ts":1e300}', "time", "is not a Unix time"),
    ("time in 2038", "json", b'{"t":1,"ts":2147483648}', "time", "2038-01-19"),
    ("1 MB", "json", b'{"t":1,"x":"' + b"x" * 2**20 + b'"}', "too-large", "the limit is"),
    ("not line protocol", "lp", b"meter power", "not-line-protocol", "not line protocol: "),
    ("no such line", "lp", b"pump rpm=1", "no-binding", "matches any of its lines"),
    ("true in a line", "lp", b"meter power=t", "value", "must be a number, got true"),
    ("an unknown topic", "csv", b"1,2,3", "topic", "nothing is expected on"),
]


@pytest.mark.parametrize(
    ("leaf", "payload", "code", "sentence"), [n[1:] for n in FOREIGN], ids=[n[0] for n in FOREIGN]
)
def test_bad_foreign_input_leaves_a_reason_and_good_input_goes_on(
    at: Desk, leaf: str, payload: bytes, code: str, sentence: str
) -> None:
    at.send(f"in/plant/{leaf}", payload)
    at.send("in/plant/json", b'{"t":20.5}')
    at.send("in/plant/lp", b"meter,line=2 power=7")
    assert at.values() == [20.5, 7]
    ((found, reason),) = at.reasons()
    assert found == code
    assert sentence in reason


def test_one_broken_line_does_not_stop_the_others(at: Desk) -> None:
    at.send("in/plant/lp", b"meter power=1\nnonsense\n# note\nmeter,line=2 power=2 ")
    assert at.values() == [1, 2]
    assert [code for code, _ in at.reasons()] == ["not-line-protocol"]
