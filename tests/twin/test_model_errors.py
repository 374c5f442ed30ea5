"""Every check of the park model, proved by breaking a park that passes at one known line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.twin.broken_park import Break, break_it, demo, example, replace_line
from tests.twin.model_breaks import BREAKS, DEMO_BREAKS, GATEWAY
from twin.model import ModelError, ModelErrors
from twin.model.load import check, load_park


def errors_of(park: Path) -> list[ModelError]:
    """What keeps a park from loading."""
    with pytest.raises(ModelErrors) as caught:
        load_park(park)
    return caught.value.errors


def assert_named(errors: list[ModelError], line: int, fault: Break) -> None:
    """One error stands at the line with these words; its consequences do not bury it."""
    there = [error for error in errors if (error.file, error.line) == (fault.file, line)]
    assert there, f"nothing at {fault.file}:{line}, but: {errors}"
    assert any(fault.problem in e.problem and fault.mend in e.mend for e in there), there
    assert len(errors) <= 6, errors


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_park_is_named_by_file_and_line_with_the_mend(name: str, tmp_path: Path) -> None:
    park = example(tmp_path)
    line = break_it(park, BREAKS[name])
    assert_named(errors_of(park), line, BREAKS[name])


@pytest.mark.parametrize("name", DEMO_BREAKS)
def test_a_break_deep_in_the_demo_park_is_named_by_file_and_line(name: str, tmp_path: Path) -> None:
    fault = DEMO_BREAKS[name]
    park = demo(tmp_path, fault.file)
    line = break_it(park, fault)
    assert_named(errors_of(park), line, fault)


LINE_17 = {
    "park.yaml": ("  @what: 1", "not valid YAML"),
    "types.yaml": ("  @what: 1", "not valid YAML"),
    "rules.yaml": ("  @what: 1", "not valid YAML"),
    "totals.yaml": ("- {point: ZONE-1.nothing, sum: [EM-1.active_power]}", "no such point"),
    "assets.geojson": ('{"type": "Feature", "id": PCL}', "not valid JSON"),
    "relations.csv": ('PCL-1,"located_in,ZONE-1', "not valid CSV"),
    "points.csv": ("EM-1.power,EM-1,power,,,,,,,,", "no such property"),
    "bindings.csv": ("x,json,a,NOTHING.level,", "no such point"),
    "enterprises.csv": ("ENT-016", "1 cells where the header has"),
    "parcels.csv": ("PCL-1,工业用地,twelve,built,2001-01-15,1.0", "twice"),
    "buildings.csv": ("BLD-1,厂房,no,1,100,2001,企业自有,more", "8 cells"),
    "projects.csv": ("PRJ-9,a,b,c,planned,2026-01-01,2026-02-30,1,0", "no such asset"),
    "network.inp": ("MH-1 abc 3", "not a number"),
    "sim.yaml": ("  @what: 1", "not valid YAML"),
    GATEWAY: ("      - {point: EM-3.power, table: holding}", "no such point"),
}


@pytest.mark.parametrize("file", LINE_17)
def test_an_error_on_line_17_of_any_file_is_named_on_line_17(file: str, tmp_path: Path) -> None:
    text, problem = LINE_17[file]
    park = example(tmp_path)
    (park / "sim.yaml").write_text("points:\n", encoding="utf-8")
    if file == "network.inp":
        replace_line(park, file, 16, "[JUNCTIONS]")
    replace_line(park, file, 17, text)
    there = [error for error in check(park) if (error.file, error.line) == (file, 17)]
    assert any(problem in error.problem and error.mend for error in there), check(park)


@pytest.mark.parametrize(
    "file", ["park.yaml", "types.yaml", "assets.geojson", "points.csv", "relations.csv"]
)
def test_a_missing_file_is_named_without_its_consequences(file: str, tmp_path: Path) -> None:
    park = example(tmp_path)
    (park / file).unlink()
    assert [(e.file, e.line, e.problem) for e in errors_of(park)] == [
        (file, 0, "the file is missing")
    ]


def test_sewers_without_network_inp_are_a_missing_file(tmp_path: Path) -> None:
    park = example(tmp_path)
    (park / "network.inp").unlink()
    assert [(e.file, e.problem) for e in errors_of(park)] == [
        ("network.inp", "the file is missing")
    ]


def test_a_file_with_a_misspelt_name_is_not_silently_left_out(tmp_path: Path) -> None:
    park = example(tmp_path)
    (park / "rules.yaml").rename(park / "rule.yaml")
    assert [(e.file, e.mend) for e in errors_of(park)] == [
        ("rule.yaml", "Did you mean rules.yaml?")
    ]


@pytest.mark.parametrize("file", ["relations.csv", "rules.yaml", "network.inp", "assets.geojson"])
def test_a_file_that_is_not_utf8_is_named_at_its_first_wrong_line(
    file: str, tmp_path: Path
) -> None:
    park = example(tmp_path)
    lines = (park / file).read_bytes().splitlines(keepends=True)
    lines[4] = "第五行\n".encode("gb18030")
    (park / file).write_bytes(b"".join(lines))
    there = [e for e in errors_of(park) if (e.file, e.line) == (file, 5)]
    assert len(there) == 1
    assert "not UTF-8" in there[0].problem
    assert "UTF-8" in there[0].mend


@pytest.mark.parametrize(
    ("character", "shown"),
    [("\x00", "U+0000"), ("\x1b", "U+001B"), ("\u202e", "U+202E"), ("\u200b", "U+200B")],
)
@pytest.mark.parametrize("file", ["points.csv", "rules.yaml", "assets.geojson", "network.inp"])
def test_an_invisible_character_is_named_where_it_hides(
    file: str, character: str, shown: str, tmp_path: Path
) -> None:
    park = example(tmp_path)
    lines = (park / file).read_text(encoding="utf-8").splitlines(keepends=True)
    lines[5] = character + lines[5]
    (park / file).write_text("".join(lines), encoding="utf-8", newline="")
    errors = errors_of(park)
    assert (file, 6, shown) in [(e.file, e.line, e.value) for e in errors]


def test_two_gateway_files_may_not_name_the_same_gateway(tmp_path: Path) -> None:
    park = example(tmp_path)
    (park / "gateways" / "gw-2.yaml").write_text("# second\ngateway: GW-1\n", encoding="utf-8")
    assert [(e.file, e.line, e.value) for e in errors_of(park)] == [
        ("gateways/gw-2.yaml", 2, "GW-1")
    ]


def test_every_fault_of_a_folder_is_found_at_once(tmp_path: Path) -> None:
    park = example(tmp_path)
    faults = [
        BREAKS[name]
        for name in (
            "unknown time zone",
            "dangling source",
            "unknown unit",
            "depth that is no number",
            "priority misspelt",
            "signal twice",
        )
    ]
    expected = {(fault.file, break_it(park, fault)) for fault in faults}
    assert expected <= {(error.file, error.line) for error in errors_of(park)}


def test_a_derived_point_without_a_total_is_named_in_the_list_of_points(tmp_path: Path) -> None:
    park = example(tmp_path)
    text = (park / "totals.yaml").read_text(encoding="utf-8").splitlines(keepends=True)[0]
    (park / "totals.yaml").write_text(text, encoding="utf-8")
    [error] = errors_of(park)
    assert (error.file, error.line, error.value) == ("points.csv", 9, "ZONE-1.mean")
    assert "totals.yaml" in error.mend


def test_totals_that_need_each_other_are_named_with_their_circle(tmp_path: Path) -> None:
    park = example(tmp_path)
    rows = (
        "{point: ZONE-1.power, sum: [ZONE-1.mean]}",
        "{point: ZONE-1.mean, mean: [ZONE-1.power]}",
    )
    (park / "totals.yaml").write_text("".join(f"- {row}\n" for row in rows), encoding="utf-8")
    [error] = errors_of(park)
    assert (error.file, error.line, error.problem) == (
        "totals.yaml",
        2,
        "totals that need each other",
    )
    assert set(error.value.split(" -> ")) == {"ZONE-1.power", "ZONE-1.mean"}


def test_the_circle_is_shown_as_the_water_would_flow(tmp_path: Path) -> None:
    park = example(tmp_path)
    break_it(park, BREAKS["sewers that drain in a circle"])
    ring = next(e.value for e in errors_of(park) if "circle" in e.problem).split(" -> ")
    assert ring[0] == ring[-1]
    turn = ring.index("MH-1") if ring[0] != "MH-1" else 0
    assert [*ring[turn:-1], *ring[:turn]] == ["MH-1", "C-1", "MH-2", "C-2"]


def test_a_wrong_value_inside_a_feature_of_many_lines_is_named_on_its_own_line(
    tmp_path: Path,
) -> None:
    park = example(tmp_path)
    text = (park / "assets.geojson").read_text(encoding="utf-8")
    spread = text.replace(', "', ',\n  "').replace('"build_year": 2004', '"build_year": 20')
    (park / "assets.geojson").write_text(spread, encoding="utf-8")
    line = spread.count("\n", 0, spread.index('"build_year": 20')) + 1
    assert [(e.line, e.value) for e in errors_of(park)] == [(line, "20")]


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    assert [error.problem for error in check(tmp_path / "nowhere")] == ["there is no such folder"]


def test_an_error_reads_as_file_line_problem_value_and_mend(tmp_path: Path) -> None:
    park = example(tmp_path)
    break_it(park, BREAKS["unit of another quantity"])
    assert str(errors_of(park)[0]) == (
        "points.csv:2: kWh measures energy, active_power is power (kWh). Use kW."
    )
