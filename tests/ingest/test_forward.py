"""The forwarder: InfluxDB may fail in every way it knows; in the end it has every reading once."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from ingest.consume import ConsumerThread, RetriableError
from ingest.cursor import Cursors
from ingest.forward import HOPELESS, Forwarder
from ingest.history.influx_client import InfluxLink, Refused
from ingest.history.lineprotocol import Lines
from ingest.journal import Journal
from ingest.readings import Readings
from tests.peers.influxd import running_influxd
from tests.peers.scripted_influx import Answer, ScriptedInflux, scripted_influx

T0 = 1_795_363_200_000
POINTS = 20


class Meant(NamedTuple):
    """A point of the model, as far as line protocol cares."""

    domain: str
    asset: str
    property: str


MODEL = {f"MH-{i:03d}.level": Meant("sewer", f"MH-{i:03d}", "level") for i in range(POINTS)}
LINES = Lines(list(MODEL), MODEL)


def some(n: int, start: int = 0) -> Readings:
    at = np.arange(start, start + n)
    value = np.where(at % 17 == 5, np.nan, at / 8)
    return Readings(
        (at % POINTS).astype(np.int32),
        T0 + at,
        value,
        np.where(np.isnan(value), 134, 0).astype(np.uint8),
    )


class Rig:
    """A journal and a forwarder to one address."""

    def __init__(self, folder: Path, url: str, batch: int = 1000) -> None:
        self.journal = Journal(folder / "journal.sqlite", synchronous="OFF")
        self.cursors = Cursors(folder / "forward.sqlite")
        self.link = InfluxLink(url, timeout_s=5)
        self.bad: list[tuple[str, str]] = []
        self.batch = batch
        self.forwarder = self.restarted()

    def restarted(self) -> Forwarder:
        def keep(bucket: str, lines: Sequence[tuple[str, str]]) -> None:
            assert bucket == "raw"
            self.bad += lines

        return Forwarder(self.link, lambda: LINES, self.cursors, quarantine=keep, batch=self.batch)

    def pump(self, tries: int = 50) -> None:
        for _ in range(tries):
            try:
                self.forwarder.consume(self.journal.read(self.forwarder.position()))
            except RetriableError:
                continue
            return
        raise AssertionError("it never got through")

    def close(self) -> None:
        self.link.close()
        self.cursors.close()
        self.journal.close()


@pytest.fixture
def influx() -> Iterator[ScriptedInflux]:
    with scripted_influx() as server:
        yield server


@pytest.fixture
def rig(tmp_path: Path, influx: ScriptedInflux) -> Iterator[Rig]:
    rig = Rig(tmp_path, influx.url)
    yield rig
    rig.close()


def expected(readings: Readings) -> dict[str, str]:
    found = {}
    for line in LINES.readings(readings):
        head, _, rest = line.partition(" ")
        fields, _, ts = rest.rpartition(" ")
        found[f"{head} {ts}"] = fields
    return found


def test_a_line_has_the_value_and_its_quality_and_a_null_the_quality_alone() -> None:
    readings = Readings.of([1, 2, 3], [T0, T0 + 1, T0 + 2], [0.5, math.nan, -1e-9], [0, 134, 65])
    assert LINES.readings(readings) == [
        f"sewer,asset=MH-001 level=0.5,level_q=0i {T0}",
        f"sewer,asset=MH-002 level_q=134i {T0 + 1}",
        f"sewer,asset=MH-003 level=-1e-09,level_q=65i {T0 + 2}",
    ]


def test_special_characters_cannot_break_out_of_a_line() -> None:
    nasty = {"a": Meant("do main,x", "as=set one\nw 1", "pro,p=y z\\")}
    (line,) = Lines(["a"], nasty).readings(Readings.of([0], [T0], [1.0], [0]))
    assert line == (
        r"do\ main\,x,asset=as\=set\ one\ w\ 1 pro\,p\=y\ z=1.0,pro\,p\=y\ z_q=0i " + str(T0)
    )


def test_the_cursor_moves_after_the_204_only(rig: Rig, influx: ScriptedInflux) -> None:
    rig.journal.append(some(2500))
    count = 0

    def script(lines: list[str]) -> Answer:
        nonlocal count
        count += 1
        return Answer(503) if count == 2 else Answer()

    influx.answer = script
    with pytest.raises(RetriableError):
        rig.forwarder.consume(rig.journal.read(0))
    assert rig.forwarder.position() == 1000
    rig.forwarder = rig.restarted()
    assert rig.forwarder.position() == 1000
    rig.pump()
    assert rig.forwarder.position() == 2500
    assert influx.stored == expected(some(2500))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, "boom"),
        Answer(503, "busy"),
        Answer(429, "slow down"),
        Answer(0, keeps=True),
        Answer(0, keeps=False),
        Answer(502),
    ],
    ids=["500", "503", "429", "reset after the commit", "reset before", "502"],
)
def test_after_an_uncertain_answer_the_identical_bytes_are_sent_again(
    rig: Rig, influx: ScriptedInflux, answer: Answer
) -> None:
    rig.journal.append(some(700))
    left = 3

    def script(lines: list[str]) -> Answer:
        nonlocal left
        left -= 1
        return answer if left >= 0 else Answer()

    influx.answer = script
    with pytest.raises(RetriableError):
        rig.forwarder.consume(rig.journal.read(0))
    rig.journal.append(some(100, start=700))  # more came meanwhile
    rig.pump()
    assert len(set(influx.bodies[:4])) == 1
    assert influx.stored == expected(some(800))


def test_retry_after_is_kept(rig: Rig, influx: ScriptedInflux) -> None:
    rig.journal.append(some(10))
    influx.answer = lambda lines: (
        Answer(503, retry_after="1") if len(influx.bodies) == 1 else Answer()
    )
    thread = ConsumerThread(rig.journal, rig.forwarder)
    thread.start()
    assert thread.drain(20)
    thread.stop()
    assert influx.times[1] - influx.times[0] == pytest.approx(1.0, rel=0.1, abs=0.15)
    assert influx.stored == expected(some(10))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_token_or_bucket_keeps_the_data_and_calls_a_person(
    rig: Rig, influx: ScriptedInflux, status: int
) -> None:
    rig.journal.append(some(10))
    influx.answer = lambda lines: Answer(status, "no such thing")
    with pytest.raises(Refused) as refused:
        rig.forwarder.consume(rig.journal.read(0))
    assert refused.value.retry_after == 60.0
    assert "no such thing" in str(rig.forwarder.alarm)
    assert rig.forwarder.position() == 0
    influx.answer = lambda lines: Answer()
    rig.pump()
    assert not rig.forwarder.alarm
    assert influx.stored == expected(some(10))


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("partial", [True, False], ids=["good lines stored", "nothing stored"])
@pytest.mark.parametrize("bad", [1, 2, 7])
def test_bad_lines_are_found_by_halving_and_the_rest_is_stored(
    rig: Rig, influx: ScriptedInflux, status: int, partial: bool, bad: int
) -> None:
    n = 1000
    rig.journal.append(some(n))
    wrong = set(random.Random(bad).sample(LINES.readings(some(n)), bad))

    def script(lines: list[str]) -> Answer:
        if wrong.isdisjoint(lines):
            return Answer()
        if partial:
            influx.stored.update(expected_of(line for line in lines if line not in wrong))
        return Answer(status, "field type conflict")

    influx.answer = script
    rig.pump(1)
    assert {line for line, _ in rig.bad} == wrong
    assert {reason for _, reason in rig.bad} == {"field type conflict"}
    assert influx.stored == expected_of(
        line for line in LINES.readings(some(n)) if line not in wrong
    )
    assert len(influx.bodies) <= bad * math.ceil(math.log2(n)) + bad + 1
    assert rig.forwarder.position() == n


def expected_of(lines: Iterator[str]) -> dict[str, str]:
    found = {}
    for line in lines:
        head, _, rest = line.partition(" ")
        fields, _, ts = rest.rpartition(" ")
        found[f"{head} {ts}"] = fields
    return found


def test_when_every_line_is_refused_the_lines_are_not_to_blame(
    rig: Rig, influx: ScriptedInflux
) -> None:
    rig.journal.append(some(1000))
    influx.answer = lambda lines: Answer(400, "organization name is empty")
    with pytest.raises(Refused, match="no line at all"):
        rig.forwarder.consume(rig.journal.read(0))
    assert len(influx.bodies) <= HOPELESS * 12
    assert rig.bad == []
    assert rig.forwarder.alarm is not None
    influx.answer = lambda lines: Answer()
    rig.pump()
    assert influx.stored == expected(some(1000))


def test_a_body_that_is_too_large_is_halved(rig: Rig, influx: ScriptedInflux) -> None:
    rig.journal.append(some(1000))
    influx.answer = lambda lines: Answer(413 if len(lines) > 150 else 204)
    rig.pump(1)
    assert influx.stored == expected(some(1000))
    assert not rig.bad


def test_readings_older_than_the_bucket_keeps_are_counted_and_do_not_block(
    rig: Rig, influx: ScriptedInflux
) -> None:
    rig.journal.append(some(100))
    message = "partial write: points beyond retention policy dropped=37"
    influx.answer = lambda lines: Answer(422, message, keeps=True)
    rig.pump(1)
    assert rig.forwarder.expired_lines == 37
    assert rig.forwarder.position() == 100
    assert not rig.bad


def test_back_off_is_random_and_bounded() -> None:
    from ingest.consume import backoff

    pauses = [[backoff(attempt) for _ in range(300)] for attempt in range(12)]
    for attempt, drawn in enumerate(pauses):
        cap = min(60.0, 2.0**attempt)
        assert 0 <= min(drawn) < cap / 4
        assert cap * 3 / 4 < max(drawn) <= cap


def counted(engine: object, db: str = "raw") -> int:
    rows = engine.query("SELECT count(level_q) FROM sewer", db)  # type: ignore[attr-defined]
    return int(rows[0]["count"]) if rows else 0


def test_a_real_engine_killed_and_restarted_in_mid_batch_has_every_reading_once(
    tmp_path: Path,
) -> None:
    total = 60_000
    with running_influxd(tmp_path) as engine:
        rig = Rig(tmp_path, engine.url, batch=500)
        thread = ConsumerThread(rig.journal, rig.forwarder, backoff_base=0.05, limit=20_000)
        thread.start()
        for start in range(0, total, 1000):
            rig.journal.append(some(1000, start))
        for _ in range(3):
            until = engine.writes + 12
            while engine.writes < until and thread.lag():
                time.sleep(0.005)
            engine.kill9()
            time.sleep(0.1)
            engine.start()
        assert thread.drain(60)
        thread.stop()
        assert thread.retries > 0
        assert counted(engine) == total
        rows = engine.query("SELECT level, level_q FROM sewer WHERE asset = 'MH-005'")
        mine = {t: (v, q) for t, v, q in zip(*columns(some(total), 5), strict=True)}
        assert {r["time"]: (r["level"], r["level_q"]) for r in rows} == mine
        rig.close()


def columns(readings: Readings, point: int) -> tuple[list[int], list[float | None], list[int]]:
    at = readings.point == point
    value = [None if math.isnan(v) else v for v in readings.value[at].tolist()]
    return readings.ts[at].tolist(), value, readings.quality[at].tolist()


def test_a_field_of_another_type_is_quarantined_and_its_neighbours_are_stored(
    tmp_path: Path,
) -> None:
    odd = MODEL | {"MH-007.level": Meant("sewer", "MH-007", "depth")}
    with running_influxd(tmp_path) as engine:
        link = InfluxLink(engine.url)
        link.write("raw", f'sewer,asset=MH-007 depth="a string" {T0 - 1}'.encode())
        link.close()
        rig = Rig(tmp_path, engine.url)
        rig.forwarder._lines = Lines(list(odd), odd)
        rig.journal.append(some(200))
        rig.pump(1)
        valued = int((~np.isnan(some(200).value[7::POINTS])).sum())
        assert len(rig.bad) == valued
        assert all(line.startswith("sewer,asset=MH-007 depth=") for line, _ in rig.bad)
        assert all("conflict" in reason for _, reason in rig.bad)
        assert counted(engine) == 200 - 200 // POINTS
        rig.close()


def test_restarts_at_any_moment_lose_nothing(rig: Rig, influx: ScriptedInflux) -> None:
    rng = random.Random(11)
    influx.answer = lambda lines: (
        Answer() if rng.random() < 0.6 else Answer(0, keeps=rng.random() < 0.5)
    )
    start = 0
    for _ in range(30):
        n = rng.randint(1, 900)
        rig.journal.append(some(n, start))
        start += n
        try:
            rig.forwarder.consume(rig.journal.read(rig.forwarder.position()))
        except RetriableError:
            if rng.random() < 0.5:
                rig.forwarder = rig.restarted()
    rig.pump()
    assert influx.stored == expected(some(start))


def test_other_consumers_do_not_wait_for_a_stopped_influxdb(
    tmp_path: Path, rig: Rig, influx: ScriptedInflux
) -> None:
    seen = threading.Event()

    class Other:
        name = "other"
        taken = 0

        def position(self) -> int:
            return self.taken

        def consume(self, groups: Sequence[object]) -> None:
            self.taken = groups[-1].end  # type: ignore[attr-defined]
            seen.set()

    influx.answer = lambda lines: Answer(503)
    stuck = ConsumerThread(rig.journal, rig.forwarder, backoff_base=0.01)
    free = ConsumerThread(rig.journal, Other(), min_batch_ms=0)
    stuck.start()
    free.start()
    rig.journal.append(some(100))
    assert seen.wait(5)
    assert free.drain(5)
    assert stuck.lag() == 100
    influx.answer = lambda lines: Answer()
    assert stuck.drain(20)
    stuck.stop()
    free.stop()
