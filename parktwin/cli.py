"""The command line. Each command imports what it needs when it runs, so that all start fast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parktwin.supervise import end_with_supervisor

app = typer.Typer(
    help="ParkTwin: a digital twin for industrial parks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
edge_app = typer.Typer(help="The gateway, and simulated devices.", no_args_is_help=True)
model_app = typer.Typer(help="The park model.", no_args_is_help=True)
app.add_typer(edge_app, name="edge")
app.add_typer(model_app, name="model")

PortOffset = Annotated[
    int, typer.Option(help="added to every device port (the demo's simulators move together)")
]


@app.callback()
def _start() -> None:
    end_with_supervisor()


@app.command()
def up(
    home: Annotated[Path, typer.Option(help="folder of everything that is kept")] = Path("var"),
    park: Annotated[Path, typer.Option(help="park model")] = Path("parks/demo"),
    port: Annotated[int, typer.Option(help="port of the screen")] = 8000,
) -> None:
    """Run a whole park on this machine: broker, simulated devices, gateways and node."""
    from rich.console import Console

    from parktwin.up import run

    raise typer.Exit(run(home, park, port, Console()))


@app.command()
def node(
    login_code: Annotated[
        Path | None, typer.Option(help="leave a one-time login code in this file")
    ] = None,
) -> None:
    """Run the platform: MQTT in, journal, history, twin, alarms, API and screen."""
    from parktwin.node import run
    from parktwin.settings import Settings

    raise typer.Exit(run(Settings(), login_code))


@app.command()
def broker(
    config: Annotated[Path, typer.Argument(help="rumqttd configuration", exists=True)],
) -> None:
    """Run the embedded MQTT broker in this process."""
    from parktwin.broker import serve

    serve(config)


@app.command()
def audit(
    url: Annotated[str, typer.Option(help="address of the node")] = "http://127.0.0.1:8000",
    user: Annotated[str, typer.Option(help="user name; empty to log in by code")] = "",
    password_file: Annotated[
        Path | None, typer.Option(help="file with the password or the one-time code")
    ] = None,
) -> None:
    """Recount journal, history and InfluxDB from their data and compare them with the ledger."""
    from parktwin.audit_command import show

    if password_file is None:
        word = typer.prompt("password" if user else "one-time login code", hide_input=bool(user))
    else:
        word = password_file.read_text(encoding="utf-8").strip()
    raise typer.Exit(show(url, user, word))


@edge_app.command("run")
def edge_run(
    file: Annotated[Path, typer.Argument(help="gateway file", exists=True, dir_okay=False)],
    home: Annotated[Path, typer.Option(help="folder of the outbox")],
    broker: Annotated[str, typer.Option(help="mqtt://user@host:port")],
    password_file: Annotated[Path | None, typer.Option(help="the gateway's password")] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="authority of the broker's certificate, for mqtts://")
    ] = None,
    port_offset: PortOffset = 0,
) -> None:
    """Run a gateway: read its devices, keep every reading until the platform has it."""
    from parktwin.edge_command import run_gateway

    raise typer.Exit(run_gateway(file, home, broker, password_file, ca_file, port_offset))


@edge_app.command("check")
def edge_check(
    file: Annotated[Path, typer.Argument(help="gateway file", exists=True, dir_okay=False)],
    port_offset: PortOffset = 0,
) -> None:
    """Validate a gateway file, connect, read each point once and print what came."""
    from parktwin.edge_command import check_gateway

    raise typer.Exit(check_gateway(file, port_offset))


@edge_app.command("sim")
def edge_sim(
    files: Annotated[list[Path], typer.Argument(help="gateway files", exists=True)],
    behaviour: Annotated[Path, typer.Option(help="sim.yaml of the park", exists=True)],
    port_offset: PortOffset = 0,
) -> None:
    """Serve every device of the gateway files as a simulated one, over its true protocol."""
    from parktwin.edge_command import simulate

    raise typer.Exit(simulate(files, behaviour, port_offset))


@edge_app.command("fault")
def edge_fault(
    file: Annotated[Path, typer.Argument(help="gateway file", exists=True, dir_okay=False)],
    device: Annotated[str, typer.Argument(help="id of the simulated device")],
    on: Annotated[bool, typer.Option("--on/--off", help="switch the fault on or off")] = True,
    dead: Annotated[bool, typer.Option(help="no answer for a minute instead")] = False,
    port_offset: PortOffset = 0,
) -> None:
    """Switch a simulated device's planted fault, as a Modbus client would."""
    from parktwin.edge_command import switch_fault

    raise typer.Exit(switch_fault(file, device, on, dead, port_offset))


@model_app.command("check")
def model_check(
    park: Annotated[Path, typer.Argument(help="folder of the park model")],
) -> None:
    """Validate a park model; every error with its file, line, value and the mend."""
    from parktwin.model_command import check_model

    raise typer.Exit(check_model(park))


def _commands() -> None:
    from parktwin.bench.command import app as bench_app
    from parktwin.secrets_command import app as secrets_app

    app.add_typer(secrets_app, name="secrets")
    app.add_typer(bench_app, name="bench")


def main() -> None:
    """Entry point of ``parktwin``."""
    _commands()
    app()
