"""Whether the node can do its work: named probes, each one sentence when something is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from api.language import Words
from api.services import Probe, Services
from ingest.consume import ConsumerThread

BEHIND: Final = 1_000_000


def wrong(probes: Mapping[str, Probe]) -> dict[str, Words]:
    """Run every probe; what is not well, by name. A probe that fails itself counts as wrong."""
    found: dict[str, Words] = {}
    for name, probe in probes.items():
        try:
            words = probe()
        except Exception as error:  # noqa: BLE001 - a broken probe must not hide the others
            words = Words(f"检查失败：{error}", f"the check itself failed: {error}")
        if words is not None:
            found[name] = words
    return found


def all_probes(services: Services) -> dict[str, Probe]:
    """The probes handed over, and one for each consumer of the journal."""
    found = dict(services.probes)
    for thread in services.consumers:
        name = f"consumer {thread.consumer.name}"
        found.setdefault(name, consumer(thread))
    return found


def disk_free(folder: Path, least_mb: int = 500) -> Probe:
    """At least `least_mb` MB are free where `folder` lies."""

    def probe() -> Words | None:
        free = shutil.disk_usage(folder).free // 2**20
        if free >= least_mb:
            return None
        return Words(
            f"磁盘仅剩 {free} MB，至少需要 {least_mb} MB。请清理磁盘。",
            f"Only {free} MB of disk are free; {least_mb} MB are needed. Free some space.",
        )

    return probe


def true(condition: Callable[[], bool], otherwise: Words) -> Probe:
    """`condition` holds; else `otherwise` is said."""

    def probe() -> Words | None:
        return None if condition() else otherwise

    return probe


def consumer(thread: ConsumerThread, most: int = BEHIND) -> Probe:
    """A consumer of the journal runs, has no error and is at most `most` readings behind."""

    def probe() -> Words | None:
        name, lag = thread.consumer.name, thread.lag()
        if thread.error or not thread.alive:
            reason = thread.error or "stopped"
            return Words(f"{name} 停滞：{reason}", f"{name} is stuck: {reason}")
        if lag > most:
            return Words(
                f"{name} 落后 {lag} 条读数，正在追赶。",
                f"{name} is {lag} readings behind and catching up.",
            )
        return None

    return probe
