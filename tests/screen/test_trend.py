"""The trend: the chosen point, its span, slow and failed answers."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.screen.server import ScreenServer


def test_choosing_a_point_shows_its_trend(page: Page, server: ScreenServer) -> None:
    title = page.get_by_test_id("trend-point")
    expect(title).to_have_attribute("data-point", "PARK.sewer_flow")
    page.locator("[data-testid=kpi][data-point='AIR-1.pm25']").click()
    expect(title).to_have_attribute("data-point", "AIR-1.pm25")
    expect(page.get_by_test_id("trend")).to_have_attribute("data-rows", re.compile(r"^7\d\d$"))
    expect(page.locator(".trend-canvas canvas")).to_be_visible()
    page.get_by_test_id("span-h24").click()
    expect(page.get_by_test_id("trend")).to_have_attribute("data-rows", re.compile(r"^14\d\d$"))
    assert "GET /api/v1/points/AIR-1.pm25/history" in server.requests


def test_live_values_join_the_last_hour(page: Page, server: ScreenServer) -> None:
    trend = page.get_by_test_id("trend")
    expect(trend).to_have_attribute("data-rows", re.compile(r"^7\d\d$"))
    before = int(trend.get_attribute("data-rows") or "0")
    server.set("PARK.sewer_flow", 55.0)
    expect(trend).not_to_have_attribute("data-rows", str(before))


def test_a_failed_history_says_so_and_is_read_again_on_request(
    page: Page, server: ScreenServer
) -> None:
    server.fail["points/AIR-1.pm25"] = 503
    page.locator("[data-testid=kpi][data-point='AIR-1.pm25']").click()
    expect(page.get_by_test_id("trend-message")).to_contain_text("历史读取失败：故障 fault")
    server.fail.clear()
    page.get_by_test_id("trend-retry").click()
    expect(page.get_by_test_id("trend-message")).to_be_hidden()


def test_a_slow_history_that_comes_too_late_does_not_replace_the_chosen_one(
    page: Page, server: ScreenServer
) -> None:
    server.delay["points/AIR-1.pm25"] = 2.0
    page.locator("[data-testid=kpi][data-point='AIR-1.pm25']").click()
    expect(page.get_by_test_id("trend-message")).to_contain_text("正在读取历史")
    page.locator("[data-testid=kpi][data-point='PARK.active_power']").click()
    trend = page.get_by_test_id("trend")
    expect(trend).to_have_attribute("data-rows", re.compile(r"^7\d\d$"))
    summary = trend.get_attribute("aria-label")
    page.wait_for_timeout(2500)
    assert trend.get_attribute("aria-label") == summary
    expect(page.get_by_test_id("trend-point")).to_have_attribute("data-point", "PARK.active_power")


def test_an_empty_history_is_called_empty(page: Page, server: ScreenServer) -> None:
    server.history = lambda point, start, end, step: []
    page.get_by_test_id("span-d7").click()
    expect(page.get_by_test_id("trend-message")).to_contain_text("这段时间没有数据")


def test_the_panel_shows_every_point_with_value_age_and_relations(
    page: Page, server: ScreenServer
) -> None:
    server.set("MH-1.level", 1.234, quality=66)
    page.get_by_test_id("search").fill("一号井")
    page.keyboard.press("Enter")
    panel = page.get_by_test_id("panel")
    expect(page.get_by_test_id("panel-name")).to_have_text("一号井")
    level = panel.locator("[data-point='MH-1.level']")
    expect(level).to_have_attribute("data-state", "uncertain")
    expect(level).to_contain_text("1.23")
    expect(level).to_have_attribute("title", "存疑 · 变化过快")
    expect(panel.locator(".relations")).to_contain_text("第一网格")
    panel.locator("[data-point='MH-1.flow']").click()
    expect(page.get_by_test_id("trend-point")).to_have_attribute("data-point", "MH-1.flow")
    panel.get_by_role("button", name="第一网格").click()
    expect(page.get_by_test_id("panel-name")).to_have_text("第一网格")
    page.get_by_test_id("panel-close").click()
    expect(panel).to_be_hidden()
