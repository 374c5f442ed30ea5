"""Walking the park's relations: what lies upstream, downstream, inside."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from twin.model.park import Relation

# Upstream and downstream follow what flows: water in sewers, power and water in supplies.
FLOW = frozenset({"drains_to", "discharges_to", "feeds"})


class Topology:
    """Relations indexed both ways; answers are in breadth-first order, nearest first."""

    def __init__(self, relations: Iterable[Relation]) -> None:
        self._out: dict[str, list[Relation]] = defaultdict(list)
        self._in: dict[str, list[Relation]] = defaultdict(list)
        for relation in relations:
            self._out[relation.source].append(relation)
            self._in[relation.target].append(relation)

    def outgoing(self, asset: str) -> list[Relation]:
        """The relations that start at `asset`."""
        return list(self._out.get(asset, ()))

    def incoming(self, asset: str) -> list[Relation]:
        """The relations that end at `asset`."""
        return list(self._in.get(asset, ()))

    def downstream(self, asset: str, relations: frozenset[str] = FLOW) -> list[str]:
        """Every asset that the flow from `asset` reaches, without itself."""
        return self._walk(asset, self._out, relations, forward=True)

    def upstream(self, asset: str, relations: frozenset[str] = FLOW) -> list[str]:
        """Every asset whose flow reaches `asset`, without itself."""
        return self._walk(asset, self._in, relations, forward=False)

    def inside(self, asset: str) -> list[str]:
        """Every asset that is located in `asset`, at any depth."""
        return self._walk(asset, self._in, frozenset({"located_in"}), forward=False)

    def around(self, asset: str) -> list[str]:
        """Every asset that `asset` is located in, the nearest first."""
        return self._walk(asset, self._out, frozenset({"located_in"}), forward=True)

    def _walk(
        self,
        start: str,
        edges: Mapping[str, list[Relation]],
        relations: frozenset[str],
        *,
        forward: bool,
    ) -> list[str]:
        seen = {start}
        queue = deque([start])
        found = []
        while queue:
            for edge in edges.get(queue.popleft(), ()):
                other = edge.target if forward else edge.source
                if edge.relation in relations and other not in seen:
                    seen.add(other)
                    found.append(other)
                    queue.append(other)
        return found


def cycle(edges: Iterable[tuple[str, str]]) -> list[str]:
    """One closed path along (source, target) edges, its first node repeated at the end; or []."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for source, target in edges:
        sorter.add(source, target)
    try:
        sorter.prepare()
    except CycleError as error:
        # graphlib lists the cycle so that each node is a predecessor of the next: ours reversed.
        return list(reversed(error.args[1]))
    return []


def in_order(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """The keys of `needs`, each after those keys that it needs; raises CycleError."""
    sorter = TopologicalSorter(
        {key: [n for n in part if n in needs] for key, part in needs.items()}
    )
    return list(sorter.static_order())
