"""Sums of roll-ups: what a total grew by is what its parts grew by."""

from __future__ import annotations

import numpy as np

from api.series import summed_table
from ingest.history.protocol import Buckets


def buckets(start: list[int], increment: list[float]) -> Buckets:
    n = len(start)
    column = np.asarray(increment, np.float64)
    return Buckets(
        start=np.asarray(start, np.int64),
        covered_s=np.full(n, 60.0),
        count=np.full(n, 4, np.int64),
        good=np.full(n, 2, np.int64),
        minimum=column,
        maximum=column,
        last=column,
        mean=column,
        increment=column,
        flags=np.zeros(n, np.uint8),
    )


def test_increments_of_parts_add_up_bucket_by_bucket_and_nulls_add_nothing() -> None:
    parts = [buckets([0, 60_000], [1.5, 2.0]), buckets([60_000, 120_000], [4.0, float("nan")])]
    table = summed_table(parts, "increment", 10)
    rows = table.rows()
    assert [row[:3] for row in rows[:2]] == [(0, 1.5, 0.5), (60_000, 6.0, 0.5)]
    assert rows[2][0] == 120_000
    assert np.isnan(rows[2][1])
    assert table.next is None


def test_a_long_sum_says_where_to_go_on() -> None:
    parts = [buckets([0, 60_000, 120_000], [1, 1, 1]), buckets([0], [1])]
    table = summed_table(parts, "increment", 2)
    assert [row[1] for row in table.rows()] == [2.0, 1.0]
    assert table.next == 120_000
