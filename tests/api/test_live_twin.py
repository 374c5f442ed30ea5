"""The API over the real live twin: from a reading in the journal to a screen, and back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.shapes import Alarm, AlarmHistory
from ingest.consume import ConsumerThread
from ingest.live import LiveTwin
from ingest.readings import Readings
from tests.api.parks import LEVEL, OTHER
from tests.api.plant import Plant, now_ms
from tests.api.running import cookie, running
from tests.api.test_live import opened, until

ID = f"level-high:{LEVEL}"


@pytest.fixture
def twin(plant: Plant, tmp_path: Path) -> Iterator[LiveTwin]:
    """The real twin, fed from the plant's journal by its own thread."""
    made = LiveTwin.open(plant.park, plant.journal, plant.records, tmp_path / "twin.npz")
    thread = ConsumerThread(plant.journal, made, min_batch_ms=10)
    thread.start()
    yield made
    thread.stop()
    made.close()


def level(plant: Plant, value: float, point: str = LEVEL) -> int:
    """Journal one reading; its time."""
    index = plant.journal.points.index(point)
    assert index is not None
    now = now_ms()
    plant.journal.append(Readings.of([index], [now], [value], [0]), source="GW-1")
    return now


def test_a_reading_beyond_its_limit_is_an_alarm_on_the_socket(plant: Plant, twin: LiveTwin) -> None:
    with running(plant.services(live=twin)) as address:
        session = cookie(address, plant)
        with opened(address, session) as live:
            assert until(live, lambda m: m["type"] == "snapshot")["values"][0] is None
            ts = level(plant, 2.75)
            begun = time.monotonic()
            raised = until(live, lambda m: bool(m.get("alarms")))
            print(f"journal to WebSocket: {(time.monotonic() - begun) * 1000:.0f} ms")
            alarm = Alarm.model_validate(raised["alarms"][0])
            assert (alarm.id, alarm.state, alarm.value) == (ID, "UNACK", 2.75)
            if not raised["values"]:
                raised = until(live, lambda m: bool(m["values"]))
            assert raised["values"] == [[0, 2.75, ts, 0]]
        with opened(address, session) as again:
            first = until(again, lambda m: m["type"] == "snapshot")
            assert first["values"][0] == [2.75, ts, 0]
            assert first["alarms"][0]["id"] == ID


def test_acknowledging_meets_the_recurrence_of_the_real_alarm(plant: Plant, twin: LiveTwin) -> None:
    def wait_for(occurrence: int) -> None:
        until_ = time.monotonic() + 10
        while time.monotonic() < until_:
            found = {a.id: a for a in twin.alarms()}.get(ID)
            if found is not None and found.active and found.occurrence == occurrence:
                return
            time.sleep(0.01)
        pytest.fail(f"occurrence {occurrence} did not come: {twin.alarms()}")

    with TestClient(create_app(plant.services(live=twin))) as client:
        answer = client.post("/api/v1/session", json={"code": plant.code("operator")})
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        level(plant, 2.75)
        wait_for(1)
        seen = client.get("/api/v1/alarms").json()["alarms"][0]["occurrence"]
        level(plant, 1.0)
        time.sleep(0.05)
        level(plant, 2.9)
        wait_for(2)
        late = client.post(f"/api/v1/alarms/{ID}/ack", json={"occurrence": seen})
        assert late.status_code == 409
        assert late.json()["current"]["occurrence"] == 2
        now = client.post(f"/api/v1/alarms/{ID}/ack", json={"occurrence": 2, "comment": "ok"})
        assert now.status_code == 200
        assert Alarm.model_validate(now.json()).state == "ACKED"
        steps = AlarmHistory.model_validate(client.get("/api/v1/alarms/history").json())
        kinds = [(row.kind, row.occurrence) for row in reversed(steps.transitions)]
        assert kinds == [("raised", 1), ("cleared", 1), ("raised", 2), ("acknowledged", 2)]
        assert steps.transitions[0].user == "operator"
        never = client.post(f"/api/v1/alarms/level-high:{OTHER}/ack", json={"occurrence": 1})
        assert never.status_code == 404


def test_the_snapshot_of_the_twin_is_what_was_stored(plant: Plant, twin: LiveTwin) -> None:
    with TestClient(create_app(plant.services(live=twin))) as client:
        client.post("/api/v1/session", json={"code": plant.code("viewer")})
        assert client.get("/api/v1/twin").json()["values"] == {}
        first, second = level(plant, 0.5), level(plant, 0.7, OTHER)
        end = time.monotonic() + 10
        while len(client.get("/api/v1/twin").json()["values"]) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        values = client.get("/api/v1/twin").json()["values"]
    assert values == {LEVEL: [0.5, first, 0], OTHER: [0.7, second, 0]}
