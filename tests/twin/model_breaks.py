"""One break for every check of the park model, at a known line of the example park."""

from __future__ import annotations

from tests.twin.broken_park import Break

GATEWAY = "gateways/gw-1.yaml"

PARK = {
    "unknown time zone": Break(
        "park.yaml", "Asia/Shanghai", "Asia/Shangai", "time zone is not known", "IANA"
    ),
    "zone without asset": Break(
        "park.yaml", "[ZONE-1]", "[ZONE-2]", "no such asset", "Did you mean ZONE-1?"
    ),
    "figure without point": Break(
        "park.yaml", "ZONE-1.power", "ZONE-1.powr", "no such point", "ZONE-1.power"
    ),
    "factor that is no number": Break(
        "park.yaml",
        "value: 0.5306",
        "value: 0.53.06",
        "value is not a number",
        "point for decimals",
    ),
    "factor without a day": Break(
        "park.yaml", "from: 2023-01-01", "from: 2023-13-01", "not a date", "YYYY-MM-DD"
    ),
    "misspelt key": Break("park.yaml", "timezone:", "time_zone:", "not known here", "timezone"),
    "key twice": Break("park.yaml", "zones:", "zones: []\nzones:", "same key twice", "Keep one", 1),
    "name in one language": Break(
        *("park.yaml", "{zh: 总功率, en: Total power}", "{zh: 总功率}"),
        *("Chinese and an English", "zh: 中文名"),
    ),
    "tab for indentation": Break(
        "park.yaml", "  - {id: peak", "\t- {id: peak", "not valid YAML", "indentation"
    ),
}

TYPES = {
    "unknown unit of a property": Break(
        "types.yaml", "unit: L/s", "unit: LPS", "unit is not known", "L/s"
    ),
    "unknown domain": Break(
        "types.yaml", "domain: sewer", "domain: sewr", "domain is not known", "sewer"
    ),
    "unknown kind": Break(
        "types.yaml", "kind: counter", "kind: meter", "kind is not known", "counter"
    ),
    "unknown geometry": Break(
        "types.yaml", "[LineString]", "[Line]", "geometry is not known", "LineString"
    ),
    "unknown relation": Break(
        "types.yaml", "occupies: [", "ocupies: [", "relation is not known", "occupies"
    ),
    "relation to a type that is not defined": Break(
        *("types.yaml", "drains_to: [manhole, outfall]", "drains_to: [manhole, outfal]"),
        *("type is not defined", "Define the type"),
    ),
    "range upside down": Break(
        *("types.yaml", "low: 0, high: 6", "low: 6, high: 0"),
        *("low is not below high", "Exchange"),
    ),
}

ASSETS = {
    "asset id twice": Break(
        "assets.geojson", '"id": "EM-2"', '"id": "EM-1"', "same asset id twice", "Line 7"
    ),
    "unknown asset type": Break(
        *("assets.geojson", '"type": "project"', '"type": "projekt"'),
        *("type is not known", "Did you mean project?"),
    ),
    "id that no one can type": Break(
        "assets.geojson", '"id": "PRJ-1"', '"id": "PRJ 1"', "not a valid id", "no blanks"
    ),
    "no Chinese name": Break(
        "assets.geojson", '"name_zh": "雨水排口"', '"name_zh": ""', "name_zh is missing", "Give"
    ),
    "longitude and latitude swapped": Break(
        "assets.geojson", "[113.982, 26.142]", "[26.142, 113.982]", "swapped", "longitude first"
    ),
    "outside the world": Break(
        "assets.geojson", "[113.982, 26.142]", "[413.9, 26.142]", "not a WGS 84", "EPSG:4326"
    ),
    "far from the park": Break(
        "assets.geojson", "[113.982, 26.142]", "[114.982, 26.142]", "far from the", "Correct"
    ),
    "a coordinate that is a text": Break(
        "assets.geojson", "[113.982, 26.142]", '["113.982", 26.142]', "not those of a Point", "[lon"
    ),
    "ring that is not closed": Break(
        *("assets.geojson", "[113.98, 26.15], [113.98, 26.14]]]", "[113.98, 26.15]]]"),
        *("ring is not closed", "Repeat the first"),
    ),
    "polygon that crosses itself": Break(
        "assets.geojson",
        "[113.983, 26.1415], [113.983, 26.1425]",
        "[113.983, 26.1425], [113.983, 26.1415]",
        *("the polygon crosses itself", "the edges cross at 113.98"),
    ),
    "line without length": Break(
        *("assets.geojson", "[[113.984, 26.1445], [113.985,", "[[113.985, 26.1445], [113.985,"),
        *("line has no length", "two different"),
    ),
    "point where a polygon belongs": Break(
        *("assets.geojson", '"LineString", "coordinates": [[113.983, 26.144], [113.984, 26.144]]'),
        *('"Point", "coordinates": [113.983, 26.144]', "conduit cannot be a Point", "LineString"),
    ),
    "attribute out of its list": Break(
        *("assets.geojson", '1", "system": "sanitary"}', '1", "system": "sanitery"}'),
        *("system is not known", "sanitary"),
    ),
    "attribute missing": Break(
        "assets.geojson", '"height_m": 12', '"hight_m": 12', "height_m is missing", "Give height_m"
    ),
    "attribute out of range": Break(
        "assets.geojson", '"build_year": 2004', '"build_year": 204', "out of range", "1900"
    ),
    "attribute that is no date": Break(
        "assets.geojson", "2024-10-01", "10/2024", "valid_from is not a date", "YYYY-MM-DD"
    ),
    "not JSON": Break("assets.geojson", '"id": "MH-1"', '"id": MH-1', "not valid JSON", "quotes"),
    "not a number": Break("assets.geojson", "[113.982, 26.142]", "[NaN, 26.142]", "NaN", "commas"),
    "same key twice in a feature": Break(
        "assets.geojson", '"id": "MH-1"', '"id": "MH-1", "id": "MH-9"', "stands twice", "commas"
    ),
    "another coordinate system": Break(
        *("assets.geojson", '"features"', '"crs": {"name": "EPSG:4547"}, "features"'),
        *("always WGS 84", "EPSG:4326"),
    ),
}

RELATIONS = {
    "dangling source": Break(
        "relations.csv", "PRJ-1,located_in", "PRJ-2,located_in", "no such asset", "PRJ-1"
    ),
    "dangling target": Break(
        "relations.csv", "PCL-1,located_in,ZONE-1", "PCL-1,located_in,ZONE-9", "no such", "ZONE-1"
    ),
    "relation that is not one": Break(
        "relations.csv", "discharges_to", "discharges", "relation is not known", "discharges_to"
    ),
    "relation between the wrong types": Break(
        *("relations.csv", "ENT-1,discharges_to,MH-1", "ENT-1,discharges_to,OF-1"),
        *("enterprise discharges_to outfall is not allowed", "manhole"),
    ),
    "relation twice": Break(
        *("relations.csv", "EM-2,located_in,BLD-1", "EM-1,located_in,BLD-1"),
        *("same relation twice", "delete one"),
    ),
    "drains_to by hand": Break(
        *("relations.csv", "PRJ-1,located_in,ZONE-1", "MH-1,drains_to,C-1"),
        *("does not belong here", "network.inp"),
    ),
    "meters that feed each other": Break(
        *("relations.csv", "EM-2,feeds,ENT-1", "EM-2,feeds,EM-1"),
        *("feeds goes round in a circle", "Cut the ring"),
    ),
    "a cell too many": Break(
        "relations.csv", "EM-1,feeds,EM-2", "EM-1,feeds,EM-2,", "4 cells", "double quotes"
    ),
    "quote that is not closed": Break(
        "relations.csv", "ENT-1,occupies", '"ENT-1,occupies', "not valid CSV", "quote"
    ),
    "column missing": Break(
        "relations.csv",
        "source,relation,target",
        "source,relation,to",
        "target is missing",
        "header",
    ),
}

REGISTERS = {
    "enterprise without asset": Break(
        "enterprises.csv", "ENT-1,", "ENT-2,", "no such asset", "Did you mean ENT-1?"
    ),
    "another name in the register": Break(
        "enterprises.csv", "Company A", "Company B", "another name_en", "same name"
    ),
    "register value out of its list": Break(
        "parcels.csv", ",built,", ",build,", "status is not known", "built"
    ),
    "building in the register of parcels": Break(
        "parcels.csv", "PCL-1,", "BLD-1,", "building, not parcel", "type parcel"
    ),
    "number with a thousands separator": Break(
        "buildings.csv", ",16500,", ',"16,500",', "not a number", "thousands separator"
    ),
    "day that does not exist": Break(
        "projects.csv", "2025-04-01", "2025-02-30", "start is not a date", "YYYY-MM-DD"
    ),
    "column misspelt": Break(
        "buildings.csv", "floors", "flors", "column is not known", "Did you mean floors?"
    ),
}

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

BREAKS = {
    **{**PARK, **TYPES, **ASSETS, **RELATIONS, **REGISTERS},
    **{**POINTS, **NETWORK, **RULES, **TOTALS, **SOURCES},
}

# The demo park, one place in each kind of file, deep in large files.
DEMO_BREAKS = {
    "building": Break(
        "assets.geojson", '"id": "BLD-400"', '"id": "BLD-399"', "same asset id twice", "Line "
    ),
    "enterprise": Break("enterprises.csv", "ENT-150,", "ENT-950,", "no such asset", "ENT-"),
    "discharge": Break(
        "relations.csv",
        "ENT-054,discharges_to,MH-041",
        "ENT-054,discharges_to,MH-941",
        "no such",
        "MH-",
    ),
    "transformer load": Break(
        "points.csv",
        "TR-10.load,TR-10,load,,",
        "TR-10.load,TR-10,load,kW,",
        "load is share",
        "Use %",
    ),
    "blocked pipe": Break(
        *("network.inp", "C-047 MH-041 MH-042 ", "C-047 MH-041 MH-040 "),
        *("drains_to goes round in a circle", "Cut the ring"),
    ),
    "dry flow": Break(
        "rules.yaml",
        "{property: dry_flow, type: outfall}",
        "{property: dryflow}",
        "selects no",
        "Correct",
    ),
    "park total": Break(
        "totals.yaml", "ZONE-SOUTH.energy_total", "ZONE-SOUTH.water_total", "is in kWh", "same unit"
    ),
    "signal": Break(
        *("gateways/gw-south.yaml", "point: FD-9.current", "point: FD-8.current"),
        *("bound twice", "gateways/gw-south.yaml:"),
    ),
    "meter type": Break(
        "types.yaml",
        "unit: kWh, domain: energy, kind: counter",
        "unit: kwh, domain: energy",
        "unit",
        "kWh",
    ),
}
