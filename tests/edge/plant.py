"""Writes gateway and simulator files for tests, on free loopback ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.config import Gateway, load_gateway
from tests.peers.mosquitto import free_port


@dataclass(frozen=True)
class Plant:
    """A gateway file with its simulator file."""

    file: Path
    sim: Path
    gateway: Gateway
    ports: tuple[int, ...]


def plant(
    folder: Path,
    signals: Sequence[Sequence[str]],
    behaviour: str,
    *,
    every: str = "200ms",
    timeout: str = "5s",
    outbox: str = "{max_mb: 64}",
    name: str = "GW-T",
) -> Plant:
    """One device D0, D1... for each list of signals (YAML flow mappings without braces)."""
    ports = tuple(free_port() for _ in signals)
    lines = [f"gateway: {name}", f"outbox: {outbox}", "devices:"]
    for number, (port, rows) in enumerate(zip(ports, signals, strict=True)):
        lines += [
            f"  - id: D{number}",
            "    driver: modbus_tcp",
            "    host: 127.0.0.1",
            f"    port: {port}",
            f"    every: {every}",
            f"    timeout: {timeout}",
            "    signals:",
            *(f"      - {{{row}}}" for row in rows),
        ]
    folder.mkdir(parents=True, exist_ok=True)
    file, sim = folder / f"{name}.yaml", folder / f"{name}-sim.yaml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sim.write_text(behaviour, encoding="utf-8")
    return Plant(file, sim, load_gateway(file), ports)


def tickets(devices: int, points: int) -> tuple[list[list[str]], str]:
    """Devices whose every read gives the next whole number, and the simulator file for them."""
    signals = [
        [
            f"point: D{d}.p{p}, table: holding, address: {2 * p}, type: uint32, order: CDAB"
            for p in range(points)
        ]
        for d in range(devices)
    ]
    rows = [f"  D{d}.p{p}: {{shape: ticket}}" for d in range(devices) for p in range(points)]
    return signals, "points:\n" + "\n".join(rows) + "\n"
