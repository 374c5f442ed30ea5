"""The sewers as assets and relations of the park."""

from __future__ import annotations

from parks.demo.generator.ground import along
from parks.demo.generator.plan import line
from parks.demo.generator.sewers import Link, Sewers

_WORDS = {
    "sanitary": ("污水", "Sanitary"),
    "storm": ("雨水", "Storm"),
    "combined": ("合流", "Combined"),
    "interceptor": ("截流", "Interceptor"),
}


def draw(sewers: Sewers) -> None:
    """Adds every node and link to the plan."""
    plan = sewers.plan
    for node in sewers.nodes.values():
        zh, en = _WORDS[node.system]
        grid = f"GRID-{node.grid}"
        if node.kind == "outfall":
            number = node.id[3:]
            zh = "污水厂进水口" if number == "WWTP" else f"{number}号雨水排口"
            en = "Treatment plant inlet" if number == "WWTP" else f"Storm outfall {number}"
        elif node.kind == "wet_well":
            zh, en = "1号污水提升泵站", "Lift station 1"
        else:
            number = node.id[3:]
            zh, en = f"{number}号{zh}井", f"{en} manhole {number}"
        attributes = {"system": node.system}
        plan.add_at(node.id, node.kind, zh, en, *node.uv, **attributes)
        plan.relate(node.id, "located_in", grid)
    for link in sewers.links.values():
        _add_link(sewers, link)


def _add_link(sewers: Sewers, link: Link) -> None:
    plan = sewers.plan
    source, target = sewers.nodes[link.source], sewers.nodes[link.target]
    if link.kind == "pump":
        u, v = source.uv
        n = int(link.id[-1])
        plan.add_at(link.id, "pump", f"{n}号泵", f"Pump {n}", u + 2 * n, v + 3, system="sanitary")
        plan.relate(link.id, "located_in", link.source)
        return
    zh, en = _WORDS[link.system]
    if link.kind == "weir":
        path = [source.uv, target.uv]
        name = (f"{link.id[2:]}号截流井溢流堰", f"Overflow weir {link.id[2:]}")
        plan.add(link.id, "weir", *name, line(path), system="combined")
    else:
        old = source.uv[1] > 0
        new = link.system in ("interceptor", "storm") and source.grid in (1, 3, 4)
        year = 2023 + source.grid % 3 if new else plan.luck.randrange(1995, 2010)
        year = year if old else plan.luck.randrange(2016, 2023)
        attributes: dict[str, object] = {
            "system": link.system,
            "diameter_mm": round(link.diameter * 1000),
            "material": "HDPE" if year > 2014 else "混凝土",
            "build_year": year,
            "condition": 1 if year > 2014 else plan.luck.choice((2, 2, 3, 3, 4)),
            "valid_from": f"{year}-10-01",
        }
        if link.system == "combined":
            attributes["works_phase"] = "二期" if source.grid == 4 else "三期"
        number = link.id[2:]
        shape = line(along([source.uv, target.uv]))
        plan.add(
            *(link.id, "conduit", f"{number}号{zh}管段", f"{en} conduit {number}", shape),
            **attributes,
        )
    plan.relate(link.id, "located_in", f"GRID-{source.grid}")
