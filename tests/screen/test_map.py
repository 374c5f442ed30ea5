"""The map, drawn by the processor: assets by state, alarm pulses, clicks, layers, language."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.screen.conftest import Opener
from tests.screen.server import ScreenServer


@pytest.fixture
def mapped(opened: Opener, map_browser: Browser, server: ScreenServer) -> Page:
    """The page with its map drawn."""
    page = opened(using=map_browser, width=1366, height=768)
    expect(page.locator("#map")).to_have_attribute("data-ready", "true", timeout=90_000)
    return page


DISTANCES = """() => {
  const { map, context } = parktwin.screen.map;
  const box = map.getCanvas().getBoundingClientRect();
  return [...document.querySelectorAll('[data-testid=pulse]')].map((pulse) => {
    const rect = pulse.getBoundingClientRect();
    const spot = map.project(context.model.assets.get(pulse.dataset.asset).geometry.coordinates);
    return Math.hypot(
      rect.x + rect.width / 2 - box.x - spot.x, rect.bottom + 6 - box.y - spot.y);
  });
}"""
"""How far each marker's foot is from its asset, in pixels."""


def until(page: Page, condition: str) -> None:
    """Waits for an expression of the page; the page's policy forbids it to evaluate strings."""
    end = time.monotonic() + 30
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(100)


def state(page: Page, asset: str) -> dict[str, Any]:
    """What the map shows of an asset."""
    found: dict[str, Any] = page.evaluate("id => parktwin.mapState().assets[id] ?? {}", asset)
    return found


def test_the_map_shows_values_alarms_and_staleness_and_answers_clicks(
    mapped: Page, server: ScreenServer
) -> None:
    page = mapped
    server.set("MH-1.level", 1.87)
    until(page, "parktwin.mapState().assets['MH-1'].value === '1.87'")
    assert state(page, "MH-1") == {"alarm": 0, "fresh": "good", "value": "1.87"}

    # Several, so that each must stand over its own asset and not beside the one before.
    for point in ("AIR-1.pm25", "PM-1.active_power", "OF-1.cod"):
        server.raise_alarm(point, "low")
    server.raise_alarm("MH-1.level", "critical")
    pulse = page.locator("[data-testid=pulse][data-asset='MH-1']")
    expect(pulse).to_have_attribute("data-priority", "critical")
    until(page, "parktwin.mapState().assets['MH-1'].alarm === 1")
    expect(page.get_by_test_id("pulse")).to_have_count(4)
    for away in page.evaluate(DISTANCES):
        assert away < 3
    pulse.click()
    expect(page.get_by_test_id("panel-name")).to_have_text("一号井")
    assert page.evaluate("parktwin.mapState().selected") == "MH-1"

    server.set("OF-1.cod", 80.0, age_s=500)
    until(page, "parktwin.mapState().assets['OF-1'].fresh === 'stale'")

    # The selection flies to the asset: it is in the middle of the map, and a click there finds it.
    page.get_by_test_id("search").fill("B-3")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("panel-name")).to_have_text("仓库")
    page.get_by_test_id("panel-close").click()
    spot = page.evaluate(
        """() => {
          const map = parktwin.screen.map.map;
          const features = map.queryRenderedFeatures({ layers: ['building-roof'] });
          const box = map.getCanvas().getBoundingClientRect();
          const { x, y } = map.project(map.getCenter());
          return [features.map((feature) => feature.properties.id), box.x + x, box.y + y];
        }"""
    )
    assert "B-3" in spot[0]
    page.mouse.click(spot[1], spot[2])
    expect(page.get_by_test_id("panel-name")).to_have_text("仓库")


def test_layers_and_language_reach_the_map(mapped: Page) -> None:
    page = mapped
    visible = "id => parktwin.screen.map.map.getLayoutProperty(id, 'visibility')"
    page.get_by_test_id("layer-buildings").click()
    assert page.evaluate(visible, "building-roof") == "none"
    page.get_by_test_id("layer-buildings").click()
    assert page.evaluate(visible, "building-roof") == "visible"
    field = "parktwin.screen.map.map.getLayoutProperty('grid-label', 'text-field')"
    assert page.evaluate(field) == ["get", "name_zh"]
    page.get_by_test_id("language").click()
    assert page.evaluate(field) == ["get", "name_en"]
    page.get_by_test_id("map-tilt").click()
    until(page, "parktwin.screen.map.map.getPitch() === 0")
