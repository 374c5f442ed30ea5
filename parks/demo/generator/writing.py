"""Turns the plan into the files of a park folder: one row, feature or signal a line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping

from parks.demo.generator.field import FIRST_PORT
from parks.demo.generator.plan import Device, Json, Plan

_POINT_COLUMNS = (
    *("point", "asset", "property", "unit", "domain", "kind"),
    *("low", "high", "stale_s", "name_zh", "name_en"),
)
_BY_HAND = "Written by parks/demo/generate.py; change that and run it again."


def geojson(plan: Plan) -> str:
    """assets.geojson, one feature a line, in drawing order."""
    rows = [json.dumps(asset, ensure_ascii=False) for asset in plan.assets.values()]
    return '{"type": "FeatureCollection", "features": [\n' + ",\n".join(rows) + "\n]}\n"


def table(rows: Iterable[Mapping[str, object]], columns: Iterable[str]) -> str:
    """A CSV table."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def relations(plan: Plan) -> str:
    """relations.csv."""
    columns = ("source", "relation", "target")
    return table((dict(zip(columns, row, strict=True)) for row in plan.relations), columns)


def points(plan: Plan) -> str:
    """points.csv; what types.yaml says is left empty."""
    rows = ({"point": name, **row} for name, row in plan.points.items())
    return table(rows, _POINT_COLUMNS)


def flow(value: object) -> str:
    """A value in YAML's flow style."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return str(value)


def totals(plan: Plan) -> str:
    """totals.yaml."""
    return f"# {_BY_HAND}\n" + "".join(f"- {flow(row)}\n" for row in plan.totals)


def gateway(plan: Plan, name: str) -> str:
    """One gateway file."""
    title = plan.assets[name]["properties"]
    lines = [
        f"# {_BY_HAND}",
        "# Simulated on loopback ports; in a real park `host` is the device's address.",
        f"gateway: {name}",
        f"name: {{zh: {title['name_zh']}, en: {title['name_en']}}}",
        "outbox: {max_mb: 512, when_full: drop_oldest, retain_hours: 24}",
        "devices:",
    ]
    for device in (one for one in plan.devices if one.gateway == name):
        lines += _device_lines(device)
    return "\n".join(lines) + "\n"


def _device_lines(device: Device) -> list[str]:
    lines = [
        f"  # {device.comment}",
        f"  - id: {device.id}",
        "    driver: modbus_tcp",
        "    host: 127.0.0.1",
        f"    port: {device.port}",
        f"    unit: {device.unit}",
        f"    every: {device.every}",
        "    timeout: 1s",
        "    signals:",
    ]
    for signal in device.signals:
        row: Json = {
            "point": signal.point,
            "table": signal.table,
            "address": signal.address,
            "type": signal.type,
        }
        if signal.type not in ("int16", "uint16", "bool"):
            row["order"] = signal.order
        if signal.scale != 1.0:
            row["scale"] = signal.scale
        lines.append(f"      - {flow(row)}")
    return lines


def simulator(plan: Plan) -> str:
    """sim.yaml: the behaviour of every measured point and the fault of each device."""
    lines = [
        f"# {_BY_HAND}",
        "# Coil 9000 of a device switches its fault on and off; coil 9001 silences it for 60 s.",
        "seed: 20260",
        "utc_offset_h: 8",
        "points:",
    ]
    lines += [f"  {point}: {flow(row)}" for point, row in plan.behaviour.items()]
    lines.append("faults:")
    lines += [f"  {device}: {flow(row)}" for device, row in plan.faults.items()]
    return "\n".join(lines) + "\n"


def files(plan: Plan, network: str) -> dict[str, str]:
    """Every generated file by its path in the folder."""
    found = {
        "assets.geojson": geojson(plan),
        "relations.csv": relations(plan),
        "points.csv": points(plan),
        "totals.yaml": totals(plan),
        "network.inp": network,
        "sim.yaml": simulator(plan),
    }
    for file, rows in plan.registers.items():
        found[file] = table(rows, list(rows[0]))
    for name in FIRST_PORT:
        found[f"gateways/{name.lower()}.yaml"] = gateway(plan, name)
    return found
