"""``parktwin bench``: each benchmark by name, or all of them; prints figure, target and machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from parktwin.bench.table import Row, show

app = typer.Typer(help="Measure this machine against the targets.", no_args_is_help=True)

Seconds = Annotated[float, typer.Option(help="length of each load")]
Broker = Annotated[str, typer.Option(help="mosquitto or embedded; what there is, if empty")]


@app.command()
def load(
    profile: Annotated[str, typer.Option(help="thingsboard, single, batches")] = "thingsboard",
    seconds: Seconds = 15.0,
    broker: Broker = "",
) -> None:
    """A whole node under load: broker, node and generator share this machine."""
    from parktwin.bench import load as loads

    profiles: dict[str, Callable[[], list[Row]]] = {
        "thingsboard": lambda: loads.thingsboard(seconds, broker),
        "single": lambda: loads.highest(1, loads.SINGLE, seconds, broker),
        "batches": lambda: loads.highest(100, loads.BATCHES, seconds, broker),
    }
    if profile not in profiles:
        raise typer.BadParameter(f"one of {', '.join(profiles)}", param_hint="--profile")
    raise typer.Exit(show(profiles[profile](), f"load: {profile}"))


@app.command()
def latency() -> None:
    """From MQTT publish to the alarm on the WebSocket."""
    from parktwin.bench.latency import latency as measure

    raise typer.Exit(show(measure(), "latency"))


@app.command()
def start() -> None:
    """From `parktwin up` to live values of the demo park."""
    from parktwin.bench.start import start as measure

    raise typer.Exit(show(measure(), "start"))


@app.command()
def growth(seconds: Seconds = 10.0) -> None:
    """CPU per reading in a small and in a large park."""
    from parktwin.bench.load import growth as measure

    raise typer.Exit(show(measure(seconds), "growth"))


@app.command()
def memory(seconds: Seconds = 30.0) -> None:
    """Resident memory of a node with 10,000 points."""
    from parktwin.bench.load import memory as measure

    raise typer.Exit(show(measure(seconds), "memory"))


@app.command("all")
def everything(seconds: Seconds = 15.0) -> None:
    """Every row of the table; about five minutes."""
    from parktwin.bench.whole import measure_all

    raise typer.Exit(measure_all(seconds))
