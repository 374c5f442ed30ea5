"""The 186 enterprises: invented names under an invented place name, what they make and draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parks.demo.generator import ground
from parks.demo.generator.buildings import Building
from parks.demo.generator.land import Parcel
from parks.demo.generator.plan import Plan

COUNT = 186

_FIRST = {
    **{"云": "Yun", "岚": "Lan", "霁": "Ji", "溪": "Xi", "砚": "Yan", "朔": "Shuo", "沐": "Mu"},
    **{"棠": "Tang", "翎": "Ling", "珩": "Heng", "黎": "Li", "禹": "Yu", "漱": "Shu", "杉": "Shan"},
}
_SECOND = {
    **{"砾": "li", "泓": "hong", "垣": "yuan", "陌": "mo", "舟": "zhou", "樾": "yue", "岑": "cen"},
    **{"屿": "yu", "禾": "he", "衡": "heng", "铄": "shuo", "纶": "lun", "曜": "yao", "芮": "rui"},
    **{"湛": "zhan", "坤": "kun"},
}


@dataclass(frozen=True, slots=True)
class Trade:
    """An industry with typical mean power (kW), water (m³/d) and weekend share."""

    zh: str
    en: str
    kw: tuple[float, float]
    water: tuple[float, float]
    weekend: float
    swing: float
    heavy: bool = False


_MINERALS = (
    Trade("碳酸钙粉体", "Calcium Carbonate", (420, 1250), (20, 70), 0.95, 0.18, True),
    Trade("萤石选矿", "Fluorspar Dressing", (380, 980), (160, 420), 0.97, 0.12, True),
    Trade("石英材料", "Quartz Materials", (350, 900), (60, 190), 0.95, 0.2, True),
    Trade("钨粉", "Tungsten Powder", (450, 1300), (50, 150), 0.98, 0.12, True),
    Trade("耐火材料", "Refractories", (300, 850), (15, 45), 0.95, 0.2, True),
    Trade("硅微粉", "Silica Powder", (380, 1050), (30, 90), 0.96, 0.15, True),
)
_MAKERS = (
    Trade("陶瓷釉料", "Ceramic Glaze", (120, 380), (30, 80), 0.8, 0.5),
    Trade("建材", "Building Materials", (80, 300), (15, 40), 0.7, 0.6),
    Trade("机械", "Machinery", (70, 260), (8, 25), 0.5, 0.8),
    Trade("竹制品", "Bamboo Products", (40, 150), (6, 20), 0.6, 0.8),
    Trade("食品", "Foods", (60, 210), (60, 180), 0.85, 0.5),
    Trade("塑业", "Plastics", (90, 280), (8, 30), 0.75, 0.5),
    Trade("医药中间体", "Pharma Intermediates", (110, 320), (60, 150), 0.95, 0.3),
)
_TENANTS = (
    Trade("电子", "Electronics", (18, 75), (3, 12), 0.5, 0.8),
    Trade("服饰", "Garments", (10, 38), (6, 20), 0.6, 0.85),
    Trade("精密五金", "Precision Hardware", (22, 85), (4, 12), 0.5, 0.8),
    Trade("包装", "Packaging", (14, 52), (2, 8), 0.55, 0.8),
    Trade("智能装备", "Smart Equipment", (16, 60), (2, 8), 0.4, 0.85),
    Trade("新能源材料", "Battery Materials", (35, 120), (10, 30), 0.8, 0.5),
)


@dataclass(frozen=True, slots=True)
class Firm:
    """An enterprise: where it works and what it draws on a working day."""

    id: str
    zh: str
    en: str
    trade: Trade
    grid: int
    parcel: str
    building: str
    u: float
    v: float
    kw: float
    water_m3_d: float
    tenant: bool


def settle(plan: Plan, parcels: list[Parcel], buildings: list[Building]) -> list[Firm]:
    """Adds the enterprises: one on each industrial parcel, the others in standard factories."""
    names = _names(plan)
    firms: list[Firm] = []
    first = {building.parcel: building for building in reversed(buildings)}
    industrial = [parcel for parcel in parcels if parcel.use == "industrial"]
    for parcel in industrial:
        old_heavy = 0.5 if parcel.grid in (1, 2, 4) else 0.22
        trades = _MINERALS if plan.luck.random() < old_heavy else _MAKERS
        firms.append(_firm(plan, names, trades, first[parcel.id], len(firms) + 1, tenant=False))
    standard = [building for building in buildings if building.standard]
    for n in range(COUNT - len(industrial)):
        building = standard[n % len(standard)]
        firms.append(_firm(plan, names, _TENANTS, building, len(firms) + 1, tenant=True))
    return firms


def _names(plan: Plan) -> Iterator[tuple[str, str]]:
    pairs = [(a + b, _FIRST[a] + _SECOND[b]) for a in _FIRST for b in _SECOND]
    plan.luck.shuffle(pairs)
    seen: set[str] = set()
    for zh, en in pairs:
        if en not in seen:
            seen.add(en)
            yield zh, en


def _firm(
    plan: Plan,
    names: Iterator[tuple[str, str]],
    trades: tuple[Trade, ...],
    building: Building,
    number: int,
    *,
    tenant: bool,
) -> Firm:
    trade = plan.luck.choice(trades)
    brand_zh, brand_en = next(names)
    place = building.parcel if not tenant else building.id
    firm = Firm(
        id=f"ENT-{number:03d}",
        zh=f"霁川{brand_zh}{trade.zh}有限公司",
        en=f"Jichuan {brand_en} {trade.en} Co.",
        trade=trade,
        grid=building.grid,
        parcel=building.parcel,
        building=building.id,
        u=building.u + (plan.luck.uniform(-18, 18) if tenant else 0.0),
        v=building.v + (plan.luck.uniform(-5, 5) if tenant else 0.0),
        kw=plan.between(*trade.kw),
        water_m3_d=plan.between(*trade.water),
        tenant=tenant,
    )
    plan.add_at(firm.id, "enterprise", firm.zh, firm.en, firm.u, firm.v)
    plan.relate(firm.id, "located_in", place)
    plan.relate(firm.id, "occupies", place)
    old = firm.grid <= 5
    year = (
        plan.luck.randrange(1998, 2020) if old and not tenant else plan.luck.randrange(2017, 2026)
    )
    scale = "micro" if firm.kw < 20 else "small" if firm.kw < 150 else "medium"
    plan.register(
        "enterprises.csv",
        {
            "enterprise": firm.id,
            "name_zh": firm.zh,
            "name_en": firm.en,
            "industry": trade.zh,
            "scale": "large" if firm.kw > 900 else scale,
            "status": "operating",
            "joined": f"{year}-{plan.luck.randrange(1, 13):02d}-01",
            "employees": plan.luck.randrange(12, 60) if tenant else plan.luck.randrange(40, 320),
            "land_mu": "" if tenant else _area(plan, building.parcel),
            "contract_kw": round(firm.kw * 1.9, -1),
            "water_m3_d": firm.water_m3_d,
            "high_energy": "yes" if trade.heavy else "no",
            "key_discharger": "yes" if firm.water_m3_d > 60 else "no",
        },
    )
    return firm


def _area(plan: Plan, parcel: str) -> object:
    rows = plan.registers["parcels.csv"]
    return next(row["area_mu"] for row in rows if row["parcel"] == parcel)


def street_place(firm: Firm) -> tuple[float, float]:
    """Where its meters stand: at the entrance, a few metres from the middle of the building."""
    u, v = firm.u, firm.v
    west, south, east, north = ground.grid_box(firm.grid)
    toward = 1.0 if u < (west + east) / 2 else -1.0
    return u + toward * 14.0, v + (9.0 if v < (south + north) / 2 else -9.0)
