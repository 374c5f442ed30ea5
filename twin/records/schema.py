"""The tables of the records database, typed. Times are Unix ms; the migrations create them.

A change here needs a migration in `twin/records/migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite numbers rows itself only for a column that is exactly INTEGER PRIMARY KEY.
RowNumber = BigInteger().with_variant(Integer, "sqlite")


class Table(DeclarativeBase):
    """The declarative base; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {int: BigInteger, str: Text, bytes: LargeBinary, dict[str, Any]: JSON}  # noqa: RUF012


class AlarmRow(Table):
    """One alarm (rule on point): its memories, its running delay, its present occurrence."""

    __tablename__ = "alarm"

    id: Mapped[str] = mapped_column(primary_key=True)
    rule: Mapped[str]
    point: Mapped[str] = mapped_column(index=True)
    occurrence: Mapped[int]
    active: Mapped[bool]
    unacked: Mapped[bool]
    latched: Mapped[bool]
    shelve: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    suppressed_by: Mapped[str]
    out_of_service: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    pending_since: Mapped[int | None]
    pending_due: Mapped[int | None]
    since: Mapped[int]
    raised_at: Mapped[int]
    value: Mapped[float | None]
    acked_by: Mapped[str | None]
    acked_at: Mapped[int | None]
    ack_comment: Mapped[str | None]


class TransitionRow(Table):
    """Append-only: what happened to alarms, in commit order."""

    __tablename__ = "transition"
    __table_args__ = (
        # An occurrence is raised once, whatever is replayed after a crash.
        Index(
            "uq_transition_raised",
            "alarm",
            "occurrence",
            unique=True,
            sqlite_where=text("kind = 'raised'"),
            postgresql_where=text("kind = 'raised'"),
        ),
        Index("ix_transition_alarm_seq", "alarm", "seq"),
        Index("ix_transition_at", "at"),
    )

    seq: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    alarm: Mapped[str]
    rule: Mapped[str]
    point: Mapped[str]
    occurrence: Mapped[int]
    kind: Mapped[str]
    before: Mapped[str]
    after: Mapped[str]
    at: Mapped[int]
    recorded_at: Mapped[int]
    value: Mapped[float | None]
    limit: Mapped[float | None] = mapped_column("limit_value")
    unit: Mapped[str]
    priority: Mapped[str]
    message_zh: Mapped[str]
    message_en: Mapped[str]
    annunciate: Mapped[bool]
    user: Mapped[str | None] = mapped_column("account")
    comment: Mapped[str | None]


class NotificationRow(Table):
    """The outbox of notifications: written with the transition, sent afterwards, at least once."""

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("alarm", "occurrence", "step", "channel"),
        Index(
            "ix_notification_unsent",
            "due_at",
            sqlite_where=text("sent_at IS NULL"),
            postgresql_where=text("sent_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    alarm: Mapped[str]
    occurrence: Mapped[int]
    step: Mapped[int]
    channel: Mapped[str]
    created_at: Mapped[int]
    due_at: Mapped[int]
    sent_at: Mapped[int | None]
    attempts: Mapped[int]
    last_error: Mapped[str | None]


class CursorRow(Table):
    """How far a consumer of the journal has come, and in which journal (`epoch`)."""

    __tablename__ = "cursor"

    name: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[str]
    position: Mapped[int]
    detail: Mapped[dict[str, Any]]
    updated_at: Mapped[int]


class DerivedRow(Table):
    """Derived readings on their way to the journal; deleted once the journal has them."""

    __tablename__ = "derived"

    minute: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    readings: Mapped[bytes]


class AccountRow(Table):
    """A person who may log in. password: argon2id, or None when only a login code was given."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str | None]
    role: Mapped[str]
    disabled: Mapped[bool]
    created_at: Mapped[int]
    changed_at: Mapped[int]


class SessionRow(Table):
    """A login that is open; only the SHA-256 of its token is kept."""

    __tablename__ = "login_session"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    csrf: Mapped[str]
    created_at: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)
    ip: Mapped[str | None]


class LoginCodeRow(Table):
    """A login code that works once; only its SHA-256 is kept."""

    __tablename__ = "login_code"

    code_hash: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    created_at: Mapped[int]
    expires_at: Mapped[int]
    used_at: Mapped[int | None]


class MachineKeyRow(Table):
    """A key of a machine: its public id and the HMAC-SHA-256 of its secret."""

    __tablename__ = "machine_key"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    mac: Mapped[str]
    role: Mapped[str]
    scope: Mapped[dict[str, Any]]
    created_by: Mapped[str]
    created_at: Mapped[int]
    expires_at: Mapped[int | None]
    revoked_at: Mapped[int | None]


class AuditRow(Table):
    """Append-only: who did what to which object, from where."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    at: Mapped[int] = mapped_column(index=True)
    who: Mapped[str]
    action: Mapped[str]
    object: Mapped[str]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    ip: Mapped[str | None]
    request_id: Mapped[str | None]


class ModelVersionRow(Table):
    """A park model that has been in force, by its hash."""

    __tablename__ = "model_version"

    hash: Mapped[str] = mapped_column(primary_key=True)
    park: Mapped[str]
    first_loaded_at: Mapped[int]
    last_loaded_at: Mapped[int]
    counts: Mapped[dict[str, Any]]
