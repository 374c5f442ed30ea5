"""Open alarms, their history, and acknowledging the occurrence that was seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from starlette.testclient import TestClient

from api.shapes import Alarm, AlarmHistory
from tests.api.conftest import Login
from tests.api.parks import LEVEL
from tests.api.plant import Plant, now_ms
from tests.api.scripted import scripted_alarm
from twin.alarms.machine import State
from twin.alarms.standing import Kind, Transition
from twin.model import Name
from twin.records.alarms import append_transitions
from twin.records.audit import read_audit

ID = f"level-high:{LEVEL}"
ACK = f"/api/v1/alarms/{ID}/ack"


def test_an_acknowledged_alarm_names_who_did_it(login: Login, plant: Plant) -> None:
    plant.twin.put(scripted_alarm(occurrence=3))
    answer = login("operator").post(ACK, json={"occurrence": 3, "comment": "on my way"})
    assert answer.status_code == 200
    alarm = Alarm.model_validate(answer.json())
    assert (alarm.state, alarm.acked_by) == ("ACKED", "operator")
    with plant.records.reading() as unit:
        deed = read_audit(unit, limit=1)[0]
    assert (deed.who, deed.action, deed.object) == ("operator", "acknowledge", f"alarm:{ID}")
    assert deed.after == {"occurrence": 3, "comment": "on my way"}


def test_an_alarm_that_occurred_again_is_not_acknowledged_unseen(
    login: Login, plant: Plant
) -> None:
    plant.twin.put(scripted_alarm(occurrence=1))
    client = login("operator")
    seen = client.get("/api/v1/alarms").json()["alarms"][0]["occurrence"]
    plant.twin.put(scripted_alarm(occurrence=2, value=3.1))
    answer = client.post(ACK, json={"occurrence": seen})
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["type"] == "/docs#stale-occurrence"
    assert Alarm.model_validate(problem["current"]).occurrence == 2
    assert plant.twin.open[ID].unacked
    again = client.post(ACK, json={"occurrence": problem["current"]["occurrence"]})
    assert again.status_code == 200


def test_of_a_click_and_a_recurrence_at_the_same_time_one_wins(login: Login, plant: Plant) -> None:
    client = login("operator")

    def click(occurrence: int) -> int:
        return client.post(ACK, json={"occurrence": occurrence}).status_code

    with ThreadPoolExecutor(2) as two:
        for occurrence in range(1, 21):
            alarm = scripted_alarm(occurrence=occurrence)
            plant.twin.put(alarm)
            clicked = two.submit(click, occurrence)
            recurred = two.submit(plant.twin.put, replace(alarm, occurrence=occurrence + 1))
            recurred.result()
            assert clicked.result() in {200, 409}
            assert plant.twin.open[ID].unacked
            plant.twin.open.clear()


def test_a_word_that_no_database_can_hold_is_refused(login: Login, plant: Plant) -> None:
    plant.twin.put(scripted_alarm(occurrence=1))
    client = login("operator")
    for body in ({"occurrence": 1, "comment": "a\0b"}, {"occurrence": 1, "comment": "\0"}):
        answer = client.post(ACK, json=body, headers={"Accept-Language": "en"})
        assert (answer.status_code, answer.json()["type"]) == (422, "/docs#invalid")
        assert answer.json()["errors"] == [
            {"in": "body", "field": "comment", "problem": "has a character that cannot be kept"}
        ]
    assert plant.twin.open[ID].unacked
    proof = {"username": "a\0b", "password": "x"}
    assert client.post("/api/v1/session", json=proof).status_code == 422
    fine = client.post(ACK, json={"occurrence": 1, "comment": "第一行\nsecond line"})
    assert fine.status_code == 200


def test_an_alarm_that_is_not_open_cannot_be_acknowledged(login: Login) -> None:
    answer = login("operator").post(ACK, json={"occurrence": 1})
    assert (answer.status_code, answer.json()["type"]) == (404, "/docs#unknown-alarm")
    assert ID in answer.json()["detail"]


def transition(kind: Kind, occurrence: int, at: int, point: str = LEVEL) -> Transition:
    """One recorded step."""
    raised = kind is Kind.RAISED
    return Transition(
        alarm=f"level-high:{point}",
        rule="level-high",
        point=point,
        occurrence=occurrence,
        kind=kind,
        before=State.NORM if raised else State.UNACK,
        after=State.UNACK if raised else State.RTN_UNACK,
        at=at,
        recorded_at=at + 50,
        value=2.6,
        limit=2.5,
        unit="m",
        priority="high",
        message=Name("液位 2.6 m", "Level 2.6 m"),
        annunciate=raised,
    )


def pages(client: TestClient, query: str) -> list[int]:
    """Sequence numbers over all pages, in order."""
    found: list[int] = []
    before = ""
    while True:
        answer = client.get(f"/api/v1/alarms/history?{query}{before}").json()
        shown = AlarmHistory.model_validate(answer)
        found += [row.seq for row in shown.transitions]
        if shown.next is None:
            return found
        before = f"&before={shown.next}"


def test_the_history_of_alarms_is_paged_newest_first(login: Login, plant: Plant) -> None:
    now = now_ms()
    steps = []
    for occurrence in range(1, 6):
        steps.append(transition(Kind.RAISED, occurrence, now + occurrence * 10))
        steps.append(transition(Kind.CLEARED, occurrence, now + occurrence * 10 + 5))
    steps.append(transition(Kind.RAISED, 1, now, "MH-2.level"))
    with plant.records.unit() as unit:
        append_transitions(unit, steps)
    client = login("viewer")
    everything = pages(client, "limit=4")
    assert everything == sorted(everything, reverse=True)
    assert len(everything) == 11
    assert len(pages(client, "point=MH-2.level")) == 1
    assert len(pages(client, f"alarm={ID}&limit=3")) == 10
    assert len(pages(client, f"from={now + 20}&to={now + 30}")) == 2
