"""The simulator file: what each point does, and which fault each device can be given.

Owns the file's form and checks; the shapes themselves are in `edge.sim.shapes`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.config import Gateway
from edge.form import Form, read_form
from edge.sim import shapes
from edge.sim.shapes import Settings, Shape


@dataclass(frozen=True, slots=True)
class Fault:
    """What coil 9000 does to a device: `add` to one point, growing over `ramp_s`."""

    point: str
    add: float
    ramp_s: float


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Everything that the simulated devices do."""

    points: Mapping[str, Shape]
    faults: Mapping[str, Fault]


def load_behaviour(file: Path, gateways: Sequence[Gateway]) -> Behaviour:
    """Read the simulator file; raises ConfigErrors.

    Every point of `gateways` needs a behaviour; points of other gateways may stand there too.
    """
    return read_form(file, lambda form: _behaviour(form, gateways))[0]


def _behaviour(form: Form, gateways: Sequence[Gateway]) -> Behaviour:
    seed = form.integer("seed", 0, 1 << 62, 1)
    offset_s = form.number("utc_offset_h", 8.0) * 3600
    points = _points(form, offset_s, seed)
    served = {point for gateway in gateways for point in gateway.points}
    for point in sorted(served - points.keys()):
        mend = f"Add `{point}: {{shape: ..., mean: ...}}` under points."
        form.wrong("points", None, f"{point} has no behaviour", mend)
    faults = {}
    if "faults" in form:
        table = form.child("faults")
        for device in table.fields():
            part = table.child(device)
            fault = Fault(part.point("point"), part.number("add"), part.number("ramp_s", 0.0))
            part.done()
            faults[device] = fault
            if fault.point not in points:
                part.wrong("point", fault.point, "has no behaviour", "Use a point listed above.")
    form.done()
    return Behaviour(points, faults)


def _points(form: Form, offset_s: float, seed: int) -> dict[str, Shape]:
    table = form.child("points", required=True)
    made: dict[str, Shape] = {}
    waiting: list[tuple[str, str, Settings, Form]] = []
    for number, point in enumerate(table.fields()):
        part = table.child(point)
        shape = part.choice("shape", shapes.SHAPES)
        settings = _settings(part, shape, number)
        part.done()
        if shape in ("energy", "volume"):
            waiting.append((point, shape, settings, part))
        else:
            made[point] = shapes.make(shape, settings, offset_s, seed, made)
    for point, shape, settings, part in waiting:
        try:
            made[point] = shapes.make(shape, settings, offset_s, seed, made)
        except KeyError:
            near = difflib.get_close_matches(settings.of, made, 1)
            mend = f"Did you mean {near[0]}?" if near else "Name a point of this file."
            part.wrong("of", settings.of, "is not a point here", mend)
        except ValueError as error:
            part.wrong("of", settings.of, str(error), "Name a rate.")
    return made


def _settings(form: Form, shape: str, number: int) -> Settings:
    counter = shape in ("energy", "volume")
    d = Settings()
    if counter:
        return Settings(
            of=form.text("of"),
            factor=form.number("factor", 1 / 3600 if shape == "energy" else 0.001),
            start=form.number("start", 0.0),
        )
    working = shape in ("power", "water")
    settings = Settings(
        mean=form.number("mean", 0.0 if shape in ("ticket", "rain") else None),
        swing=form.number("swing", d.swing if shape in ("power", "water", "sewer_flow") else 0.0),
        rain=form.number("rain", d.rain),
        lag_s=form.duration("lag", 1.0, 86400.0, "40m"),
        noise=form.number("noise", d.noise),
        seed=form.integer("seed", 0, 1 << 62, number + 1),
        shift_s=form.number("shift_h", 0.0) * 3600,
        weekend=form.number("weekend", d.weekend),
        floor=form.number("floor", -1e9 if shape == "temperature" else d.floor),
    )
    if working and not 0 <= settings.swing <= 1:
        form.wrong("swing", settings.swing, "must be 0..1 here", "A rate never runs backwards.")
    if working and (settings.mean < 0 or not 0 <= settings.weekend <= 1):
        form.wrong("mean", settings.mean, "must not fall below 0", "A rate never runs backwards.")
    return settings
