"""The InfluxDB peer: what it says it keeps, it keeps."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from tests.peers.influxd import running_influxd


def test_an_acknowledged_line_survives_a_kill_and_the_address_stays(tmp_path: Path) -> None:
    with running_influxd(tmp_path) as engine:
        body = b"sewer,asset=MH-1 level=1.5,level_q=0i 1700000000000"
        address = f"{engine.url}/api/v2/write?org=park&bucket=raw&precision=ms"
        with urllib.request.urlopen(urllib.request.Request(address, body), timeout=10) as answer:
            assert answer.status == 204
        engine.kill9()
        with pytest.raises(OSError):
            urllib.request.urlopen(engine.url + "/ping", timeout=10)
        engine.start()
        rows = engine.query("SELECT * FROM sewer")
        assert [(r["time"], r["level"], r["level_q"]) for r in rows] == [(1700000000000, 1.5, 0)]
