"""The one-shot that prepares InfluxDB, in a real shell, against a stand-in for the client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.compose_file import ROOT, load_compose

SCRIPT = ROOT / "deploy/influxdb/buckets.sh"
OPERATOR = "operator-token-of-this-test"


class Setup:
    """The script with its folders and the stand-in's state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = folder / "secrets"
        self.tokens = folder / "token"
        self.state_file = folder / "state.json"
        programs = folder / "bin"
        for made in (self.secrets, self.tokens, programs):
            made.mkdir()
        (self.secrets / "influxdb-operator-token").write_text(f"{OPERATOR}\n")
        (self.secrets / "influxdb-grafana-password").write_text("grafana-password-1\n")
        client = programs / "influx"
        client.write_text(
            f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/deploy/fake_influx.py "$@"\n'
        )
        client.chmod(0o755)
        # As InfluxDB's image leaves it: the first bucket exists, with no retention.
        self.state: dict[str, Any] = {
            "tokens": {OPERATOR: "all"},
            "buckets": {"raw": {"id": f"{1:016x}", "retention": "0"}},
            "mappings": [],
            "logins": {},
            "calls": [],
        }
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "FAKE_INFLUX_STATE": str(self.state_file),
            "INFLUX_HOST": "http://influxdb:8086",
            "INFLUX_ORG": "parktwin",
            "PARKTWIN_SECRETS": str(self.secrets),
            "PARKTWIN_TOKEN_FOLDER": str(self.tokens),
        }

    def run(self, **changes: str) -> subprocess.CompletedProcess[str]:
        self.state_file.write_text(json.dumps(self.state | {"calls": []}))
        done = subprocess.run(
            ["/bin/sh", str(SCRIPT)],
            env=self.environment | changes,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.state = json.loads(self.state_file.read_text())
        return done

    @property
    def token(self) -> str:
        return (self.tokens / "influxdb-token").read_text().strip()


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


def test_a_first_run_makes_buckets_mappings_login_and_token(setup: Setup) -> None:
    done = setup.run()
    assert done.returncode == 0, done.stderr
    buckets = setup.state["buckets"]
    assert {name: bucket["retention"] for name, bucket in buckets.items()} == {
        "raw": "366d",
        "rollup": "0",
    }
    ids = {name: bucket["id"] for name, bucket in buckets.items()}
    assert {(row["db"], row["bucket"]) for row in setup.state["mappings"]} == set(ids.items())
    grafana = setup.state["logins"]["grafana"]
    assert grafana["password"] == "grafana-password-1"
    assert sorted(grafana["read"]) == sorted(ids.values())
    assert grafana["write"] == []
    both = [ids["raw"], ids["rollup"]]
    assert setup.state["tokens"][setup.token] == " ".join(both + both)
    assert (setup.tokens / "influxdb-token").stat().st_mode & 0o777 == 0o400


def test_a_second_run_changes_nothing(setup: Setup) -> None:
    assert setup.run().returncode == 0
    before = {key: value for key, value in setup.state.items() if key != "calls"}
    token = setup.token
    done = setup.run()
    assert done.returncode == 0, done.stderr
    assert {key: value for key, value in setup.state.items() if key != "calls"} == before
    assert setup.token == token
    assert not any("create" in call for call in setup.state["calls"])


def test_a_changed_retention_or_password_is_carried_over(setup: Setup) -> None:
    assert setup.run().returncode == 0
    (setup.secrets / "influxdb-grafana-password").write_text("grafana-password-2\n")
    assert setup.run(PARKTWIN_INFLUXDB_RAW_RETENTION="400d").returncode == 0
    assert setup.state["buckets"]["raw"]["retention"] == "400d"
    assert setup.state["logins"]["grafana"]["password"] == "grafana-password-2"


def test_a_token_that_no_longer_works_is_replaced(setup: Setup) -> None:
    assert setup.run().returncode == 0
    old = setup.token
    del setup.state["tokens"][old]
    setup.state["tokens"]["somebody-else"] = ""
    assert setup.run().returncode == 0
    assert setup.token != old
    assert setup.token in setup.state["tokens"]


def test_a_wrong_operator_token_stops_it_before_anything_is_made(setup: Setup) -> None:
    (setup.secrets / "influxdb-operator-token").write_text("another\n")
    done = setup.run()
    assert done.returncode != 0
    assert setup.state["mappings"] == []
    assert not (setup.tokens / "influxdb-token").exists()


@pytest.mark.parametrize("name", ["influxdb-operator-token", "influxdb-grafana-password"])
def test_an_empty_or_missing_secret_stops_it(setup: Setup, name: str) -> None:
    (setup.secrets / name).write_text("\n")
    assert setup.run().returncode != 0
    (setup.secrets / name).unlink()
    assert setup.run().returncode != 0
    assert setup.state["calls"] == []


def test_an_answer_without_a_token_stops_it(setup: Setup) -> None:
    done = setup.run(FAKE_NO_TOKEN="1")
    assert done.returncode != 0
    assert "no token" in done.stderr
    assert not (setup.tokens / "influxdb-token").exists()


def test_no_secret_is_printed(setup: Setup) -> None:
    done = setup.run()
    assert OPERATOR not in done.stdout + done.stderr
    assert "grafana-password-1" not in done.stdout + done.stderr
    assert setup.token not in done.stdout + done.stderr


@pytest.mark.parametrize("script", ["deploy/influxdb/buckets.sh", "deploy/postgres/roles.sh"])
def test_the_scripts_are_posix_shell(script: str) -> None:
    text = (ROOT / script).read_text()
    assert text.startswith("#!/bin/sh\n")
    assert subprocess.run(["/bin/sh", "-n", str(ROOT / script)], check=False).returncode == 0
    assert not any(bashism in text for bashism in ("[[", "local ", "function ", "<<<", "pipefail"))


def test_compose_runs_this_very_file() -> None:
    service = load_compose()["services"]["influxdb-setup"]
    assert service["entrypoint"] == ["/bin/sh", "/deploy/buckets.sh"]
    assert service["volumes"][0]["source"] == "./deploy/influxdb"
