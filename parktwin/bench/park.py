"""A park of any number of points for the benchmarks, written as a park folder.

`native` points B-000000.level ... come from gateways; foreign publishers `device-00000` ... have
three bound values each, as ThingsBoard's published load does.
"""

from __future__ import annotations

import json
from pathlib import Path

_PARK = """\
id: bench
name: {zh: 基准园区, en: Bench park}
timezone: Asia/Shanghai
zones: []
kpis: []
"""

_TYPES = """\
types:
  park:
    name: {zh: 园区, en: Park}
    geometry: [Polygon]
  logger:
    name: {zh: 液位计, en: Logger}
    geometry: [Point]
    properties:
      level: {unit: m, domain: sewer, kind: gauge, low: 0, high: 10, stale_s: 300,
              name: {zh: 液位, en: Level}}
      pulse: {unit: "1", domain: water, kind: gauge, stale_s: 300, name: {zh: 脉冲, en: Pulses}}
      leakage: {unit: "1", domain: water, kind: gauge, stale_s: 300, name: {zh: 泄漏, en: Leakage}}
      battery: {unit: "%", domain: water, kind: gauge, stale_s: 300, name: {zh: 电量, en: Battery}}
"""

_RULES = """\
- id: level-high
  name: {zh: 液位高, en: Level high}
  on: {property: level, type: logger}
  condition: {limit: high, value: 2.5, deadband: 0.05}
  on_delay_s: 0
  off_delay_s: 0
  priority: high
  consequence: {zh: 溢流, en: Overflow}
  action: {zh: 检查, en: Check}
- id: level-rate
  name: {zh: 液位突升, en: Level rises fast}
  on: {property: level, type: logger}
  condition: {rate: 5.0, per_s: 1}
  on_delay_s: 60
  off_delay_s: 60
  priority: medium
  consequence: {zh: 溢流, en: Overflow}
  action: {zh: 检查, en: Check}
"""

VALUES = (("pulseCounter", "pulse"), ("leakage", "leakage"), ("batteryLevel", "battery"))


def write_park(folder: Path, native: int, devices: int) -> Path:
    """Write the park; returns `folder`. native: points of gateways; devices: foreign publishers."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gateways").mkdir(exist_ok=True)
    (folder / "park.yaml").write_text(_PARK, encoding="utf-8")
    (folder / "types.yaml").write_text(_TYPES, encoding="utf-8")
    (folder / "rules.yaml").write_text(_RULES if native else "[]\n", encoding="utf-8")
    (folder / "totals.yaml").write_text("[]\n", encoding="utf-8")
    names = [f"B-{i:06d}" for i in range(native)] + [f"T-{i:05d}" for i in range(devices)]
    features = [_feature(name, i) for i, name in enumerate(names)]
    lines = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    (folder / "assets.geojson").write_text(
        f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n', encoding="utf-8"
    )
    points = ["point,asset,property,unit,domain,kind,low,high,stale_s,name_zh,name_en"]
    points += [f"B-{i:06d}.level,B-{i:06d},level,,,,,,,," for i in range(native)]
    bindings = ["source,format,match,point,scale"]
    for i in range(devices):
        for key, name in VALUES:
            points.append(f"T-{i:05d}.{name},T-{i:05d},{name},,,,,,,,")
            bindings.append(f"device-{i:05d},json,{key},T-{i:05d}.{name},")
    (folder / "points.csv").write_text("\n".join(points) + "\n", encoding="utf-8")
    (folder / "bindings.csv").write_text("\n".join(bindings) + "\n", encoding="utf-8")
    (folder / "relations.csv").write_text("source,relation,target\n", encoding="utf-8")
    return folder


def _feature(name: str, i: int) -> dict[str, object]:
    place = [round(110 + (i % 300) * 1e-4, 6), round(30 + i // 300 * 1e-4, 6)]
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": place},
        "properties": {"id": name, "type": "logger", "name_zh": name, "name_en": name},
    }
