"""Breaks of the example park: its identity, types, assets, relations and registers."""

from __future__ import annotations

from tests.twin.broken_park import Break

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
