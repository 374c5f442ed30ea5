"""The ground plan of the fictional park: streets, blocks, river and slope.

Everything is planned in a street frame (u along the main streets, v across, metres) and bent from
there: the old park strongly, the south zone hardly. `place` gives WGS 84. The origin lies in
uninhabited mountains, so no real park is pictured.
"""

from __future__ import annotations

import math
from itertools import pairwise

LON, LAT = 113.9862, 26.1417
_TURN = math.radians(-11.5)
_METRES = 111_195.0

OLD_U = (-800.0, -560.0, -330.0, -60.0, 190.0, 470.0, 760.0)
OLD_V = (140.0, 330.0, 560.0, 730.0, 960.0, 1150.0)
SOUTH_U = (-860.0, -520.0, -180.0, 160.0, 500.0, 820.0)
SOUTH_V = (-1180.0, -910.0, -640.0, -370.0, -120.0)

Uv = tuple[float, float]
Xy = tuple[float, float]

# grid -> (west, south, east, north) in street lines of its zone, and its collector's street
GRIDS: dict[int, tuple[str, int, int, int, int, int]] = {
    1: ("old", 0, 3, 2, 5, 5),
    2: ("old", 2, 3, 4, 5, 4),
    3: ("old", 4, 3, 6, 5, 3),
    4: ("old", 0, 0, 3, 3, 1),
    5: ("old", 3, 0, 6, 3, 2),
    6: ("south", 0, 2, 2, 4, 4),
    7: ("south", 2, 2, 5, 4, 3),
    8: ("south", 0, 0, 2, 2, 1),
    9: ("south", 2, 0, 5, 2, 2),
}


def lines(zone: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The u of the zone's north-south streets and the v of its east-west streets."""
    return (OLD_U, OLD_V) if zone == "old" else (SOUTH_U, SOUTH_V)


def grid_box(grid: int) -> tuple[float, float, float, float]:
    """West, south, east, north of a grid in the street frame."""
    zone, west, south, east, north, _ = GRIDS[grid]
    us, vs = lines(zone)
    return us[west], vs[south], us[east], vs[north]


def grid_at(u: float, v: float) -> int:
    """The grid that holds a place, or the nearest one."""

    def away(grid: int) -> float:
        west, south, east, north = grid_box(grid)
        du = max(west - u, 0.0, u - east)
        dv = max(south - v, 0.0, v - north)
        return math.hypot(du, dv)

    return min(GRIDS, key=away)


def bend(u: float, v: float) -> Xy:
    """East and north (m) of a place of the street frame."""
    share = min(max((v + 150.0) / 300.0, 0.0), 1.0)
    strength = 0.22 + 0.78 * share * share * (3 - 2 * share)
    u2 = u + strength * (22 * math.sin(v / 310 + 0.7) + 12 * math.sin(u / 270 + v / 420))
    v2 = v + strength * (21 * math.sin(u / 350 + 1.1) + 9 * math.sin(v / 190 + u / 300))
    cos, sin = math.cos(_TURN), math.sin(_TURN)
    return (u2 * cos - v2 * sin, u2 * sin + v2 * cos)


def degrees(x: float, y: float) -> list[float]:
    """[longitude, latitude] of a place in metres, to a centimetre."""
    lon = LON + x / (_METRES * math.cos(math.radians(LAT)))
    return [round(lon, 7), round(LAT + y / _METRES, 7)]


def place(u: float, v: float) -> list[float]:
    """[longitude, latitude] of a place of the street frame."""
    return degrees(*bend(u, v))


def along(path: list[Uv], step: float = 45.0) -> list[Uv]:
    """A path of the street frame with more points, so that it can bend."""
    found = [path[0]]
    for (u1, v1), (u2, v2) in pairwise(path):
        parts = max(1, math.ceil(math.hypot(u2 - u1, v2 - v1) / step))
        found += [(u1 + (u2 - u1) * i / parts, v1 + (v2 - v1) * i / parts) for i in range(1, parts)]
        found.append((u2, v2))
    return found


def box(west: float, south: float, east: float, north: float) -> list[Uv]:
    """The closed ring of a rectangle of the street frame."""
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


def middle_of_river(v: float) -> float:
    """The u of the river's centre line."""
    west = 0.00042 * max(0.0, -900.0 - v) ** 2
    return 1010 + 62 * math.sin(v / 520 + 0.4) + 26 * math.sin(v / 210) - west


def half_river(v: float) -> float:
    """Half the river's width, m."""
    return 52 + 12 * math.sin(v / 330 + 2.0)


def bank(v: float) -> float:
    """The u of the river's near bank."""
    return middle_of_river(v) - half_river(v)


def river_ring() -> list[Uv]:
    """The closed ring of the river."""
    levels = [float(v) for v in range(-1700, 1651, 50)]
    near = [(bank(v), v) for v in levels]
    far = [(middle_of_river(v) + half_river(v), v) for v in reversed(levels)]
    return [*near, *far, near[0]]


def height(u: float, v: float) -> float:
    """Height of the ground above sea level, m: it falls to the river and to the south."""
    rolling = 0.5 * math.sin(u / 400) * math.cos(v / 350)
    return 182.0 - 0.0033 * (u + 900) - 0.0011 * (1200 - v) + rolling
