"""The works in progress: separation of the old park's sewers and other projects."""

from __future__ import annotations

from parks.demo.generator.ground import along, grid_box
from parks.demo.generator.plan import Plan, polygon

_ROWS = (
    (4, "老区雨污分流改造二期", "Sewer separation of the old park, phase 2", "building", 62, 4380),
    (1, "老区雨污分流改造三期", "Sewer separation of the old park, phase 3", "planned", 0, 5120),
    (5, "老区雨污分流改造一期", "Sewer separation of the old park, phase 1", "accepted", 100, 3960),
    (7, "南区标准厂房四期", "South zone standard factories, phase 4", "building", 45, 9200),
    (8, "一号泵站扩容", "Enlargement of lift station 1", "planned", 0, 860),
    (9, "污水处理厂提标改造", "Upgrade of the treatment plant", "building", 30, 7400),
)
_DATES = {
    "accepted": ("2023-03-01", "2024-11-30"),
    "building": ("2025-04-01", "2026-12-31"),
    "planned": ("2027-03-01", "2028-06-30"),
}


def add_projects(plan: Plan) -> None:
    """Adds them as areas of their grids."""
    for number, (grid, zh, en, phase, progress, budget) in enumerate(_ROWS, start=1):
        name = f"PRJ-{number}"
        west, south, east, north = grid_box(grid)
        shape = polygon(along([*_inset(west, south, east, north)], 60.0))
        plan.add(name, "project", zh, en, shape)
        plan.relate(name, "located_in", f"GRID-{grid}")
        start, finish = _DATES[phase]
        plan.register(
            "projects.csv",
            {
                "project": name,
                "name_zh": zh,
                "name_en": en,
                "kind": "排水" if "污" in zh or "泵" in zh else "厂房",
                "phase": phase,
                "start": start,
                "finish": finish,
                "budget_wan": budget,
                "progress_percent": progress,
            },
        )


def _inset(west: float, south: float, east: float, north: float) -> list[tuple[float, float]]:
    w, s, e, n = west + 18, south + 18, east - 18, north - 18
    return [(w, s), (e, s), (e, n), (w, n), (w, s)]
