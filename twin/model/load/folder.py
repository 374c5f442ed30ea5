"""A whole park folder: reads its files in order, checks them against each other, makes the Park."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from twin.model.errors import ModelError, ModelErrors
from twin.model.load.fields import nearest
from twin.model.load.gateways import GatewayFile, read_gateway
from twin.model.load.geojson import Assets, read_assets, suggest
from twin.model.load.network import check_against_assets, check_systems, drains, read_network
from twin.model.load.park_file import ParkFile, read_park, read_types
from twin.model.load.points_file import Points, read_bindings, read_points, read_relations
from twin.model.load.registers import REGISTERS, read_register
from twin.model.load.rules_file import Selection, read_rules, read_totals
from twin.model.load.text import Faults, Text, read_text
from twin.model.load.yaml_rows import Document, parse_yaml
from twin.model.names import Name
from twin.model.park import Asset, Binding, Kpi, Park, Relation
from twin.model.rules import RuleRow, TotalRow
from twin.model.topology import Topology, cycle
from twin.model.types import TypeDef

_REQUIRED = ("park.yaml", "types.yaml", "assets.geojson", "relations.csv", "points.csv")
_OPTIONAL = ("network.inp", "bindings.csv", "rules.yaml", "totals.yaml", "sim.yaml", *REGISTERS)
_HYDRAULIC = ("manhole", "outfall", "wet_well", "conduit", "pump", "weir", "orifice")


def load_park(folder: Path) -> Park:
    """The park of a folder; raises ModelErrors with every fault when there is one."""
    _must_exist(folder)
    reader = FolderReader(folder)
    park = reader.read()
    if reader.faults.errors:
        raise ModelErrors(sorted(reader.faults.errors))
    return park


def check(folder: Path) -> list[ModelError]:
    """Every fault of a folder, by file and line; also parses what only other parts read (YAML of

    gateways and simulator). Empty when the park loads.
    """
    try:
        _must_exist(folder)
    except ModelErrors as missing:
        return missing.errors
    reader = FolderReader(folder)
    reader.read()
    reader.check_other_yaml()
    return sorted(reader.faults.errors)


def _must_exist(folder: Path) -> None:
    if not folder.is_dir():
        mend = "Give the path of a park folder."
        raise ModelErrors([ModelError(str(folder), 0, "", "there is no such folder", mend)])


class FolderReader:
    """Reads one folder once; `faults` holds what was wrong with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults = Faults()
        self._hash = hashlib.sha256()

    def read(self) -> Park:
        """The park, complete only when no fault was found."""
        self._check_strangers()
        park_file = self._yaml("park.yaml", required=True)
        types_file = self._yaml("types.yaml", required=True)
        head = read_park(park_file) if park_file else ParkFile("", Name("", ""), "UTC", [], [], {})
        types = read_types(types_file) if types_file else {}
        if any(error.file == "types.yaml" for error in self.faults.errors):
            types = {}  # everything is measured against the types: mend them first
        text = self._text("assets.geojson", required=True)
        assets = read_assets(text, types, self.faults) if text else None
        text = self._text("points.csv", required=True)
        points = read_points(text, assets, types, self.faults) if text else None
        return self._park(head, types, assets, points)

    def _park(
        self,
        head: ParkFile,
        types: dict[str, TypeDef],
        assets: Assets | None,
        points: Points | None,
    ) -> Park:
        relations = self._relations(assets, types)
        gateways = self._gateways()
        bindings = self._bindings(points)
        self._check_bound_once(points, gateways, bindings)
        rules: list[RuleRow] = []
        totals: list[TotalRow] = []
        if assets is not None and points is not None and types:
            whole = not self.faults.errors
            selection = Selection(points, assets, Topology(relations), whole=whole)
            rules_file, totals_file = self._yaml("rules.yaml"), self._yaml("totals.yaml")
            rules = read_rules(rules_file, selection) if rules_file else []
            totals = read_totals(totals_file, selection) if totals_file else []
            if whole and not any(error.file == "totals.yaml" for error in self.faults.errors):
                self._check_derived(points, totals)
        return Park(
            id=head.id,
            name=head.name,
            timezone=head.timezone,
            zones=self._zones(head, assets),
            assets=self._registered(assets),
            points=points.points if points else {},
            relations=tuple(relations),
            types=types,
            bindings=tuple(binding for binding, _ in bindings),
            rules=tuple(rules),
            totals=tuple(totals),
            kpis=self._kpis(head, points),
            gateways={one.gateway: self.folder / one.file for one in gateways},
            settings=head.settings,
            hash=f"sha256:{self._hash.hexdigest()}",
        )

    def _text(self, file: str, *, required: bool = False) -> Text | None:
        text = read_text(self.folder, file, self.faults, required=required)
        if text is not None:
            self._hash.update(f"{file}\0{len(text.content)}\0{text.content}".encode())
        return text

    def _yaml(self, file: str, *, required: bool = False) -> Document | None:
        text = self._text(file, required=required)
        return parse_yaml(text, self.faults) if text is not None else None

    def _check_strangers(self) -> None:
        known = (*_REQUIRED, *_OPTIONAL)
        for path in sorted(self.folder.iterdir()):
            if path.suffix in (".yaml", ".yml", ".csv", ".geojson", ".inp") and (
                path.name not in known
            ):
                mend = nearest(path.name, known) or "Move it out of the park folder."
                self.faults.add(path.name, 0, "", "no part of a park is called so", mend)

    def _relations(self, assets: Assets | None, types: dict[str, TypeDef]) -> list[Relation]:
        text = self._text("relations.csv", required=True)
        lines = read_relations(text, assets, types, self.faults) if text else {}
        for kind in ("located_in", "feeds"):
            self._check_cycle("relations.csv", kind, lines)
        found = list(lines)
        hydraulic = assets is not None and any(
            asset.type in _HYDRAULIC for asset in assets.assets.values()
        )
        text = self._text("network.inp", required=hydraulic)
        if text is not None and assets is not None:
            network = read_network(text, self.faults)
            check_against_assets(network, assets, "assets.geojson", self.faults)
            drained, drain_lines = drains(network, assets)
            check_systems(network, assets, drain_lines, self.faults)
            self._check_cycle(network.file, "drains_to", drain_lines)
            found += drained
        return found

    def _check_cycle(self, file: str, kind: str, lines: dict[Relation, int]) -> None:
        edges = [one for one in lines if one.relation == kind]
        ring = cycle((one.source, one.target) for one in edges)
        if ring:
            around = set(pairwise(ring))
            line = max(lines[one] for one in edges if (one.source, one.target) in around)
            shown = " -> ".join(ring)
            mend = "Cut the ring: one of these relations points the wrong way."
            self.faults.add(file, line, shown, f"{kind} goes round in a circle", mend)

    def _gateways(self) -> list[GatewayFile]:
        found: list[GatewayFile] = []
        named: dict[str, str] = {}
        for path in sorted((self.folder / "gateways").glob("*.y*ml")):
            text = self._text(f"gateways/{path.name}")
            one = read_gateway(text, self.faults) if text is not None else None
            if one is None:
                continue
            if one.gateway in named:
                mend = f"{named[one.gateway]} has it already: give one of the two another name."
                self.faults.add(
                    one.file, one.line, one.gateway, "the same gateway id in two files", mend
                )
                continue
            named[one.gateway] = one.file
            found.append(one)
        return found

    def _bindings(self, points: Points | None) -> list[tuple[Binding, int]]:
        text = self._text("bindings.csv")
        return read_bindings(text, points, self.faults) if text is not None else []

    def _check_bound_once(
        self,
        points: Points | None,
        gateways: list[GatewayFile],
        bindings: list[tuple[Binding, int]],
    ) -> None:
        bound: dict[str, str] = {}
        signals = [(one.file, line, point) for one in gateways for point, line in one.signals]
        foreign = [("bindings.csv", line, binding.point) for binding, line in bindings]
        for file, line, point in [*signals, *foreign]:
            if points is not None and point not in points.seen:
                mend = points.suggest(point)
                self.faults.add(file, line, point, "there is no such point", mend)
            elif (
                points is not None
                and point in points.points
                and (points.points[point].kind == "derived")
            ):
                mend = "A derived point comes from totals.yaml: remove it here."
                self.faults.add(file, line, point, "a derived point is not measured", mend)
            elif point in bound:
                mend = f"Keep one: {bound[point]} binds it already."
                self.faults.add(file, line, point, "the same point is bound twice", mend)
            bound.setdefault(point, f"{file}:{line}")

    def _check_derived(self, points: Points, totals: Iterable[TotalRow]) -> None:
        made = {total.point for total in totals}
        for point in points.points.values():
            if point.kind == "derived" and point.id not in made:
                line = points.lines[point.id]
                mend = "Add it to totals.yaml, or correct its kind."
                self.faults.add("points.csv", line, point.id, "a derived point has no total", mend)

    def _zones(self, head: ParkFile, assets: Assets | None) -> tuple[str, ...]:
        for zone, line in head.zones:
            if assets is not None and zone not in assets.seen:
                mend = suggest(zone, assets)
                self.faults.add("park.yaml", line, zone, "there is no such asset", mend)
        return tuple(zone for zone, _ in head.zones)

    def _kpis(self, head: ParkFile, points: Points | None) -> tuple[Kpi, ...]:
        found = []
        for fields, point, name, show in head.kpis:
            if points is None:
                continue
            if point not in points.seen:
                fields.fault("point", point, "there is no such point", points.suggest(point))
            elif point in points.points:
                title = name or points.points[point].name
                found.append(Kpi(point, title, "today" if show == "today" else "value"))
        return tuple(found)

    def _registered(self, assets: Assets | None) -> dict[str, Asset]:
        known = dict(assets.assets) if assets is not None else {}
        for file in REGISTERS:
            text = self._text(file)
            rows = read_register(text, assets, self.faults) if text is not None else {}
            for asset_id, row in rows.items():
                if asset_id in known:
                    asset = known[asset_id]
                    known[asset_id] = replace(asset, attributes={**asset.attributes, **row})
        return known

    def check_other_yaml(self) -> None:
        """Whether gateway and simulator files are YAML at all."""
        files = [f"gateways/{path.name}" for path in (self.folder / "gateways").glob("*.y*ml")]
        for file in [*sorted(files), "sim.yaml"]:
            text = read_text(self.folder, file, self.faults, required=False)
            if text is not None:
                parse_yaml(text, self.faults)
