"""Answers have the shapes that the API document promises, and are cheap to ask for again."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from starlette.testclient import TestClient

from api import shapes
from api.app import create_app
from edge.wire import BoxState, ConfigReported, State
from ingest.audit import AuditReport
from ingest.ledger import Rejected
from tests.api.conftest import Login
from tests.api.parks import ENERGY, LEVEL
from tests.api.plant import Plant, now_ms
from tests.api.scripted import scripted_alarm

SHAPES: dict[str, Any] = {
    "session": shapes.Session,
    "park": shapes.Park,
    "assets": shapes.FeatureCollection,
    "assets?type=manhole": shapes.FeatureCollection,
    "assets/MH-1": shapes.RelatedFeature,
    "points": list[shapes.Point],
    f"points/{LEVEL}/history": shapes.History,
    f"points/{LEVEL}/history?every=1m&agg=max": shapes.History,
    "twin": shapes.Twin,
    "alarms": shapes.Alarms,
    "alarms/history": shapes.AlarmHistory,
    "gateways": shapes.Gateways,
    "ledger": shapes.Ledger,
    "quarantine": shapes.Quarantine,
}


def fill(plant: Plant) -> None:
    """Something of everything."""
    now = now_ms()
    plant.store(LEVEL, [(now - 60_000, 0.4, 0), (now - 1_000, float("nan"), 134)])
    plant.twin.set([0], now, [0.4])
    plant.twin.put(scripted_alarm())
    plant.gateways.presence("GW-1", True, now, retained=False)
    plant.gateways.state("GW-1", State([BoxState("b1", 1, 20, 15)]), now, retained=False)
    plant.gateways.configured("GW-1", ConfigReported(1, "applied", now))
    plant.gateways.seen({"GW-NEW": (now, 0)})
    draft = plant.journal.draft(now)
    for number in range(5):
        draft.rejected.append(
            Rejected(
                "GW-1",
                "b1",
                number,
                "park/GW-1/up",
                "unknown-point",
                "no such point",
                b'{"x":"\xff\x00' + b"y" * 5_000 + b'"}',
                now,
            )
        )
    draft.box("GW-1", "b1", "native").quarantined += 5
    plant.journal.commit(draft)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, accounts: Path) -> Iterator[TestClient]:
    """An administrator's client of a park with something of everything."""
    plant = Plant.build(tmp_path_factory.mktemp("filled"), accounts)
    fill(plant)
    with TestClient(create_app(plant.services())) as client:
        client.post("/api/v1/session", json={"code": plant.code("admin")})
        yield client
    plant.close()


@pytest.mark.parametrize("path", sorted(SHAPES))
def test_an_answer_has_its_documented_shape(path: str, filled: TestClient) -> None:
    answer = filled.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    TypeAdapter(SHAPES[path]).validate_json(answer.content, strict=True)


def test_the_twin_holds_the_last_reading_of_each_point(login: Login, plant: Plant) -> None:
    fill(plant)
    values = login("viewer").get("/api/v1/twin").json()["values"]
    assert list(values) == [LEVEL]
    assert values[LEVEL][0] == 0.4


def test_assets_are_geojson_with_their_points_and_relations(login: Login) -> None:
    client = login("viewer")
    features = client.get("/api/v1/assets?type=enterprise").json()["features"]
    assert [row["id"] for row in features] == ["ENT-1"]
    assert features[0]["properties"]["points"] == [ENERGY]
    manhole = client.get("/api/v1/assets/MH-2").json()
    assert manhole["relations"] == [{"relation": "drains_to", "direction": "in", "asset": "MH-1"}]


def test_a_gateway_tells_what_it_still_has_to_send(login: Login, plant: Plant) -> None:
    fill(plant)
    known, new = login("viewer").get("/api/v1/gateways").json()["gateways"]
    assert (known["id"], known["online"], known["waiting"]) == ("GW-1", True, 5)
    assert known["details"]["boxes"] == [{"box": "b1", "oldest": 1, "newest": 20, "acked": 15}]
    assert new["id"] == "GW-NEW"


def test_quarantined_rows_are_paged_and_show_what_arrived(login: Login, plant: Plant) -> None:
    fill(plant)
    client = login("engineer")
    found, after = [], 0
    while True:
        page = client.get(f"/api/v1/quarantine?limit=2&after={after}&source=GW-1").json()
        found += page["rows"]
        if page["next"] is None:
            break
        after = page["next"]
    assert [row["sequence"] for row in found] == [0, 1, 2, 3, 4]
    assert found[0]["size"] == 5_010
    assert found[0]["text"].startswith('{"x":"�')
    assert len(found[0]["text"]) <= 2_048


def report() -> AuditReport:
    """An audit that found nothing to compare."""
    return AuditReport(at=now_ms(), first=0, end=0, days=(), influx=(), boxes=())


def test_the_last_audit_is_shown_with_its_verdict_in_both_languages(plant: Plant) -> None:
    services = plant.services(last_audit=report)
    with TestClient(create_app(services)) as client:
        client.post("/api/v1/session", json={"code": plant.code("viewer")})
        shown = client.get("/api/v1/audit/last").json()
    assert shown["ok"] is True
    assert "0 readings" in shown["sentence"]["en"]
    assert shown["sentence"]["zh"]
    assert (shown["first"], shown["end"], shown["days"]) == (0, 0, [])


def test_one_audit_runs_at_a_time(plant: Plant) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> AuditReport:
        begun.set()
        assert go_on.wait(10)
        return report()

    with TestClient(create_app(plant.services(run_audit=slow))) as client:
        answer = client.post("/api/v1/session", json={"code": plant.code("operator")})
        headers = {"X-CSRF-Token": answer.json()["csrf"]}
        with ThreadPoolExecutor(1) as other:
            first = other.submit(client.post, "/api/v1/audit", headers=headers)
            assert begun.wait(10)
            second = client.post("/api/v1/audit", headers=headers)
            go_on.set()
            assert first.result().status_code == 200
        assert (second.status_code, second.headers["Retry-After"]) == (503, "10")
        assert client.post("/api/v1/audit", headers=headers).json()["ok"] is True


@pytest.mark.parametrize("path", ["park", "assets", "points"])
def test_the_model_is_not_sent_twice(path: str, filled: TestClient) -> None:
    client = filled
    first = client.get(f"/api/v1/{path}")
    again = client.get(f"/api/v1/{path}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"/api/v1/{path}", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_large_answers_are_compressed_for_those_who_take_it(login: Login, plant: Plant) -> None:
    plant.store(LEVEL, [(now_ms() - i * 1_000, 1.0, 0) for i in range(2_000)])
    client = login("viewer")
    url = f"/api/v1/points/{LEVEL}/history"
    with client.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        raw = b"".join(packed.iter_raw())
    plain = client.get(url, headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "Content-Encoding" not in plain.headers
    assert len(raw) < len(plain.content) / 3
    assert gzip.decompress(raw)[:20] == plain.content[:20]
