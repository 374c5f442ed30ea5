"""Figures for Prometheus: what this node took in, how far behind it is, who looks at it.

Counters that other parts keep are read when somebody scrapes; only HTTP is counted here. Every name
is explained in docs/metrics.md, and a test holds the two equal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from api import health
from api.intake_metrics import intake
from api.live import LiveHub
from api.services import Probe, Services

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PRIORITIES: Final = ("critical", "high", "medium", "low")
DURATIONS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

# Ledger column -> (metric, words). Summed over the boxes of a source.
_LEDGER_COUNTERS: Final = {
    "stored": ("parktwin_readings_stored", "Readings stored"),
    "quarantined": ("parktwin_readings_quarantined", "Readings quarantined"),
    "lost": ("parktwin_readings_lost", "Readings declared lost by the gateway"),
    "duplicates": ("parktwin_readings_duplicate", "Readings sent again and not stored again"),
    "corrections": ("parktwin_readings_corrected", "Readings that replaced another value"),
    "refused": ("parktwin_messages_refused", "Messages that could not be decoded"),
}
_LEDGER_GAUGES: Final = {
    "missing": ("parktwin_ledger_missing", "Sequence numbers in reported gaps"),
    "imbalance": ("parktwin_ledger_imbalance", "Sequence numbers the ledger cannot explain"),
}


class Meters:
    """The registry of one application; `text` is what a scrape gets."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "parktwin_http_requests",
            "HTTP requests answered",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "parktwin_http_request_duration_seconds",
            "Time to answer an HTTP request",
            ("route",),
            buckets=DURATIONS,
            registry=self._registry,
        )

    def watch(self, services: Services, hub: LiveHub, probes: dict[str, Probe]) -> None:
        """Read these at every scrape."""
        self._registry.register(_Node(services, hub, probes))

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One request was answered. Unusual methods are counted as one, to bound the series."""
        known = method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} else "other"
        self._requests.labels(route, known, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """The exposition, Prometheus text format."""
        return generate_latest(self._registry)


class _Node(Collector):
    """Everything that is kept elsewhere."""

    def __init__(self, services: Services, hub: LiveHub, probes: dict[str, Probe]) -> None:
        self._services = services
        self._hub = hub
        self._probes = probes

    def describe(self) -> Iterable[Metric]:
        """Nothing is read before the first scrape."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """One scrape."""
        yield from self._ledger()
        yield from intake(self._services.committer, self._services.mqtt)
        yield from self._consumers()
        yield from self._twin()
        yield from self._live()
        wrong = health.wrong(self._probes)
        yield _gauge(
            "parktwin_check_ok",
            "1 when the check of /readyz passes",
            "check",
            ((name, float(name not in wrong)) for name in self._probes),
        )

    def _ledger(self) -> Iterable[Metric]:
        journal = self._services.journal
        sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        latest: dict[str, float] = defaultdict(float)
        for row in journal.ledger():
            for column in (*_LEDGER_COUNTERS, *_LEDGER_GAUGES):
                sums[column][row.source] += getattr(row, column)
            latest[row.source] = max(latest[row.source], row.last_received_at / 1000)
        for column, (name, words) in _LEDGER_COUNTERS.items():
            yield _counter(name, words, "source", sums[column].items())
        for column, (name, words) in _LEDGER_GAUGES.items():
            yield _gauge(name, words, "source", sums[column].items())
        yield _gauge(
            "parktwin_source_last_received_timestamp_seconds",
            "When the source was last heard, Unix time",
            "source",
            latest.items(),
        )
        yield _one_counter(
            "parktwin_journal_readings", "Readings the journal has taken", journal.end
        )
        yield _one_gauge(
            "parktwin_journal_kept_readings", "Readings still kept", journal.end - journal.oldest
        )

    def _consumers(self) -> Iterable[Metric]:
        threads = self._services.consumers
        by_name = [(thread.consumer.name, thread) for thread in threads]
        yield _gauge(
            "parktwin_consumer_lag_readings",
            "Readings a consumer of the journal is behind",
            "consumer",
            ((name, thread.lag()) for name, thread in by_name),
        )
        yield _gauge(
            "parktwin_consumer_up",
            "1 while the consumer runs without error",
            "consumer",
            ((name, float(thread.alive and not thread.error)) for name, thread in by_name),
        )
        yield _counter(
            "parktwin_consumer_readings",
            "Readings a consumer has taken since start",
            "consumer",
            ((name, thread.readings) for name, thread in by_name),
        )
        yield _counter(
            "parktwin_consumer_retries",
            "Times a consumer had to wait and try again",
            "consumer",
            ((name, thread.retries) for name, thread in by_name),
        )
        yield _counter(
            "parktwin_consumer_skipped_readings",
            "Readings a consumer had to pass over",
            "consumer",
            ((name, thread.skipped) for name, thread in by_name),
        )

    def _twin(self) -> Iterable[Metric]:
        alarms = self._services.live.alarms()
        yield _gauge(
            "parktwin_alarms_open",
            "Open alarms: active, or unacknowledged",
            "priority",
            ((p, sum(alarm.priority == p for alarm in alarms)) for p in PRIORITIES),
        )
        yield _one_gauge(
            "parktwin_alarms_unacknowledged",
            "Alarms that wait for an operator",
            sum(alarm.unacked for alarm in alarms),
        )
        yield _one_gauge(
            "parktwin_twin_lag_seconds",
            "How far the live twin is behind the journal",
            self._services.lag_ms() / 1000,
        )
        gateways = self._services.gateways.all()
        yield _gauge(
            "parktwin_gateway_online",
            "1 while the gateway is connected",
            "gateway",
            ((view.id, float(view.online is True)) for view in gateways),
        )
        yield _gauge(
            "parktwin_gateway_last_seen_timestamp_seconds",
            "When the gateway was last heard, Unix time",
            "gateway",
            ((view.id, view.last_seen_at / 1000) for view in gateways),
        )
        yield _gauge(
            "parktwin_gateway_waiting_readings",
            "Readings in its outbox not yet acknowledged, as it last reported",
            "gateway",
            ((view.id, view.waiting) for view in gateways),
        )

    def _live(self) -> Iterable[Metric]:
        counters = self._hub.counters
        yield _one_gauge("parktwin_live_clients", "Live sockets connected", self._hub.clients)
        yield _one_counter("parktwin_live_frames", "Frames sent to live sockets", counters.frames)
        yield _one_counter("parktwin_live_bytes", "Bytes of those frames", counters.bytes)
        yield _one_counter("parktwin_live_slow", "Sockets closed as too slow", counters.slow)
        yield _one_counter("parktwin_live_refused", "Sockets refused: too many", counters.refused)
        yield _one_counter(
            "parktwin_live_failures", "Times the live state could not be read", counters.failures
        )


Rows = Iterable[tuple[str, float]]


def _counter(name: str, words: str, label: str, rows: Rows) -> Metric:
    family = CounterMetricFamily(name, words, labels=(label,))
    return _filled(family.add_metric, rows, family)


def _gauge(name: str, words: str, label: str, rows: Rows) -> Metric:
    family = GaugeMetricFamily(name, words, labels=(label,))
    return _filled(family.add_metric, rows, family)


def _filled(add: Callable[[list[str], float], None], rows: Rows, family: Metric) -> Metric:
    for value, number in rows:
        add([value], number)
    return family


def _one_counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(name, words, value=value)


def _one_gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)
