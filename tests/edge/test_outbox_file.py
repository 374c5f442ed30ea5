"""The outbox on disk: what was committed is there after a crash, bounded, every loss declared."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.config import OutboxLimits
from edge.outbox_file import Changes, OutboxFile
from edge.outbox_reader import OutboxReader
from edge.outbox_repair import open_outbox
from edge.parcel import Parcel, pack
from edge.wire import Reading

HOUR = 3_600_000
LIMITS = OutboxLimits(max_mb=64, retain_hours=1)


def readings(first: int, n: int) -> list[Reading]:
    return [("MH-1.level", 1_795_000_000_000 + first + i, float(first + i), 0) for i in range(n)]


def noisy(first: int, n: int) -> list[Reading]:
    """Readings that do not compress well."""
    rows = range(first, first + n)
    return [
        (f"P{i * 7919 % 99991}.level", i * 104729, (i * 2654435761) % 10**9 / 7, 0) for i in rows
    ]


def content(reader: OutboxReader, box: str, first: int, last: int) -> list[tuple[int, object]]:
    """(sequence, value or loss reason) of everything in a range, read as the uplink does."""
    found: list[tuple[int, object]] = []
    while first <= last:
        parcel = reader.read(box, first, last)
        assert parcel.first == first
        if parcel.body is None:
            found += [(first + i, parcel.reason) for i in range(parcel.n)]
        else:
            rows = msgspec.json.decode(parcel.body, type=list[Reading])
            assert len(rows) == parcel.n <= 500
            found += [(first + i, row[2]) for i, row in enumerate(rows)]
        first = parcel.last + 1
    return found


def test_sequences_start_at_one_and_a_reopened_outbox_seals_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    file = OutboxFile(path, LIMITS)
    file.write(Changes(pack(readings(1, 3))), 1000)
    first = file.live
    assert file.boxes[first][2:] == (1, 3, 0, False)
    file.close()
    file = OutboxFile(path, LIMITS)
    assert file.boxes[first].sealed
    file.write(Changes(pack(readings(4, 2))), 2000)
    assert file.live != first
    assert file.boxes[file.live][2:] == (1, 2, 0, False)
    file.close()


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    file = OutboxFile(tmp_path / "outbox.sqlite", LIMITS)
    assert file._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert file._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    file.close()


def test_a_sealed_box_that_the_platform_has_wholly_disappears_after_its_retention(
    tmp_path: Path,
) -> None:
    file = OutboxFile(tmp_path / "outbox.sqlite", LIMITS)
    file.write(Changes(pack(readings(1, 10))), 0)
    box = file.live
    file.write(Changes(marks={box: 10}, seal=True), 1000)
    assert file.boxes[box].oldest == 1, "kept for repair"
    file.write(Changes(marks={box: 10}), HOUR + 1)
    assert box not in file.boxes
    file.close()


def test_a_reader_joins_small_rows_and_cuts_large_ones(tmp_path: Path) -> None:
    file = OutboxFile(tmp_path / "outbox.sqlite", LIMITS)
    for i in range(10):
        file.write(Changes(pack(readings(1 + 30 * i, 30))), i)
    file.write(Changes(pack(readings(301, 700))), 11)
    reader = OutboxReader(file.path)
    assert reader.read(file.live, 1, 10_000).n == 300
    assert reader.read(file.live, 1, 45).n == 30
    assert reader.read(file.live, 45, 60) == Parcel(45, 16, msgspec.json.encode(readings(45, 16)))
    assert reader.read(file.live, 301, 10_000).n == 500
    assert [v for _, v in content(reader, file.live, 1, 1000)] == [float(i) for i in range(1, 1001)]
    reader.close()
    file.close()


def test_a_full_outbox_that_drops_declares_the_loss_in_the_sequence_and_stays_bounded(
    tmp_path: Path,
) -> None:
    path = tmp_path / "outbox.sqlite"
    file = OutboxFile(path, OutboxLimits(max_mb=1, when_full="drop_oldest"))
    dropped, n = 0, 0
    for i in range(400):
        dropped += file.write(Changes(pack(noisy(n, 500))), i)
        n += 500
    assert dropped > 0
    assert file.used <= 1_000_000
    assert path.stat().st_size <= 1_200_000
    box = file.live
    assert file.boxes[box].newest == n
    file.close()
    file = OutboxFile(path, LIMITS)  # the declaration is durable
    reader = OutboxReader(path)
    lost = reader.read(box, 1, n)
    assert (lost.n, lost.reason) == (dropped, "overflow")
    found = content(reader, box, 1, n)
    assert [v for _, v in found[:dropped]] == ["overflow"] * dropped
    assert [v for _, v in found[dropped:]] == [row[2] for row in noisy(dropped, n - dropped)]
    reader.close()
    file.close()


def test_a_full_outbox_gives_up_kept_readings_before_it_loses_any(tmp_path: Path) -> None:
    file = OutboxFile(tmp_path / "outbox.sqlite", OutboxLimits(max_mb=1, retain_hours=24))
    n = 0
    for i in range(200):
        dropped = file.write(Changes(pack(noisy(n, 500)), marks={file.live: n}), i)
        n += 500
        assert dropped == 0
    assert file.boxes[file.live].oldest > 1
    assert file.used <= 1_000_000
    file.close()


def test_a_full_outbox_that_stops_polling_loses_nothing_and_says_when_it_may_go_on(
    tmp_path: Path,
) -> None:
    limits = OutboxLimits(max_mb=1, when_full="stop_polling", retain_hours=0)
    file = OutboxFile(tmp_path / "outbox.sqlite", limits)
    n = 0
    full = False
    while not full:
        assert file.write(Changes(pack(noisy(n, 500))), n) == 0
        n += 500
        full = file.full
    file.write(Changes(marks={file.live: n // 2}), n)
    assert not file.full
    reader = OutboxReader(file.path)
    rest = content(reader, file.live, n // 2 + 1, n)
    assert [v for _, v in rest] == [row[2] for row in noisy(n // 2, n - n // 2)]
    reader.close()
    file.close()


def test_a_failed_commit_leaves_nothing_behind(tmp_path: Path) -> None:
    file = OutboxFile(tmp_path / "outbox.sqlite", LIMITS)
    file.write(Changes(pack(readings(1, 5))), 0)
    before = dict(file.boxes)
    blocker = sqlite3.connect(file.path, isolation_level=None)
    blocker.execute("CREATE TRIGGER no BEFORE INSERT ON rows BEGIN SELECT RAISE(FAIL, 'x'); END")
    with pytest.raises(sqlite3.Error):
        file.write(Changes(pack(readings(6, 5)), marks={file.live: 3}), 1)
    assert file.boxes == before
    blocker.execute("DROP TRIGGER no")
    blocker.close()
    file.write(Changes(pack(readings(6, 5))), 2)
    assert file.boxes[file.live].newest == 10
    file.close()


def damaged_outbox(tmp_path: Path, rows: int = 60) -> tuple[Path, str, int]:
    path = tmp_path / "outbox.sqlite"
    file = OutboxFile(path, LIMITS)
    for i in range(rows):
        file.write(Changes(pack(noisy(500 * i, 500))), i)
    box = file.live
    file.write(Changes(marks={box: 1000}, epoch="e1"), rows)
    file.close()
    return path, box, rows * 500


def test_a_damaged_page_costs_its_rows_only_and_their_loss_is_declared(tmp_path: Path) -> None:
    path, box, n = damaged_outbox(tmp_path)
    size = path.stat().st_size
    with path.open("r+b") as disk:
        disk.seek(size // 2 // 4096 * 4096)
        disk.write(b"\xa5" * 8192)
    file, repair = open_outbox(path, LIMITS, 77)
    assert repair is not None
    assert repair.moved_to.exists()
    assert repair.readings + repair.declared_lost >= n - 1000
    assert 0 < repair.declared_lost < n // 2
    reader = OutboxReader(path)
    mark = file.boxes[box]
    assert (mark.acked, mark.newest, mark.sealed, file.epoch) == (1000, n, True, "e1")
    expected = [row[2] for row in noisy(0, n)]
    lost = 0
    for sequence, value in content(reader, box, 1001, n):
        if value == "damaged":
            lost += 1
        else:
            assert value == expected[sequence - 1]
    assert lost == repair.declared_lost
    reader.close()
    file.close()


def test_a_file_that_is_no_database_any_more_is_moved_aside_and_work_goes_on(
    tmp_path: Path,
) -> None:
    path, _, _ = damaged_outbox(tmp_path, 3)
    path.write_bytes(b"\x00" * 5000)
    file, repair = open_outbox(path, LIMITS, 77)
    assert repair is not None
    assert (repair.rows, repair.readings) == (0, 0)
    file.write(Changes(pack(readings(1, 3))), 1)
    assert file.boxes[file.live].newest == 3
    file.close()


def test_a_flipped_bit_inside_a_row_becomes_a_declared_loss_when_it_is_read(
    tmp_path: Path,
) -> None:
    path, box, n = damaged_outbox(tmp_path, 4)
    database = sqlite3.connect(path)
    (blob,) = database.execute("SELECT blob FROM rows WHERE first=1001").fetchone()
    flipped = bytearray(blob)
    flipped[len(blob) // 2] ^= 0x10
    database.execute("UPDATE rows SET blob=? WHERE first=1001", (bytes(flipped),))
    database.commit()
    database.close()
    file, repair = open_outbox(path, LIMITS, 77)
    assert repair is None, "quick_check cannot see inside a blob"
    reader = OutboxReader(path)
    found = content(reader, box, 1001, n)
    assert [v for _, v in found[:500]] == ["damaged"] * 500
    assert [v for _, v in found[500:]] == [row[2] for row in noisy(1500, n - 1500)]
    reader.close()
    file.close()


class OutboxMachine(RuleBasedStateMachine):
    """Random commits, marks, seals and crashes against a list of what was committed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outbox-"))
        self.generation = 0
        self.now = 0
        self.model: dict[str, list[object]] = {}
        self.acked: dict[str, int] = {}
        self.value = 0
        self.boxes_seen: set[str] = set()

    @initialize(retain=st.sampled_from([0, 1]))
    def open(self, retain: int) -> None:
        self.limits = OutboxLimits(max_mb=64, retain_hours=retain)
        self.path.parent.mkdir()
        self.file = OutboxFile(self.path, self.limits)

    @property
    def path(self) -> Path:
        return self.folder / str(self.generation) / "outbox.sqlite"

    def _note(self, before: set[str]) -> None:
        new = set(self.file.boxes) - before
        assert not new & self.boxes_seen, "a box id came twice"
        self.boxes_seen |= new

    @rule(n=st.integers(1, 1200), lost=st.sampled_from([0, 0, 0, 7]), seal=st.booleans())
    def commit(self, n: int, lost: int, seal: bool) -> None:
        rows = readings(self.value, n)
        self.value += n
        before = set(self.file.boxes)
        self.file.write(Changes(pack(rows), lost=lost, seal=seal), self.now)
        self._note(before)
        box = self.model.setdefault(self.file.live, [])
        self.acked.setdefault(self.file.live, 0)
        box += ["overflow"] * lost + [row[2] for row in rows]

    @precondition(lambda self: bool(self.file.boxes))
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        boxes = list(self.file.boxes)  # in the order they were opened; their ids are random
        box = boxes[data.draw(st.integers(0, len(boxes) - 1))]
        newest = len(self.model[box])
        committed = data.draw(st.integers(0, newest))
        self.file.write(Changes(marks={box: committed}), self.now)
        self.acked[box] = committed

    @rule(minutes=st.integers(1, 50))
    def wait(self, minutes: int) -> None:
        self.now += minutes * 60_000

    @rule()
    def crash(self) -> None:
        """Kill -9: what is on disk at this instant is all there is."""
        old = self.path.parent
        self.generation += 1
        shutil.copytree(old, self.path.parent)
        self.file.close()
        shutil.rmtree(old)
        self.file, repair = open_outbox(self.path, self.limits, self.now)
        assert repair is None
        assert all(mark.sealed for mark in self.file.boxes.values())

    @invariant()
    def nothing_unacknowledged_is_missing(self) -> None:
        if not hasattr(self, "file"):
            return
        reader = OutboxReader(self.path)
        try:
            for box, values in self.model.items():
                mark = self.file.boxes.get(box)
                if mark is None:
                    assert self.acked[box] == len(values), "only what is acked whole disappears"
                    continue
                assert (mark.newest, mark.acked) == (len(values), self.acked[box])
                begin = max(mark.oldest, 1)
                found = content(reader, box, begin, mark.newest)
                assert found == list(enumerate(values, 1))[begin - 1 :]
        finally:
            reader.close()

    def teardown(self) -> None:
        if hasattr(self, "file"):
            self.file.close()
        shutil.rmtree(self.folder)


OutboxMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestOutboxMachine = OutboxMachine.TestCase
