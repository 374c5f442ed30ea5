"""Zones, grids, roads, river and parcels."""

from __future__ import annotations

from dataclasses import dataclass

from parks.demo.generator import ground
from parks.demo.generator.ground import GRIDS, along, box, grid_box, lines
from parks.demo.generator.plan import Plan, line, polygon

Box = tuple[float, float, float, float]

# Streets that were never built: their blocks are one (zone, column, row of the western block).
_MERGED = {("old", 2, 4), ("old", 1, 0)}
# Blocks with a use of their own (zone, column, row).
_SPECIAL = {
    ("south", 4, 0): "wastewater treatment",
    ("south", 2, 3): "green",
    ("south", 0, 3): "substation",
    ("old", 3, 2): "administration",
}
_STANDARD = {("south", 1, 2), ("south", 2, 2), ("old", 5, 2), ("old", 4, 2)}
_RESERVED = {("south", 0, 0), ("south", 1, 0), ("south", 0, 1)}
# How many parcels a block is cut into; others take the zone's usual number.
_CUTS = {
    **{("old", 2, 4): 4, ("old", 1, 0): 4, ("old", 5, 2): 2, ("old", 4, 2): 2},
    **{("old", 0, 0): 2, ("old", 0, 2): 2, ("old", 1, 3): 2, ("old", 3, 1): 2, ("old", 5, 1): 2},
}


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel in the street frame with its use."""

    id: str
    grid: int
    box: Box
    use: str


def lay_out(plan: Plan) -> list[Parcel]:
    """Adds all land to the plan; returns the parcels."""
    _areas(plan)
    _roads(plan)
    return _parcels(plan)


def _areas(plan: Plan) -> None:
    ring = [
        *((-900.0, -1240.0), (870.0, -1240.0), (880.0, -150.0)),
        *((820.0, 140.0), (810.0, 1200.0), (-850.0, 1200.0), (-900.0, -1240.0)),
    ]
    plan.add(
        *("PARK", "park", "霁川县经济开发区", "Jichuan Economic Development Zone"),
        polygon(along(ring)),
    )
    for zone, zh, en in (("old", "老区", "Old park"), ("south", "南区", "South zone")):
        us, vs = lines(zone)
        edge = box(us[0] - 22, vs[0] - 22, us[-1] + 22, vs[-1] + 22)
        plan.add(f"ZONE-{zone.upper()}", "zone", zh, en, polygon(along(edge)))
        plan.relate(f"ZONE-{zone.upper()}", "located_in", "PARK")
    for grid, (zone, *_) in GRIDS.items():
        shape = polygon(along(box(*grid_box(grid))))
        plan.add(
            f"GRID-{grid}", "grid", f"第{'一二三四五六七八九'[grid - 1]}网格", f"Grid {grid}", shape
        )
        plan.relate(f"GRID-{grid}", "located_in", f"ZONE-{zone.upper()}")
    plan.add("RIVER-1", "river", "霁水", "Ji River", polygon(ground.river_ring()))


_NAMES_NS = ("矿前路", "工人路", "解放巷", "砾石路", "机修路", "货场路", "滨水北路")
_NAMES_EW = ("老站街", "建材路", "南砂路", "窑厂路", "选矿路", "北环路")
_NAMES_NS_EN = ("Mine", "Workers", "Old Lane", "Gravel", "Machine", "Freight", "North Riverside")
_NAMES_EW_EN = ("Old Station", "Masonry", "South Sand", "Kiln", "Dressing", "North Ring")


def _roads(plan: Plan) -> None:
    number = 0

    def road(zh: str, en: str, path: list[tuple[float, float]], width: float, rank: str) -> None:
        nonlocal number
        number += 1
        where = "PARK"
        plan.add(
            *(f"RD-{number:02d}", "road", zh, f"{en} Road", line(along(path))),
            width_m=width,
            rank=rank,
        )
        plan.relate(f"RD-{number:02d}", "located_in", where)

    road("霁川大道", "Jichuan Avenue", [(-1250, 10), (820, 10), (1180, 0)], 32, "arterial")
    for zone in ("old", "south"):
        us, vs = lines(zone)
        for i, u in enumerate(us):
            zh = _NAMES_NS[i] if zone == "old" else f"南{'一二三四五六'[i]}路"
            en = _NAMES_NS_EN[i] if zone == "old" else f"South {i + 1}"
            last = i == len(us) - 1
            breaks = [row for z, column, row in _MERGED if z == zone and column + 1 == i]
            pieces = _pieces(vs, breaks)
            for low, high in pieces:
                rank = "arterial" if last else "street"
                road(zh, en, [(u, low), (u, high)], 20 if last else 14, rank)
        for i, v in enumerate(vs):
            zh = _NAMES_EW[i] if zone == "old" else f"兴业{'一二三四五'[i]}路"
            en = _NAMES_EW_EN[i] if zone == "old" else f"Industry {i + 1}"
            road(zh, en, [(us[0], v), (us[-1], v)], 14 if zone == "old" else 18, "street")
    for old, south, zh, en in (
        (760.0, 820.0, "滨水路", "Riverside"),
        (190.0, 160.0, "连心路", "Link"),
        (-330.0, -520.0, "西接路", "West Link"),
    ):
        road(zh, en, [(old, 140), (south, -120)], 20, "arterial")


def _pieces(levels: tuple[float, ...], breaks: list[int]) -> list[tuple[float, float]]:
    pieces = []
    start = levels[0]
    for row in sorted(breaks):
        if levels[row] > start:
            pieces.append((start, levels[row]))
        start = levels[row + 1]
    if start < levels[-1]:
        pieces.append((start, levels[-1]))
    return pieces


def _parcels(plan: Plan) -> list[Parcel]:
    found: list[Parcel] = []
    for zone in ("old", "south"):
        us, vs = lines(zone)
        inset = 11.0 if zone == "old" else 14.0
        merged = {(z, column + 1, row) for z, column, row in _MERGED}
        for row in range(len(vs) - 1):
            for column in range(len(us) - 1):
                key = (zone, column, row)
                if key in merged:
                    continue
                east = us[column + 2] if key in _MERGED else us[column + 1]
                whole = (us[column] + inset, vs[row] + inset, east - inset, vs[row + 1] - inset)
                use = _SPECIAL.get(key, "")
                if not use:
                    use = "standard factory" if key in _STANDARD else "industrial"
                    use = "reserved" if key in _RESERVED else use
                usual = 2 + (column * 3 + row * 5 + len(zone)) % 2
                cuts = 1 if key in _SPECIAL else _CUTS.get(key, usual if zone == "old" else 2)
                if zone == "south" and use == "industrial":
                    cuts = usual
                for part in _cut(plan, whole, cuts, even=zone == "south"):
                    found.append(_parcel(plan, len(found) + 1, part, use))
    return found


def _cut(plan: Plan, whole: Box, parts: int, *, even: bool) -> list[Box]:
    if parts == 1:
        return [whole]
    west, south, east, north = whole
    first = parts // 2
    share = first / parts + (0.0 if even else plan.luck.uniform(-0.09, 0.09))
    gap = 2.0
    if east - west > north - south:
        cut = west + (east - west) * share
        pair = ((west, south, cut - gap, north), (cut + gap, south, east, north))
    else:
        cut = south + (north - south) * share
        pair = ((west, south, east, cut - gap), (west, cut + gap, east, north))
    return [
        *_cut(plan, pair[0], first, even=even),
        *_cut(plan, pair[1], parts - first, even=even),
    ]


_USES = {
    "industrial": "工业用地",
    "standard factory": "标准厂房用地",
    "reserved": "储备用地",
    "green": "绿地",
    "substation": "供电用地",
    "administration": "管理用地",
    "wastewater treatment": "排水设施用地",
}


def _parcel(plan: Plan, number: int, where: Box, use: str) -> Parcel:
    west, south, east, north = where
    u, v = (west + east) / 2, (south + north) / 2
    grid = ground.grid_at(u, v)
    parcel = f"PCL-{number:03d}"
    shape = polygon(along(box(*where), 60.0))
    name = f"{number:03d}号地块"
    plan.add(parcel, "parcel", name, f"Parcel {number:03d}", shape)
    plan.relate(parcel, "located_in", f"GRID-{grid}")
    year = plan.luck.randrange(1996, 2012) if v > 0 else plan.luck.randrange(2016, 2025)
    reserved = use == "reserved"
    plan.register(
        "parcels.csv",
        {
            "parcel": parcel,
            "use": _USES[use],
            "area_mu": round((east - west) * (north - south) / 666.67, 1),
            "status": "reserved" if reserved else "built",
            "granted": "" if reserved else f"{year}-{plan.luck.randrange(1, 13):02d}-15",
            "plot_ratio": "" if reserved else plan.between(0.7, 1.9),
        },
    )
    return Parcel(parcel, grid, where, use)
