"""compose.yaml against the Compose specification and the rules of a hardened installation."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from parktwin.handout import SHARES, SHARES_FOLDER
from parktwin.secrets_command import app
from parktwin.settings import Settings
from tests.deploy.compose_file import ROOT, load_compose

COMPOSE = load_compose()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOTS = {"secrets", "influxdb-setup"}
PUBLISHED = {"broker", "node", "grafana"}
every_service = pytest.mark.parametrize("name", sorted(SERVICES))


def binds(service: dict[str, Any]) -> list[dict[str, Any]]:
    return [v for v in service.get("volumes", []) if isinstance(v, dict) and v["type"] == "bind"]


def test_it_is_valid_by_the_compose_specification() -> None:
    schema = json.loads((ROOT / "tests/deploy/compose-spec.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(COMPOSE)] == []


def test_the_schema_would_see_a_misspelt_key() -> None:
    schema = json.loads((ROOT / "tests/deploy/compose-spec.json").read_text())
    broken = load_compose()
    broken["services"]["node"]["helthcheck"] = {}
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(broken))


@every_service
def test_no_service_has_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert "privileged" not in service
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service.get("network_mode") in (None, "none")
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))
    user = int(service["user"].split(":")[0])
    if name == "secrets":
        # It gives files to five users, which only root can; so it has no network at all.
        assert (user, service["network_mode"]) == (0, "none")
        assert service["cap_add"] == ["CHOWN", "DAC_OVERRIDE", "FOWNER"]
    else:
        assert user > 0
        assert "cap_add" not in service


@every_service
def test_every_service_is_bounded_and_its_log_rotates(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    options = service["logging"]["options"]
    assert re.fullmatch(r"\d+m", options["max-size"])
    assert int(options["max-file"]) >= 2


@every_service
def test_every_service_is_watched_or_ends_by_itself(name: str) -> None:
    service = SERVICES[name]
    if name in ONE_SHOTS:
        assert service["restart"] == "no"
        assert "healthcheck" not in service
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


@every_service
def test_every_image_is_pinned_to_a_version(name: str) -> None:
    image = SERVICES[name]["image"]
    tag = image.rpartition(":")[2]
    assert re.match(r"\d+\.\d+", tag), image
    if image.startswith("parktwin:"):
        assert SERVICES[name]["pull_policy"] == "build"


def test_influxdb_is_the_last_release_line_of_2() -> None:
    assert SERVICES["influxdb"]["image"] == "influxdb:2.9.1"
    assert SERVICES["influxdb-setup"]["image"] == "influxdb:2.9.1"


@every_service
def test_no_secret_stands_in_an_environment(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"PASSWORD|TOKEN|SECRET|PEPPER", key):
            assert re.match(r"/run/parktwin(-token)?(/|$)", str(value)), f"{key} is not a path"
        assert not re.search(r"://[^/@]*:[^/@]+@", str(value)), f"a password in {key}"


@pytest.mark.parametrize("environment", [{}, {"PARKTWIN_SECRETS_FOLDER": "/srv/keys"}])
def test_everything_is_published_on_loopback_only(environment: dict[str, str]) -> None:
    services = load_compose(environment)["services"]
    publishing = {name for name, service in services.items() if "ports" in service}
    assert publishing == PUBLISHED
    for name in publishing:
        for port in services[name]["ports"]:
            host, _, _ = port.split(":")
            assert ipaddress.ip_address(host).is_loopback, f"{name} {port}"


def test_mqtt_can_be_opened_without_opening_the_web() -> None:
    services = load_compose({"PARKTWIN_MQTT_BIND": "192.0.2.7"})["services"]
    assert services["broker"]["ports"] == ["192.0.2.7:1883:1883"]
    assert services["node"]["ports"] == ["127.0.0.1:8000:8000"]
    assert services["grafana"]["ports"] == ["127.0.0.1:3000:3000"]


def test_the_databases_are_on_networks_without_a_way_out() -> None:
    networks = COMPOSE["networks"]
    for name in ("influxdb", "influxdb-setup", "postgres"):
        for network in SERVICES[name]["networks"]:
            assert networks[network]["internal"] is True
    reach = {name: set(service.get("networks", [])) for name, service in SERVICES.items()}
    assert not reach["grafana"] & reach["postgres"]
    assert not reach["grafana"] & reach["broker"]
    assert not reach["influxdb"] & reach["postgres"]
    assert not reach["broker"] & (reach["influxdb"] | reach["postgres"])


def test_start_order_waits_for_health_and_for_the_one_shots() -> None:
    def awaited(name: str) -> dict[str, str]:
        return {on: how["condition"] for on, how in SERVICES[name].get("depends_on", {}).items()}

    for name in ("broker", "influxdb", "postgres"):
        assert awaited(name) == {"secrets": "service_completed_successfully"}
    assert awaited("influxdb-setup") == {"influxdb": "service_healthy"}
    assert awaited("node") == {
        "secrets": "service_completed_successfully",
        "broker": "service_healthy",
        "postgres": "service_healthy",
        "influxdb-setup": "service_completed_successfully",
    }


def test_every_mounted_file_is_in_the_repository() -> None:
    for service in SERVICES.values():
        for bind in binds(service):
            if "secrets" not in bind["source"]:
                assert (ROOT / bind["source"]).exists(), bind["source"]
                # A misspelt file must not become an empty folder.
                assert bind["bind"]["create_host_path"] is False
                assert bind["read_only"] is True
    for script in ("deploy/influxdb/buckets.sh", "deploy/postgres/roles.sh"):
        assert os.access(ROOT / script, os.X_OK)


@pytest.mark.parametrize("share", SHARES, ids=lambda share: share.service)
def test_each_service_mounts_its_own_secrets_only(share: Any) -> None:
    path = f"./secrets/{SHARES_FOLDER}/{share.service}"
    mounting = {
        name: (bind, service)
        for name, service in SERVICES.items()
        for bind in binds(service)
        if bind["source"] == path
    }
    if share.service == "node-influxdb":
        assert set(mounting) == {"influxdb-setup", "node"}
        assert mounting["node"][0]["read_only"] is True
        for _, service in mounting.values():
            assert service["user"] == f"{share.uid}:{share.gid}"
    else:
        ((name, (bind, service)),) = mounting.items()
        assert name == share.service
        assert (bind["target"], bind["read_only"]) == ("/run/parktwin", True)
        assert service["user"] == f"{share.uid}:{share.gid}"


def test_every_secret_file_that_a_service_names_is_handed_to_it() -> None:
    held = {share.service: set(share.files) for share in SHARES}
    for name, service in SERVICES.items():
        for value in service.get("environment", {}).values():
            if str(value).startswith("/run/parktwin/"):
                assert str(value).removeprefix("/run/parktwin/") in held[name], (name, value)


def test_the_node_gets_settings_that_it_knows() -> None:
    known = {f"PARKTWIN_{name.upper()}" for name in Settings.model_fields}
    assert set(SERVICES["node"]["environment"]) <= known


def test_the_node_reads_its_whole_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in SERVICES["node"]["environment"].items():
        monkeypatch.setenv(key, value)
    settings = Settings()
    assert settings.broker_url == "mqtt://node@broker:1883"
    assert settings.influxdb_org == SERVICES["influxdb-setup"]["environment"]["INFLUX_ORG"]
    assert str(settings.influxdb_token_file) == "/run/parktwin-token/influxdb-token"


def test_the_first_command_is_one_that_the_program_has() -> None:
    group, *arguments = SERVICES["secrets"]["command"]
    assert group == "secrets"
    answer = CliRunner().invoke(app, [*arguments, "--help"])
    assert answer.exit_code == 0, answer.output


def test_the_tls_addition_is_valid_and_opens_the_encrypted_port_only() -> None:
    addition = load_compose(file="deploy/tls.yaml")
    schema = json.loads((ROOT / "tests/deploy/compose-spec.json").read_text())
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(addition)) == []
    assert addition["services"]["broker"]["ports"] == ["0.0.0.0:8883:8883"]
    listener = (ROOT / "deploy/mosquitto-tls/8883-tls.conf").read_text()
    assert "listener 1883" not in listener
    # It is mounted over a folder that exists inside the read-only configuration.
    target = addition["services"]["broker"]["volumes"][0]["target"]
    assert (ROOT / "deploy/mosquitto" / target.removeprefix("/mosquitto/config/")).is_dir()
