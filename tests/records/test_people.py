"""Accounts, sessions, login codes and machine keys."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from twin.records import Records
from twin.records import people as accounts
from twin.records.audit import AuditEntry, read_audit, write_audit
from twin.records.keys import MachineKeys
from twin.records.people import NameTaken, Role, User, WeakPassword, verify

PASSWORD = "correct horse battery"
PEPPER = bytes(range(32))


def make(records: Records, name: str = "li", role: Role = Role.OPERATOR) -> User:
    with records.unit() as unit:
        return accounts.create_user(unit, name, PASSWORD, role, 1)


def everything(records: Records) -> str:
    """All text that is stored, for looking for secrets."""
    found = []
    with records.reading() as unit:
        for table in ("account", "login_session", "login_code", "machine_key"):
            found += [str(row) for row in unit.execute(text(f"SELECT * FROM {table}"))]
    return "\n".join(found)


def test_only_the_right_password_of_an_enabled_account_verifies(records: Records) -> None:
    user = make(records)
    assert verify(records, "li", PASSWORD, 2) == user
    assert verify(records, "li", PASSWORD + "!", 2) is None
    assert verify(records, "nobody", PASSWORD, 2) is None
    with records.unit() as unit:
        accounts.disable_user(unit, user, 3)
    assert verify(records, "li", PASSWORD, 4) is None


def test_passwords_are_argon2id_and_never_stored(records: Records) -> None:
    make(records)
    stored = everything(records)
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored
    assert PASSWORD not in stored


def test_a_hash_of_older_settings_is_renewed_at_the_next_login(records: Records) -> None:
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    make(records)
    old = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8192, parallelism=1),))
    with records.unit() as unit:
        unit.execute(text("UPDATE account SET password = :p"), {"p": old.hash(PASSWORD)})
    assert verify(records, "li", PASSWORD, 2) is not None
    assert "m=19456,t=2,p=1" in everything(records)


def test_a_name_is_taken_once_and_the_rest_of_the_unit_survives(records: Records) -> None:
    make(records)
    with records.unit() as unit:
        with pytest.raises(NameTaken):
            accounts.create_user(unit, "li", PASSWORD, Role.VIEWER, 2)
        accounts.create_user(unit, "wang", None, Role.ADMIN, 2)
    with records.reading() as unit:
        assert [u.name for u in accounts.users(unit)] == ["li", "wang"]
        assert accounts.find_user(unit, "zhao") is None
    assert verify(records, "wang", "", 3) is None


@pytest.mark.parametrize("password", ["", "short", "adminadmin"])
def test_weak_passwords_are_refused(records: Records, password: str) -> None:
    with pytest.raises(WeakPassword), records.unit() as unit:
        accounts.create_user(unit, "AdminAdmin", password, Role.ADMIN, 1)


def test_roles_include_the_ones_below() -> None:
    order = [Role.VIEWER, Role.OPERATOR, Role.ENGINEER, Role.ADMIN]
    for i, role in enumerate(order):
        assert [role.allows(needed) for needed in order] == [i >= k for k in range(4)]


def test_a_session_lasts_until_it_expires_or_is_closed(records: Records) -> None:
    user = make(records)
    with records.unit() as unit:
        token, login = accounts.open_session(unit, user, 1000, 500, "10.0.0.1")
        other, _ = accounts.open_session(unit, user, 1000, 900)
    with records.reading() as unit:
        assert accounts.find_session(unit, token, 1499) == login
        assert accounts.find_session(unit, token, 1500) is None
        assert accounts.find_session(unit, "made up", 1100) is None
    assert token not in everything(records)
    with records.unit() as unit:
        accounts.close_session(unit, token)
        accounts.close_session(unit, "made up")
    with records.reading() as unit:
        assert accounts.find_session(unit, token, 1100) is None
        assert accounts.find_session(unit, other, 1100) is not None


def test_a_new_password_or_a_disabled_account_ends_every_session(records: Records) -> None:
    user = make(records)
    with records.unit() as unit:
        token, _ = accounts.open_session(unit, user, 1000, 500)
        accounts.change_password(unit, user, "another long one", 1001)
    with records.unit() as unit:
        assert accounts.find_session(unit, token, 1100) is None
        token, _ = accounts.open_session(unit, user, 1000, 500)
        accounts.disable_user(unit, user, 1002)
    with records.reading() as unit:
        assert accounts.find_session(unit, token, 1100) is None
    assert verify(records, "li", PASSWORD, 2000) is None


def test_a_changed_role_counts_at_once_in_open_sessions(records: Records) -> None:
    user = make(records)
    with records.unit() as unit:
        token, _ = accounts.open_session(unit, user, 1000, 500)
        accounts.change_role(unit, user, Role.VIEWER, 1001)
    with records.reading() as unit:
        login = accounts.find_session(unit, token, 1100)
    assert login is not None
    assert login.user.role is Role.VIEWER


def test_expired_sessions_are_swept_when_somebody_logs_in(records: Records) -> None:
    user = make(records)
    with records.unit() as unit:
        accounts.open_session(unit, user, 1000, 500)
        accounts.open_session(unit, user, 2000, 500)
        assert unit.scalar(text("SELECT count(*) FROM login_session")) == 1


def test_a_login_code_works_once_and_in_its_time(records: Records) -> None:
    user = make(records)
    with records.unit() as unit:
        first = accounts.issue_login_code(unit, user, 1000, 500)
        code = accounts.issue_login_code(unit, user, 1000, 500)
    assert code not in everything(records)
    with records.unit() as unit:
        assert accounts.use_login_code(unit, first, 1001) is None  # replaced by the second
        assert accounts.use_login_code(unit, "made up", 1001) is None
        assert accounts.use_login_code(unit, code, 1500) is None
        assert accounts.use_login_code(unit, code, 1499) == user
        assert accounts.use_login_code(unit, code, 1499) is None


def test_a_login_code_used_by_many_at_once_lets_one_in(records: Records) -> None:
    user = make(records)
    with records.unit() as unit:
        code = accounts.issue_login_code(unit, user, 1000, 500)
    let_in: list[User | None] = []

    def enter() -> None:
        with records.unit() as unit:
            let_in.append(accounts.use_login_code(unit, code, 1001))

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(let_in, key=bool) == [None] * 5 + [user]


def test_a_machine_key_verifies_until_revoked_or_expired(records: Records) -> None:
    keys = MachineKeys(PEPPER)
    with records.unit() as unit:
        key_text, key = keys.issue(
            unit,
            "ERP of E-017",
            role=Role.VIEWER,
            scope={"points": ["E-017.energy_total"]},
            created_by="li",
            now_ms=1000,
            expires_at=2000,
        )
        lasting, _ = keys.issue(
            unit, "board", role=Role.VIEWER, scope={}, created_by="li", now_ms=1001
        )
    assert key_text.startswith(f"pk_{key.id}_")
    assert key_text.split("_", 2)[2] not in everything(records)
    with records.reading() as unit:
        assert keys.verify(unit, key_text, 1999) == key
        assert keys.verify(unit, key_text, 2000) is None
        assert MachineKeys(PEPPER[::-1]).verify(unit, key_text, 1999) is None
        for wrong in ("", "pk_", "pk__", "pk_ab_cd", key_text[:-1], key_text + "x", "pk_é_ü"):
            assert keys.verify(unit, wrong, 1999) is None
        assert [k.name for k in keys.list(unit)] == ["board", "ERP of E-017"]
    with records.unit() as unit:
        assert keys.revoke(unit, key.id, 1500)
        assert not keys.revoke(unit, key.id, 1501)
        assert keys.verify(unit, key_text, 1600) is None
        assert keys.verify(unit, lasting, 9999) is not None


def test_a_short_pepper_is_refused() -> None:
    with pytest.raises(ValueError, match="31 bytes"):
        MachineKeys(PEPPER[:31])


def test_the_audit_trail_is_read_newest_first_and_page_by_page(records: Records) -> None:
    with records.unit() as unit:
        for number in range(5):
            entry = AuditEntry(
                number, "li", "acknowledge", f"alarm:{number}", {"n": number}, None, "10.0.0.1"
            )
            write_audit(unit, entry)
    with records.reading() as unit:
        page = read_audit(unit, limit=2)
        rest = read_audit(unit, before_seq=page[-1].seq)
    assert [e.object for e in page + rest] == [f"alarm:{n}" for n in (4, 3, 2, 1, 0)]
    assert page[0].before == {"n": 4}
    assert page[0].after is None


def test_an_audit_entry_shares_the_fate_of_its_deed(records: Records) -> None:
    def deed() -> None:
        with records.unit() as unit:
            accounts.create_user(unit, "zhao", PASSWORD, Role.VIEWER, 1)
            write_audit(unit, AuditEntry(1, "li", "create", "user:zhao"))
            raise KeyError("half-way")

    with pytest.raises(KeyError):
        deed()
    with records.reading() as unit:
        assert read_audit(unit) == []
        assert accounts.find_user(unit, "zhao") is None
