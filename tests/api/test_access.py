"""Who may call what: sessions, roles, machine keys, forgery."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.attempts import Attempts
from api.services import Secrets
from tests.api.conftest import Login
from tests.api.parks import ENERGY, LEVEL
from tests.api.plant import PASSWORD, Plant, now_ms
from tests.api.scripted import scripted_alarm
from twin.records.audit import read_audit
from twin.records.people import Role, change_role, disable_user, find_user

Clients = dict[str, TestClient]

ALARM = f"level-high:{LEVEL}"

# (method, path, body, roles that may, machine keys may)
PEOPLE = {"viewer", "operator", "engineer", "admin"}
ADDRESSES: list[tuple[str, str, Any, set[str], bool]] = [
    ("GET", "/api/v1/session", None, PEOPLE, False),
    ("GET", "/api/v1/park", None, PEOPLE, False),
    ("GET", "/api/v1/assets", None, PEOPLE, False),
    ("GET", "/api/v1/assets/MH-1", None, PEOPLE, False),
    ("GET", "/api/v1/points", None, PEOPLE, True),
    ("GET", f"/api/v1/points/{LEVEL}/history", None, PEOPLE, True),
    ("GET", "/api/v1/twin", None, PEOPLE, True),
    ("GET", "/api/v1/alarms", None, PEOPLE, False),
    ("GET", "/api/v1/alarms/history", None, PEOPLE, False),
    ("POST", f"/api/v1/alarms/{ALARM}/ack", {"occurrence": 1}, PEOPLE - {"viewer"}, False),
    ("GET", "/api/v1/gateways", None, PEOPLE, False),
    ("GET", "/api/v1/ledger", None, PEOPLE, False),
    ("GET", "/api/v1/quarantine", None, {"engineer", "admin"}, False),
    ("GET", "/api/v1/audit/last", None, PEOPLE, False),
    ("POST", "/api/v1/audit", {}, PEOPLE - {"viewer"}, False),
    ("DELETE", "/api/v1/session", None, PEOPLE, False),
]
OPEN = {"/healthz", "/readyz", "/metrics"}


def ask(client: TestClient, method: str, path: str, body: Any) -> int:
    """The status of one request."""
    return client.request(method, path, json=body).status_code


def test_the_matrix_covers_every_documented_address(anyone: TestClient) -> None:
    document = anyone.get("/api/v1/openapi.json").json()
    documented = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    covered = {
        (m, p.replace("MH-1/", "{").replace(f"/{LEVEL}/", "/{point}/").replace(ALARM, "{alarm}"))
        for m, p, *_ in ADDRESSES
    }
    covered = {(m, p if not p.endswith("assets/MH-1") else p[:-4] + "{asset}") for m, p in covered}
    covered |= {("GET", path) for path in OPEN} | {("POST", "/api/v1/session")}
    assert covered == documented


@pytest.mark.parametrize("role", ["", "viewer", "operator", "engineer", "admin"])
def test_each_role_reaches_exactly_what_it_may(
    role: str, anyone: TestClient, login: Login, plant: Plant
) -> None:
    plant.twin.put(scripted_alarm())
    client = login(role) if role else anyone
    refused = 403 if role else 401
    for method, path, body, roles, _ in ADDRESSES:
        status = ask(client, method, path, body)
        if role in roles:
            assert status in {200, 204, 404}, (method, path, status)
            assert status != 404 or "/audit" in path
        else:
            assert status == refused, (method, path, status)


def test_a_machine_key_reads_points_and_nothing_else(anyone: TestClient, plant: Plant) -> None:
    key = plant.key([LEVEL], Role.ADMIN)
    anyone.headers["Authorization"] = f"Bearer {key}"
    plant.twin.put(scripted_alarm())
    for method, path, body, _, keys in ADDRESSES:
        assert ask(anyone, method, path, body) == (200 if keys else 403), (method, path)


def test_a_machine_key_sees_only_the_points_of_its_scope(anyone: TestClient, plant: Plant) -> None:
    plant.twin.set([0, 1, 2, 3], now_ms(), [1.0, 2.0, 3.0, 4.0])
    anyone.headers["Authorization"] = f"Bearer {plant.key(['ENT-1.*'])}"
    assert [row["point"] for row in anyone.get("/api/v1/points").json()] == [ENERGY]
    assert list(anyone.get("/api/v1/twin").json()["values"]) == [ENERGY]
    assert anyone.get(f"/api/v1/points/{ENERGY}/history").status_code == 200
    assert anyone.get(f"/api/v1/points/{LEVEL}/history").status_code == 404
    anyone.headers["Authorization"] = f"Bearer {plant.key(['*'])}"
    assert len(anyone.get("/api/v1/points").json()) == 4
    anyone.headers["Authorization"] = f"Bearer {plant.key([])}"
    assert anyone.get("/api/v1/points").json() == []


@pytest.mark.parametrize(
    "header",
    [
        "Bearer ",
        "Bearer x",
        "Bearer pk_0_0",
        "Bearer pk_" + "a" * 500,
        "bearer pk__",
        "Bearer pk_é",
    ],
)
def test_a_wrong_machine_key_is_refused(header: str, still: Clients) -> None:
    answer = still["nobody"].get(
        "/api/v1/points", headers={b"Authorization": header.encode("latin-1")}
    )
    assert answer.status_code == 401
    assert answer.json()["type"] == "/docs#key-refused"
    assert "Bearer" in answer.headers["WWW-Authenticate"]


def test_the_session_cookie_cannot_be_read_by_scripts_nor_sent_by_other_sites(
    anyone: TestClient, plant: Plant
) -> None:
    answer = anyone.post("/api/v1/session", json={"username": "viewer", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    for word in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert word in cookie
    assert "Secure" not in cookie
    with TestClient(create_app(plant.services()), base_url="https://park.example") as secure:
        answer = secure.post("/api/v1/session", json={"username": "viewer", "password": PASSWORD})
        assert "Secure" in answer.headers["set-cookie"]


def test_a_change_needs_the_csrf_token_of_its_own_session(login: Login, plant: Plant) -> None:
    plant.twin.put(scripted_alarm())
    client = login("operator")
    good = client.headers.pop("X-CSRF-Token")
    path, body = f"/api/v1/alarms/{ALARM}/ack", {"occurrence": 1}
    for wrong in (
        {},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": good[:-1]},
        {"X-CSRF-Token": "x" * 99},
    ):
        answer = client.post(path, json=body, headers=wrong)
        assert (answer.status_code, answer.json()["type"]) == (403, "/docs#csrf")
    assert plant.twin.open[ALARM].unacked
    assert client.post(path, json=body, headers={"X-CSRF-Token": good}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_cannot_log_in_or_change_anything(
    headers: dict[str, str], login: Login, plant: Plant
) -> None:
    plant.twin.put(scripted_alarm())
    client = login("operator")
    answer = client.post(f"/api/v1/alarms/{ALARM}/ack", json={"occurrence": 1}, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "/docs#cross-origin")
    answer = client.post("/api/v1/session", json={"code": plant.code("viewer")}, headers=headers)
    assert answer.status_code == 403


def test_behind_a_proxy_the_public_address_is_our_own_site(plant: Plant) -> None:
    services = plant.services(public_url="https://park.example")
    with TestClient(create_app(services)) as client:
        proof = {"code": plant.code("viewer")}
        origin = {"Origin": "https://park.example"}
        assert client.post("/api/v1/session", json=proof, headers=origin).status_code == 200


def test_a_form_cannot_pass_for_json(login: Login, plant: Plant) -> None:
    plant.twin.put(scripted_alarm())
    client = login("operator")
    for media in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = client.post(
            f"/api/v1/alarms/{ALARM}/ack",
            content=b'{"occurrence": 1}',
            headers={"Content-Type": media},
        )
        assert answer.status_code == 415, media


def test_a_one_time_code_works_once(anyone: TestClient, plant: Plant) -> None:
    code = plant.code("engineer")
    first = anyone.post("/api/v1/session", json={"code": code})
    assert first.status_code == 200
    assert first.json()["role"] == "engineer"
    again = anyone.post("/api/v1/session", json={"code": code})
    assert (again.status_code, again.json()["type"]) == (401, "/docs#login-refused")


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"username": "viewer"},
        {"password": "x"},
        {"username": "viewer", "password": "x", "code": "x"},
        {"username": "", "password": "x"},
        {"username": "viewer", "password": "x" * 201},
        {"username": ["viewer"], "password": {}},
        {"code": 7},
        {"code": "x", "admin": True},
        {"username": "\ud800", "password": "x"},
        [],
        None,
        "code",
    ],
)
def test_a_login_of_the_wrong_form_is_a_422(proof: Any, still: Clients) -> None:
    answer = still["nobody"].post(
        "/api/v1/session",
        content=json.dumps(proof),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_wrong_passwords_make_the_next_attempt_wait(anyone: TestClient) -> None:
    guess = {"username": "admin", "password": "wrong wrong wrong"}
    statuses = [anyone.post("/api/v1/session", json=guess).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    right = anyone.post("/api/v1/session", json={"username": "admin", "password": PASSWORD})
    assert right.status_code == 429
    assert 1 <= int(right.headers["Retry-After"]) <= 16
    other = anyone.post("/api/v1/session", json={"username": "viewer", "password": PASSWORD})
    assert other.status_code == 200


def test_failed_and_good_logins_are_in_the_audit_trail(anyone: TestClient, plant: Plant) -> None:
    anyone.post("/api/v1/session", json={"username": "admin", "password": "wrong wrong"})
    anyone.post("/api/v1/session", json={"username": "admin", "password": PASSWORD})
    with plant.records.reading() as unit:
        deeds = [(entry.who, entry.action) for entry in read_audit(unit)]
    assert deeds == [("admin", "login"), ("admin", "login refused")]


def test_logging_out_ends_the_session_at_once(login: Login) -> None:
    client = login("viewer")
    cookie = client.cookies["parktwin_session"]
    assert client.get("/api/v1/park").status_code == 200
    assert client.delete("/api/v1/session").status_code == 204
    client.cookies.set("parktwin_session", cookie)
    assert client.get("/api/v1/park").status_code == 401


def test_a_session_ends_after_a_shift(plant: Plant) -> None:
    ahead = 0
    services = plant.services(now_ms=lambda: now_ms() + ahead)
    with TestClient(create_app(services)) as client:
        answer = client.post("/api/v1/session", json={"code": plant.code("viewer")})
        assert 11.9 < (answer.json()["expires_at"] - now_ms()) / 3_600_000 < 12.1
        ahead = 11 * 3_600_000
        assert client.get("/api/v1/park").status_code == 200
        ahead = 12 * 3_600_000 + 1_000
        assert client.get("/api/v1/park").status_code == 401


def test_a_new_role_and_a_disabled_account_are_in_force_at_once(login: Login, plant: Plant) -> None:
    client = login("viewer")
    assert client.get("/api/v1/quarantine").status_code == 403
    with plant.records.unit() as unit:
        user = find_user(unit, "viewer")
        assert user is not None
        change_role(unit, user, Role.ENGINEER, now_ms())
    time.sleep(0.4)
    assert client.get("/api/v1/quarantine").status_code == 200
    with plant.records.unit() as unit:
        disable_user(unit, user, now_ms())
    time.sleep(0.4)
    assert client.get("/api/v1/quarantine").status_code == 401


@pytest.mark.parametrize(
    "cookie", ["", "x", "x" * 5000, "null", "a b", "é", "../..", "' OR 1=1 --"]
)
def test_a_made_up_cookie_is_no_session(cookie: str, still: Clients) -> None:
    header = f"parktwin_session={cookie}".encode("latin-1")
    answer = still["nobody"].get("/api/v1/park", headers={b"Cookie": header})
    assert answer.status_code == 401


def test_a_pepper_that_was_not_made_at_random_is_refused() -> None:
    for poor in (b"", b"secret", b"0" * 64, b"changeme" * 8):
        with pytest.raises(ValueError):
            Secrets(poor)


def test_attempts_double_the_wait_and_forget() -> None:
    attempts = Attempts()
    for _ in range(4):
        attempts.begin("10.0.0.1", "admin", 0.0)
    assert attempts.wait("10.0.0.1", "admin", 0.0) == 0
    waits = []
    for _ in range(8):
        attempts.begin("10.0.0.1", "admin", 0.0)
        waits.append(attempts.wait("10.0.0.1", "admin", 0.0))
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900]
    assert attempts.wait("10.0.0.2", "admin", 0.0) == 0
    attempts.begin("10.0.0.1", "admin", 5_000.0)
    assert attempts.wait("10.0.0.1", "admin", 5_000.0) == 0


def test_attempts_stop_one_address_that_tries_many_names() -> None:
    attempts = Attempts()
    for number in range(40):
        assert attempts.wait("10.0.0.1", f"user{number}", 0.0) == 0
        attempts.begin("10.0.0.1", f"user{number}", 0.0)
    assert attempts.wait("10.0.0.1", "fresh", 0.0) > 0


def test_good_logins_do_not_count_against_an_address() -> None:
    attempts = Attempts()
    for _ in range(200):
        assert attempts.wait("10.0.0.1", "admin", 0.0) == 0
        attempts.begin("10.0.0.1", "admin", 0.0)
        attempts.succeeded("10.0.0.1", "admin")
    assert attempts.wait("10.0.0.1", "admin", 0.0) == 0


def test_attempts_remember_a_bounded_number_of_names() -> None:
    attempts = Attempts()
    for number in range(20_000):
        attempts.begin(f"10.0.{number // 250}.{number % 250}", f"user{number}", 0.0)
    assert len(attempts) <= 10_000
