"""``parktwin secrets``: the command around `parktwin.secrets` and `parktwin.handout`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parktwin.handout import SHARES_FOLDER, gateway_names, hand_out, source_names
from parktwin.secrets import SecretError, make_secrets

app = typer.Typer(help="Passwords and tokens of this installation.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep ``make`` a command of its own while it is the only one."""


@app.command()
def make(
    folder: Annotated[Path, typer.Argument(help="folder that keeps them (mode 0700)")],
    park: Annotated[
        Path | None, typer.Option(help="park model; its gateways and sources get passwords")
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="also copy each container's own into FOLDER/for/")
    ] = False,
) -> None:
    """Make the secrets that are missing. Existing ones are checked, never changed."""
    try:
        made = make_secrets(
            folder,
            gateways=gateway_names(park) if park else (),
            sources=source_names(park) if park else (),
        )
        if share:
            hand_out(folder)
    except (SecretError, OSError) as problem:
        typer.echo(f"parktwin: {problem}", err=True)
        raise typer.Exit(1) from problem
    typer.echo(f"{folder}: made {', '.join(made)}" if made else f"{folder}: nothing was missing")
    if share:
        typer.echo(f"{folder / SHARES_FOLDER}: each container's copies are up to date")
