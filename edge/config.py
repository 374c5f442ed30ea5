"""The gateway file: what one gateway reads, how often, and how much it keeps.

Owns its form and checks; the signals of a device belong to its driver's config module. Broker
address, secrets and folders never stand in the file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edge.drivers.driver import Settings
from edge.drivers.registry import DRIVERS, settings_reader
from edge.form import ConfigError, ConfigErrors, Form, read_form

__all__ = [
    "ConfigError",
    "ConfigErrors",
    "Device",
    "Gateway",
    "Name",
    "OutboxLimits",
    "load_gateway",
]

ID_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}"
GATEWAY_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
ID_SAY: Final = "letters, digits and - _ . : (at most 64)"


@dataclass(frozen=True, slots=True)
class Name:
    """A name in Chinese and English."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """How much the outbox keeps and what happens when it is full.

    when_full: ``drop_oldest`` (a declared loss) or ``stop_polling``; retain_hours: how long
    acknowledged readings stay for repair.
    """

    max_mb: int = 512
    when_full: str = "drop_oldest"
    retain_hours: float = 24.0


@dataclass(frozen=True, slots=True)
class Device:
    """One polled device: period and timeout in seconds; `settings` belong to its driver."""

    id: str
    driver: str
    every_s: float
    timeout_s: float
    settings: Settings


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway file that passed every check; `hash` is ``sha256:`` of its bytes."""

    id: str
    name: Name
    outbox: OutboxLimits
    devices: tuple[Device, ...]
    file: Path
    hash: str

    @property
    def points(self) -> tuple[str, ...]:
        """Ids of all points that this gateway reads, in file order."""
        return tuple(point for device in self.devices for point in device.settings.points)


def load_gateway(path: Path, port_offset: int = 0) -> Gateway:
    """Read and check a gateway file; raises ConfigErrors with every error found.

    port_offset: added to every device's TCP port (a demo park beside another).
    """
    gateway, raw = read_form(path, lambda form: _read(form, path, port_offset))
    return replace(gateway, hash="sha256:" + hashlib.sha256(raw).hexdigest())


def _read(form: Form, path: Path, port_offset: int) -> Gateway:
    gateway = form.text(
        "gateway", pattern=r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", say="letters, digits, - _"
    )
    name = Name(gateway, gateway)
    if "name" in form:
        names = form.child("name")
        name = Name(names.text("zh", gateway), names.text("en", gateway))
        names.done()
    box = form.child("outbox")
    limits = OutboxLimits(
        box.integer("max_mb", 1, 1_000_000, 512),
        box.choice("when_full", ("drop_oldest", "stop_polling"), "drop_oldest"),
        box.integer("retain_hours", 0, 24 * 366, 24),
    )
    box.done()
    devices: list[Device] = []
    ids: dict[str, int] = {}
    for part in form.children("devices", say="a device"):
        device = _device(part, port_offset)
        if device.id in ids:
            mend = f"Give each device its own id; line {ids[device.id]} has it already."
            part.wrong("id", device.id, "is used twice", mend)
        ids[device.id] = part.line
        devices.append(device)
    form.done()
    return Gateway(gateway, name, limits, tuple(devices), path, "")


def _device(form: Form, port_offset: int) -> Device:
    name = form.text("id", pattern=ID_PATTERN, say=ID_SAY)
    driver = form.choice("driver", tuple(DRIVERS))
    every = form.duration("every", 0.1, 86400.0)
    timeout = form.duration("timeout", 0.05, 60.0, "1s")
    settings = settings_reader(driver)(form, port_offset)
    form.done()
    return Device(name, driver, every, timeout, settings)
