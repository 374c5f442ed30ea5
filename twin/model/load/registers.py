"""The registers that a park office keeps as tables: enterprises, parcels, buildings, projects.

Each row belongs to an asset of that type and its columns become attributes of the asset.
"""

from __future__ import annotations

from typing import Any

from twin.model.load.geojson import Assets, suggest
from twin.model.load.tables import parse_table
from twin.model.load.text import Faults, Text

# file -> (asset type, columns with their kind; the first column is the asset's id)
REGISTERS: dict[str, tuple[str, dict[str, str]]] = {
    "enterprises.csv": (
        "enterprise",
        {
            "enterprise": "id",
            "name_zh": "name",
            "name_en": "name",
            "industry": "text",
            "scale": "large|medium|small|micro",
            "status": "operating|building|stopped",
            "joined": "day",
            "employees": "number",
            "land_mu": "number",
            "contract_kw": "number",
            "water_m3_d": "number",
            "high_energy": "yes|no",
            "key_discharger": "yes|no",
        },
    ),
    "parcels.csv": (
        "parcel",
        {
            "parcel": "id",
            "use": "text",
            "area_mu": "number",
            "status": "built|building|reserved",
            "granted": "day",
            "plot_ratio": "number",
        },
    ),
    "buildings.csv": (
        "building",
        {
            "building": "id",
            "use": "text",
            "standard_factory": "yes|no",
            "floors": "number",
            "gross_m2": "number",
            "built_year": "number",
            "owner": "text",
        },
    ),
    "projects.csv": (
        "project",
        {
            "project": "id",
            "name_zh": "name",
            "name_en": "name",
            "kind": "text",
            "phase": "planned|building|accepted",
            "start": "day",
            "finish": "day",
            "budget_wan": "number",
            "progress_percent": "number",
        },
    ),
}


def read_register(text: Text, assets: Assets | None, faults: Faults) -> dict[str, dict[str, Any]]:
    """Attributes by asset id; empty cells of optional columns are left out."""
    type_id, columns = REGISTERS[text.file]
    key = next(iter(columns))
    found: dict[str, dict[str, Any]] = {}
    lines: dict[str, int] = {}
    for fields in parse_table(text, faults, tuple(columns)):
        asset_id = fields.id(key)
        if asset_id is None:
            continue
        if asset_id in lines:
            mend = f"Line {lines[asset_id]} has it already: delete one of the two."
            fields.fault(key, asset_id, f"the same {key} twice", mend)
            continue
        lines[asset_id] = fields.line
        if assets is not None and asset_id not in assets.seen:
            fields.fault(key, asset_id, "there is no such asset", suggest(asset_id, assets))
            continue
        asset = assets.assets.get(asset_id) if assets is not None else None
        if asset is not None and asset.type != type_id:
            problem = f"{asset.type}, not {type_id}"
            fields.fault(key, asset_id, problem, f"Give an id of the type {type_id}.")
            continue
        row: dict[str, Any] = {}
        for column, kind in columns.items():
            if kind == "name":
                own = fields.text(column)
                kept = getattr(asset.name, column[-2:]) if asset is not None else own
                if own is not None and own != kept:
                    problem = f"another {column} in assets.geojson: {kept}"
                    fields.fault(column, own, problem, "Write the same name in both files.")
            elif kind == "day" and fields.has(column):
                day = fields.day(column)
                row[column] = day.isoformat() if day else None
            elif kind == "number" and fields.has(column):
                row[column] = fields.number(column, low=0.0)
            elif "|" in kind:
                row[column] = fields.one_of(column, kind.split("|"))
            elif kind == "text":
                row[column] = fields.text(column)
        found[asset_id] = row
    return found
