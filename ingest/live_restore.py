"""Brings the live twin back to where its records say it was: checkpoint, journal, history.

The state must be exactly that of the records' cursor: a newer one would make readings that the
alarms have not seen look late. Owns no thread and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from ingest import live_checkpoint
from ingest.group import Group
from ingest.live_checkpoint import DamagedCheckpoint
from ingest.points import PointIndex
from ingest.readings import Readings
from twin.alarms.engine import AlarmEngine
from twin.state import LiveState

log = structlog.get_logger(__name__)

REBUILD_READINGS: Final = 2_000_000
"""How many readings before the cursor are read again when there is no usable checkpoint."""

_STEP: Final = 200_000


class JournalView(Protocol):
    """What the live twin needs of the journal."""

    points: PointIndex
    epoch: str

    @property
    def end(self) -> int: ...
    @property
    def oldest(self) -> int: ...
    def read(self, start: int, limit: int = ..., *, skip_damaged: bool = ...) -> list[Group]: ...


Latest = Callable[[], tuple[Readings, int]]
"""The last reading of each point as history has it, and the ordinal up to which it is complete."""


def restore_state(
    journal: JournalView,
    state: LiveState,
    engine: AlarmEngine,
    position: int,
    checkpoint: Path,
    latest: Latest | None,
) -> str:
    """Fill `state` and the rate windows as of ordinal `position`; says from where.

    Alarms are not evaluated: the records hold what came of these readings.
    """
    start = _from_checkpoint(journal, state, engine, position, checkpoint)
    origin = "checkpoint"
    if start is None:
        origin, start = "journal", max(journal.oldest, position - REBUILD_READINGS)
    for group in _groups(journal, start, position):
        readings = group.readings[: position - group.start]
        columns = (readings.point, readings.ts, readings.value, readings.quality)
        engine.observe(*columns)
        state.apply(*columns, group.received_at)
    if origin == "journal" and latest is not None:
        origin = "journal and history"
        _fill(journal, state, position, latest()[0])
    return origin


def _from_checkpoint(
    journal: JournalView, state: LiveState, engine: AlarmEngine, position: int, path: Path
) -> int | None:
    try:
        found = live_checkpoint.read(path)
    except DamagedCheckpoint as error:
        log.error("live checkpoint is damaged, rebuilding", reason=str(error))
        return None
    if found is None:
        return None
    usable = found.epoch == journal.epoch and journal.oldest <= found.position <= position
    if not usable or any(len(a) > len(state) for a in found.state.values()):
        log.warning("live checkpoint does not fit the records, rebuilding", at=found.position)
        return None
    state.restore(found.state)
    engine.restore_windows(found.alarms, found.windows)
    return found.position


def _fill(journal: JournalView, state: LiveState, position: int, last: Readings) -> None:
    """Points that spoke neither in the journal just read nor since: history's last is theirs."""
    wanted = state.received_at < 0
    for group in _groups(journal, position, journal.end):
        wanted[group.readings.point] = False
    keep: NDArray[np.bool_] = wanted[last.point]
    state.apply(
        last.point[keep], last.ts[keep], last.value[keep], last.quality[keep], last.ts[keep]
    )


def _groups(journal: JournalView, start: int, end: int) -> Iterator[Group]:
    while start < end:
        groups = journal.read(start, min(_STEP, end - start), skip_damaged=True)
        if not groups:
            return
        for group in groups:
            if group.start >= end:
                return
            yield group
        start = groups[-1].end
