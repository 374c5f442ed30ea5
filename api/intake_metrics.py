"""Figures of the way in: MQTT connection, commits to the journal, and what was turned away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from api.services import BrokerLink
from ingest.committer import Committer

# Member of the counters -> (metric, words).
_MQTT: Final = {
    "received": ("parktwin_mqtt_messages_received", "Messages from the broker"),
    "acknowledged": ("parktwin_mqtt_messages_acknowledged", "Messages acknowledged to it"),
    "published": ("parktwin_mqtt_messages_published", "Messages sent to gateways"),
    "dropped_publications": ("parktwin_mqtt_publications_dropped", "Messages not sent: queue full"),
    "connects": ("parktwin_mqtt_connects", "Connections made to the broker"),
    "disconnects": ("parktwin_mqtt_disconnects", "Connections to the broker lost"),
}
_COMMIT: Final = {
    "groups": ("parktwin_commits", "Group commits to the journal"),
    "commit_seconds": ("parktwin_commit_seconds", "Time spent in them"),
    "commit_failures": (
        "parktwin_commit_failures",
        "Commits that failed",
    ),
    "ahead": ("parktwin_messages_ahead", "Messages that did not follow on, sent back for a replay"),
    "internal_errors": ("parktwin_intake_errors", "Defects met while deciding on a message"),
}


def intake(committer: Committer | None, mqtt: BrokerLink | None) -> Iterable[Metric]:
    """The metrics of whichever is given."""
    if mqtt is not None:
        yield GaugeMetricFamily(
            "parktwin_mqtt_connected", "1 while connected to the broker", value=mqtt.connected
        )
        for member, (name, words) in _MQTT.items():
            yield CounterMetricFamily(name, words, value=getattr(mqtt.counters, member))
    if committer is not None:
        yield GaugeMetricFamily(
            "parktwin_intake_waiting_messages",
            "Messages received and not yet taken up",
            value=committer.waiting,
        )
        for member, (name, words) in _COMMIT.items():
            yield CounterMetricFamily(name, words, value=getattr(committer.counters, member))
