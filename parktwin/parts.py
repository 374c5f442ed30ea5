"""The parts of a node, opened from its settings: model, secrets, bindings, broker, InfluxDB.

Each function makes one part or says in a sentence why it cannot; `parktwin.node` joins them.
"""

from __future__ import annotations

import json
import logging.handlers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.config import ConfigErrors, Gateway, load_gateway
from ingest.bindings import BindingError, Bindings
from ingest.columns import Limits
from ingest.cursor import Cursors
from ingest.forward import Forwarder
from ingest.history.feed import RollupFeed
from ingest.history.influx import InfluxHistory
from ingest.history.influx_client import InfluxLink
from ingest.history.lineprotocol import Lines
from ingest.history.local import LocalHistory
from ingest.journal import Journal
from ingest.mqtt import MqttSettings
from parktwin.secrets import make_secrets, read_secret
from parktwin.settings import Settings
from twin.model import ModelErrors, Park
from twin.model.load import load_park


class NodeError(Exception):
    """Why the node does not start, and what to do."""


@dataclass(frozen=True, slots=True)
class Influx:
    """Everything between the journal and one InfluxDB."""

    link: InfluxLink
    history: InfluxHistory
    cursors: Cursors
    feed: RollupFeed
    forwarder: Forwarder

    def close(self) -> None:
        self.cursors.close()
        self.feed.close()
        self.link.close()


def open_park(folder: Path) -> Park:
    """The park model; raises `NodeError` with each of its errors."""
    try:
        return load_park(folder)
    except ModelErrors as problems:
        lines = "\n".join(f"  {error}" for error in problems.errors)
        raise NodeError(
            f"the park model in {folder} has errors:\n{lines}\n"
            f"Mend them and check with: parktwin model check {folder}"
        ) from problems


def open_gateways(park: Park) -> Sequence[Gateway]:
    """Every gateway file of the park; raises `NodeError`."""
    try:
        return [load_gateway(file) for file in park.gateways.values()]
    except ConfigErrors as problems:
        raise NodeError(str(problems)) from problems


def open_pepper(settings: Settings) -> bytes:
    """The key of sessions and machine keys; made at the first start of an embedded node."""
    folder = settings.secrets or settings.home / "secrets"
    if settings.secrets is None:
        make_secrets(folder)
    return read_secret(folder / "session-pepper").encode()


def open_bindings(park: Park, journal: Journal) -> Bindings:
    """Which fields of foreign sources are which points; raises `NodeError`."""
    try:
        return Bindings(park.bindings, {p: i for i, p in enumerate(journal.points.ids())})
    except BindingError as problem:
        raise NodeError(f"bindings.csv: {problem}") from problem


def open_limits(park: Park, journal: Journal) -> Limits:
    """Physical ranges by point number."""
    known = (park.points.get(name) for name in journal.points.ids())
    return Limits.of((p.low, p.high) if p else (None, None) for p in known)


def mqtt_settings(settings: Settings) -> MqttSettings:
    """How to reach the broker."""
    return MqttSettings(
        url=settings.broker_url,
        password=settings.secret("broker_password_file"),
        window=settings.broker_window,
        ca_file=str(settings.broker_ca_file or ""),
    )


def open_influx(
    settings: Settings, home: Path, park: Park, journal: Journal, history: LocalHistory
) -> Influx | None:
    """The way to InfluxDB; None when none is configured."""
    if not settings.influxdb_url:
        return None
    link = InfluxLink(
        settings.influxdb_url,
        org=settings.influxdb_org,
        token=settings.secret("influxdb_token_file"),
    )
    cursors = Cursors(home / "influxdb-cursor.db")
    feed = RollupFeed(home / "influxdb-rollups.db")
    forwarder = Forwarder(
        link,
        lambda: Lines(journal.points.ids(), park.points),
        cursors,
        rolled=history.rolled,
        feed=feed,
        quarantine=refused_lines(home / "influxdb-refused.log"),
    )
    reader = InfluxHistory(link, journal.points.ids(), park.points, position=forwarder.position)
    return Influx(link, reader, cursors, feed, forwarder)


def refused_lines(path: Path) -> Callable[[str, Sequence[tuple[str, str]]], None]:
    """Keep the lines that InfluxDB will never take; the readings stay in the local history."""

    def keep(bucket: str, lines: Sequence[tuple[str, str]]) -> None:
        book = logging.handlers.RotatingFileHandler(path, maxBytes=10_000_000, backupCount=1)
        try:
            for line, reason in lines:
                row = json.dumps({"bucket": bucket, "line": line, "reason": reason})
                book.emit(logging.makeLogRecord({"msg": row}))
        finally:
            book.close()

    return keep
