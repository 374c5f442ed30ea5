"""Who is calling: session cookies of people, keys of machines, roles, and what a browser may send.

Owns the checks of one request. Accounts, sessions and keys are `twin.records`; logging in is
`api.routes.session`.
"""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from api.language import preferred
from api.problems import Problem
from twin.records import Records
from twin.records.keys import MachineKey, MachineKeys
from twin.records.people import Login, Role, find_session

COOKIE: Final = "parktwin_session"
CSRF_HEADER: Final = "X-CSRF-Token"
REMEMBERED: Final = 2_000
LONGEST_TOKEN: Final = 200

ROLE_WORDS: Final = {
    Role.VIEWER: ("查看", "viewer"),
    Role.OPERATOR: ("值班", "operator"),
    Role.ENGINEER: ("工程师", "engineer"),
    Role.ADMIN: ("管理员", "admin"),
}


class Scope:
    """The points a machine key may read: ids, `ASSET.*` for all of an asset, or `*` for all."""

    def __init__(self, patterns: Mapping[str, Any]) -> None:
        listed = patterns.get("points", ())
        rows = [str(row) for row in listed] if isinstance(listed, list | tuple) else []
        self._all = "*" in rows
        self._assets = frozenset(row[:-2] for row in rows if row.endswith(".*"))
        self._points = frozenset(rows)

    def __contains__(self, point_id: object) -> bool:
        """Whether it covers that point."""
        if self._all or point_id in self._points:
            return True
        return isinstance(point_id, str) and point_id.rpartition(".")[0] in self._assets


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller. scope: None for people, who see every point."""

    name: str
    role: Role
    scope: Scope | None
    login: Login | None
    token: str = field(repr=False, default="")


class Gate:
    """Looks callers up in the records, and remembers them for `trust_s`."""

    def __init__(
        self,
        records: Records,
        pepper: bytes,
        now_ms: Callable[[], int],
        *,
        public_url: str = "",
        trust_s: float = 2.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._keys = MachineKeys(pepper)
        self._now_ms = now_ms
        self._trust_s = trust_s
        self._monotonic = monotonic
        self._public = urlsplit(public_url).netloc.lower()
        self._known: OrderedDict[str, tuple[float, Login | MachineKey]] = OrderedDict()

    async def person(self, token: str) -> Login | None:
        """The open session of a cookie's token."""
        if not token or len(token) > LONGEST_TOKEN:
            return None
        found = self._recall(token)
        if found is None:
            found = await run_in_threadpool(self._look_up_session, token)
        if not isinstance(found, Login) or found.expires_at <= self._now_ms():
            return None
        return found

    async def machine(self, text: str) -> MachineKey | None:
        """The usable key of a bearer token."""
        if not text or len(text) > LONGEST_TOKEN:
            return None
        found = self._recall(text)
        if found is None:
            found = await run_in_threadpool(self._look_up_key, text)
        if not isinstance(found, MachineKey) or not found.usable(self._now_ms()):
            return None
        return found

    def forget(self, token: str) -> None:
        """A session was closed."""
        self._known.pop(token, None)

    def same_origin(self, headers: Headers) -> bool:
        """Whether a request comes from our own pages, or from no browser page at all."""
        if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        try:
            place = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return bool(place) and place in {headers.get("host", "").lower(), self._public}

    def _recall(self, secret: str) -> Login | MachineKey | None:
        entry = self._known.get(secret)
        if entry is None or self._monotonic() - entry[0] > self._trust_s:
            return None
        return entry[1]

    def _remember(self, secret: str, found: Login | MachineKey) -> None:
        self._known[secret] = (self._monotonic(), found)
        self._known.move_to_end(secret)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _look_up_session(self, token: str) -> Login | None:
        with self._records.reading() as unit:
            found = find_session(unit, token, self._now_ms())
        if found is not None:
            self._remember(token, found)
        return found

    def _look_up_key(self, text: str) -> MachineKey | None:
        with self._records.reading() as unit:
            found = self._keys.verify(unit, text, self._now_ms())
        if found is not None:
            self._remember(text, found)
        return found


def gate_of(connection: HTTPConnection) -> Gate:
    """The application's gate."""
    gate = connection.app.state.gate
    assert isinstance(gate, Gate)
    return gate


async def caller(request: Request) -> Caller:
    """The caller of a request; raises `Problem` 401, or 403 for a change without CSRF token."""
    gate = gate_of(request)
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        key = await gate.machine(bearer.strip())
        if key is None:
            raise Problem("key-refused", headers={"WWW-Authenticate": 'Bearer realm="parktwin"'})
        return Caller(f"key:{key.id}", key.role, Scope(key.scope), None)
    token = request.cookies.get(COOKIE, "")
    login = await gate.person(token)
    if login is None:
        raise Problem("not-logged-in", headers={"WWW-Authenticate": 'Bearer realm="parktwin"'})
    if request.method not in {"GET", "HEAD", "OPTIONS"}:
        refuse_cross_origin(request)
        sent = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(sent.encode(), login.csrf.encode()):
            raise Problem("csrf")
    return Caller(login.user.name, login.user.role, None, login, token)


def refuse_cross_origin(request: Request) -> None:
    """Raise `Problem` when a page of another site sent this."""
    if not gate_of(request).same_origin(request.headers):
        raise Problem("cross-origin", origin=request.headers.get("origin", "-"))


def json_only(request: Request) -> None:
    """Raise `Problem` 415 unless the body is declared as JSON, which a plain form cannot be."""
    media, _, _ = request.headers.get("content-type", "").partition(";")
    if media.strip().lower() != "application/json":
        raise Problem("media-type")


Known = Annotated[Caller, Depends(caller)]


def _person(needed: Role) -> Callable[[Request, Caller], Awaitable[Caller]]:
    async def check(request: Request, who: Known) -> Caller:
        if who.login is None:
            raise Problem("key-scope")
        if not who.role.allows(needed):
            zh, en = ROLE_WORDS[needed]
            language = preferred(request.headers.get("accept-language"))
            raise Problem("role", needed=zh if language == "zh" else en)
        return who

    return check


Reader = Known
"""Anyone who may read points: people, and machine keys within their scope."""

Viewer = Annotated[Caller, Depends(_person(Role.VIEWER))]
Operator = Annotated[Caller, Depends(_person(Role.OPERATOR))]
Engineer = Annotated[Caller, Depends(_person(Role.ENGINEER))]
Admin = Annotated[Caller, Depends(_person(Role.ADMIN))]
