"""``parktwin model``: the command around `twin.model.load`."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from twin.model import ModelErrors
from twin.model.load import load_park


def check_model(folder: Path) -> int:
    """Print what the model holds, or each error on a line; returns the exit code."""
    begun = time.perf_counter()
    try:
        park = load_park(folder)
    except ModelErrors as problems:
        for error in problems.errors:
            typer.echo(str(error), err=True)
        many = len(problems.errors)
        typer.echo(
            f"{folder}: {many} error{'s' if many > 1 else ''}; nothing loads from it", err=True
        )
        return 1
    took = time.perf_counter() - begun
    typer.echo(
        f"{folder}: {park.name.zh} ({park.name.en}) is sound: {len(park.assets)} assets, "
        f"{len(park.points)} points, {len(park.relations)} relations, {len(park.rules)} rules, "
        f"{len(park.gateways)} gateways; read in {took:.2f} s"
    )
    return 0
