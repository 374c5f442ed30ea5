"""The last reading of each point, kept as columns and saved beside the history.

Event time decides; of two readings at the same time the one that arrived later. The file is a
convenience: without it the same is found again in the history itself.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from ingest.history.chunk import fsync_folder
from ingest.history.table import Table
from ingest.readings import Readings

log = structlog.get_logger(__name__)

NEVER = -(1 << 62)


class Latest:
    """Columns by point index. One writer; readers see whole updates."""

    def __init__(self) -> None:
        # (ts, value, quality), replaced as a whole; ts is NEVER where there is no reading.
        self._columns = (np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.uint8))

    def __len__(self) -> int:
        return len(self._columns[0])

    def take(self, readings: Readings) -> None:
        """Apply readings in order of arrival."""
        if not len(readings):
            return
        point, ts = readings.point, readings.ts
        held, value, quality = self._columns
        more = max(int(point.max()) + 1 - len(held), 0)
        newest = np.concatenate((held, np.full(more, NEVER, np.int64)))
        value = np.concatenate((value, np.full(more, np.nan)))
        quality = np.concatenate((quality, np.zeros(more, np.uint8)))
        np.maximum.at(newest, point, ts)
        at = np.flatnonzero(newest[point] == ts)
        # Where one point has several readings of that time, the assignment keeps the last.
        value[point[at]] = readings.value[at]
        quality[point[at]] = readings.quality[at]
        self._columns = (newest, value, quality)

    def take_table(self, table: Table) -> None:
        """Apply rows of the history."""
        rows = table.rows
        self.take(
            Readings(
                table.points,
                np.ascontiguousarray(rows["ts"]),
                np.ascontiguousarray(rows["value"]),
                np.ascontiguousarray(rows["quality"]),
            )
        )

    def times(self, points: NDArray[np.int32]) -> NDArray[np.int64]:
        """Time of the last reading of each point; NEVER without one."""
        return self._columns[0][points]

    def readings(self) -> Readings:
        """One reading for each point that has any, by point index."""
        ts, value, quality = self._columns
        at = np.flatnonzero(ts != NEVER)
        return Readings(at.astype(np.int32), ts[at], value[at], quality[at])

    def save(self, path: Path, position: int) -> None:
        """Write durably; everything below ordinal `position` is in it."""
        ts, value, quality = self._columns
        draft = path.with_suffix(".tmp")
        with draft.open("wb") as file:
            np.savez(
                file,
                position=np.array([position]),
                ts=ts,
                value=value,
                quality=quality,
            )
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        fsync_folder(path.parent)

    def load(self, path: Path) -> int | None:
        """Read what `save` wrote; returns its position, None when there is no sound file."""
        try:
            with zipfile.ZipFile(path) as box:
                if box.testzip() is not None:
                    raise zipfile.BadZipFile("a checksum is wrong")
                position, ts, value, quality = (
                    np.load(box.open(f"{name}.npy"))
                    for name in ("position", "ts", "value", "quality")
                )
        except FileNotFoundError:
            return None
        except (zipfile.BadZipFile, OSError, ValueError, KeyError, EOFError) as error:
            log.error("file of latest readings is damaged; made anew", why=str(error))
            return None
        self._columns = (ts, value, quality)
        return int(position[0])
