"""A reading travels from a real device to history and InfluxDB, exactly once, with its own time."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.site import GATEWAY, Site, eventually
from tests.peers.influxd import Influxd, running_influxd

pytestmark = pytest.mark.serial

SECONDS = 8.0


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    with running_influxd(tmp_path_factory.mktemp("influxd")) as engine:
        yield engine


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, influxd: Influxd) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"), {"PARKTWIN_INFLUXDB_URL": influxd.url})
    yield made
    made.close()


@pytest.fixture(scope="module")
def foreign(site: Site) -> dict[int, int]:
    """Run for a while, a foreign publisher beside the devices; what that one sent, by time."""
    sent: dict[int, int] = {}
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(site.broker.port), "-q", "1"]
    with subprocess.Popen(
        [*command, "-t", "in/weather/json", "-l"], stdin=subprocess.PIPE, text=True
    ) as publisher:
        assert publisher.stdin is not None
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            at = int(time.time() * 1000)
            sent[at] = len(sent) + 1
            publisher.stdin.write(json.dumps({"ts": at, "reading": sent[at]}) + "\n")
            publisher.stdin.flush()
            time.sleep(0.02)
    site.devices.close()
    site.wait_until_stored()
    eventually(lambda: len(site.history("WS-1.count")) >= len(sent), 20, "foreign readings stored")
    return sent


def test_every_value_that_the_devices_served_is_in_the_history_exactly_once(
    site: Site, foreign: dict[int, int]
) -> None:
    count = site.assert_exactly_once()
    assert count == sum(len(rows) for rows in site.served().values())
    assert count > 20 * SECONDS


def test_a_foreign_publisher_beside_them_is_stored_exactly_once(
    site: Site, foreign: dict[int, int]
) -> None:
    assert {t: v for t, v, _ in site.history("WS-1.count")} == foreign
    assert len(site.history("WS-1.count")) == len(foreign)


def test_influxdb_has_the_same_readings_with_the_same_times(
    site: Site, influxd: Influxd, foreign: dict[int, int]
) -> None:
    def rows(asset: str) -> list[tuple[int, float, int]]:
        found = influxd.query(f'SELECT "count", "count_q" FROM "sewer" WHERE "asset" = \'{asset}\'')
        return sorted(
            (r["time"], r["count"], r["count_q"]) for r in found if r["count"] is not None
        )

    local = {point: sorted(rows_) for point, rows_ in site.stored().items()}
    local["WS-1.count"] = sorted((t, v, q) for t, v, q in site.history("WS-1.count") if v)
    for point, expected in local.items():
        asset = point.rsplit(".", 1)[0]
        eventually(lambda a=asset, e=expected: rows(a) == e, 20, f"{point} in InfluxDB")  # type: ignore[misc]


def test_a_device_that_went_away_is_seen_as_bad_quality_not_as_silence(
    site: Site, foreign: dict[int, int]
) -> None:
    point = next(iter(site.served()))
    eventually(
        lambda: any(v is None and q == 134 for _, v, q in site.history(point)),
        20,
        "failed reads as readings of quality 134",
    )


def test_the_ledger_balances_and_the_audit_recounts_the_same_from_the_data(
    site: Site, foreign: dict[int, int]
) -> None:
    boxes = [row for row in site.json("ledger")["rows"] if row["source"] == GATEWAY]
    assert boxes
    for row in boxes:
        covered = row["committed"] - row["first"] + 1
        assert covered == row["stored"] + row["quarantined"] + row["lost"], row
        assert (row["missing"], row["imbalance"]) == (0, 0), row
    report = site.audit()
    assert report["ok"], report


def test_the_gateway_log_and_the_node_log_have_no_error(site: Site) -> None:
    for log in (site.folder / "node.log", site.folder / "gateway.log"):
        wrong = [line for line in log.read_text().splitlines() if "[error" in line]
        assert wrong == [], Path(log).name
