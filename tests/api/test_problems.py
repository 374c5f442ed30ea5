"""Every refusal is a problem document that says what to do, in the caller's language."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.errors import BODY_LIMIT
from api.language import Language, preferred
from api.problems import KINDS, Problem
from api.shapes import Problem as ProblemShape
from tests.api.conftest import Login
from tests.api.parks import LEVEL
from tests.api.plant import Plant
from twin.records import RecordsUnavailable

Clients = dict[str, TestClient]

NASTY = [
    "\x00",
    "a\x00b",
    "\n\r\t",
    "\x1b[31m",
    "\u202eevil",
    "..",
    "../../etc/passwd",
    "%2e%2e",
    "' OR 1=1 --",
    '";DROP TABLE alarm;--',
    "<script>alert(1)</script>",
    "x" * 5_000,
    "🐟" * 300,
    "{id}",
    "{0.__class__}",
    " ",
    "𝕏\ufffe",
]
PATHS = ["assets/{}", "points/{}/history", "alarms/{}/ack"]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("zh;q=0.2, en;q=0.1", "zh"),
        ("fr, de", "en"),
        ("zh;q=0", "en"),
        ("*", "en"),
        ("zh;q=nan", "en"),
        ("zh;q=9", "en"),
        ("ZH", "zh"),
        (";;;,,,q=", "en"),
        ("zh-Hant-TW", "zh"),
    ],
)
def test_the_language_is_the_one_the_caller_ranks_first(header: str | None, language: str) -> None:
    assert preferred(header) == language


def test_a_problem_says_the_same_in_both_languages(still: Clients) -> None:
    english = still["nobody"].get("/api/v1/park", headers={"Accept-Language": "en"})
    chinese = still["nobody"].get("/api/v1/park", headers={"Accept-Language": "zh-CN"})
    for answer in (english, chinese):
        assert answer.headers["Content-Type"] == "application/problem+json"
        document = ProblemShape.model_validate(answer.json())
        assert (document.type, document.status) == ("/docs#not-logged-in", 401)
        assert document.instance == "/api/v1/park"
        assert "Accept-Language" in answer.headers["Vary"]
    assert english.json()["title"] == "Not logged in"
    assert chinese.json()["title"] == "未登录"
    assert chinese.headers["Content-Language"] == "zh"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_complete_in_both_languages(kind: str) -> None:
    names = ("origin", "needed", "path", "id", "method", "sent", "occurrence", "limit", "fields")
    more = ("reason_zh", "reason_en", "reason", "wait", "request")
    words: dict[str, Any] = dict.fromkeys((*names, *more), "W")
    problem = Problem(kind, **words)
    languages: tuple[Language, ...] = ("zh", "en")
    for language in languages:
        document = problem.document(language, "/x")
        assert all(str(value).strip() for value in document.values())
        assert "{" not in document["detail"]
    english, chinese = problem.document("en", "/x"), problem.document("zh", "/x")
    assert english["title"] != chinese["title"]
    assert english["advice"] != chinese["advice"]


def test_a_field_error_names_the_field_in_the_callers_language(still: Clients) -> None:
    client = still["operator"]
    answer = client.post(
        "/api/v1/alarms/a:b/ack",
        json={"occurrence": 0, "coment": "x"},
        headers={"Accept-Language": "zh"},
    )
    assert answer.status_code == 422
    errors = {row["field"]: row for row in answer.json()["errors"]}
    assert errors["occurrence"] == {"in": "body", "field": "occurrence", "problem": "不得小于 1"}
    assert errors["coment"]["problem"] == "没有此字段"
    query = client.get("/api/v1/quarantine?limit=-5")
    assert query.status_code == 403
    history = client.get(f"/api/v1/points/{LEVEL}/history?limit=-5&every=2m&agg=median")
    assert history.status_code == 422
    fields = {row["field"]: row["problem"] for row in history.json()["errors"]}
    assert fields["limit"] == "must be at least 1"
    assert "'1m'" in fields["every"]
    assert set(fields) == {"limit", "every", "agg"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("text", NASTY)
def test_nasty_ids_are_answered_with_a_short_problem(path: str, text: str, still: Clients) -> None:
    client = still["admin"]
    url = "/api/v1/" + path.format(quote(text, safe=""))
    if path.endswith("ack"):
        answer = client.post(url, json={"occurrence": 1, "comment": text[:900]})
    else:
        answer = client.get(url)
    assert 400 <= answer.status_code < 500, answer.text
    document = ProblemShape.model_validate(answer.json())
    assert len(document.detail) < 400
    assert all(c.isprintable() for c in document.detail)


@pytest.mark.parametrize(
    "query",
    [
        "from=abc",
        "from=1e9",
        "from=-1",
        "from=99999999999999999999",
        "from=9999-12-31T23:59:59Z",
        "from=0001-01-01",
        "from=2026-02-30",
        "from=2026-01-02&to=2026-01-01",
        "from=2020-01-01&to=2026-01-01",
        "from=1970-01-01&to=2099-01-01&every=1m",
        "from=%00",
        "from=" + "9" * 500,
        "from=١٢٣",
        "to=",
        "limit=0",
        "limit=100001",
        "limit=1e3",
        "limit=" + "9" * 500,
        "every=",
        "every=raw&every=1y",
        "format=xml",
        "agg=__class__",
    ],
)
def test_nasty_ranges_are_answered_with_a_problem(query: str, still: Clients) -> None:
    answer = still["viewer"].get(f"/api/v1/points/{LEVEL}/history?{query}")
    assert answer.status_code == 422, answer.text
    ProblemShape.model_validate(answer.json())


@pytest.mark.parametrize(
    "path",
    [
        "quarantine?after=-1",
        "quarantine?limit=501",
        "quarantine?after=99999999999999999999999",
        "alarms/history?limit=0",
        "alarms/history?before=0",
        "alarms/history?from=-1",
        "alarms/history?from=99999999999999999999999",
        f"assets?type={'x' * 101}",
    ],
)
def test_numbers_out_of_bounds_are_refused(path: str, still: Clients) -> None:
    assert still["admin"].get(f"/api/v1/{path}").status_code == 422


@pytest.mark.parametrize("text", NASTY)
def test_nasty_filters_find_nothing(text: str, still: Clients) -> None:
    client = still["admin"]
    value = quote(text[:90], safe="")
    assert client.get(f"/api/v1/assets?type={value}").json()["features"] == []
    assert client.get(f"/api/v1/quarantine?source={value}").json()["rows"] == []
    answer = client.get(f"/api/v1/alarms/history?point={value}&alarm={value}")
    assert answer.json()["transitions"] == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"NaN", b'{"occurrence": 1e400}', b"null"]
)
def test_a_body_that_cannot_be_read_is_a_problem(body: bytes, still: Clients) -> None:
    answer = still["operator"].post(
        "/api/v1/alarms/a:b/ack", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in {400, 422}, answer.text
    ProblemShape.model_validate(answer.json())


@pytest.mark.parametrize("number", ["true", '"1"', "1.5", "[1]", "null", "9007199254740993"])
def test_an_occurrence_is_a_whole_number(number: str, still: Clients) -> None:
    answer = still["operator"].post(
        "/api/v1/alarms/a:b/ack",
        content=f'{{"occurrence": {number}}}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422, answer.text


def test_a_large_body_is_refused_before_it_is_read(still: Clients) -> None:
    headers = {"Content-Type": "application/json"}
    declared = still["nobody"].post(
        "/api/v1/session", content=b" " * (BODY_LIMIT + 1), headers=headers
    )
    assert declared.status_code == 413
    assert declared.json()["type"] == "/docs#too-large"

    chunks = (b" " * 65_536 for _ in range(8))
    streamed = still["nobody"].post("/api/v1/session", content=chunks, headers=headers)
    assert streamed.status_code == 413
    assert streamed.json()["type"] == "/docs#too-large"


def test_unknown_addresses_and_methods_are_problems(still: Clients) -> None:
    missing = still["nobody"].get("/api/v1/nothing")
    assert (missing.status_code, missing.json()["type"]) == (404, "/docs#unknown-path")
    method = still["nobody"].put("/api/v1/park")
    assert (method.status_code, method.json()["type"]) == (405, "/docs#method")
    assert method.headers["Allow"] == "GET"


def test_a_records_outage_is_a_503_that_says_when_to_retry(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TestClient(create_app(plant.services()), raise_server_exceptions=False) as client:

        def down(*_: object) -> None:
            raise RecordsUnavailable("disk I/O error")

        monkeypatch.setattr(plant.records, "reading", down)
        client.cookies.set("parktwin_session", "x" * 43)
        answer = client.get("/api/v1/park")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "disk I/O error" in answer.json()["detail"]


def test_a_defect_is_a_500_without_its_insides(
    plant: Plant, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("a secret detail")

    client = login("viewer")
    monkeypatch.setattr(plant.journal, "ledger", broken)
    answer = client.get("/api/v1/ledger")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["detail"].split()[-1].rstrip(".") == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "path", ["/api/v1/park", "/healthz", "/docs", "/nothing", "/api/v1/session"]
)
def test_every_answer_carries_the_security_headers(path: str, still: Clients) -> None:
    headers = still["nobody"].get(path).headers
    policy = headers["Content-Security-Policy"]
    for rule in ("default-src 'self'", "connect-src 'self'", "worker-src 'self' blob:"):
        assert rule in policy
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


def test_a_problem_document_is_plain_json(still: Clients) -> None:
    text = still["nobody"].get("/api/v1/park").text
    assert list(json.loads(text)) == ["type", "title", "status", "detail", "instance", "advice"]
