"""Fixtures of the API's tests: stores, an application over them, clients of each role."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from starlette.testclient import TestClient

from api.app import create_app
from tests.api.plant import Plant, make_accounts

Login = Callable[[str], TestClient]


@pytest.fixture(autouse=True, scope="session")
def _plain_logs() -> Iterator[None]:
    """Tracebacks without the values of every local: rendering a whole park takes a minute."""
    structlog.configure(
        processors=[
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A records database with one account for each role."""
    return make_accounts(tmp_path_factory.mktemp("accounts"))


@pytest.fixture
def plant(tmp_path: Path, accounts: Path) -> Iterator[Plant]:
    """Stores in a temporary folder."""
    made = Plant.build(tmp_path, accounts)
    yield made
    made.close()


@pytest.fixture
def anyone(plant: Plant) -> Iterator[TestClient]:
    """A client without a session."""
    with TestClient(create_app(plant.services()), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def login(anyone: TestClient, plant: Plant) -> Login:
    """Logs `anyone` in as the account named like the role; the CSRF token goes along by itself."""

    def as_role(role: str) -> TestClient:
        anyone.cookies.clear()
        anyone.headers.pop("X-CSRF-Token", None)
        answer = anyone.post("/api/v1/session", json={"code": plant.code(role)})
        assert answer.status_code == 200, answer.text
        anyone.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return anyone

    return as_role


@pytest.fixture(scope="session")
def still(
    tmp_path_factory: pytest.TempPathFactory, accounts: Path
) -> Iterator[dict[str, TestClient]]:
    """Clients by role ("nobody" has no session) over one park that no test changes."""
    plant = Plant.build(tmp_path_factory.mktemp("still"), accounts)
    with contextlib.ExitStack() as stack:
        stack.callback(plant.close)
        clients = {}
        for role in ("viewer", "operator", "admin"):
            app = create_app(plant.services())
            client = stack.enter_context(TestClient(app, raise_server_exceptions=False))
            answer = client.post("/api/v1/session", json={"code": plant.code(role)})
            client.headers["X-CSRF-Token"] = answer.json()["csrf"]
            clients[role] = client
        stranger = TestClient(create_app(plant.services()), raise_server_exceptions=False)
        clients["nobody"] = stack.enter_context(stranger)
        yield clients
