"""docs/deployment.md names what there is: settings, variables, secrets, addresses, versions."""

from __future__ import annotations

import re

from parktwin.handout import TOKEN_SHARE
from parktwin.secrets import BROKER_ACL, BROKER_PASSWORDS, RANDOM
from parktwin.settings import Settings
from tests.deploy.compose_file import ROOT, load_compose

PAGE = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")


def test_every_setting_of_the_node_is_listed_with_its_default() -> None:
    section = PAGE.partition("## Settings of the node")[2].partition("\n## ")[0]
    listed = dict(re.findall(r"^\| `PARKTWIN_(\w+)` \| (.*?) \| .+ \|$", section, re.MULTILINE))
    known = {
        name.upper(): f"`{field.default}`" if field.default not in (None, "") else ""
        for name, field in Settings.model_fields.items()
    }
    assert listed == known


def test_every_variable_of_the_compose_files_is_listed() -> None:
    text = "".join((ROOT / file).read_text() for file in ("compose.yaml", "deploy/tls.yaml"))
    variables = set(re.findall(r"\$\{(PARKTWIN_\w+)", text))
    section = PAGE.partition("Your choices go into")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(PARKTWIN_\w+)`", section)) - {"PARKTWIN_RETAIN_DAYS"} == variables


def test_every_secret_is_listed() -> None:
    section = PAGE.partition("## Secrets")[2].partition("\n## ")[0]
    for name in (*RANDOM, BROKER_ACL, BROKER_PASSWORDS, TOKEN_SHARE):
        assert name in section, name


def test_every_published_address_is_listed() -> None:
    section = PAGE.partition("## What is published where")[2].partition("\n## ")[0]
    for service in load_compose()["services"].values():
        for port in service.get("ports", []):
            assert port.rpartition(":")[0] in section, port


def test_the_versions_are_those_of_the_images() -> None:
    for service in load_compose()["services"].values():
        name, _, tag = service["image"].rpartition(":")
        if name != "parktwin":
            major = re.match(r"\d+", tag)
            assert major is not None
            title = {
                "eclipse-mosquitto": "Mosquitto",
                "influxdb": "InfluxDB",
                "postgres": "PostgreSQL",
            }
            shown = title.get(name, "Grafana")
            assert re.search(rf"{shown}\s+{major.group()}", PAGE), shown


def test_every_file_that_the_page_names_is_there() -> None:
    for path in re.findall(r"`(deploy/[\w./-]+|compose\.yaml|Dockerfile)`", PAGE):
        assert (ROOT / path).exists(), path
