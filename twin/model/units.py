"""Units that points may have, by the quantity they measure; two units fit when the quantity is one.

Symbols follow the field: flow L/s, level m, active power kW, energy kWh, fine dust µg/m³.
"""

from __future__ import annotations

QUANTITIES: dict[str, tuple[str, ...]] = {
    "flow": ("L/s", "m³/h", "m³/s", "m³/d"),
    "volume": ("m³", "L"),
    "length": ("m", "mm", "cm", "km"),
    "velocity": ("m/s", "km/h"),
    "area": ("m²", "ha", "mu"),
    "intensity of rain": ("mm/h", "mm/min"),
    "power": ("kW", "W", "MW"),
    "reactive power": ("kvar", "Mvar"),
    "apparent power": ("kVA", "MVA"),
    "energy": ("kWh", "MWh", "kJ", "MJ", "GJ", "tce", "kgce"),
    "reactive energy": ("kvarh",),
    "voltage": ("V", "kV"),
    "current": ("A", "mA"),
    "frequency": ("Hz",),
    "temperature": ("°C",),
    "share": ("%", "1"),
    "pressure": ("kPa", "Pa", "MPa", "bar"),
    "mass concentration in water": ("mg/L", "µg/L"),
    "mass concentration in air": ("µg/m³", "mg/m³", "ng/m³"),
    "volume concentration": ("ppm", "ppb"),
    "conductivity": ("µS/cm", "mS/cm"),
    "acidity": ("pH",),
    "turbidity": ("NTU",),
    "sound level": ("dB", "dB(A)"),
    "direction": ("°",),
    "irradiance": ("W/m²",),
    "emission": ("kgCO2", "tCO2"),
    "emission factor": ("kgCO2/kWh", "tCO2/GJ", "kgCO2/m³"),
    "mass": ("kg", "t", "g"),
    "mass flow": ("kg/h", "t/h"),
    "time": ("s", "min", "h", "d"),
    "code": ("code",),
    "count": ("count",),
    "money": ("CNY", "CNY/kWh", "CNY/m³"),
}

QUANTITY: dict[str, str] = {unit: name for name, units in QUANTITIES.items() for unit in units}


def fits(unit: str, other: str) -> bool:
    """Whether both units are known and measure the same quantity."""
    return unit in QUANTITY and QUANTITY.get(unit) == QUANTITY.get(other)
