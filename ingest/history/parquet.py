"""Parquet files of closed days, written and read by DuckDB: sorted by (point, ts), zstd, row groups
sized so that one point costs little whatever the file's size. The connection has no database.
"""

from __future__ import annotations

import math
import os
import zlib
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from ingest.history.chunk import Damaged, fsync_folder
from ingest.history.table import Table

_BLOCK: Final = 1 << 20


def row_group_size(rows: int) -> int:
    """Rows a group: each group costs about 30 us to skip and each row 40 ns to read."""
    return int(min(max(27 * math.sqrt(rows), 8192), 524_288))


def checksum(path: Path) -> tuple[int, int]:
    """CRC-32 and size of a file; raises `Damaged` when it cannot be read."""
    crc = size = 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                crc = zlib.crc32(block, crc)
                size += len(block)
    except OSError as error:
        raise Damaged(path, f"cannot be read: {error}") from error
    return crc, size


class ParquetEngine:
    """An in-memory DuckDB with bounded memory; use from any thread."""

    def __init__(self, temp: Path, memory_mb: int = 128, threads: int = 1) -> None:
        self._db = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{memory_mb}MB",
                "threads": threads,
                "temp_directory": str(temp),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )

    def close(self) -> None:
        """Release the memory."""
        self._db.close()

    def write(self, path: Path, table: Table) -> tuple[int, int]:
        """Write `table` durably; returns CRC-32 and size of the file."""
        columns: dict[str, NDArray[Any]] = {"point": table.points}
        for name in table.rows.dtype.names or ():
            columns[name] = np.ascontiguousarray(table.rows[name])
        draft = path.with_suffix(".tmp")
        cursor = self._db.cursor()
        try:
            cursor.register("rows", columns)
            cursor.execute(
                f"COPY (SELECT * FROM rows) TO {_quoted(draft)} (FORMAT parquet, COMPRESSION zstd,"
                f" ROW_GROUP_SIZE {row_group_size(table.size)})"
            )
        finally:
            cursor.close()
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        written = checksum(draft)
        draft.rename(path)
        fsync_folder(path.parent)
        return written

    def read(
        self,
        path: Path,
        dtype: np.dtype[Any],
        crc: int,
        *,
        points: NDArray[np.int32] | None = None,
        low: int = 0,
        high: int = 1 << 31,
        start: int = -(1 << 62),
        end: int = 1 << 62,
    ) -> Table:
        """Rows with ts in [start, end) of `points`, or of low <= point < high.

        An error of DuckDB on a file whose checksum is not `crc` is raised as `Damaged`.
        """
        names = dtype.names or ()
        query = f"SELECT point, {', '.join(names)} FROM read_parquet(?) WHERE "
        arguments: list[object] = [str(path)]
        if points is None:
            query += "point >= ? AND point < ?"
            arguments += [low, high]
        elif len(points) == 1:
            query += "point = ?"
            arguments.append(int(points[0]))
        else:
            query += f"point IN ({','.join(map(str, points.tolist()))})"
        query += " AND ts >= ? AND ts < ?"
        cursor = self._db.cursor()
        try:
            got = cursor.execute(query, [*arguments, start, end]).fetchnumpy()
        except duckdb.Error as error:
            if checksum(path)[0] != crc:
                raise Damaged(path, f"cannot be read: {error}") from error
            raise
        finally:
            cursor.close()
        rows = np.empty(len(got["point"]), dtype)
        for name in names:
            column = got[name]  # DuckDB takes NaN for NULL and gives NULL as masked
            rows[name] = column.filled(np.nan) if np.ma.isMaskedArray(column) else column
        return Table(np.asarray(got["point"], np.int32), rows)

    def points(self, path: Path) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The points of a file and the number of rows of each."""
        cursor = self._db.cursor()
        try:
            got = cursor.execute(
                "SELECT point, count(*) AS n FROM read_parquet(?) GROUP BY point ORDER BY point",
                [str(path)],
            ).fetchnumpy()
        finally:
            cursor.close()
        return np.asarray(got["point"], np.int32), np.asarray(got["n"], np.int64)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
