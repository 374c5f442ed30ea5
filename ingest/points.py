"""The point index: point ids as small integers that never change within a store.

Owns the mapping only. Which points exist is decided by the park model and handed to `ensure`;
an id that was never ensured is unknown to the platform and is quarantined where it arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

Persist = Callable[[Sequence[tuple[int, str]]], None]
"""Makes new (index, id) rows durable; raises when it cannot."""


class PointIndex:
    """id <-> int32, append-only. One writer (`ensure`), any number of reading threads."""

    def __init__(self, ids: Sequence[str] = (), persist: Persist | None = None) -> None:
        self._ids = list(ids)
        self._index = {point_id: number for number, point_id in enumerate(ids)}
        self._persist = persist

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, point_id: str) -> bool:
        return point_id in self._index

    def index(self, point_id: str) -> int | None:
        """The number of a point, or None when the model does not know it."""
        return self._index.get(point_id)

    def id(self, index: int) -> str:
        """The id of a point number; IndexError when there is no such number."""
        if index < 0:
            raise IndexError(index)
        return self._ids[index]

    def ids(self) -> list[str]:
        """All ids in the order of their numbers (a copy)."""
        return self._ids.copy()

    def lookup(self) -> Mapping[str, int]:
        """The live mapping id -> number for hot loops; read only."""
        return self._index

    def ensure(self, point_ids: Iterable[str]) -> None:
        """Give every id a number, durably before it becomes visible; known ids keep theirs."""
        new = [i for i in dict.fromkeys(point_ids) if i not in self._index]
        if not new:
            return
        rows = list(enumerate(new, start=len(self._ids)))
        if self._persist is not None:
            self._persist(rows)
        # The id list grows first: whoever sees a number in the mapping can resolve it.
        self._ids.extend(new)
        self._index.update((point_id, number) for number, point_id in rows)
