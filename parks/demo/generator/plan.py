"""What the generator collects: assets, relations, points and their behaviour, devices."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parks.demo.generator import ground

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Signal:
    """A register of a device. value = raw * scale."""

    point: str
    table: str
    address: int
    type: str
    order: str = "ABCD"
    scale: float = 1.0


@dataclass(slots=True)
class Device:
    """A Modbus TCP device of a gateway."""

    id: str
    gateway: str
    port: int
    unit: int
    every: str
    comment: str
    signals: list[Signal] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """The park in the making. luck: one random source for everything, so the order matters."""

    luck: random.Random = field(default_factory=lambda: random.Random("jichuan"))
    assets: dict[str, Json] = field(default_factory=dict)
    places: dict[str, tuple[float, float]] = field(default_factory=dict)
    relations: list[tuple[str, str, str]] = field(default_factory=list)
    points: dict[str, Json] = field(default_factory=dict)
    behaviour: dict[str, Json] = field(default_factory=dict)
    faults: dict[str, Json] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=list)
    totals: list[Json] = field(default_factory=list)
    registers: dict[str, list[Json]] = field(default_factory=dict)

    def add(
        self, id: str, kind: str, zh: str, en: str, geometry: Json, /, **attributes: object
    ) -> str:
        """An asset; returns its id."""
        assert id not in self.assets, id
        properties = {"type": kind, "name_zh": zh, "name_en": en, **attributes}
        self.assets[id] = {
            "type": "Feature",
            "id": id,
            "properties": properties,
            "geometry": geometry,
        }
        return id

    def add_at(
        self, id: str, kind: str, zh: str, en: str, u: float, v: float, /, **attributes: object
    ) -> str:
        """An asset that is a point of the street frame."""
        self.places[id] = (u, v)
        point = {"type": "Point", "coordinates": ground.place(u, v)}
        return self.add(id, kind, zh, en, point, **attributes)

    def relate(self, source: str, relation: str, target: str) -> None:
        """A relation."""
        self.relations.append((source, relation, target))

    def measure(self, asset: str, prop: str, shape: str, /, **behaviour: object) -> str:
        """A measured point and what the simulator does with it; returns the point's id."""
        point = f"{asset}.{prop}"
        assert point not in self.points, point
        self.points[point] = {"asset": asset, "property": prop}
        self.behaviour[point] = {"shape": shape, **behaviour}
        return point

    def derive(self, asset: str, prop: str, function: str, parts: object) -> None:
        """A derived point and its total."""
        point = f"{asset}.{prop}"
        self.points[point] = {"asset": asset, "property": prop}
        self.totals.append({"point": point, function: parts})

    def register(self, file: str, row: Mapping[str, object]) -> None:
        """One row of a register."""
        self.registers.setdefault(file, []).append(dict(row))

    def between(self, low: float, high: float, digits: int = 1) -> float:
        """A random number."""
        return round(self.luck.uniform(low, high), digits)

    def seed(self) -> int:
        """A seed of a simulated point."""
        return self.luck.randrange(1, 100_000)


def line(path: Sequence[tuple[float, float]]) -> Json:
    """A GeoJSON line through places of the street frame."""
    return {"type": "LineString", "coordinates": [ground.place(u, v) for u, v in path]}


def polygon(ring: Sequence[tuple[float, float]]) -> Json:
    """A GeoJSON polygon of one closed ring of the street frame."""
    return {"type": "Polygon", "coordinates": [[ground.place(u, v) for u, v in ring]]}
