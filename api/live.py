"""The live feed: what every connected screen is sent, encoded once for all of them.

Alarm and gateway changes go out at once, values once a second. Nothing queues: a client that is
not ready when a frame is made gets a later one that spans all it missed, and one that takes longer
than `Limits.slow_s` over a single frame is closed with 1013. Sockets are in `api.routes.live`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from api.limits import Limits
from api.presence import Presence
from api.services import LiveSource
from twin.state import NEVER

log = structlog.get_logger(__name__)

TRY_LATER: Final = 1013
SESSION_ENDED: Final = 4401
ALARM_GAP_S: Final = 0.02
"""Alarm frames are at least this far apart: a flood of transitions is 50 frames a second."""

GATEWAY_TICKS: Final = 5
"""The gateway list goes out at least every so many ticks."""


class Mark(NamedTuple):
    """How far a client has been told: twin version, alarm list number, gateway list number."""

    version: int
    alarms: int
    gateways: int


class Frame(NamedTuple):
    """A message ready to send, and where its receiver stands afterwards."""

    text: str
    mark: Mark


@dataclass(slots=True)
class Counters:
    """Since start. frames, bytes: sent; slow, refused: clients closed as too slow or one too many;

    failures: times the state could not be read.
    """

    frames: int = 0
    bytes: int = 0
    slow: int = 0
    refused: int = 0
    failures: int = 0


@dataclass(eq=False, slots=True)
class Client:
    """One connected socket. `close` is set when the hub wants it gone."""

    session: str
    expires_at: int
    mark: Mark = field(default_factory=lambda: Mark(-1, -1, -1))
    due: asyncio.Event = field(default_factory=asyncio.Event)
    close: int | None = None

    def end(self, code: int) -> None:
        """Have the socket closed with `code` as soon as its task gets to it."""
        self.close = code
        self.due.set()


@dataclass(eq=False, slots=True)
class _Board:
    """The state that frames are made from; lists carry a number that grows when they change."""

    made: float
    now: int
    lag_ms: int
    values: bool
    alarms: bytes
    gateways: bytes
    numbers: tuple[int, int]
    frames: dict[Mark | None, asyncio.Future[Frame]] = field(default_factory=dict)


class LiveHub:
    """One per application; `run` is its life. Methods are for the event loop's thread only."""

    def __init__(
        self,
        live: LiveSource,
        gateways: Callable[[], Sequence[Presence]],
        point_ids: Callable[[], Sequence[str]],
        *,
        lag_ms: Callable[[], int],
        now_ms: Callable[[], int],
        limits: Limits,
    ) -> None:
        self.limits = limits
        self.counters = Counters()
        self._live = live
        self._gateways = gateways
        self._point_ids = point_ids
        self._lag_ms = lag_ms
        self._now_ms = now_ms
        self._clients: set[Client] = set()
        self._wake = asyncio.Event()
        self._board: _Board | None = None
        self._online: dict[str, bool] = {}
        self._gateway_list = b"[]"
        self._ticks = GATEWAY_TICKS
        self._failing = False
        # One thread: stores are read off the event loop, and boards are made in order.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="live-feed")

    @property
    def clients(self) -> int:
        """Sockets connected now."""
        return len(self._clients)

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Feed clients until the block ends."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            # The loop may be gone already when a last transition calls from its own thread.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._wake.set)

        unsubscribe = self._live.subscribe(wake)
        feed = asyncio.create_task(self._feed(), name="live-feed")
        try:
            yield
        finally:
            unsubscribe()
            feed.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await feed
            for client in self._clients:
                client.end(1001)
            self._worker.shutdown(wait=True)

    def attach(self, client: Client) -> bool:
        """Count a client in; False when there are too many."""
        if len(self._clients) >= self.limits.sockets:
            self.counters.refused += 1
            return False
        self._clients.add(client)
        return True

    def detach(self, client: Client) -> None:
        """Count it out."""
        self._clients.discard(client)

    def end_session(self, session: str) -> None:
        """Close the sockets of a session that was logged out."""
        for client in self._clients:
            if client.session == session:
                client.end(SESSION_ENDED)

    async def snapshot(self) -> Frame:
        """The first message of a connection; those who connect within one tick share it."""
        board = self._board
        loop = asyncio.get_running_loop()
        if board is None or loop.time() - board.made > self.limits.tick_s:
            board = await self._make(values=True)
        return await self._frame(board, None)

    async def delta(self, mark: Mark) -> Frame:
        """The newest frame for a client that stands at `mark`."""
        assert self._board is not None
        return await self._frame(self._board, mark)

    async def _feed(self) -> None:
        loop = asyncio.get_running_loop()
        tick_at = loop.time() + self.limits.tick_s
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, tick_at - loop.time()))
            self._wake.clear()
            tick = loop.time() >= tick_at
            if tick:
                tick_at = max(tick_at + self.limits.tick_s, loop.time())
                self._end_expired()
            if not self._clients:
                continue
            before = self._board
            try:
                board = await self._make(values=tick)
            except Exception as error:  # the feed goes on; screens see the silence
                if not self._failing:
                    log.error("live feed cannot read the state", error=str(error), exc_info=True)
                self._failing = True
                self.counters.failures += 1
                await asyncio.sleep(self.limits.tick_s)
                continue
            if self._failing:
                log.info("live feed reads the state again")
                self._failing = False
            if tick or before is None or before.numbers != board.numbers:
                for client in self._clients:
                    client.due.set()
            await asyncio.sleep(min(ALARM_GAP_S, max(0.0, tick_at - loop.time())))

    def _end_expired(self) -> None:
        now = self._now_ms()
        for client in self._clients:
            if client.expires_at <= now:
                client.end(SESSION_ENDED)

    async def _make(self, *, values: bool) -> _Board:
        """A new board from the stores. Boards made without `values` leave them to the next tick."""
        loop = asyncio.get_running_loop()
        alarms, gateways, lag_ms = await loop.run_in_executor(self._worker, self._collect, values)
        before = self._board
        if before is None:
            numbers = (0, 0)
        else:
            numbers = (
                before.numbers[0] + (before.alarms != alarms),
                before.numbers[1] + (before.gateways != gateways),
            )
            # A client that has not yet taken the last value frame must still get one.
            values = values or any(client.due.is_set() for client in self._clients)
        board = _Board(loop.time(), self._now_ms(), lag_ms, values, alarms, gateways, numbers)
        self._board = board
        return board

    def _collect(self, tick: bool) -> tuple[bytes, bytes, int]:
        """In the worker thread: the lists that are compared, and the lag.

        Gateways go out at once when one came or went, else every few ticks: when each was last
        heard changes with every message.
        """
        gateways = self._gateways()
        online = {gateway.id: gateway.online for gateway in gateways}
        self._ticks += tick
        if online != self._online or self._ticks >= GATEWAY_TICKS:
            self._online, self._ticks = online, 0
            self._gateway_list = msgspec.json.encode([gateway.brief() for gateway in gateways])
        return msgspec.json.encode(self._live.alarms()), self._gateway_list, self._lag_ms()

    async def _frame(self, board: _Board, mark: Mark | None) -> Frame:
        """The frame from `mark` to `board`, made once for everyone who stands there."""
        made = board.frames.get(mark)
        if made is None:
            loop = asyncio.get_running_loop()
            made = board.frames[mark] = loop.run_in_executor(
                self._worker, self._encode, board, mark
            )
        # Shielded: one client that goes away must not cancel what others wait for.
        return await asyncio.shield(made)

    def _encode(self, board: _Board, mark: Mark | None) -> Frame:
        """In the worker thread: a snapshot (`mark` None) or the delta from `mark`."""
        alarms, gateways = board.numbers
        message: dict[str, Any] = {
            "type": "snapshot" if mark is None else "delta",
            "now": board.now,
            "lag_ms": board.lag_ms,
        }
        if mark is None:
            state = self._live.snapshot()
            version = state.version
            columns = (state.value.tolist(), state.ts.tolist(), state.quality.tolist())
            message["points"] = list(self._point_ids()[: len(state.ts)])
            message["values"] = [
                None if ts == NEVER else (v, ts, q) for v, ts, q in zip(*columns, strict=True)
            ]
        else:
            version = mark.version
            message["values"] = []
            if board.values:
                version, changed = self._live.changed_since(mark.version)
                if len(changed):
                    state = self._live.snapshot()
                    message["values"] = list(
                        zip(
                            changed.tolist(),
                            state.value[changed].tolist(),
                            state.ts[changed].tolist(),
                            state.quality[changed].tolist(),
                            strict=True,
                        )
                    )
        if mark is None or mark.alarms != alarms:
            message["alarms"] = msgspec.Raw(board.alarms)
        if mark is None or mark.gateways != gateways:
            message["gateways"] = msgspec.Raw(board.gateways)
        text = msgspec.json.encode(message).decode()
        return Frame(text, Mark(version, alarms, gateways))
