"""What a park folder becomes when it passes: the data that the other parts stand on."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.twin.broken_park import DEMO, PAGE, example
from twin.model import Binding, Kpi, Name, Park, Relation, TotalRow
from twin.model.load import check, load_park
from twin.model.load.registers import REGISTERS
from twin.model.topology import Topology, cycle, in_order
from twin.model.types import DOMAINS, KINDS, RELATIONS
from twin.model.units import QUANTITIES, fits


@pytest.fixture
def park(tmp_path: Path) -> Park:
    """The park of the documentation page."""
    return load_park(example(tmp_path))


def test_the_park_of_the_documentation_page_passes(tmp_path: Path) -> None:
    assert check(example(tmp_path)) == []


def test_the_demo_park_passes() -> None:
    assert check(DEMO) == []


def test_the_page_names_every_file_register_column_domain_kind_relation_and_unit() -> None:
    text = PAGE.read_text(encoding="utf-8")
    words = [*DOMAINS, *KINDS, *RELATIONS, *REGISTERS]
    words += [unit for units in QUANTITIES.values() for unit in units]
    words += [
        o for _, c in REGISTERS.values() for k in c.values() if "|" in k for o in k.split("|")
    ]
    assert [word for word in words if f"`{word}`" not in text] == []
    columns = [",".join(columns) for _, columns in REGISTERS.values()]
    assert [header for header in columns if header not in text] == []


def test_empty_cells_of_a_point_take_the_default_of_the_type(park: Park) -> None:
    point = park.points["EM-1.active_power"]
    assert (point.unit, point.domain, point.kind) == ("kW", "energy", "gauge")
    assert (point.low, point.high, point.stale_s) == (0, 5000, 30)
    assert point.name == Name("甲公司电表 有功功率", "Meter of company A Active power")


def test_a_filled_cell_of_a_point_goes_before_the_default(park: Park) -> None:
    assert park.points["EM-2.active_power"].high == 2000
    assert park.points["MH-2.level"].stale_s == 60
    assert park.points["MH-2.level"].name == Name("出口井液位", "Level of the last manhole")


def test_points_keep_the_order_of_their_file(park: Park, tmp_path: Path) -> None:
    rows = (tmp_path / "park" / "points.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert list(park.points) == [row.split(",")[0] for row in rows]


def test_columns_of_a_register_become_attributes_of_its_assets(park: Park) -> None:
    assert park.assets["BLD-1"].attributes["height_m"] == 12
    assert park.assets["BLD-1"].attributes["gross_m2"] == 16500
    assert park.assets["ENT-1"].attributes["joined"] == "2016-05-01"
    assert "land_mu" not in park.assets["ENT-1"].attributes


def test_what_drains_to_what_comes_from_the_network(park: Park) -> None:
    drains = [r for r in park.relations if r.relation == "drains_to"]
    assert drains == [
        *(Relation("MH-1", "drains_to", "C-1"), Relation("C-1", "drains_to", "MH-2")),
        *(Relation("MH-2", "drains_to", "C-2"), Relation("C-2", "drains_to", "OF-1")),
        *(Relation("MH-3", "drains_to", "C-3"), Relation("C-3", "drains_to", "OF-2")),
    ]


def test_upstream_and_downstream_follow_water_and_power_but_not_place(park: Park) -> None:
    topology = Topology(park.relations)
    assert topology.downstream("ENT-1") == ["MH-1", "C-1", "MH-2", "C-2", "OF-1"]
    assert topology.upstream("OF-1") == ["C-2", "MH-2", "C-1", "MH-1", "ENT-1", "EM-2", "EM-1"]
    assert topology.downstream("MH-3") == ["C-3", "OF-2"]
    assert topology.upstream("MH-1", frozenset({"drains_to"})) == []
    assert set(topology.inside("PCL-1")) == {"BLD-1", "ENT-1", "EM-1", "EM-2"}
    assert topology.around("EM-1") == ["BLD-1", "PCL-1", "ZONE-1"]
    assert topology.upstream("NOTHING") == []
    assert Relation("EM-1", "feeds", "EM-2") in topology.incoming("EM-2")
    assert topology.outgoing("OF-1") == []


def test_rules_are_expanded_to_the_points_they_watch(park: Park) -> None:
    level, jump, silent = park.rules
    assert level.points == ("MH-1.level", "MH-2.level")
    assert (level.condition.kind, level.condition.side, level.condition.value) == (
        *("limit", "high"),
        2.5,
    )
    assert (level.on_delay_s, level.off_delay_s, level.priority) == (60, 60, "high")
    assert (jump.condition.kind, jump.condition.value, jump.condition.per_s) == ("rate", 500, 60)
    assert (jump.on_delay_s, jump.off_delay_s) == (0, 0)
    assert (silent.condition.kind, silent.condition.value) == ("no_data", 300)
    assert level.consequence == Name("污水将溢出", "Sewage will spill")


def test_totals_are_expanded_and_stand_after_what_they_need(tmp_path: Path) -> None:
    folder = example(tmp_path)
    (folder / "totals.yaml").write_text(
        "- {point: ZONE-1.mean, max: [ZONE-1.power, EM-1.active_power]}\n"
        "- {point: ZONE-1.power, sum: {property: active_power, assets_in: ZONE-1}}\n",
        encoding="utf-8",
    )
    assert load_park(folder).totals == (
        TotalRow("ZONE-1.power", "sum", ("EM-1.active_power", "EM-2.active_power")),
        TotalRow("ZONE-1.mean", "max", ("ZONE-1.power", "EM-1.active_power")),
    )


def test_bindings_gateways_and_figures_are_there(park: Park) -> None:
    assert park.bindings == (
        Binding("flow-cloud", "json", "outfall.flow_m3h", "OF-2.dry_flow", 0.277777778),
        Binding("ent-1", "lp", "energy,meter=2 kw", "EM-2.active_power", 1.0),
    )
    assert [path.name for path in park.gateways.values()] == ["gw-1.yaml"]
    assert park.kpis[1] == Kpi("EM-1.energy_total", Name("今日用电", "Energy today"), "today")
    assert park.kpis[0].show == "value"
    assert park.settings["factors"][0]["value"] == 0.5306
    assert (park.id, park.timezone, park.zones) == ("hamlet", "Asia/Shanghai", ("ZONE-1",))
    assert park.bounds == (113.98, 26.14, 113.99, 26.15)


def test_a_table_saved_by_excel_with_byte_order_mark_and_dos_line_ends_is_read(
    tmp_path: Path, park: Park
) -> None:
    path = tmp_path / "park" / "points.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_park(tmp_path / "park").points == park.points


def test_an_id_among_the_properties_is_read_as_gis_programs_write_it(tmp_path: Path) -> None:
    folder = example(tmp_path)
    path = folder / "assets.geojson"
    text = path.read_text(encoding="utf-8")
    moved = text.replace('"id": "MH-3", "properties": {', '"properties": {"id": "MH-3", ')
    assert moved != text
    path.write_text(moved, encoding="utf-8")
    assert "MH-3" in load_park(folder).assets


def test_the_hash_changes_with_any_file_of_the_model_and_with_nothing_else(tmp_path: Path) -> None:
    folder = example(tmp_path)
    before = load_park(folder).hash
    (folder / "README.md").write_text("notes", encoding="utf-8")
    assert load_park(folder).hash == before
    gateway = folder / "gateways" / "gw-1.yaml"
    gateway.write_text(gateway.read_text(encoding="utf-8") + "# seen\n", encoding="utf-8")
    assert load_park(folder).hash != before


def test_a_park_without_sewers_rules_and_gateways_is_a_park(tmp_path: Path) -> None:
    (tmp_path / "park.yaml").write_text(
        "id: field\nname: {zh: 空地, en: Field}\ntimezone: UTC\n", encoding="utf-8"
    )
    (tmp_path / "types.yaml").write_text(
        "types:\n  lamp:\n    name: {zh: 灯, en: Lamp}\n    geometry: [Point]\n", encoding="utf-8"
    )
    (tmp_path / "assets.geojson").write_text(
        '{"type": "FeatureCollection", "features": []}', encoding="utf-8"
    )
    (tmp_path / "relations.csv").write_text("source,relation,target\n", encoding="utf-8")
    header = PAGE.read_text(encoding="utf-8").split("file=points.csv\n")[1].splitlines()[0]
    (tmp_path / "points.csv").write_text(header + "\n", encoding="utf-8")
    park = load_park(tmp_path)
    assert (len(park.assets), len(park.points), park.rules, park.gateways) == (0, 0, (), {})


def test_the_demo_park_loads_within_a_second_of_processor_time() -> None:
    load_park(DEMO)
    spent = []
    for _ in range(3):
        start = time.process_time()
        load_park(DEMO)
        spent.append(time.process_time() - start)
    assert min(spent) <= 1.0


def test_loading_a_park_does_not_import_heavy_libraries() -> None:
    heavy = "('pandas', 'scipy', 'swmm_api', 'networkx', 'pyswmm', 'duckdb', 'sqlalchemy')"
    code = f"import sys, twin.model.load; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_units_fit_only_within_a_quantity() -> None:
    assert fits("L/s", "m³/h")
    assert not fits("L/s", "m³")
    assert not fits("furlong", "furlong")


def test_a_cycle_is_found_and_no_cycle_is_none() -> None:
    assert cycle([("a", "b"), ("b", "c")]) == []
    ring = cycle([("a", "b"), ("b", "c"), ("c", "a")])
    assert len(ring) == 4
    assert all(pair in {("a", "b"), ("b", "c"), ("c", "a")} for pair in pairwise(ring))
    assert in_order({"total": ["part"], "part": ["meter"]}) == ["part", "total"]
