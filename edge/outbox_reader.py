"""Reads the outbox file for sending: sequences in, one message's worth out.

Owns no state but its connection, so that sending and writing do not wait for each other.
"""

from __future__ import annotations

from pathlib import Path

from edge.outbox_file import connect
from edge.parcel import MAX_BYTES, MAX_READINGS, Damaged, Parcel, cut, join, unpack


class OutboxReader:
    """Reads rows for sending, on a connection of its own; one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path, read_only=True)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def read(
        self,
        box: str,
        first: int,
        last: int,
        *,
        max_readings: int = MAX_READINGS,
        max_bytes: int = MAX_BYTES,
    ) -> Parcel:
        """Sequences from `first`, at most to `last`, as one message's worth.

        A range that is not there is a loss with reason ``gone``; a damaged row one with reason
        ``damaged``.
        """
        row = self._db.execute(
            "SELECT first, n, reason, blob FROM rows WHERE box=? AND first<=?"
            " ORDER BY first DESC LIMIT 1",
            (box, first),
        ).fetchone()
        if row is None or row[0] + row[1] <= first:
            return self._missing(box, first, last)
        begin, n, reason, blob = row
        end = min(begin + n - 1, last)
        if reason is not None:
            return Parcel(first, end - first + 1, None, reason)
        try:
            body = unpack(blob)
            if begin != first or end != begin + n - 1 or n > max_readings:
                end = min(end, first + max_readings - 1)
                return Parcel(first, end - first + 1, cut(body, first - begin, end + 1 - begin))
        except Damaged:
            return Parcel(first, end - first + 1, None, "damaged")
        bodies, total, size = [body], n, len(body)
        while first + total <= last and total < max_readings:
            row = self._db.execute(
                "SELECT n, blob FROM rows WHERE box=? AND first=? AND reason IS NULL",
                (box, first + total),
            ).fetchone()
            if row is None or total + row[0] > max_readings or first + total + row[0] - 1 > last:
                break
            try:
                body = unpack(row[1])
            except Damaged:
                break
            if size + len(body) > max_bytes:
                break
            bodies.append(body)
            total += row[0]
            size += len(body)
        return Parcel(first, total, join(bodies))

    def _missing(self, box: str, first: int, last: int) -> Parcel:
        after = self._db.execute(
            "SELECT min(first) FROM rows WHERE box=? AND first>?", (box, first)
        ).fetchone()[0]
        end = last if after is None else min(last, after - 1)
        return Parcel(first, end - first + 1, None, "gone")
