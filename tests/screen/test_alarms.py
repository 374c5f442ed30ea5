"""The alarm list: what it shows, and acknowledging exactly what was seen."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.screen.conftest import Opener
from tests.screen.server import ScreenServer


def test_an_alarm_appears_with_what_it_means_and_is_acknowledged(
    page: Page, server: ScreenServer
) -> None:
    expect(page.get_by_test_id("alarms")).to_contain_text("没有未复归或未确认的告警")
    server.raise_alarm("MH-1.level", "critical")
    row = page.get_by_test_id("alarm")
    expect(row).to_have_attribute("data-state", "UNACK")
    expect(row).to_contain_text("液位高于限值")
    expect(row).to_contain_text("2.71 / 2.50 m")
    expect(row).to_contain_text("一号井")
    expect(row.locator(".shape-critical.shape-unacked")).to_be_visible()
    expect(page.get_by_test_id("count-critical")).to_have_attribute("data-value", "1")
    row.locator(".alarm-main").click()
    expect(page.get_by_test_id("alarm-details")).to_contain_text("可能冒溢")
    expect(page.get_by_test_id("alarm-details")).to_contain_text("检查下游是否堵塞")
    expect(page.get_by_test_id("panel-name")).to_have_text("一号井")
    row.get_by_test_id("ack").click()
    expect(row).to_have_attribute("data-state", "ACKED")
    expect(row.get_by_test_id("ack")).to_have_count(0)
    assert server.acks == [("level-high:MH-1.level", 1)]


def test_an_alarm_that_occurred_again_is_not_acknowledged_unseen(
    page: Page, server: ScreenServer
) -> None:
    server.raise_alarm("MH-1.level")
    row = page.get_by_test_id("alarm")
    expect(row).to_have_attribute("data-occurrence", "1")
    server.mute = True
    server.raise_alarm("MH-1.level")
    row.get_by_test_id("ack").click()
    expect(page.get_by_test_id("alarm-note")).to_contain_text("再次发生")
    expect(row).to_have_attribute("data-occurrence", "2")
    assert server.acks == []
    row.get_by_test_id("ack").click()
    expect(row).to_have_attribute("data-state", "ACKED")
    assert server.acks == [("level-high:MH-1.level", 2)]


def test_a_failed_acknowledgement_says_why_and_changes_nothing(
    page: Page, server: ScreenServer
) -> None:
    server.raise_alarm("MH-1.level")
    server.fail["alarms"] = 503
    row = page.get_by_test_id("alarm")
    row.get_by_test_id("ack").click()
    expect(page.get_by_test_id("alarm-note")).to_have_text("确认未成功：故障 fault")
    expect(row).to_have_attribute("data-state", "UNACK")
    expect(row.get_by_test_id("ack")).to_be_enabled()


def test_a_viewer_sees_alarms_but_cannot_acknowledge(opened: Opener, server: ScreenServer) -> None:
    server.role = "viewer"
    server.raise_alarm("MH-1.level")
    page = opened()
    expect(page.get_by_test_id("alarm")).to_have_count(1)
    expect(page.get_by_test_id("ack")).to_have_count(0)


def test_the_most_urgent_stands_first_and_the_list_can_be_narrowed(
    page: Page, server: ScreenServer
) -> None:
    done = {"unacked": False, "state": "ACKED"}
    server.raise_alarm("PM-1.active_power", "critical", **done)
    server.raise_alarm("AIR-1.pm25", "low")
    server.raise_alarm("MH-1.level", "high")
    rows = page.get_by_test_id("alarm")
    expect(rows).to_have_count(3)
    order = rows.evaluate_all("rows => rows.map(row => row.dataset.priority)")
    assert order == ["high", "low", "critical"]
    page.get_by_test_id("alarms-unacked").click()
    expect(rows).to_have_count(2)


def test_an_alarm_that_ends_leaves_the_list(page: Page, server: ScreenServer) -> None:
    server.raise_alarm("MH-1.level")
    expect(page.get_by_test_id("alarm")).to_have_count(1)
    server.alarms = []
    server.alarm_version += 1
    expect(page.get_by_test_id("alarm")).to_have_count(0)


def test_a_flood_lists_the_first_hundred_and_counts_the_rest(
    page: Page, server: ScreenServer
) -> None:
    for i in range(130):
        server.raise_alarm("MH-1.level", "low", rule=f"rule-{i}")
    expect(page.get_by_test_id("alarm")).to_have_count(100)
    expect(page.locator(".alarm-more")).to_have_text("另有 30 条未列出")
