"""The journal: the one acknowledged copy of every reading, its ledger and its quarantine.

One SQLite file (WAL, synchronous=FULL) with one row per group commit; readings have a running
ordinal in commit order. Consumers read it by ordinal from any thread. It decides nothing about
messages: `ingest.committer` fills a `Draft`, `commit` makes it durable in one transaction.
"""

from __future__ import annotations

import contextlib
import fcntl
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import structlog

from ingest import journal_schema as schema
from ingest import quarantine
from ingest.clock import ClockMemory
from ingest.group import DamagedGroup, Group, HeadRow, Heads, decode, encode, head_rows, trim
from ingest.ledger import Box, Draft, Kind, Ledger, LedgerRow, Loss
from ingest.points import PointIndex
from ingest.quarantine import Quarantine, QuarantineRow
from ingest.readers import Readers
from ingest.readings import Readings
from ingest.tail import Tail

TAIL_READINGS: Final = 250_000
MIN_AGE_MS: Final = 48 * 3600 * 1000

log = structlog.get_logger(__name__)


class CommitFailed(Exception):
    """Nothing was acknowledged and nothing may be: the group is to be decided and tried again."""


class JournalInUse(Exception):
    """Another process, or another object of this one, has the journal open."""


class Journal:
    """Open (or create) the journal at `path`. Close it, or use it as a context manager.

    Raises `JournalInUse`: two writers would acknowledge what the other does not know.

    One thread at a time commits; `read`, `wait`, `ledger` and `quarantine` work from any thread.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        tail_readings: int = TAIL_READINGS,
        keep: Quarantine | None = None,
        synchronous: str = "FULL",
    ) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._synchronous = synchronous
        self._quarantine = keep or Quarantine()
        self._write = threading.RLock()
        self._moved = threading.Condition()
        self._readers = Readers(lambda: schema.connect(self.path, synchronous, read_only=True))
        self._closed = False
        self._tail = Tail(tail_readings)
        self._lock_file = self.path.with_name(self.path.name + ".lock").open("ab")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock_file.close()
            raise JournalInUse(f"{self.path} is in use by another process") from error
        self._db: sqlite3.Connection | None = None
        try:
            self._db = schema.connect(self.path, synchronous)
            self.epoch = schema.prepare(self._db, lambda: uuid.uuid4().hex)
            self.points = PointIndex(schema.load_points(self._db), self._persist_points)
            self._load(self._db)
        except BaseException:
            self._lock_file.close()
            if self._db is not None:
                self._db.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; later reads raise `sqlite3.ProgrammingError`."""
        with self._write:
            self._closed = True
            if self._db is not None:
                self._db.close()
                self._db = None
        self._readers.close()
        self._lock_file.close()
        with self._moved:
            self._moved.notify_all()

    def _load(self, db: sqlite3.Connection) -> None:
        self._ledger = Ledger(schema.load_boxes(db))
        self._end, self._oldest = schema.load_range(db)
        self._quarantine.load(db)
        self._tail.clear()

    def _persist_points(self, rows: Sequence[tuple[int, str]]) -> None:
        with self._write, self._transaction() as db:
            db.executemany("INSERT INTO points (number, id) VALUES (?, ?)", rows)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction; after any failure the connection is given up.

        After a failed fsync the kernel may drop the dirty pages and report success next time, so a
        connection that saw one is never trusted again. What did reach the file decides: the next
        connection reads the ledger anew.
        """
        db = self._db or self._reopen()
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except sqlite3.Error as error:
            self._db = None
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            with contextlib.suppress(sqlite3.Error):
                db.close()
            raise CommitFailed(f"{self.path}: {error}") from error
        except BaseException:
            db.execute("ROLLBACK")
            raise

    def _reopen(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("the journal is closed")
        db: sqlite3.Connection | None = None
        try:
            db = schema.connect(self.path, self._synchronous)
            # Write every page of the log again and sync it: those of a failed sync may be lost.
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._load(db)
        except sqlite3.Error as error:
            if db is not None:
                db.close()
            raise CommitFailed(f"{self.path}: {error}") from error
        self._db = db
        log.info("journal reopened", path=str(self.path), end=self._end)
        return db

    # --- writing -------------------------------------------------------------------------------

    def ready(self) -> None:
        """Make sure that there is a healthy connection; raises `CommitFailed`."""
        with self._write:
            if self._db is None:
                self._reopen()

    def draft(self, received_at: int | None = None) -> Draft:
        """A unit of work over the committed ledger; call `ready` first after a failed commit."""
        return self._ledger.draft(received_at if received_at is not None else _now_ms())

    def commit(self, draft: Draft) -> Group:
        """Make a draft durable in one transaction and visible to readers; returns its group.

        Raises `CommitFailed`: then nothing of it is visible, and whether it reached the disk is
        known only to the ledger after `ready`; decide its messages again against that.
        """
        readings, heads = draft.readings, head_rows(draft.heads)
        with self._write:
            if self._db is None:
                raise CommitFailed("the draft was made before the last failure")
            start = self._end
            with self._transaction() as db:
                if len(readings):
                    blob = encode(start, draft.received_at, readings, heads)
                    schema.insert_group(db, start, len(readings), draft.received_at, blob)
                schema.write_boxes(db, draft.changed.values(), draft.first_new)
                if draft.losses:
                    schema.insert_losses(db, draft.losses)
                if draft.rejected:
                    self._quarantine.write(db, draft.rejected)
                if draft.clocks:
                    schema.upsert_clocks(db, draft.clocks)
                if draft.released:
                    quarantine.mark_released(db, draft.released)
            self._ledger.merge(draft)
            group = Group(start, draft.received_at, readings, Heads(heads, self._ledger.names))
            if len(readings):
                self._tail.append(group)
                self._end = group.end
        with self._moved:
            self._moved.notify_all()
        return group

    def append(
        self,
        readings: Readings,
        *,
        source: str = "direct",
        received_at: int | None = None,
        kind: Kind = "derived",
    ) -> Group:
        """Commit readings without a message, as one group of their own (tools and tests)."""
        with self._write:
            draft = self.draft(received_at)
            box = draft.box(source, "", kind)
            box.stored += len(readings)
            box.last_received_at = draft.received_at
            draft.readings = readings
            draft.heads.append(HeadRow(box.number, -1, 0, len(readings), draft.received_at, 0))
            return self.commit(draft)

    def backup(self, target: Path) -> None:
        """Copy the journal as it is now to a new file, while it is being written."""
        with self._readers.lend() as db, contextlib.closing(sqlite3.connect(target)) as copy:
            db.backup(copy)

    def renew_epoch(self) -> str:
        """Begin another history: after this file was restored from a backup.

        Gateways that see the new epoch in an acknowledgement send again what they still keep.
        """
        epoch = uuid.uuid4().hex
        with self._write, self._transaction() as db:
            db.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (epoch,))
        self.epoch = epoch
        return epoch

    def trim(self, keep_from: int, older_than_ms: int = MIN_AGE_MS) -> int:
        """Delete groups that every consumer has passed and that are old; returns readings deleted.

        Only groups wholly below ordinal `keep_from` that arrived more than `older_than_ms` ago go;
        the newest group always stays.
        """
        with self._write, self._transaction() as db:
            gone = schema.delete_groups(db, keep_from, _now_ms() - older_than_ms)
            self._end, self._oldest = schema.load_range(db)
        self._tail.drop_before(self._oldest)
        return gone

    # --- reading -------------------------------------------------------------------------------

    @property
    def end(self) -> int:
        """The ordinal that the next reading will get."""
        return self._end

    @property
    def oldest(self) -> int:
        """The first ordinal that is still kept (equals `end` when there is none)."""
        return min(self._oldest, self._end)

    def read(self, start: int, limit: int = 200_000, *, skip_damaged: bool = False) -> list[Group]:
        """Whole groups in order, the first one trimmed to begin at ordinal `start`.

        Stops after the group in which `limit` readings are reached, so at least one group is
        returned when there is any. It begins later than `start` when that was trimmed away (see
        `oldest`). A damaged group raises `DamagedGroup`, unless the caller
        chooses `skip_damaged`; then it is left out and logged, and counts for nothing: however
        much is damaged, what follows is found.
        """
        if start >= self._end:
            return []
        recent = self._tail.read(start, limit)
        if recent is not None:
            return recent
        groups: list[Group] = []
        count = 0
        with self._readers.lend() as db:
            for at, n, blob in schema.select_groups(db, start, None if skip_damaged else limit):
                try:
                    group = decode(at, blob, self._ledger.names)
                    if len(group.readings) != n:
                        raise DamagedGroup(at, f"it holds {len(group.readings)} readings, not {n}")
                except DamagedGroup as damage:
                    if not skip_damaged:
                        raise
                    log.error("journal group skipped", start=at, n=n, problem=damage.problem)
                    continue
                groups.append(trim(group, start))
                count += len(groups[-1].readings)
                if count >= limit:
                    break
        return groups

    def verify(self) -> list[DamagedGroup]:
        """Decode every group on disk; returns the damaged ones (none in a sound journal)."""
        found = []
        with self._readers.lend() as db:
            for at, _n, blob in schema.select_groups(db, 0, None):
                try:
                    decode(at, blob, self._ledger.names)
                except DamagedGroup as damage:
                    found.append(damage)
        return found

    def wait(self, after: int, timeout: float) -> bool:
        """Block until ``end > after`` or the timeout (seconds) is over; True when there is more."""
        with self._moved:
            return self._moved.wait_for(lambda: self._closed or self._end > after, timeout) and (
                self._end > after
            )

    def ledger(self) -> list[LedgerRow]:
        """The account of every (source, box), as committed."""
        return self._ledger.rows()

    def account(self, source: str, box: str = "") -> Box | None:
        """The committed account of one (source, box); not to be changed."""
        return self._ledger.get(source, box)

    def accounts(self, source: str) -> list[Box]:
        """The committed accounts of a source, oldest box first; not to be changed."""
        return self._ledger.boxes(source)

    def clocks(self) -> dict[str, ClockMemory]:
        """What earlier runs learned about gateway clocks."""
        with self._readers.lend() as db:
            return schema.load_clocks(db)

    def losses(self, after: int = 0, limit: int = 100) -> list[tuple[int, Loss]]:
        """Declared losses and gaps as (id, range), oldest first, id above `after`."""
        with self._readers.lend() as db:
            return schema.select_losses(db, after, limit)

    def quarantine(
        self, after: int = 0, limit: int = 100, source: str | None = None
    ) -> list[QuarantineRow]:
        """Quarantined rows with an id above `after`, oldest first."""
        with self._readers.lend() as db:
            return quarantine.select(db, after, limit, source)

    def release(self, ids: Sequence[int]) -> list[QuarantineRow]:
        """The unreleased rows among `ids`, for another decode attempt by the committer."""
        with self._readers.lend() as db:
            return quarantine.by_ids(db, ids)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
