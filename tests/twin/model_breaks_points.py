"""Breaks of the example park: its points, sewers, rules, totals, bindings and gateways."""

from __future__ import annotations

from tests.twin.broken_park import Break

GATEWAY = "gateways/gw-1.yaml"

POINTS = {
    "point twice": Break(
        *(
            "points.csv",
            "EM-1.energy_total,EM-1,energy_total",
            "EM-1.active_power,EM-1,active_power",
        ),
        *("same point twice", "Line 2"),
    ),
    "point without asset": Break(
        "points.csv", "MH-1.level,MH-1,", "MH-7.level,MH-7,", "no such asset", "MH-"
    ),
    "point not named after asset and property": Break(
        "points.csv", "MH-2.level,", "MH-2.depth,", "ASSET.property", "Name it MH-2.level"
    ),
    "property that the type does not have": Break(
        *("points.csv", "OF-2.dry_flow,OF-2,dry_flow", "OF-2.flow,OF-2,flow"),
        *("outfall has no such property", "Did you mean dry_flow?"),
    ),
    "unknown unit": Break(
        "points.csv", "EM-1,active_power,,", "EM-1,active_power,KW,", "unit is not known", "kW"
    ),
    "unit of another quantity": Break(
        "points.csv",
        "EM-1,active_power,,",
        "EM-1,active_power,kWh,",
        "kWh measures energy, active_power is power",
        "Use kW",
    ),
    "range of a point upside down": Break(
        "points.csv", ",,2000,,,", ",3000,2000,,,", "low is not below high", "Correct the range"
    ),
    "number with a unit": Break(
        "points.csv", ",,2000,,,", ",,2000kW,,,", "high is not a number", "no unit"
    ),
}

NETWORK = {
    "node that is no asset": Break(
        "network.inp", "[OUTFALLS]", "MH-9 176 3\n[OUTFALLS]", "not an asset", "Did you mean MH-", 0
    ),
    "asset that the network does not have": Break(
        *("assets.geojson", '"type": "electricity_meter", "name_zh": "甲公司分表"'),
        '"type": "manhole", "system": "storm", "name_zh": "甲公司分表"',
        *("network.inp does not have", "Add it to network.inp"),
    ),
    "node that is another type in the map": Break(
        *("network.inp", "MH-3 177.00 2.0 0 0 0\n[OUTFALLS]", "[OUTFALLS]\nMH-3 177.00 FREE"),
        *("outfall here, manhole in assets.geojson", "right section"),
        1,
    ),
    "name twice": Break("network.inp", "C-3 MH-3", "C-2 MH-3", "same name twice", "another name"),
    "node far from its place in the map": Break(
        "network.inp", "MH-3 113.984 ", "MH-3 113.985 ", "100 m away", "owns the place"
    ),
    "pipe with a wrong length": Break(
        "network.inp", "C-2 MH-2 OF-1 99.8", "C-2 MH-2 OF-1 998", "998 m long, but 100", "length"
    ),
    "pipe to a node that is not there": Break(
        "network.inp", "C-3 MH-3 OF-2", "C-3 MH-3 OF-3", "C-3 has no such node", "OF-"
    ),
    "pipe drawn against its flow": Break(
        "network.inp", "C-1 MH-1 MH-2", "C-1 MH-2 MH-1", "flows against its direction", "reverse"
    ),
    "pipe that ends where it begins": Break(
        "network.inp", "C-1 MH-1 MH-2", "C-1 MH-1 MH-1", "ends where it begins", "Correct"
    ),
    "pipe with other ends in the map": Break(
        "network.inp", "C-2 MH-2 OF-1", "C-2 MH-1 OF-1", "its ends are not those", "Correct one"
    ),
    "depth that is no number": Break(
        "network.inp", "MH-2 176.20", "MH-2 176,20", "not a number", "plain"
    ),
    "row cut short": Break(
        "network.inp", "C-2 MH-2 OF-1 99.8 0.013 0 0", "C-2 MH-2", "at least 5", "Complete"
    ),
    "pipe without a cross-section": Break(
        *("network.inp", "C-2 CIRCULAR", ";C-2 CIRCULAR", "no cross-section", "XSECTIONS"),
        at="C-2 MH-2",
    ),
    "node without coordinates": Break(
        *("network.inp", "MH-1 113.983 26.144\n", "", "no coordinates", "COORDINATES"),
        at="MH-1 176",
    ),
    "row before the first section": Break(
        "network.inp", "[JUNCTIONS]", "hello\n[JUNCTIONS]", "before the first section", "[TITLE]"
    ),
    "storm water that drains to a sanitary manhole": Break(
        *("network.inp", "C-3 MH-3 OF-2", "C-3 MH-3 MH-1"),
        *("storm conduit drains to sanitary manhole", "misconnection"),
    ),
    "sewage that drains to a storm outfall": Break(
        *("network.inp", "C-2 MH-2 OF-1", "C-2 MH-2 OF-2"),
        *("sanitary conduit drains to storm outfall", "misconnection"),
    ),
    "sewers that drain in a circle": Break(
        *("network.inp", "C-2 MH-2 OF-1", "C-2 MH-2 MH-1"),
        *("drains_to goes round in a circle", "Cut the ring"),
    ),
}

RULES = {
    "rule that selects nothing": Break(
        "rules.yaml", "type: manhole}", "type: outfall}", "selects no point", "Correct"
    ),
    "rule on a point that is not there": Break(
        "rules.yaml",
        "{point: EM-1.active_power}",
        "{point: EM-1.active_powr}",
        "no such point",
        "EM-1.",
    ),
    "limit that is never reached": Break(
        "rules.yaml", "value: 2.5", "value: 25", "never gets there", "Correct the limit"
    ),
    "condition of two kinds": Break(
        "rules.yaml", "{no_data: 300}", "{no_data: 300, rate: 2}", "exactly one kind", "no_data"
    ),
    "rate without its time": Break(
        "rules.yaml", "{rate: 500, per_s: 60}", "{rate: 500}", "per_s is missing", "Give per_s"
    ),
    "rule id twice": Break(
        "rules.yaml", "id: power-jump", "id: level-high", "same rule twice", "Line 1"
    ),
    "priority misspelt": Break(
        "rules.yaml", "priority: medium", "priority: midium", "priority is not known", "medium"
    ),
    "negative delay": Break(
        "rules.yaml", "on_delay_s: 60", "on_delay_s: -60", "out of range", "Give a number from 0"
    ),
    "rule without what to do": Break(
        "rules.yaml",
        "  action: {zh: 询问企业",
        "  acton: {zh: 询问企业",
        "not known here",
        "action",
    ),
}

TOTALS = {
    "part that is not there": Break(
        "totals.yaml", "EM-2.active_power]", "EM-3.active_power]", "no such point", "EM-"
    ),
    "parts in another unit": Break(
        "totals.yaml", "EM-2.active_power]", "EM-1.energy_total]", "is in kWh", "same unit"
    ),
    "place that is not there": Break(
        "totals.yaml", "assets_in: ZONE-1", "assets_in: ZONE-7", "no such asset", "ZONE-1"
    ),
    "total of a measured point": Break(
        "totals.yaml",
        "point: ZONE-1.mean",
        "point: EM-1.active_power",
        "its kind is gauge",
        "derived",
    ),
    "total with two functions": Break(
        "totals.yaml", "mean: [", "max: [EM-1.active_power], mean: [", "exactly one", "sum, mean"
    ),
    "total that needs itself": Break(
        "totals.yaml", "mean: [EM-1.active", "mean: [ZONE-1.mean, EM-1.active", "need", "Take one"
    ),
}

SOURCES = {
    "binding to a point that is not there": Break(
        "bindings.csv", "OF-2.dry_flow", "OF-2.dryflow", "no such point", "OF-2.dry_flow"
    ),
    "match without a field": Break(
        "bindings.csv", "meter=2 kw", "meter=2", "not a match of line protocol", "measurement,tag"
    ),
    "source that is no topic": Break(
        "bindings.csv", "ent-1,lp", "ent/1,lp", "not a valid source name", "topic"
    ),
    "format that is not known": Break(
        "bindings.csv", ",json,", ",xml,", "format is not known", "json, lp"
    ),
    "scale of zero": Break("bindings.csv", ",0.277777778", ",0", "scale is zero", "zero"),
    "foreign source for a point of a gateway": Break(
        "bindings.csv", "EM-2.active_power", "EM-1.active_power", "bound twice", GATEWAY
    ),
    "signal for a point that is not there": Break(
        GATEWAY, "point: MH-2.level", "point: MH-2.levl", "no such point", "MH-2.level"
    ),
    "signal twice": Break(
        GATEWAY, "point: MH-2.level", "point: MH-1.level", "bound twice", f"{GATEWAY}:11"
    ),
    "signal for a derived point": Break(
        GATEWAY, "point: MH-2.level", "point: ZONE-1.power", "not measured", "totals.yaml"
    ),
    "gateway without a name": Break(
        GATEWAY, "gateway: GW-1", "gatway: GW-1", "names no gateway", "gateway: GW-"
    ),
}
