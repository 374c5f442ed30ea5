"""The ledger's equation, held against a model over any interleaving of what gateways may send."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.wire import BoxState, State
from ingest.arrivals import Arrival, Inbound, Native, Told
from ingest.assembly import Assembly
from ingest.bindings import Bindings
from ingest.columns import Limits
from ingest.decode import parse
from ingest.journal import Journal
from ingest.ledger import Box
from tests.ingest.desk import POINTS, now_ms, up


def fresh() -> Box:
    """An account that nothing was sent to."""
    return Box(0, "GW-1", "box-1", "native")


def test_a_box_advances_by_what_follows_and_trims_what_overlaps() -> None:
    box = fresh()
    assert box.accept(1, 10) == ((0, 10),)
    assert box.accept(11, 5) == ((0, 5),)
    assert box.accept(8, 10) == ((8, 10),)
    assert (box.committed, box.duplicates) == (17, 8)
    assert box.accept(1, 17) == ()
    assert box.duplicates == 25


def test_a_message_beyond_the_next_sequence_changes_nothing() -> None:
    box = fresh()
    box.accept(1, 10)
    assert box.accept(12, 5) == ()
    assert (box.committed, box.duplicates) == (10, 0)


def test_an_unseen_box_starts_where_it_starts_and_reports_what_lies_before() -> None:
    box = fresh()
    assert box.accept(5001, 10) == ((0, 10),)
    assert (box.first, box.committed, box.missing, box.gaps) == (1, 5010, 5000, ((1, 5000),))


def test_a_repair_mends_the_gap_and_only_the_gap() -> None:
    box = fresh()
    box.accept(101, 100)  # 101..200; 1..100 missing
    assert box.accept(50, 60) == ((0, 51),)  # 50..100 was missing, 101..109 was not
    assert box.gaps == ((1, 49),)
    assert box.accept(1, 300) == ((0, 49), (200, 300))
    row = box.row()
    assert (len(row.gaps), row.missing, row.committed) == (0, 0, 300)


def test_what_a_gateway_no_longer_keeps_is_a_gap_that_a_late_message_still_mends() -> None:
    box = fresh()
    box.accept(1, 10)
    assert box.skip_to(21) == (11, 20)
    assert (box.committed, box.missing) == (20, 10)
    assert box.skip_to(5) is None
    assert box.accept(11, 10) == ((0, 10),)
    assert box.missing == 0


@dataclass
class Sequence:
    """What became of every sequence of one box, the slow way."""

    fate: dict[int, str] = field(default_factory=dict)
    committed: int | None = None
    duplicates: int = 0

    def take(self, first: int, kinds: list[str]) -> None:
        if not kinds:
            return
        if self.committed is None:
            self.committed = first - 1
            self.fate.update(dict.fromkeys(range(1, first), "missing"))
        if first > self.committed + 1:
            return
        for sequence, kind in enumerate(kinds, first):
            if self.fate.get(sequence, "missing") == "missing":
                self.fate[sequence] = kind
            else:
                self.duplicates += 1
        self.committed = max(self.committed, first + len(kinds) - 1)

    def forget(self, oldest: int) -> None:
        if self.committed is not None and oldest > self.committed + 1:
            for sequence in range(self.committed + 1, oldest):
                self.fate[sequence] = "missing"
            self.committed = oldest - 1

    def count(self, kind: str) -> int:
        return sum(fate == kind for fate in self.fate.values())


ITEMS = st.lists(st.sampled_from(["stored", "quarantined"]), max_size=6)
STEP = st.one_of(
    st.tuples(st.just("readings"), st.integers(-4, 6), ITEMS),
    st.tuples(st.just("readings"), st.integers(0, 0), ITEMS),
    st.tuples(st.just("lost"), st.integers(-4, 6), st.integers(1, 9)),
    st.tuples(st.just("poison"), st.integers(-2, 2), st.just(1)),
    st.tuples(st.just("state"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("commit"), st.just(0), st.just(0)),
    st.tuples(st.just("crash"), st.just(0), st.just(0)),
)


def arrival(payload: bytes) -> Native:
    """A parsed message of GW-1."""
    parsed = parse(payload)
    assert isinstance(parsed, tuple)
    return Native(Inbound("park/GW-1/up", payload, now_ms()), "GW-1", *parsed, 0)


def message(kind: str, first: int, content: object, box: str) -> tuple[Native, list[str]]:
    """A message and the fate of its sequences, should they be taken."""
    if kind == "readings":
        assert isinstance(content, list)
        fates: list[str] = content
        rows = [[POINTS[0] if f == "stored" else "nobody", now_ms(), 1.0, 0] for f in fates]
        return arrival(up(first, rows, box=box)), fates
    if kind == "lost":
        assert isinstance(content, int)
        payload = up(first, [], box=box, readings=..., lost=content, reason="overflow")
        return arrival(payload), ["lost"] * content
    payload = up(first, [], box=box, readings=..., poison="eA==")
    return arrival(payload), ["quarantined"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(start=st.integers(1, 5), steps=st.lists(STEP, max_size=30), boxes=st.integers(1, 2))
def test_every_sequence_is_accounted_for_after_any_history(
    start: int, steps: list[tuple[str, int, object]], boxes: int
) -> None:
    names = [f"box-{i}" for i in range(boxes)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        journal = Journal(path, synchronous="OFF")
        journal.points.ensure(POINTS)
        models = {name: Sequence() for name in names}
        pending: list[tuple[Arrival, str, int, list[str] | None]] = []
        # What is sent is relative to the model with everything pending in it.
        try:
            ahead = dict.fromkeys(names, start - 1)
            for turn, (kind, offset, content) in enumerate([*steps, ("commit", 0, 0)]):
                name = names[turn % boxes]
                if kind == "commit":
                    assembly = Assembly(journal, Bindings((), {}), Limits.open())
                    journal.commit(assembly.plan([p[0] for p in pending], now_ms()).draft)
                    for _, box, first, fates in pending:
                        if fates is None:
                            models[box].forget(first)
                        else:
                            models[box].take(first, fates)
                    pending.clear()
                elif kind == "crash":
                    pending.clear()
                    journal.close()
                    journal = Journal(path, synchronous="OFF")
                    ahead = {n: m.committed or start - 1 for n, m in models.items()}
                elif kind == "state":
                    oldest = ahead[name] + offset
                    state = State([BoxState(name, oldest, oldest, 0)])
                    told = Told(Inbound("", b"", now_ms()), "GW-1", state=state)
                    pending.append((told, name, oldest, None))
                    if models[name].committed is not None:
                        ahead[name] = max(ahead[name], oldest - 1)
                else:
                    first = max(ahead[name] + 1 + offset, 0 if kind != "poison" else 1)
                    first = max(first, 1)
                    native, fates = message(kind, first, content, name)
                    pending.append((native, name, first, fates))
                    if offset <= 0:
                        ahead[name] = max(ahead[name], first + len(fates) - 1)
            rows = {row.box: row for row in journal.ledger()}
            stored = 0
            for name, model in models.items():
                if model.committed is None:
                    continue
                row = rows[name]
                assert row.imbalance == 0
                assert row.committed == model.committed
                assert row.duplicates == model.duplicates
                for fate in ("stored", "quarantined", "lost", "missing"):
                    assert getattr(row, fate) == model.count(fate), fate
                gap = {s for low, high in row.gaps for s in range(low, high + 1)}
                assert gap == {s for s, f in model.fate.items() if f == "missing"}
                stored += row.stored
            assert sum(len(g.readings) for g in journal.read(0)) == stored == journal.end
            heads = [h for g in journal.read(0) for h in g.heads]
            assert sum(h.n for h in heads) == stored
        finally:
            journal.close()
