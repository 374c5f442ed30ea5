"""The page's pure modules, run in the browser they are written for."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.screen.conftest import Opener


@pytest.fixture
def blank(opened: Opener) -> Page:
    """The login page: modules can be imported there."""
    return opened(logged_in=False)


def run(page: Page, body: str, argument: Any = None) -> Any:
    """The value of an async function's body in the page."""
    return page.evaluate(f"async (argument) => {{ {body} }}", argument)


def test_both_languages_have_the_same_keys_and_places(blank: Page) -> None:
    zh, en = run(
        blank,
        "return [(await import('/i18n/zh.js')).default, (await import('/i18n/en.js')).default]",
    )
    assert sorted(zh) == sorted(en)
    for key in zh:
        places = [sorted(part.split("}")[0] for part in t[key].split("{")[1:]) for t in (zh, en)]
        assert places[0] == places[1], key
        assert zh[key].strip(), key
        assert en[key].strip(), key


def test_numbers_keep_their_unit_s_decimals_and_never_round_to_a_false_zero(blank: Page) -> None:
    cases = [
        (None, "m", "–"),
        (0, "m", "0.00"),
        (0.42, "m", "0.42"),
        (1234567.4, "kWh", "1,234,567"),
        (0.004, "m", "0.004"),
        (-0.0001, "L/s", "-0.0001"),
        (12.345, "pH", "12.3"),
        (3, "code", "3"),
    ]
    found = run(
        blank,
        "const { number } = await import('/format.js');"
        "return argument.map(([value, unit]) => number(value, unit))",
        [[value, unit] for value, unit, _ in cases],
    )
    assert found == [text for _, _, text in cases]


def test_times_are_those_of_the_park_whatever_the_computer_s_zone(blank: Page) -> None:
    assert run(
        blank,
        "const { ParkTime } = await import('/format.js');"
        "const time = new ParkTime('Asia/Shanghai');"
        "return [time.clock(argument), time.day(argument), time.dayStart(argument)]",
        1_763_830_861_250,
    ) == ["01:01:01", "2025-11-23", 1_763_827_200_000]


SPLIT = """
const { split } = await import('/views/trend-chart.js');
return split(argument.map(([t, v, q = 0, share = 1]) => ({ t, v, q, share })), 0, 100, 10)
"""


def test_a_gap_breaks_the_line_and_is_reported_as_a_hole(blank: Page) -> None:
    found = run(blank, SPLIT, [[2, 1], [8, 2], [40, 3], [48, 4], [92, 5]])
    assert found["holes"] == [[8, 40], [48, 92]]
    assert [v for _, v in found["line"]] == [1, 2, None, 3, 4, None, 5]
    assert found["alone"] == [[92, 5]]


def test_a_failed_reading_breaks_the_line_and_is_never_a_zero(blank: Page) -> None:
    found = run(blank, SPLIT, [[2, 1], [6, None, 134], [10, 2]])
    assert [v for _, v in found["line"]] == [1, None, 2]
    assert found["holes"][0] == [10, 100]


def test_a_bad_value_is_marked_and_no_line_runs_through_it(blank: Page) -> None:
    found = run(blank, SPLIT, [[2, 1], [6, 9, 131], [10, 2], [14, 3, 66]])
    assert found["bad"] == [[6, 9]]
    assert [v for _, v in found["line"]] == [1, None, 2, 3]
    assert found["uncertain"] == [[14, 3]]


def test_a_sparkline_breaks_where_data_is_missing(blank: Page) -> None:
    path = run(
        blank,
        "const { sparkline } = await import('/views/sparkline.js');"
        "const { render } = await import('/vendor.js');"
        "const place = document.createElement('div');"
        "render(sparkline(argument, 0, 100, 15), place);"
        "return place.querySelector('.spark-line').getAttribute('d')",
        [[0, 1], [10, 2], [20, None], [30, 3], [80, 4], [90, 5]],
    )
    assert path.count("M") == 3


def test_the_server_s_clock_is_carried_on_by_the_monotonic_timer(blank: Page) -> None:
    assert run(
        blank,
        "const { ServerClock } = await import('/clock.js');"
        "let elapsed = 100; const clock = new ServerClock(() => elapsed);"
        "const before = clock.now(); clock.set(5000); elapsed = 350;"
        "return [before, clock.now(), clock.age(4250), clock.age(9999)]",
    ) == [None, 5250, 1000, 0]


def test_alarms_sort_by_acknowledgement_then_priority_then_newness(blank: Page) -> None:
    rows = [
        {"id": "a", "unacked": False, "priority": "critical", "since": 9},
        {"id": "b", "unacked": True, "priority": "low", "since": 9},
        {"id": "c", "unacked": True, "priority": "high", "since": 1},
        {"id": "d", "unacked": True, "priority": "high", "since": 5},
        {"id": "e", "unacked": True, "priority": "unheard of", "since": 4},
    ]
    order = run(
        blank,
        "const { byUrgency } = await import('/views/alarms.js');"
        "return argument.sort(byUrgency).map((alarm) => alarm.id)",
        rows,
    )
    assert order == ["d", "c", "b", "e", "a"]


def test_every_asset_of_the_park_lands_in_one_source(blank: Page) -> None:
    found = run(
        blank,
        "const { collections } = await import('/map/sources.js');"
        "const park = await (await fetch('/api/v1/assets')).json();"
        "const all = collections(park.features);"
        "return Object.entries(all).map(([k, v]) => [k, v.features.map((f) => f.properties.id)])",
    )
    sources = dict(found)
    assert sources["buildings"] == ["B-1", "B-2", "B-3"]
    assert "C-3" in sources["lines"]
    assert "RIVER-1" in sources["land"]
    assert "MH-9" in sources["nodes"]
    assert sum(len(ids) for name, ids in sources.items() if name != "names") == 23
