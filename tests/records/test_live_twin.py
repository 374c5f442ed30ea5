"""The live twin on either records database: an alarm is raised, acknowledged and found again."""

from __future__ import annotations

from pathlib import Path

from tests.ingest.live_bench import bench

HIGH = "level-high-high:MH-0.level"


def test_alarms_timers_and_totals_survive_a_restart(records_url: str, tmp_path: Path) -> None:
    with bench(tmp_path, url=records_url) as b:
        b.feed(*[(1, n, 2.7) for n in range(6)])
        b.feed((5, 0, 3.3))
        b.live.acknowledge(HIGH, 1, "李", None, b.now)
    with bench(tmp_path, url=records_url) as b:
        assert [(a.id, a.state, a.acked_by) for a in b.live.alarms()] == [(HIGH, "ACKED", "李")]
        b.feed(*[(12, n, 2.7) for n in range(6)])
        b.feed((61, 0, 1.0))
        b.tick(62)
        b.tick(64)
        raised = [t for t in b.told() if t[0].startswith("level-high:") and t[2] == "raised"]
        assert [(t[0][-11:-6], t[3] % 100_000) for t in raised] == [
            (f":MH-{n}", raised[0][3] % 100_000) for n in range(6)
        ]
        assert [(t.kind.value, t.user) for t in b.history() if t.alarm == HIGH] == [
            ("raised", None),
            ("acknowledged", "李"),
            ("cleared", None),
        ]
