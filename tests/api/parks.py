"""A small park for the API's tests: two manholes, an enterprise, a rule on level, one gateway."""

from __future__ import annotations

from pathlib import Path

from twin.model import Asset, Condition, Kpi, Name, Park, Point, Relation, RuleRow, TypeDef

LEVEL = "MH-1.level"
FLOW = "MH-1.flow"
OTHER = "MH-2.level"
ENERGY = "ENT-1.energy_total"


def point(id_: str, unit: str, domain: str, kind: str = "gauge") -> Point:
    """One point of the asset before the dot."""
    asset, _, property_ = id_.rpartition(".")
    names = Name(f"{asset} 测点", f"{asset} {property_}")
    assert kind in ("gauge", "counter")
    return Point(
        id=id_,
        asset=asset,
        property=property_,
        unit=unit,
        domain=domain,
        kind="counter" if kind == "counter" else "gauge",
        low=None,
        high=None,
        stale_s=60.0,
        name=names,
    )


def asset(id_: str, type_: str, at: tuple[float, float]) -> Asset:
    """One asset at a place."""
    place = {"type": "Point", "coordinates": list(at)}
    return Asset(id_, type_, Name(f"设施 {id_}", f"Asset {id_}"), place, {"zone": "old"})


def asset_type(id_: str, name: Name) -> TypeDef:
    """A type without constraints."""
    return TypeDef(
        id=id_, name=name, geometry=("Point",), properties={}, attributes={}, relations={}
    )


def small_park(extra_points: int = 0) -> Park:
    """The park; `extra_points` more points on MH-2 make it large."""
    points = [
        point(LEVEL, "m", "sewer"),
        point(FLOW, "L/s", "sewer"),
        point(OTHER, "m", "sewer"),
        point(ENERGY, "kWh", "energy", "counter"),
        *(point(f"MH-2.extra_{i}", "m", "sewer") for i in range(extra_points)),
    ]
    rule = RuleRow(
        id="level-high",
        name=Name("液位高", "Level high"),
        points=(LEVEL, OTHER),
        condition=Condition("limit", 2.5, "high", 0.05),
        on_delay_s=0,
        off_delay_s=0,
        priority="high",
        consequence=Name("可能溢流", "May overflow"),
        action=Name("检查下游", "Check downstream"),
    )
    return Park(
        id="test",
        name=Name("测试园区", "Test park"),
        timezone="Asia/Shanghai",
        zones=("old",),
        assets={
            "MH-1": asset("MH-1", "manhole", (114.0, 30.0)),
            "MH-2": asset("MH-2", "manhole", (114.1, 30.1)),
            "ENT-1": asset("ENT-1", "enterprise", (114.05, 30.05)),
        },
        points={row.id: row for row in points},
        relations=(Relation("MH-1", "drains_to", "MH-2"),),
        types={
            "manhole": asset_type("manhole", Name("检查井", "Manhole")),
            "enterprise": asset_type("enterprise", Name("企业", "Enterprise")),
        },
        bindings=(),
        rules=(rule,),
        totals=(),
        kpis=(Kpi(LEVEL, Name("液位", "Level"), "value"),),
        gateways={"GW-1": Path("gateways/gw-1.yaml")},
        settings={},
        hash="sha256:test",
    )
