"""Grafana's mounted files by their structure; Grafana itself is not to be had where tests run."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from parktwin.handout import SHARES
from tests.deploy.compose_file import ROOT, load_compose

FOLDER = ROOT / "deploy/grafana"
SERVICE = load_compose()["services"]["grafana"]
INI = configparser.ConfigParser(interpolation=None)
INI.read_string((FOLDER / "grafana.ini").read_text())
SOURCES: list[dict[str, Any]] = yaml.safe_load(
    (FOLDER / "provisioning/datasources/influxdb.yaml").read_text()
)["datasources"]


def referenced(file: Path) -> set[str]:
    return set(re.findall(r"\$__file\{/run/parktwin/([^}]+)\}", file.read_text()))


def test_every_secret_comes_from_a_file_that_grafana_is_given() -> None:
    (share,) = [share for share in SHARES if share.service == "grafana"]
    used = referenced(FOLDER / "grafana.ini")
    used |= referenced(FOLDER / "provisioning/datasources/influxdb.yaml")
    assert used == set(share.files)
    assert INI["security"]["admin_password"].startswith("$__file{")
    assert INI["security"]["secret_key"].startswith("$__file{")


def test_nobody_gets_in_without_an_account_and_nothing_leaves() -> None:
    assert INI["users"].getboolean("allow_sign_up") is False
    assert INI["auth.anonymous"].getboolean("enabled") is False
    assert INI["snapshots"].getboolean("enabled") is False
    assert INI["public_dashboards"].getboolean("enabled") is False
    assert INI["plugins"].getboolean("plugin_admin_enabled") is False
    assert INI["plugins"].getboolean("preinstall_disabled") is True
    assert INI["security"].getboolean("disable_gravatar") is True
    for key in INI["analytics"]:
        assert INI["analytics"].getboolean(key) is False


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source["uid"]))
def test_a_data_source_reads_one_bucket_in_influxql(source: dict[str, Any]) -> None:
    assert source["type"] == "influxdb"
    assert source["access"] == "proxy"
    assert source["url"] == "http://influxdb:8086"
    assert source["user"] == "grafana"
    assert source["editable"] is False
    assert source["jsonData"]["version"] == "InfluxQL"
    assert source["jsonData"]["dbName"] == source["uid"].removeprefix("parktwin-")
    assert set(source["secureJsonData"]) == {"password"}


def test_the_data_sources_are_the_buckets_that_the_one_shot_makes() -> None:
    script = (ROOT / "deploy/influxdb/buckets.sh").read_text()
    buckets = set(re.findall(r'^bucket (\w+) "', script, re.MULTILINE))
    assert {source["jsonData"]["dbName"] for source in SOURCES} == buckets == {"raw", "rollup"}
    assert [source["isDefault"] for source in SOURCES].count(True) == 1


def test_dashboards_come_from_the_mounted_folder() -> None:
    provider = yaml.safe_load((FOLDER / "provisioning/dashboards/parktwin.yaml").read_text())
    (entry,) = provider["providers"]
    mounts = {volume["target"] for volume in SERVICE["volumes"] if isinstance(volume, dict)}
    assert entry["options"]["path"] in mounts
    assert entry["allowUiUpdates"] is False


def test_every_dashboard_asks_a_data_source_that_exists() -> None:
    known = {source["uid"] for source in SOURCES}
    for file in (ROOT / "dashboards/grafana").glob("*.json"):
        uids = set(re.findall(r'"uid": "(parktwin-[a-z]+)"', file.read_text()))
        assert json.loads(file.read_text())["title"]
        assert uids <= known, file
    assert "parktwin-raw" in (ROOT / "dashboards/grafana/README.md").read_text()
