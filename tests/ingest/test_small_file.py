"""A small database that is damaged is set aside; one that is locked is left alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ingest.small_file import open_or_set_aside

TABLE = "CREATE TABLE IF NOT EXISTS marks (name TEXT)"


def test_a_damaged_file_is_kept_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "marks.db"
    path.write_bytes(b"not a database at all" * 100)
    db = open_or_set_aside(path, TABLE, "mark file")
    try:
        assert db.execute("SELECT count(*) FROM marks").fetchone() == (0,)
    finally:
        db.close()
    (aside,) = tmp_path.glob("marks.db.damaged-*")
    assert aside.read_bytes().startswith(b"not a database")


def test_a_locked_file_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "marks.db"
    open_or_set_aside(path, TABLE, "mark file").close()
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError):
            open_or_set_aside(path, TABLE, "mark file")
    finally:
        other.close()
    assert list(tmp_path.glob("*.damaged-*")) == []
