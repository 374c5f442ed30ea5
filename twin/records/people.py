"""People: accounts, passwords (argon2id), login sessions and one-time login codes.

Tokens and codes are stored only as SHA-256. Owns no HTTP: cookies and attempt limits are the
API's. Times are Unix ms.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from twin.records.schema import AccountRow, LoginCodeRow, SessionRow
from twin.records.store import Records, Unit

SHORTEST_PASSWORD = 10
# OWASP's minimum for argon2id: 19 MiB, 2 passes, 1 lane; about 30 ms a login.
_HASHER = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1),))


class Role(StrEnum):
    """What a person or a key may do; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMIN = "admin"

    def allows(self, needed: Role) -> bool:
        """Whether somebody with this role may do what `needed` is asked for."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class NameTaken(Exception):
    """An account of that name exists."""


class WeakPassword(Exception):
    """The password is too short, or is the account's name."""


@dataclass(frozen=True, slots=True)
class User:
    """A person as the rest of the platform sees one."""

    id: int
    name: str
    role: Role
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """An open session of a user. csrf: to be repeated in a header by every change."""

    user: User
    csrf: str
    created_at: int
    expires_at: int


def create_user(unit: Unit, name: str, password: str | None, role: Role, now_ms: int) -> User:
    """A new account; without a password it can only be entered by a login code.

    Raises `NameTaken`, `WeakPassword`.
    """
    row = AccountRow(
        name=name,
        password=None if password is None else _hashed(name, password),
        role=role.value,
        disabled=False,
        created_at=now_ms,
        changed_at=now_ms,
    )
    try:
        with unit.begin_nested():
            unit.add(row)
    except IntegrityError as error:
        raise NameTaken(name) from error
    return _user(row)


def find_user(unit: Unit, name: str) -> User | None:
    """The account of that name."""
    row = unit.scalar(select(AccountRow).where(AccountRow.name == name))
    return None if row is None else _user(row)


def users(unit: Unit) -> list[User]:
    """Every account, by name."""
    return [_user(row) for row in unit.scalars(select(AccountRow).order_by(AccountRow.name))]


def verify(records: Records, name: str, password: str, now_ms: int) -> User | None:
    """The user of a name and password, or None; None also for a disabled account.

    Hashing takes some 30 ms, whether the name exists or not, and runs outside any transaction. A
    hash made with older settings is renewed.
    """
    with records.reading() as unit:
        row = unit.scalar(select(AccountRow).where(AccountRow.name == name))
    if row is None or row.password is None:
        _HASHER.hash(password)
        return None
    right, renewed = _HASHER.verify_and_update(password, row.password)
    if not right or row.disabled:
        return None
    if renewed is not None:
        with records.unit() as unit:
            unit.execute(
                update(AccountRow)
                .where(AccountRow.id == row.id, AccountRow.password == row.password)
                .values(password=renewed, changed_at=now_ms)
            )
    return _user(row)


def change_password(unit: Unit, user: User, password: str, now_ms: int) -> None:
    """A new password; every open session of the user ends. Raises `WeakPassword`."""
    _change(unit, user, now_ms, password=_hashed(user.name, password))
    close_sessions_of(unit, user.id)


def change_role(unit: Unit, user: User, role: Role, now_ms: int) -> None:
    """A new role, in force at once in open sessions too."""
    _change(unit, user, now_ms, role=role.value)


def disable_user(unit: Unit, user: User, now_ms: int) -> None:
    """Nobody enters by this account any more; its sessions end."""
    _change(unit, user, now_ms, disabled=True)
    close_sessions_of(unit, user.id)


def open_session(
    unit: Unit, user: User, now_ms: int, lifetime_ms: int, ip: str | None = None
) -> tuple[str, Login]:
    """A new session: the token for the cookie, told only now, and the login."""
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    expires_at = now_ms + lifetime_ms
    unit.execute(delete(SessionRow).where(SessionRow.expires_at <= now_ms))
    unit.add(
        SessionRow(
            token_hash=_digest(token),
            account_id=user.id,
            csrf=csrf,
            created_at=now_ms,
            expires_at=expires_at,
            ip=ip,
        )
    )
    unit.flush()
    return token, Login(user, csrf, now_ms, expires_at)


def find_session(unit: Unit, token: str, now_ms: int) -> Login | None:
    """The open session of a token; None when unknown, expired or its account is disabled."""
    found = unit.execute(
        select(SessionRow, AccountRow)
        .join(AccountRow, AccountRow.id == SessionRow.account_id)
        .where(
            SessionRow.token_hash == _digest(token),
            SessionRow.expires_at > now_ms,
            AccountRow.disabled.is_(False),
        )
    ).first()
    if found is None:
        return None
    session, account = found
    return Login(_user(account), session.csrf, session.created_at, session.expires_at)


def close_session(unit: Unit, token: str) -> None:
    """End one session; an unknown token is no error."""
    unit.execute(delete(SessionRow).where(SessionRow.token_hash == _digest(token)))


def close_sessions_of(unit: Unit, user_id: int) -> None:
    """End every session of a user."""
    unit.execute(delete(SessionRow).where(SessionRow.account_id == user_id))


def issue_login_code(unit: Unit, user: User, now_ms: int, lifetime_ms: int) -> str:
    """A code that logs this user in once until it expires; earlier unused ones stop working."""
    unit.execute(
        delete(LoginCodeRow).where(
            LoginCodeRow.account_id == user.id, LoginCodeRow.used_at.is_(None)
        )
    )
    code = secrets.token_urlsafe(16)
    unit.add(
        LoginCodeRow(
            code_hash=_digest(code),
            account_id=user.id,
            created_at=now_ms,
            expires_at=now_ms + lifetime_ms,
            used_at=None,
        )
    )
    unit.flush()
    return code


def use_login_code(unit: Unit, code: str, now_ms: int) -> User | None:
    """The user of a code, which then never works again; None when it does not work now."""
    account_id = unit.scalar(
        update(LoginCodeRow)
        .where(
            LoginCodeRow.code_hash == _digest(code),
            LoginCodeRow.used_at.is_(None),
            LoginCodeRow.expires_at > now_ms,
        )
        .values(used_at=now_ms)
        .returning(LoginCodeRow.account_id)
    )
    if account_id is None:
        return None
    row = unit.get_one(AccountRow, account_id)
    return None if row.disabled else _user(row)


def _change(unit: Unit, user: User, now_ms: int, **values: object) -> None:
    unit.execute(
        update(AccountRow).where(AccountRow.id == user.id).values(changed_at=now_ms, **values)
    )


def _user(row: AccountRow) -> User:
    return User(row.id, row.name, Role(row.role), row.disabled)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _hashed(name: str, password: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise WeakPassword(f"a password has at least {SHORTEST_PASSWORD} characters")
    if password.casefold() == name.casefold():
        raise WeakPassword("a password is not the account's name")
    return _HASHER.hash(password)
