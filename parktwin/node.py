"""One node: the journal, its consumers, MQTT and HTTP wired together, started and stopped in order.

Owns the wiring and the regular chores (trimming the journal, the audit); every part it joins is
told what it needs and knows nothing of the others.
"""

from __future__ import annotations

import contextlib
import gc
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog
import uvicorn

from api import health
from api.app import create_app
from api.language import Words
from api.server import config, listen
from api.services import Secrets, Services
from ingest.audit import AuditReport, audit
from ingest.committer import Committer
from ingest.consume import Consumer, ConsumerThread
from ingest.forward import Forwarder
from ingest.gateways import GatewayBook
from ingest.history.local import LocalHistory
from ingest.history.protocol import History
from ingest.history.reach import FarHistory
from ingest.history.roller import Roller, traits_of
from ingest.journal import Journal, JournalInUse
from ingest.live import LiveTwin
from ingest.mqtt import MqttSource
from parktwin import logs
from parktwin.parts import (
    NodeError,
    mqtt_settings,
    open_bindings,
    open_gateways,
    open_influx,
    open_limits,
    open_park,
    open_pepper,
)
from parktwin.secrets import SecretError
from parktwin.settings import Settings, SettingsError
from twin.model import Name
from twin.records import Records, RecordsConfigError, RecordsUnavailable
from twin.records.people import Role, create_user, find_user, issue_login_code

SCREEN: Final = Path(__file__).parent.parent / "dashboards" / "screen"
LOGIN_CODE_MS: Final = 24 * 3600 * 1000
TRIM_EVERY_S: Final = 60.0
AUDIT_EVERY_S: Final = 3600.0
HOLD_EVERY_S: Final = 1.0
TICK_S: Final = 0.25
VITAL: Final = ("twin", "history", "rollup")
FAILED: Final = 3
"""Exit code when a part of the node died; whoever supervises it starts it anew."""
GC_YOUNG: Final = 50_000
BACKLOG: Final = 5_000
"""Readings waiting in a gateway's outbox from which on its silence says nothing about the park."""

log = structlog.get_logger(__name__)


class Node:
    """Everything that runs behind one address. `start`, then serve `app`, then `stop`."""

    def __init__(self, settings: Settings) -> None:
        with contextlib.ExitStack() as opened:
            self._build(settings, opened)
            opened.pop_all()

    def _build(self, settings: Settings, opened: contextlib.ExitStack) -> None:
        """Open and join everything; `opened` closes it again when something cannot be opened."""
        self.settings = settings
        home = settings.home
        home.mkdir(parents=True, exist_ok=True)
        self.park = open_park(settings.park)
        self.gateways = open_gateways(self.park)
        secrets = open_pepper(settings)
        self.journal = Journal(home / "journal.db")
        opened.callback(self.journal.close)
        self.journal.points.ensure(self.park.points)
        self.records = Records.open(settings.records_address())
        opened.callback(self.records.close)
        self.book = GatewayBook()
        self.committer = Committer(
            self.journal,
            bindings=open_bindings(self.park, self.journal),
            limits=open_limits(self.park, self.journal),
            book=self.book,
            window=settings.broker_window,
        )
        self.mqtt = MqttSource(
            mqtt_settings(settings), self.committer.submit_all, lambda: self.committer.waiting
        )
        self.committer.attach(self.mqtt)
        self.history = LocalHistory(
            home / "history",
            self.park.timezone,
            journal=self.journal,
            traits=traits_of(self.park.points, self.journal.points),
            retain_days=settings.retain_days,
        )
        opened.callback(self.history.close)
        self._influx = open_influx(settings, home, self.park, self.journal, self.history)
        self.roller = Roller(self.history, feed=self._influx.feed if self._influx else None)
        self.live = LiveTwin.open(
            self.park,
            self.journal,
            self.records,
            home / "live.checkpoint",
            latest=self.history.latest,
            store=lambda readings: self.committer.store("twin", readings),
        )
        consumers: list[tuple[Consumer, int]] = [
            (self.live, 5),
            (self.history, 200),
            (self.roller, 500),
        ]
        if self._influx is not None:
            consumers.append((self._influx.forwarder, 200))
        self.threads = [
            ConsumerThread(self.journal, consumer, min_batch_ms=pause, tick_s=TICK_S)
            for consumer, pause in consumers
        ]
        self.last_audit: AuditReport | None = None
        self._auditing = threading.Lock()
        self.failed = ""
        self.give_up: Callable[[], None] = lambda: None
        self._stopping = threading.Event()
        # Apart, because an audit takes minutes and a silent gateway must be known within seconds.
        self._chores = [
            threading.Thread(target=self._do_chores, name="chores", daemon=True),
            threading.Thread(target=self._hold_gateways, name="hold", daemon=True),
        ]
        self.services = Services(
            park=self.park,
            journal=self.journal,
            history=self._reach(),
            live=self.live,
            records=self.records,
            secrets=Secrets(secrets),
            gateways=self.book,
            gateway_names={g.id: Name(g.name.zh, g.name.en) for g in self.gateways},
            consumers=self.threads,
            committer=self.committer,
            mqtt=self.mqtt,
            screen_dir=SCREEN,
            lag_ms=self.lag_ms,
            last_audit=lambda: self.last_audit,
            run_audit=self.run_audit,
            probes=self._probes(),
            public_url=settings.public_url,
        )

    def start(self) -> None:
        """Start every thread; MQTT last, when what it brings can be kept."""
        self.committer.start()
        for thread in self.threads:
            thread.start()
        self.history.start_upkeep()
        for chore in self._chores:
            chore.start()
        self.mqtt.start()

    def stop(self) -> None:
        """Stop in order: what came in is committed and acknowledged, then gathered to disk."""
        self._stopping.set()
        self.committer.stop()
        self.mqtt.stop()
        for thread in self.threads:
            thread.stop()
        for chore in self._chores:
            if chore.is_alive():
                chore.join(30)
        self.live.close()
        self.roller.flush()
        self.history.close()
        if self._influx is not None:
            self._influx.close()
        self.records.close()
        self.journal.close()

    def _reach(self) -> History:
        """The local history, and InfluxDB for what is older, when there is one."""
        if self._influx is None:
            return self.history
        return FarHistory(self.history, self._influx.history, self.history.store.oldest)

    def lag_ms(self) -> int:
        """How far the twin is behind the journal: 0, or the age of the oldest unread reading."""
        thread = self.threads[0]
        if not thread.lag():
            return 0
        waiting = self.journal.read(thread.next, 1)
        return max(0, time.time_ns() // 1_000_000 - waiting[0].received_at) if waiting else 0

    def run_audit(self) -> AuditReport:
        """Recount now, from the data; takes about a second per million readings."""
        with self._auditing:
            report = audit(
                self.journal,
                self.history,
                time.time_ns() // 1_000_000,
                influx=self._influx.history if self._influx else None,
                forwarded=self._influx.forwarder.position() if self._influx else 0,
            )
            self.last_audit = report
        if not report.ok:
            log.error("audit: the accounts do not agree", verdict=report.sentence.en)
        return report

    def login_code(self) -> str:
        """A code that lets the administrator in once, within a day; made with the first account."""
        now = time.time_ns() // 1_000_000
        with self.records.unit() as unit:
            admin = find_user(unit, "admin") or create_user(unit, "admin", None, Role.ADMIN, now)
            return issue_login_code(unit, admin, now, LOGIN_CODE_MS)

    def _probes(self) -> Mapping[str, Callable[[], Words | None]]:
        return {
            "journal": health.true(
                lambda: self.committer.healthy,
                Words(
                    "日志写入失败，读数未被确认。请检查磁盘。",
                    "The journal cannot be written, so nothing is acknowledged. Check the disk.",
                ),
            ),
            "broker": self._broker_words,
            "disk": health.disk_free(self.settings.home),
            "history": lambda: _same(self.history.problem),
            # An InfluxDB that is away costs nothing: the node stays ready, the journal waits.
            "consumer influx": self._forwarder_words,
        }

    def _forwarder_words(self) -> Words | None:
        ended = [t for t in self.threads if t.consumer.name == Forwarder.name and t.failed]
        return _same(ended[0].error) if ended else None

    def _broker_words(self) -> Words | None:
        if self.mqtt.connected and self.mqtt.alive:
            return None
        why = self.mqtt.problem
        return Words(f"未连接消息代理：{why}", f"No connection to the broker: {why}")

    def _hold_gateways(self) -> None:
        """Tell the twin which points' gateways are away or behind; end a node that is half dead."""
        points = {g.id: [p for p in g.points if self._owner(p) != g.id] for g in self.gateways}
        held: frozenset[str] = frozenset()
        while not self._stopping.wait(HOLD_EVERY_S):
            ended = [t.consumer.name for t in self.threads if t.failed]
            if dead := [name for name in ended if name in VITAL]:
                # A node that looks alive and does nothing is worse than one that starts anew.
                self.failed = ", ".join(dead)
                log.error("the node ends because a part of it died", part=self.failed)
                self.give_up()
                return
            try:
                now = frozenset(
                    v.id for v in self.book.all() if not v.online or v.waiting > BACKLOG
                )
                if now != held:
                    self.live.hold(point for gateway in now for point in points.get(gateway, ()))
                    held = now
            except Exception:
                log.exception("gateways that are behind are not known; asked again")

    def _do_chores(self) -> None:
        next_trim = time.monotonic() + TRIM_EVERY_S
        next_audit = time.monotonic() + TRIM_EVERY_S
        while not self._stopping.wait(HOLD_EVERY_S):
            try:
                if time.monotonic() >= next_trim:
                    next_trim = time.monotonic() + TRIM_EVERY_S
                    self._trim()
                if time.monotonic() >= next_audit:
                    next_audit = time.monotonic() + AUDIT_EVERY_S
                    self.run_audit()
            except Exception:
                log.exception("a chore failed; it is done again later")

    def _owner(self, point: str) -> str:
        known = self.park.points.get(point)
        return known.asset if known else ""

    def _trim(self) -> None:
        keep_from = min(thread.consumer.position() for thread in self.threads)
        self.journal.trim(keep_from, self.settings.journal_hours * 3600 * 1000)


def _same(problem: str | None) -> Words | None:
    return Words(problem, problem) if problem else None


def run(settings: Settings, login_code: Path | None) -> int:
    """Run a node until SIGTERM or Ctrl-C; returns the exit code."""
    logs.set_up(settings.log_format)
    try:
        listener = listen(settings.http_host, settings.http_port)
    except OSError as problem:
        log.error(
            "cannot listen",
            address=f"{settings.http_host}:{settings.http_port}",
            problem=problem.strerror,
            mend="stop the other program or set PARKTWIN_HTTP_PORT",
        )
        return 1
    try:
        node = Node(settings)
    except (
        NodeError,
        SettingsError,
        SecretError,
        RecordsConfigError,
        RecordsUnavailable,
        JournalInUse,
        OSError,
        ValueError,
        sqlite3.Error,
    ) as problem:
        listener.close()
        log.error("the node cannot start", problem=str(problem))
        return 1
    # The park's model and the code live as long as the process; without this every collection
    # walks through all of it, and a burst of readings starts many collections a second.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG, 20, 100)
    node.start()
    try:
        if login_code is not None:
            login_code.touch(mode=0o600)
            login_code.write_text(node.login_code() + "\n", encoding="utf-8")
        log.info(
            "node started",
            park=node.park.id,
            points=len(node.park.points),
            address=f"http://{settings.http_host}:{listener.getsockname()[1]}",
        )
        server = uvicorn.Server(config(create_app(node.services)))
        node.give_up = lambda: setattr(server, "should_exit", True)
        server.run(sockets=[listener])
    finally:
        node.stop()
        listener.close()
        log.info("node stopped")
    return FAILED if node.failed else 0
