"""Logging in, out, and being thrown out."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.screen.conftest import Opener
from tests.screen.levers import CODE
from tests.screen.server import PASSWORD, ScreenServer


def test_a_person_logs_in_with_a_password_and_a_wrong_one_is_told_so(
    opened: Opener, server: ScreenServer
) -> None:
    page = opened(logged_in=False)
    page.fill("[name=username]", "op")
    page.fill("[name=password]", "wrong")
    page.click("button.primary")
    expect(page.get_by_test_id("login-problem")).to_have_text("用户名或密码不正确")
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    expect(page.get_by_test_id("park-name")).to_have_text("试验园区")
    expect(page.get_by_test_id("login")).to_be_hidden()


def test_the_login_page_speaks_english_too(opened: Opener) -> None:
    page = opened(logged_in=False)
    page.get_by_test_id("login-language").click()
    expect(page.locator("button.primary")).to_have_text("Log in")
    assert page.evaluate("document.documentElement.lang") == "en"


def test_a_one_time_code_logs_in_and_leaves_the_address(
    opened: Opener, server: ScreenServer
) -> None:
    page = opened(logged_in=False, path=f"#login={CODE}")
    expect(page.get_by_test_id("park-name")).to_have_text("试验园区")
    assert CODE not in page.url


def test_a_used_code_says_so_and_leads_to_the_form(opened: Opener, server: ScreenServer) -> None:
    server.codes.clear()
    page = opened(logged_in=False, path=f"#login={CODE}")
    expect(page.get_by_test_id("login-problem")).to_contain_text("已用过或已过期")
    expect(page.locator("[name=password]")).to_be_enabled()


def test_logging_out_leads_back_to_the_form(opened: Opener) -> None:
    page = opened()
    page.get_by_test_id("logout").click()
    expect(page.get_by_test_id("login")).to_be_visible()


def test_a_session_that_ends_asks_to_log_in_again(opened: Opener, server: ScreenServer) -> None:
    page = opened()
    expect(page.get_by_test_id("lamp")).to_have_attribute("data-state", "live")
    server.sessions.clear()
    server.drop_sockets()
    expect(page.get_by_test_id("login-problem")).to_have_text("登录已过期，请重新登录")
    page.fill("[name=username]", "op")
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    expect(page.get_by_test_id("lamp")).to_have_attribute("data-state", "live")


def test_a_server_that_fails_at_first_is_asked_again_by_hand(
    opened: Opener, server: ScreenServer
) -> None:
    server.fail["assets"] = 503
    page = opened()
    expect(page.locator("#message")).to_contain_text("无法读取园区模型：故障 fault")
    server.fail.clear()
    page.locator("#message button").click()
    expect(page.get_by_test_id("park-name")).to_have_text("试验园区")
