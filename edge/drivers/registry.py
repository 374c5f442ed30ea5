"""The drivers by their name in a gateway file; a driver's code loads when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from edge.drivers.driver import OpenDriver, ReadSettings

DRIVERS = {"modbus_tcp": "edge.drivers.modbus_tcp"}


def settings_reader(name: str) -> ReadSettings:
    """``read_settings`` of the driver: YAML form in, settings and point ids out."""
    return cast(ReadSettings, import_module(f"{DRIVERS[name]}.config").read_settings)


def opener(name: str) -> OpenDriver:
    """``open_driver`` of the driver: a device of the gateway file in, a `Driver` out."""
    return cast(OpenDriver, import_module(f"{DRIVERS[name]}.driver").open_driver)
