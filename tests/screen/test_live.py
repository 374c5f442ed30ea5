"""Values, their age and quality, and the state of the connection."""

from __future__ import annotations

import time

from playwright.sync_api import Page, expect

from tests.screen.conftest import Opener
from tests.screen.park import NASTY
from tests.screen.server import ScreenServer

FLOW = "[data-testid=kpi][data-point='PARK.sewer_flow']"


def test_a_figure_follows_its_point(page: Page, server: ScreenServer) -> None:
    server.set("PARK.sewer_flow", 123.44)
    expect(page.locator(f"{FLOW} [data-testid=kpi-value]")).to_have_text("123.4")
    server.set("PARK.sewer_flow", 4567.8)
    expect(page.locator(f"{FLOW} [data-testid=kpi-value]")).to_have_text("4,567.8")
    expect(page.locator(FLOW)).to_have_attribute("data-value", "4567.8")


def test_a_figure_of_today_is_the_increment_since_midnight_in_the_park(
    opened: Opener, server: ScreenServer
) -> None:
    server.history = lambda point, start, end, step: [[start, 100.0, 1], [start + step, 20.5, 1]]
    server.set("PARK.energy_total", 50_000.0)
    page = opened()
    figure = page.locator("[data-point='PARK.energy_total'] [data-testid=kpi-value]")
    expect(figure).to_have_text("121")
    server.set("PARK.energy_total", 50_010.0)
    expect(figure).to_have_text("131")


def test_a_sum_of_counters_without_increments_counts_from_its_first_value_of_today(
    opened: Opener, server: ScreenServer
) -> None:
    server.history = lambda point, start, end, step: [[start, None, 1], [start + step, 40.0, 1]]
    server.increments = False
    server.set("PARK.energy_total", 65.0)
    page = opened()
    figure = page.locator("[data-point='PARK.energy_total'] [data-testid=kpi-value]")
    expect(figure).to_have_text("25")


def test_a_figure_of_today_without_any_history_is_a_dash(
    opened: Opener, server: ScreenServer
) -> None:
    server.history = lambda point, start, end, step: []
    server.set("PARK.energy_total", 65.0)
    page = opened()
    figure = page.locator("[data-point='PARK.energy_total'] [data-testid=kpi-value]")
    expect(figure).to_have_text("–")


def test_a_point_that_was_never_heard_shows_a_dash_and_no_zero(
    opened: Opener, server: ScreenServer
) -> None:
    del server.values["PARK.sewer_flow"]
    page = opened()
    expect(page.locator(FLOW)).to_have_attribute("data-state", "none")
    expect(page.locator(f"{FLOW} [data-testid=kpi-value]")).to_have_text("–")
    expect(page.get_by_test_id("health-none")).to_have_attribute("data-value", "1")


def test_a_failed_reading_shows_a_dash_and_is_marked(page: Page, server: ScreenServer) -> None:
    server.set("PARK.sewer_flow", None, quality=134)
    expect(page.locator(f"{FLOW} [data-testid=kpi-value]")).to_have_text("–")
    expect(page.locator(f"{FLOW} .mark-bad")).to_be_visible()
    expect(page.locator(FLOW)).to_have_attribute("title", "质量坏 · 通信失败")


def test_a_value_turns_grey_by_itself_when_nothing_follows(
    opened: Opener, server: ScreenServer
) -> None:
    server.park.points[0]["stale_s"] = 9.0
    page = opened()
    card = page.locator(FLOW)
    server.set("PARK.sewer_flow", 50.0)
    expect(card).to_have_attribute("data-state", "good")
    expect(card).to_have_attribute("data-state", "stale")
    expect(card.locator(".kpi-value")).to_have_text("50.0")
    assert "repeating-linear-gradient" in card.evaluate("e => getComputedStyle(e).backgroundImage")
    grey = card.locator(".kpi-value").evaluate("e => getComputedStyle(e).color")
    assert grey == "rgb(125, 139, 151)"


def test_a_wrong_clock_of_the_computer_makes_no_age_wrong(
    opened: Opener, server: ScreenServer
) -> None:
    server.set("PARK.sewer_flow", 50.0, age_s=30)
    a_day_ahead = "const now = Date.now; Date.now = () => now() + 86400000;"
    page = opened(script=a_day_ahead)
    expect(page.locator(FLOW)).to_have_attribute("data-state", "good")
    expect(page.locator(f"{FLOW} .age")).to_contain_text("3")
    assert page.evaluate("Date.now()") - server.now() > 80_000_000
    assert int(page.get_by_test_id("data-age").get_attribute("data-ms") or "-1") < 30_000


def test_a_server_whose_clock_differs_is_the_one_that_counts(
    opened: Opener, server: ScreenServer
) -> None:
    server.skew_ms = -3_600_000
    server.set_all()
    page = opened()
    expect(page.locator(FLOW)).to_have_attribute("data-state", "good")
    assert int(page.get_by_test_id("data-age").get_attribute("data-ms") or "-1") < 30_000


def test_a_dropped_socket_shows_offline_since_when_and_comes_back_with_a_fresh_picture(
    page: Page, server: ScreenServer
) -> None:
    server.refuse_sockets = True
    server.drop_sockets()
    lamp = page.get_by_test_id("lamp")
    expect(lamp).to_have_attribute("data-state", "offline")
    expect(page.get_by_test_id("lamp-since")).to_contain_text("自 ")
    expect(page.get_by_test_id("banner")).to_contain_text("连接已断开（自 ")
    since = int(float(lamp.get_attribute("data-since") or "0"))
    assert abs(since - server.now()) < 10_000
    gateway = page.get_by_test_id("gateway").first
    expect(gateway).to_have_attribute("data-state", "unknown")
    server.set("PARK.sewer_flow", 777.0)
    time.sleep(1.5)
    assert page.locator(FLOW).get_attribute("data-value") == "10"
    server.refuse_sockets = False
    expect(lamp).to_have_attribute("data-state", "live")
    expect(page.locator(FLOW)).to_have_attribute("data-value", "777")
    expect(page.get_by_test_id("banner")).to_be_hidden()
    expect(gateway).to_have_attribute("data-state", "online")


def test_a_silent_socket_is_delayed_then_a_lagging_server_is(
    page: Page, server: ScreenServer
) -> None:
    lamp = page.get_by_test_id("lamp")
    server.mute = True
    expect(lamp).to_have_attribute("data-state", "delayed")
    server.mute = False
    expect(lamp).to_have_attribute("data-state", "live")
    server.lag_ms = 25_000
    expect(lamp).to_have_attribute("data-state", "delayed")
    expect(page.get_by_test_id("lamp-since")).to_have_text("处理滞后 25 秒")


def test_a_gateway_that_goes_is_shown_offline(page: Page, server: ScreenServer) -> None:
    server.set_gateway("GW-OLD", online=False)
    gone = page.locator("[data-gateway='GW-OLD']")
    expect(gone).to_have_attribute("data-state", "offline")
    expect(gone).to_contain_text("离线")


def test_the_language_switches_without_a_reload_and_is_remembered(
    page: Page, server: ScreenServer
) -> None:
    page.evaluate("window.here = true")
    page.get_by_test_id("language").click()
    expect(page.get_by_test_id("park-name")).to_have_text("Test park")
    expect(page.get_by_test_id("lamp")).to_contain_text("Live")
    expect(page.locator("#alarms h2")).to_have_text("Alarms")
    assert page.evaluate("window.here")
    page.reload()
    expect(page.get_by_test_id("park-name")).to_have_text("Test park")


def test_names_that_try_to_be_markup_stay_text(page: Page, server: ScreenServer) -> None:
    server.raise_alarm("MH-9.level", message={"zh": NASTY, "en": NASTY})
    expect(page.locator(".alarm-message")).to_have_text(NASTY)
    page.get_by_test_id("search").fill("MH-9")
    page.get_by_test_id("found").click()
    expect(page.get_by_test_id("panel-name")).to_have_text(NASTY)
    assert page.evaluate("window.broken") is None
    assert page.locator("img").count() == 0


def test_without_webgl_the_map_says_so_and_the_rest_works(page: Page) -> None:
    expect(page.locator(".map-problem")).to_contain_text("WebGL")
    expect(page.get_by_test_id("kpi")).to_have_count(4)
