"""Acknowledge after the commit and in order; hold everything when the disk does not take it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.wire import HELLO, BoxState, State
from ingest.arrivals import Inbound, Mark
from ingest.committer import Busy, Committer
from ingest.journal import CommitFailed, Journal
from ingest.ledger import Draft
from ingest.readings import Readings
from tests.ingest.desk import POINTS, Desk, Ear, desk, good, now_ms, until, up
from twin.model import Binding


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def at(path: Path) -> Iterator[Desk]:
    bindings = [Binding("plant", "json", key, POINTS[i], 1.0) for i, key in enumerate("abc")]
    with desk(path, bindings) as opened:
        yield opened


def test_marks_come_in_order_of_arrival_and_only_after_their_commit(
    at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_commit: list[int] = []
    real = at.journal.commit

    def commit(draft: Draft) -> object:
        at_commit.append(len(at.ear.marks))
        time.sleep(0.05)
        assert len(at.ear.marks) == at_commit[-1]
        return real(draft)

    monkeypatch.setattr(at.journal, "commit", commit)
    sent = []
    for i in range(300):
        sent.append(at.mark())
        topic = f"park/GW-{i % 7}/up" if i % 3 else "in/plant/json"
        payload = up(i // 7 + 1, good(1)) if i % 3 else b'{"a":1}'
        at.committer.submit(Inbound(topic, payload, now_ms(), sent[-1]))
    until(lambda: len(at.ear.marks) == 300)
    assert at.ear.marks == sent
    assert len(at_commit) < 50
    assert at.ear.journal_end[-1] == at.journal.end


def test_a_box_is_acknowledged_once_a_group_for_all_its_messages(at: Desk) -> None:
    messages = [
        Inbound("park/GW-1/up", up(1 + 10 * i, good(10)), now_ms(), at.mark()) for i in range(100)
    ]
    at.committer.submit_all(messages)
    until(lambda: len(at.ear.marks) == 100)
    assert at.ear.acks()[-1] == ("box-1", 1000)
    assert len(at.ear.acks()) == len(at.ear.journal_end) < 20
    assert {said["epoch"] for _, said in at.ear.said} == {at.journal.epoch}


def test_a_group_closes_at_half_of_the_brokers_window(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.committer.LINGER_S", 30.0)
    with desk(path, window=20) as at:
        for i in range(10):
            at.committer.submit(Inbound("park/G/up", up(i + 1, good(1)), now_ms(), Mark(1, i)))
        until(lambda: len(at.ear.marks) == 10)
        assert at.committer.counters.groups == 1


def test_a_group_closes_at_five_thousand_readings(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.committer.LINGER_S", 30.0)
    with desk(path) as at:
        for i in range(10):
            message = up(1 + 500 * i, good(500))
            at.committer.submit(Inbound("park/G/up", message, now_ms(), Mark(1, i)))
        until(lambda: len(at.ear.marks) == 10)
        assert at.committer.counters.groups == 1


def test_duplicates_and_what_comes_too_early_are_answered_with_the_mark(at: Desk) -> None:
    first = up(1, good(10))
    at.send("park/GW-1/up", first)
    at.send("park/GW-1/up", first)
    at.send("park/GW-1/up", up(15, good(5)))
    assert at.ear.acks() == [("box-1", 10)] * 3
    assert at.journal.end == 10
    (row,) = at.journal.ledger()
    assert (row.duplicates, row.imbalance) == (10, 0)
    assert at.committer.counters.ahead == 1


def test_boxes_are_independent(at: Desk) -> None:
    at.send("park/GW-1/up", up(1, good(3), box="old"))
    at.send("park/GW-1/up", up(1, good(2), box="new"))
    at.send("park/GW-1/up", up(4, good(1), box="old"))
    assert at.ear.acks() == [("old", 3), ("new", 2), ("old", 4)]


def test_a_declared_loss_advances_the_box_and_can_be_shown(at: Desk) -> None:
    at.send("park/GW-1/up", up(1, good(5)))
    at.send("park/GW-1/up", up(6, [], readings=..., lost=31, reason="overflow"))
    assert at.ear.acks()[-1] == ("box-1", 36)
    ((_, loss),) = at.journal.losses()
    assert (loss.first, loss.last, loss.kind, loss.reason) == (6, 36, "lost", "overflow")
    (row,) = at.journal.ledger()
    assert (row.lost, row.imbalance) == (31, 0)


def state(*boxes: BoxState) -> bytes:
    return msgspec.json.encode(State(list(boxes)))


def test_a_gap_is_reported_asked_for_and_mended(at: Desk) -> None:
    at.send("park/GW-1/up", up(101, good(10)))
    ((_, gap),) = at.journal.losses()
    assert (gap.kind, gap.first, gap.last) == ("gap", 1, 100)
    at.send("park/GW-1/state", state(BoxState("box-1", 41, 110, 110)))
    replay = [said for topic, said in at.ear.said if topic == "park/GW-1/replay"]
    assert replay == [{"box": "box-1", "from": 41, "to": 100, "repair": True}]
    at.send("park/GW-1/up", up(41, good(60)))
    (row,) = at.journal.ledger()
    assert (row.gaps, row.missing, row.imbalance) == (((1, 40),), 40, 0)
    assert (row.stored, row.committed) == (70, 110)


def test_a_gateway_is_not_asked_again_and_again(at: Desk) -> None:
    at.send("park/GW-1/up", up(101, good(10)))
    for newest in range(110, 120):
        at.send("park/GW-1/state", state(BoxState("box-1", 1, newest, 110)))
    assert len([1 for topic, _ in at.ear.said if topic.endswith("replay")]) == 1


def test_a_ledger_from_a_backup_says_so_and_reports_what_no_one_keeps(
    path: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.db"
    with desk(path) as at:
        at.send("park/GW-1/up", up(1, good(10)))
        epoch = at.journal.epoch
        at.journal.backup(backup)
        at.send("park/GW-1/up", up(11, good(30)))
    with desk(backup) as at:
        assert at.journal.renew_epoch() != epoch
        at.send("park/GW-1/alive", b"online")
        assert at.ear.acks() == [("box-1", 10)]
        assert at.ear.said[-1][1]["epoch"] == at.journal.epoch
        # It keeps 21..40 only: the rest can never come.
        at.send("park/GW-1/state", state(BoxState("box-1", 21, 40, 40)))
        assert at.ear.acks()[-1] == ("box-1", 20)
        at.send("park/GW-1/up", up(21, good(20)))
        (row,) = at.journal.ledger()
        assert (row.committed, row.gaps, row.imbalance) == (40, ((11, 20),), 0)


def test_online_is_answered_with_every_mark_and_a_retained_one_is_not(at: Desk) -> None:
    at.send("park/GW-1/up", up(1, good(3), box="a"))
    at.send("park/GW-1/up", up(1, good(2), box="b"))
    at.ear.said.clear()
    at.send("park/GW-1/alive", b"online", retained=True)
    assert at.ear.said == []
    at.send("park/GW-1/alive", b"online")
    assert at.ear.acks() == [("a", 3), ("b", 2)]


@pytest.mark.parametrize("retained", [True, False])
def test_a_gateway_that_the_ledger_does_not_know_is_told_that_somebody_listens(
    at: Desk, retained: bool
) -> None:
    at.send("park/GW-9/alive", b"online", retained=retained)
    assert at.ear.acks("GW-9") == [(HELLO, 0)]
    at.send("park/GW-9/up", up(1, good(3), box="a"))
    assert at.ear.acks("GW-9")[1:] == [("a", 3)]


def test_the_gateway_book_tells_what_gateways_said(at: Desk) -> None:
    at.send("park/GW-1/state", state(BoxState("box-1", 1, 30, 10)))
    at.send("park/GW-1/alive", b"online")
    at.send(
        "park/GW-1/config/reported",
        b'{"version":7,"status":"applied","at":1763890000000,"error":null}',
    )
    at.send("park/GW-1/up", up(1, good(1)))
    (view,) = at.committer.book.all()
    assert (view.id, view.online, view.waiting) == ("GW-1", True, 20)
    assert view.reported is not None
    assert view.reported.status == "applied"
    assert now_ms() - view.last_seen_at < 10_000
    at.send("park/GW-1/alive", b"offline")
    found = at.committer.book.get("GW-1")
    assert found is not None
    assert found.online is False


def test_foreign_repeats_are_duplicates_and_other_values_corrections(at: Desk) -> None:
    ts = now_ms()
    for value in (1.0, 1.0, 2.0, 2.0):
        at.send("in/plant/json", msgspec.json.encode({"a": value, "ts": ts}))
    (row,) = at.journal.ledger()
    assert (row.kind, row.stored, row.duplicates, row.corrections) == ("foreign", 2, 2, 1)
    assert at.values() == [1, 2]


def test_identities_survive_a_restart(path: Path) -> None:
    bindings = [Binding("plant", "json", "a", POINTS[0], 1.0)]
    message = msgspec.json.encode({"a": 1.0, "ts": now_ms()})
    with desk(path, bindings) as at:
        at.send("in/plant/json", message)
        at.committer.store("twin", Readings.of([3], [now_ms()], [5.0], [0])).result(5)
        (_, derived) = at.journal.read(0)
    with desk(path, bindings) as at:
        at.send("in/plant/json", message)
        receipt = at.committer.store("twin", derived.readings).result(5)
        assert (receipt.stored, receipt.duplicates) == (0, 1)
        assert at.values() == [1, 5]


def test_without_a_time_the_arrival_is_the_time(at: Desk) -> None:
    at.send("in/plant/json", b'{"a":1}')
    assert abs(at.times()[0] - now_ms()) < 5_000


def test_derived_readings_get_a_receipt_that_tells_where_they_lie(at: Desk) -> None:
    at.send("park/GW-1/up", up(1, good(10)))
    readings = Readings.of([1, 2, 3], [now_ms()] * 3, [1.0, 2.0, np.nan], [0, 0, 134])
    receipt = at.committer.store("twin", readings).result(5)
    assert (receipt.start, receipt.stored) == (10, 3)
    assert at.journal.read(10)[0].readings.point.tolist() == [1, 2, 3]
    assert at.journal.read(10)[0].heads[0].source == "twin"


def test_quarantined_readings_are_stored_once_their_point_exists(at: Desk) -> None:
    rows = [["NEW-1.level", now_ms(), 1.5, 0], *good(1), ["NEW-2.level", now_ms(), 2.5, 0]]
    at.send("park/GW-1/up", up(1, rows))
    at.send("in/plant/json", b'{"unbound":3}')
    ids = [row.id for row in at.journal.quarantine()]
    at.journal.points.ensure(["NEW-1.level"])
    outcome = at.committer.retry([*ids, 999]).result(5)
    assert outcome[ids[0]] == ""
    assert "not in the park model" in outcome[ids[1]]
    assert "names any of its keys" in outcome[ids[2]]
    assert "no such row" in outcome[999]
    assert at.values() == [0.5, 1.5]
    native = next(row for row in at.journal.ledger() if row.source == "GW-1" and row.box)
    assert (native.stored, native.quarantined, native.imbalance) == (2, 1, 0)
    assert at.committer.retry(ids[:1]).result(5)[ids[0]].startswith("no such row")
    assert [row.released for row in at.journal.quarantine()] == [True, False, False]


def test_a_row_asked_for_twice_at_once_is_stored_once(tmp_path: Path) -> None:
    row = up(1, [["N-1.level", now_ms(), 1.0, 0]])
    with Journal(tmp_path / "journal.db") as journal:
        first = Committer(journal)
        first.submit(Inbound("park/GW-1/up", row, now_ms()))
        first.start()
        first.stop()
        ids = [found.id for found in journal.quarantine()]
        journal.points.ensure(["N-1.level"])
        second = Committer(journal)
        asked = [second.retry(ids) for _ in range(2)]
        given_up = second.retry(ids)
        assert given_up.cancel()
        second.start()
        answers = [one.result(5)[ids[0]] for one in asked]
        assert answers == ["", "no such row, or it was released before"]
        assert journal.end == 1
        assert second.retry(ids).result(5)  # the thread outlives a caller that gave up
        second.stop()


def random_values(count: int) -> list[float]:
    """Values that no compression makes small."""
    return [float(v) for v in np.random.default_rng(1).uniform(0, 100, count)]


def noise(count: int) -> list[list[object]]:
    """Good readings of random values."""
    return [[POINTS[0], now_ms(), value, 0] for value in random_values(count)]


class FullDisk:
    """Lets a journal's file grow no further, and lets it grow again."""

    def __init__(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._journal = journal

    def fill(self) -> None:
        db = self._journal._db
        assert db is not None
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        from ingest import journal_schema

        real = journal_schema.connect

        def limited(*args: object, **settings: object) -> object:
            opened = real(*args, **settings)  # type: ignore[arg-type]
            opened.execute(f"PRAGMA max_page_count = {pages}").fetchone()
            return opened

        db.execute(f"PRAGMA max_page_count = {pages}").fetchone()
        self._patch.setattr(journal_schema, "connect", limited)

    def free(self) -> None:
        self._patch.undo()
        if self._journal._db is not None:
            self._journal._db.execute("PRAGMA max_page_count = 1000000").fetchone()


def test_a_full_disk_acknowledges_nothing_and_loses_nothing(
    at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    at.send("park/GW-1/up", up(1, good(10)))
    disk = FullDisk(at.journal, monkeypatch)
    disk.fill()
    at.ear.marks.clear()
    at.ear.said.clear()
    for i in range(5):
        payload = up(11 + 2000 * i, noise(2000))
        at.committer.submit(Inbound("park/GW-1/up", payload, now_ms(), at.mark()))
    until(lambda: not at.committer.healthy)
    with pytest.raises(Busy) as refused:
        at.committer.store("twin", Readings.of([1], [now_ms()], [1.0], [0]))
    assert refused.value.retry_after > 0
    time.sleep(0.3)
    assert (at.ear.marks, at.ear.said) == ([], [])
    assert at.journal.end == 10
    disk.free()
    until(lambda: len(at.ear.marks) == 5)
    assert at.committer.healthy
    assert at.ear.acks()[-1] == ("box-1", 10_010)
    assert at.journal.end == 10_010
    assert at.committer.counters.commit_failures > 0


def test_stopping_with_a_full_disk_leaves_messages_unacknowledged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk(path) as at:
        at.send("park/GW-1/up", up(1, good(10)))
        FullDisk(at.journal, monkeypatch).fill()
        marks = len(at.ear.marks)
        at.committer.submit(Inbound("park/GW-1/up", up(11, noise(5000)), now_ms(), at.mark()))
        until(lambda: not at.committer.healthy)
        at.committer.stop()
        assert len(at.ear.marks) == marks
    monkeypatch.undo()


def test_a_stale_draft_is_not_committed_after_a_failure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(path) as journal:
        draft = journal.draft()
        draft.box("GW-1", "b", "native").accept(1, 5)
        disk = FullDisk(journal, monkeypatch)
        disk.fill()
        with pytest.raises(CommitFailed, match="full"):
            journal.append(Readings.of([0] * 9000, [0] * 9000, random_values(9000), [0] * 9000))
        disk.free()
        with pytest.raises(CommitFailed, match="before the last failure"):
            journal.commit(draft)
        journal.ready()
        assert journal.append(Readings.of([1], [now_ms()], [1.0], [0])).start == 0


STRACED = """
import sys, time
from pathlib import Path
from ingest.committer import Committer
from ingest.journal import Journal
from tests.ingest.desk import Ear, POINTS, good, now_ms, up
from ingest.arrivals import Inbound, Mark

journal = Journal(Path(sys.argv[1]))
journal.points.ensure(POINTS)
ear = Ear()
committer = Committer(journal)
committer.attach(ear)
committer.start()
print("ready", flush=True)
sys.stdin.readline()
for i in range(5):
    committer.submit(Inbound("park/G/up", up(1 + 10 * i, good(10)), now_ms(), Mark(1, i)))
    time.sleep(0.1)
failures = committer.counters.commit_failures
deadline = time.monotonic() + 20
while len(ear.marks) < 5 and time.monotonic() < deadline:
    time.sleep(0.01)
committer.stop()
print(committer.counters.commit_failures, len(ear.marks), journal.end, ear.acks("G")[-1][1])
journal.close()
"""


def test_a_failed_fsync_is_never_acknowledged_on_the_same_connection(path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", STRACED, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert program.stdin is not None
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    log = path.with_name("strace.log")
    tracer = subprocess.Popen(
        [
            *f"strace -f -p {program.pid} -e trace=fdatasync,fsync -o {log} -e".split(),
            "inject=fdatasync,fsync:error=EIO:when=1..6",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tracer.stderr is not None
    assert "attached" in tracer.stderr.readline()
    out, _ = program.communicate("go\n", timeout=40)
    tracer.wait(10)
    tracer.stderr.close()
    failures, marks, end, committed = map(int, out.splitlines()[-1].split())
    assert failures >= 1
    assert (marks, end, committed) == (5, 50, 50)
    assert log.read_text().count("EIO (Input/output error) (INJECTED)") >= 6


def test_a_defect_in_one_message_is_kept_to_that_message(
    at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest import decode

    real = decode.parse

    def parse(payload: bytes) -> object:
        if b"trigger" in payload:
            raise RuntimeError("defect")
        return real(payload)

    monkeypatch.setattr(decode, "parse", parse)
    messages = [
        Inbound("park/GW-1/up", up(1, good(2)), now_ms(), at.mark()),
        Inbound("park/GW-2/up", b"trigger", now_ms(), at.mark()),
        Inbound("park/GW-1/up", up(3, good(2)), now_ms(), at.mark()),
    ]
    at.committer.submit_all(messages)
    until(lambda: len(at.ear.marks) == 3)
    assert at.ear.marks == [m.mark for m in messages]
    assert at.journal.end == 4
    assert at.reasons() == [("internal", "internal error: RuntimeError('defect')")]
    assert at.committer.healthy


def test_a_defect_in_assembly_is_isolated_too(at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assembly = at.committer._assembly
    real = assembly._native

    def native(*arguments: object) -> None:
        if getattr(arguments[2], "gateway", "") == "GW-2":
            raise ZeroDivisionError("defect")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(assembly, "_native", native)
    messages = [Inbound(f"park/GW-{n}/up", up(1, good(2)), now_ms(), at.mark()) for n in (1, 2, 3)]
    at.committer.submit_all(messages)
    until(lambda: len(at.ear.marks) == 3)
    assert at.ear.marks == [m.mark for m in messages]
    assert at.journal.end == 4
    assert [code for code, _ in at.reasons()] == ["internal"]


def test_the_queue_of_in_process_readings_is_bounded(path: Path) -> None:
    with Journal(path) as journal:
        committer = Committer(journal)  # not started: nothing drains
        big = Readings.of([0] * 400_000, [0] * 400_000, [0.0] * 400_000, [0] * 400_000)
        committer.store("twin", big)
        with pytest.raises(Busy):
            committer.store("twin", big)


def test_a_dead_thread_is_not_healthy(path: Path) -> None:
    with desk(path) as at:
        assert at.committer.healthy
        at.committer.stop()
        assert not at.committer.healthy


def test_what_waits_when_the_committer_stops_is_committed(path: Path) -> None:
    with Journal(path) as journal:
        journal.points.ensure(POINTS)
        ear = Ear()
        committer = Committer(journal)
        committer.attach(ear)
        for i in range(3000):
            committer.submit(Inbound("park/G/up", up(i + 1, good(1)), now_ms(), Mark(1, i)))
        threading.Timer(0.05, committer.stop).start()
        committer.start()
        until(lambda: len(ear.marks) == 3000)
        assert journal.end == 3000
