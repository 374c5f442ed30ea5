"""Writes the demo park: `python -m parks.demo.generate [FOLDER]`.

Everything comes from one seed, so the same version writes the same bytes. park.yaml, types.yaml,
rules.yaml and bindings.csv are written by hand and stay as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path

from parks.demo.generator import (
    buildings,
    field,
    firms,
    land,
    projects,
    sensors,
    sewer_assets,
    sewers,
    supply,
    swmm,
    totals,
)
from parks.demo.generator.plan import Plan
from parks.demo.generator.writing import files


def generate() -> dict[str, str]:
    """Every generated file of the demo park: path in the folder -> text."""
    plan = Plan()
    parcels = land.lay_out(plan)
    halls = buildings.put_up(plan, parcels)
    enterprises = firms.settle(plan, parcels, halls)
    network = sewers.build(plan)
    sewer_assets.draw(network)
    metered = supply.connect(plan, parcels, halls, enterprises)
    inflow = sensors.drain(plan, network, enterprises)
    flow = sensors.accumulate(network, inflow)
    installed = sensors.install(plan, network, flow, parcels)
    field.wire(plan, metered, installed)
    totals.add_totals(plan)
    projects.add_projects(plan)
    return files(plan, swmm.network(network, inflow))


def write(folder: Path) -> None:
    """Writes the generated files into a park folder."""
    (folder / "gateways").mkdir(parents=True, exist_ok=True)
    for name, text in generate().items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
