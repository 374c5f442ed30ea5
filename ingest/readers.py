"""A small pool of read-only connections to the journal's file, for any thread."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import Final

IDLE: Final = 8


class Readers:
    """Lends connections; keeps up to `IDLE` for the next one who asks."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextlib.contextmanager
    def lend(self) -> Iterator[sqlite3.Connection]:
        """A connection for a short read; raises `sqlite3.ProgrammingError` once closed."""
        with self._lock:
            if self._closed:
                raise sqlite3.ProgrammingError("the journal is closed")
            db = self._idle.pop() if self._idle else None
        if db is None:
            db = self._connect()
        sound = False
        try:
            yield db
            sound = True
        finally:
            with self._lock:
                keep = sound and not self._closed and len(self._idle) < IDLE
                if keep:
                    self._idle.append(db)
            if not keep:
                db.close()

    def close(self) -> None:
        """Close what is idle now, and what is lent when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()
