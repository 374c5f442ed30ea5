"""Health, metrics, documentation page: for people and programs that look after a node."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from api import health
from api.app import create_app
from api.language import Words
from api.problems import KINDS
from ingest.committer import Committer
from ingest.consume import ConsumerThread
from ingest.mqtt import MqttCounters
from tests.api.conftest import Login
from tests.api.parks import LEVEL
from tests.api.plant import Plant, now_ms
from tests.api.scripted import scripted_alarm

SCREEN = Path(__file__).parents[2] / "dashboards" / "screen"
METRICS = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_a_node_whose_checks_pass_is_ready(anyone: TestClient) -> None:
    assert anyone.get("/healthz").text == "ok\n"
    ready = anyone.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "wrong": {}})


def test_a_node_that_is_not_ready_says_what_is_wrong(plant: Plant, tmp_path: Path) -> None:
    def broken() -> Words | None:
        raise OSError("no such device")

    probes = {
        "broker": health.true(lambda: False, Words("代理未连接", "the broker is not connected")),
        "disk": health.disk_free(tmp_path, least_mb=2**40),
        "journal": health.true(lambda: True, Words("", "")),
        "sensor": broken,
    }
    with TestClient(create_app(plant.services(probes=probes))) as client:
        answer = client.get("/readyz")
        chinese = client.get("/readyz", headers={"Accept-Language": "zh"})
        assert client.get("/healthz").status_code == 200
    assert answer.status_code == 503
    wrong = answer.json()["wrong"]
    assert sorted(wrong) == ["broker", "disk", "sensor"]
    assert wrong["broker"] == "the broker is not connected"
    assert re.search(r"Only \d+ MB", wrong["disk"])
    assert "no such device" in wrong["sensor"]
    assert chinese.json()["wrong"]["broker"] == "代理未连接"


def test_a_consumer_that_is_behind_or_stopped_makes_the_node_unready(plant: Plant) -> None:
    thread = ConsumerThread(plant.journal, plant.history)
    probe = health.consumer(thread, most=10)
    stopped = probe()
    assert stopped is not None
    assert "history" in stopped.en
    thread.start()
    try:
        assert thread.drain()
        assert probe() is None
        thread.error = "disk full"
        stuck = probe()
        assert stuck is not None
        assert "disk full" in stuck.en
        thread.error = None
    finally:
        thread.stop()


def test_a_consumer_is_checked_without_being_asked_for(plant: Plant) -> None:
    thread = ConsumerThread(plant.journal, plant.history)
    with TestClient(create_app(plant.services(consumers=[thread]))) as client:
        assert list(client.get("/readyz").json()["wrong"]) == ["consumer history"]


@dataclass
class Link:
    """A connection to a broker, down."""

    counters: MqttCounters = field(default_factory=MqttCounters)
    connected: bool = False


def scrape(plant: Plant) -> str:
    """All metrics, with something of everything."""
    now = now_ms()
    plant.store(LEVEL, [(now - 1000, 0.4, 0), (now, 0.5, 0)])
    plant.twin.put(scripted_alarm())
    plant.gateways.seen({"GW-1": (now, 0)})
    thread = ConsumerThread(plant.journal, plant.history)
    probes = {"disk": health.true(lambda: True, Words("", ""))}
    services = plant.services(
        consumers=[thread],
        committer=Committer(plant.journal),
        mqtt=Link(),
        probes=probes,
        screen_dir=SCREEN,
    )
    with TestClient(create_app(services), client=("127.0.0.1", 50_000)) as client:
        client.get("/api/v1/park")
        client.request("BREW", "/api/v1/park")
        client.get("/api/v1/points/x/history")
        client.get("/app.js")
        client.get("/nothing/x")
        answer = client.get("/metrics")
        assert answer.status_code == 200
        return answer.text


def test_metrics_tell_what_the_node_took_in(plant: Plant) -> None:
    text = scrape(plant)
    assert 'parktwin_readings_stored_total{source="GW-1"} 2.0' in text
    assert 'parktwin_ledger_imbalance{source="GW-1"} 0.0' in text
    assert "parktwin_journal_readings_total 2.0" in text
    assert 'parktwin_alarms_open{priority="high"} 1.0' in text
    assert 'parktwin_consumer_lag_readings{consumer="history"} 2.0' in text
    assert 'parktwin_check_ok{check="disk"} 1.0' in text
    assert '{method="GET",route="/api/v1/park",status="401"} 1.0' in text
    assert 'method="other"' in text
    assert 'route="/api/v1/points/{point}/history"' in text
    assert "points/x/" not in text
    assert 'route="screen"' in text
    assert "parktwin_mqtt_connected 0.0" in text
    assert "app.js" not in text


def test_every_metric_is_documented_and_every_documented_metric_exists(plant: Plant) -> None:
    families = text_string_to_metric_families(scrape(plant))
    exposed = {
        (family.name + ("_total" if family.type == "counter" else ""), family.type)
        for family in families
        if family.name.startswith("parktwin_") and not family.name.endswith("_created")
    }
    rows = re.findall(r"^\| `(parktwin_\w+)` \| (\w+) \|", METRICS.read_text("utf-8"), re.M)
    assert exposed == set(rows)


def test_metrics_from_elsewhere_need_a_login_or_a_key(plant: Plant) -> None:
    with TestClient(create_app(plant.services()), client=("10.1.2.3", 50_000)) as client:
        assert client.get("/metrics").status_code == 401
        bearer = {"Authorization": f"Bearer {plant.key([])}"}
        assert client.get("/metrics", headers=bearer).status_code == 200
        client.post("/api/v1/session", json={"code": plant.code("viewer")})
        assert client.get("/metrics").status_code == 200
    with TestClient(create_app(plant.services()), client=("127.0.0.1", 50_000)) as client:
        assert client.get("/metrics").status_code == 200
        proxied = client.get("/metrics", headers={"X-Forwarded-For": "10.1.2.3"})
        assert proxied.status_code == 401


class Page(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One tag."""
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "style"
            if name in {"href", "src"} and value:
                self.links.append(value)
            if name == "id" and value:
                assert value not in self.anchors
                self.anchors.add(value)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_documentation_page_works_offline_and_under_the_policy(
    language: str, anyone: TestClient
) -> None:
    answer = anyone.get("/docs", headers={"Accept-Language": language})
    assert answer.headers["Content-Language"] == language
    page = Page()
    page.feed(answer.text)
    assert "script" not in page.tags
    assert set(KINDS) <= page.anchors
    for link in page.links:
        assert link.startswith(("#", "/"))
        if link.startswith("#"):
            assert link[1:] in page.anchors, link
        else:
            assert anyone.get(link).status_code == 200, link
    for path in anyone.get("/api/v1/openapi.json").json()["paths"]:
        assert path.replace("{", "{") in answer.text


def test_the_api_document_is_openapi_3_1_and_complete(anyone: TestClient) -> None:
    document = anyone.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), (method, path)
            answers = operation["responses"]
            assert "HTTPValidationError" not in str(answers), path
            if path.startswith("/api/"):
                assert "4XX" in answers
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_pages_of_the_framework_that_load_from_elsewhere_are_off(login: Login) -> None:
    client = login("admin")
    for path in ("/redoc", "/openapi.json", "/docs/oauth2-redirect"):
        assert client.get(path).status_code == 404
