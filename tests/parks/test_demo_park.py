"""The demo park: written from one seed, plausible, fictional, wired and calm."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import shapely

from edge.config import Gateway, load_gateway
from edge.drivers.modbus_tcp.codec import decoder, encode
from edge.drivers.modbus_tcp.config import ModbusTcpSettings, Signal
from edge.sim.behaviour import Behaviour, load_behaviour
from parks.demo.generate import generate
from twin.model import Asset, Park
from twin.model.load import load_park
from twin.model.topology import Topology

DEMO = Path(__file__).parents[2] / "parks" / "demo"
MONDAY = 1795968000  # 2026-11-30 00:00 at UTC+8
DAY = 86400


@pytest.fixture(scope="module")
def park() -> Park:
    """The demo park."""
    return load_park(DEMO)


@pytest.fixture(scope="module")
def gateways(park: Park) -> list[Gateway]:
    """Its gateway files, as the edge reads them."""
    return [load_gateway(path) for path in park.gateways.values()]


@pytest.fixture(scope="module")
def behaviour(gateways: list[Gateway]) -> Behaviour:
    """What its simulated devices do."""
    return load_behaviour(DEMO / "sim.yaml", gateways)


def of_type(park: Park, kind: str) -> list[Asset]:
    """All assets of a type."""
    return [asset for asset in park.assets.values() if asset.type == kind]


def shape(asset: Asset) -> Any:
    """The asset's geometry."""
    return shapely.geometry.shape(dict(asset.geometry))


def signals(gateways: list[Gateway]) -> list[tuple[str, ModbusTcpSettings, Signal]]:
    """Device, its settings and each of its signals."""
    found = []
    for gateway in gateways:
        for device in gateway.devices:
            settings = device.settings
            assert isinstance(settings, ModbusTcpSettings)
            found += [(device.id, settings, signal) for signal in settings.signals]
    return found


def test_the_generator_writes_the_same_bytes_again() -> None:
    written = {name: (DEMO / name).read_bytes() for name in generate()}
    assert {name: text.encode() for name, text in generate().items()} == written


def test_the_park_has_the_size_of_a_county_zone(park: Park) -> None:
    counts = Counter(asset.type for asset in park.assets.values())
    assert counts["enterprise"] == 186
    assert (counts["zone"], counts["grid"], counts["parcel"]) == (2, 9, 110)
    assert counts["manhole"] >= 120
    outfalls = of_type(park, "outfall")
    assert sum(outfall.attributes["system"] == "storm" for outfall in outfalls) == 9
    standard = [b for b in of_type(park, "building") if b.attributes["standard_factory"] == "yes"]
    assert len(standard) == 40
    assert {c.attributes["system"] for c in of_type(park, "conduit")} == {
        *("sanitary", "storm"),
        *("combined", "interceptor"),
    }
    assert sum(e.attributes["high_energy"] == "yes" for e in of_type(park, "enterprise")) >= 30
    measured = [point for point in park.points.values() if point.kind != "derived"]
    assert 600 <= len(measured) <= 950


def test_it_is_plainly_fictional(park: Park) -> None:
    assert "虚构" in park.name.zh
    assert "fictional" in park.name.en
    enterprises = of_type(park, "enterprise")
    assert all(asset.name.zh.startswith("霁川") for asset in enterprises)
    assert len({asset.name.zh for asset in enterprises}) == 186
    assert len({asset.name.en for asset in enterprises}) == 186


def test_buildings_stand_apart_inside_their_parcels_and_no_parcels_overlap(park: Park) -> None:
    topology = Topology(park.relations)
    for parcel in of_type(park, "parcel"):
        inside = [park.assets[name] for name in topology.inside(parcel.id)]
        buildings = [shape(asset) for asset in inside if asset.type == "building"]
        assert all(shape(parcel).contains(building) for building in buildings), parcel.id
        assert not any(a.intersects(b) for a, b in combinations(buildings, 2)), parcel.id
    parcels = shapely.STRtree([shape(parcel) for parcel in of_type(park, "parcel")])
    pairs = parcels.query(parcels.geometries, predicate="overlaps")
    assert pairs.shape[1] == 0


def test_every_storm_outfall_stands_at_the_river(park: Park) -> None:
    river = shape(park.assets["RIVER-1"])
    for outfall in of_type(park, "outfall"):
        if outfall.attributes["system"] == "storm":
            assert river.exterior.distance(shape(outfall)) * 111_000 < 5, outfall.id


def test_sewage_of_every_enterprise_reaches_the_treatment_plant(park: Park) -> None:
    topology = Topology(park.relations)
    reached = set(topology.upstream("WWTP"))
    assert {asset.id for asset in of_type(park, "enterprise")} <= reached
    storm = [m.id for m in of_type(park, "manhole") if m.attributes["system"] == "storm"]
    for manhole in storm:
        ends = [name for name in topology.downstream(manhole) if name.startswith("OF-")]
        assert ends, manhole
        assert ends != ["OF-WWTP"], manhole


def test_every_pipe_falls(park: Park) -> None:
    invert: dict[str, float] = {}
    fall = []
    section = ""
    for line in (DEMO / "network.inp").read_text(encoding="utf-8").splitlines():
        cells = line.split()
        if line.startswith("["):
            section = line
        elif cells and section in ("[JUNCTIONS]", "[OUTFALLS]", "[STORAGE]"):
            invert[cells[0]] = float(cells[1])
        elif cells and section == "[CONDUITS]":
            fall.append(invert[cells[1]] - invert[cells[2]])
    assert len(fall) == len(of_type(park, "conduit"))
    assert min(fall) > 0


def test_every_measured_point_has_one_source_and_every_source_a_point(
    park: Park, gateways: list[Gateway]
) -> None:
    bound = [signal.point for _, _, signal in signals(gateways)]
    bound += [binding.point for binding in park.bindings]
    assert Counter(bound) == Counter(p.id for p in park.points.values() if p.kind != "derived")


def test_devices_have_places_of_their_own_and_registers_do_not_overlap(
    gateways: list[Gateway],
) -> None:
    places = Counter[tuple[int, int]]()
    taken = Counter[tuple[str, str, int]]()
    for gateway in gateways:
        for device in gateway.devices:
            assert isinstance(device.settings, ModbusTcpSettings)
            places[device.settings.port, device.settings.unit] += 1
    for device_id, settings, signal in signals(gateways):
        assert settings.host == "127.0.0.1"
        assert 15021 <= settings.port <= 15060
        assert signal.table != "coil"
        width = 1 if signal.table == "discrete" else signal.width
        taken.update((device_id, signal.table, signal.address + n) for n in range(width))
    assert max(places.values()) == 1
    assert max(taken.values()) == 1
    assert len({port for port, _ in places}) < len(places)


def test_registers_hold_every_value_that_the_devices_serve(
    gateways: list[Gateway], behaviour: Behaviour
) -> None:
    fault = {one.point: one.add for one in behaviour.faults.values()}
    for _, _, signal in signals(gateways):
        step = signal.scale if "float" not in signal.type else 1e-5
        for at in (MONDAY, MONDAY + 10 * 3600, MONDAY + 5 * 365 * DAY):
            for extra in {0.0, fault.get(signal.point, 0.0)}:
                value = behaviour.points[signal.point].value(at) + extra
                read = decoder(signal)(encode(signal, value))[0]
                assert read is not None
                assert abs(read - value) <= step + abs(value) * 1e-6, signal.point


def test_values_stay_within_the_physical_range_of_their_points(
    park: Park, behaviour: Behaviour
) -> None:
    for name, point_shape in behaviour.points.items():
        point = park.points[name]
        for hour in range(0, 7 * 24, 5):
            value = point_shape.value(MONDAY + hour * 3600)
            assert point.low is None or value >= point.low, (name, value)
            assert point.high is None or value <= point.high, (name, value)


def test_the_healthy_park_never_passes_a_limit_in_two_months_of_sun_and_rain(
    park: Park, behaviour: Behaviour
) -> None:
    wettest = 0.0
    for rule in park.rules:
        condition = rule.condition
        for name in rule.points:
            shape_of = behaviour.points[name]
            for step in range(60 * 24):
                at = MONDAY + step * 3600
                if condition.kind == "limit":
                    sign = 1 if condition.side == "high" else -1
                    assert sign * shape_of.value(at) < sign * condition.value, (rule.id, name, at)
                elif condition.kind == "rate":
                    moved = abs(shape_of.value(at + condition.per_s) - shape_of.value(at))
                    assert moved < condition.value, (rule.id, name, at)
    for step in range(60 * 24):
        wettest = max(wettest, behaviour.points["RG-1.rain_rate"].value(MONDAY + step * 3600))
    assert wettest > 15


def test_every_fault_raises_an_alarm_soon_at_any_hour_of_the_week(
    park: Park, behaviour: Behaviour
) -> None:
    assert {"RTU-2", "RTU-OF-7", "MTU-S1"} <= set(behaviour.faults)
    for device, fault in behaviour.faults.items():
        rules = [rule for rule in park.rules if fault.point in rule.points]
        assert rules, device
        serve = behaviour.points[fault.point].value
        value = min(serve(MONDAY + hour * 3600) for hour in range(7 * 24)) + fault.add
        raised = [
            rule
            for rule in rules
            if rule.condition.kind == "limit" and value > rule.condition.value
        ]
        assert raised, device
        assert min(rule.on_delay_s for rule in raised) + fault.ramp_s <= 90


def test_the_page_of_the_demo_names_gateways_figures_and_faults(
    park: Park, behaviour: Behaviour
) -> None:
    page = (DEMO / "README.md").read_text(encoding="utf-8")
    words = [*park.gateways, *(kpi.point for kpi in park.kpis), *(rule.id for rule in park.rules)]
    assert [word for word in words if f"`{word}`" not in page] == []
    rows = re.findall(r"^\| `([A-Z0-9-]+)` \| 127.0.0.1:(\d+), unit (\d+) \| `(\S+)` ", page, re.M)
    assert len(rows) >= 4
    for device, port, unit, point in rows:
        expected = "EM-003.active_power" if device == "MTR-003" else behaviour.faults[device].point
        assert point == expected
        text = "".join(path.read_text(encoding="utf-8") for path in park.gateways.values())
        assert f"id: {device}\n" in text
        part = text.split(f"id: {device}\n")[1].split("signals:")[0]
        assert f"port: {port}\n" in part
        assert f"unit: {unit}\n" in part


def test_a_dead_meter_is_an_alarm_before_it_answers_again(park: Park) -> None:
    silent = next(rule for rule in park.rules if rule.id == "device-silent")
    assert "MTR-003.status" in silent.points
    assert silent.condition.value + silent.on_delay_s < 60
    for file in park.gateways.values():
        for device in load_gateway(file).devices:
            assert 3 * device.every_s < silent.condition.value, f"{device.id}: one late poll alarms"
    assert len(silent.points) == len(of_type(park, "device"))


def test_grids_sum_their_meters_and_the_park_sums_its_zones(park: Park) -> None:
    totals = {total.point: total for total in park.totals}
    meters = [f"{asset.id}.active_power" for asset in of_type(park, "electricity_meter")]
    summed = [part for n in range(1, 10) for part in totals[f"GRID-{n}.active_power"].parts]
    assert sorted(summed) == sorted(meters)
    assert totals["PARK.sewer_flow"].parts == ("ZONE-OLD.sewer_flow", "ZONE-SOUTH.sewer_flow")
    water = [f"{asset.id}.volume_total" for asset in of_type(park, "water_meter")]
    assert sorted(park.measured_parts("PARK.water_total")) == sorted(water)
    assert park.measured_parts("FM-1.flow") == ("FM-1.flow",)
    assert [kpi.point for kpi in park.kpis][:2] == ["PARK.active_power", "PARK.energy_total"]
