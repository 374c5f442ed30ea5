"""``parktwin model``: the command around `twin.model.load`."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from twin.model.load import check, load_park


def check_model(folder: Path) -> int:
    """Print what the model holds, or each error on a line; returns the exit code."""
    begun = time.perf_counter()
    errors = check(folder)
    if errors:
        for error in errors:
            typer.echo(str(error), err=True)
        many = f"{len(errors)} error{'s' if len(errors) > 1 else ''}"
        typer.echo(f"{folder}: {many}; nothing loads from it", err=True)
        return 1
    park = load_park(folder)
    took = time.perf_counter() - begun
    typer.echo(
        f"{folder}: {park.name.zh} ({park.name.en}) is sound: {len(park.assets)} assets, "
        f"{len(park.points)} points, {len(park.relations)} relations, {len(park.rules)} rules, "
        f"{len(park.gateways)} gateways; read in {took:.2f} s"
    )
    return 0
