"""Passwords, tokens and the pepper of one installation: made once, kept in files, never defaulted.

Owns the folder's contents and the refusal of known defaults. Who may read which copy of them in
containers is `parktwin.handout`; nothing here talks to a broker or a database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from parktwin.access import HEALTH, NODE, mosquitto_acl, name_problem

BROKER_NODE: Final = "broker-node"
BROKER_HEALTH: Final = "broker-health"
BROKER_PASSWORDS: Final = "broker-passwords"
BROKER_ACL: Final = "broker-acl"
GATEWAYS: Final = "gateways"
SOURCES: Final = "sources"

RANDOM: Final = (
    BROKER_NODE,
    BROKER_HEALTH,
    "influxdb-admin-password",
    "influxdb-operator-token",
    "influxdb-grafana-password",
    "postgres-admin-password",
    "postgres-password",
    "grafana-admin-password",
    "grafana-secret-key",
    "session-pepper",
)
"""Names of the random secrets of every installation (gateways and sources have one each)."""

SHORTEST: Final = 20

# Published defaults of this product's neighbours and the words people type first. Lower case.
KNOWN_DEFAULTS: Final = frozenset(
    """
    admin administrator root user guest public private test demo default secret password passwd
    passw0rd password1 password123 changeme change-me change_me letmein welcome 123456 12345678
    123456789 1234567890 111111 000000 qwerty abc123 mosquitto mqtt emqx hivemq influx influxdb
    influxdb2 postgres postgresql grafana parktwin thingsboard tenant sysadmin customer
    admin123 admin@123 root123456 a123456 ruoyi jeecg
    my-super-secret-auth-token my-super-secret-token my-secret-token mytoken
    my-super-secret-password thingsboarddefaultsigningkey sw2ycwtib9zpoohopsmm
    your-256-bit-secret abcdefghijklmnopqrstuvwxyz01234567890
    replace-this-with-a-real-secret please-change-this-password
    """.split()
)

# As mosquitto_passwd does it. The passwords are 256 random bits, so stretching adds nothing.
_PBKDF2_ROUNDS = 101
_SALT_BYTES = 12


class SecretError(Exception):
    """A secret or a name that the platform refuses to start with; says where and the mend."""

    def __init__(self, file: Path, problem: str, mend: str) -> None:
        super().__init__(f"{file}: {problem}. {mend}")
        self.file = file
        self.problem = problem
        self.mend = mend


def refuse_default(value: str, file: Path) -> None:
    """Raise `SecretError` when `value` is empty, short or published as somebody's default."""
    mend = f"Delete {file} and run `parktwin secrets make` to have a random one made."
    if not value:
        raise SecretError(file, "the secret is empty", mend)
    if value.lower() in KNOWN_DEFAULTS:
        raise SecretError(file, "the secret is a publicly known default", mend)
    if len(value) < SHORTEST:
        raise SecretError(file, f"the secret is shorter than {SHORTEST} characters", mend)
    if len(set(value)) < 6:
        raise SecretError(file, "the secret repeats a few characters", mend)


def read_secret(file: Path) -> str:
    """The secret in `file`, without the line end. Raises `SecretError` when it may not be used."""
    try:
        value = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise SecretError(
            file, f"the secret cannot be read ({problem})", "Make the file readable by this user."
        ) from problem
    refuse_default(value, file)
    return value


def make_secrets(
    folder: Path, gateways: Iterable[str] = (), sources: Iterable[str] = ()
) -> list[str]:
    """Make every secret that is missing in `folder`; return the names of the new files.

    Existing secrets are never overwritten, only checked. `gateways` and `sources` (foreign MQTT
    publishers) are names; each gets a password of its own in ``gateways/NAME`` and
    ``sources/NAME``. The broker's password and access files are derived, so they are written
    anew when they differ. All files have mode 0400, the folder 0700.

    Raises `SecretError` for a known default, a name that no topic can carry, or a name twice.
    """
    _open_folder(folder)
    made = [name for name in RANDOM if _make(folder / name)]
    taken: dict[str, Path] = {}
    for kind, names in ((GATEWAYS, gateways), (SOURCES, sources)):
        for name in sorted(set(names)):
            file = folder / kind / name
            if problem := name_problem(name):
                raise SecretError(file, problem, "Rename it in the park model.")
            if name in taken:
                raise SecretError(file, f"{name!r} is a gateway already", "Rename the source.")
            taken[name] = file
            _open_folder(file.parent)
            if _make(file):
                made.append(f"{kind}/{name}")
    users = broker_users(folder)
    passwords = folder / BROKER_PASSWORDS
    if _replace(passwords, password_file(users, _old_lines(passwords))):
        made.append(BROKER_PASSWORDS)
    if _replace(folder / BROKER_ACL, mosquitto_acl()):
        made.append(BROKER_ACL)
    return made


def broker_users(folder: Path) -> dict[str, str]:
    """Broker user name -> password, of everybody who has a file in `folder`."""
    users = {NODE: read_secret(folder / BROKER_NODE), HEALTH: read_secret(folder / BROKER_HEALTH)}
    for kind in (GATEWAYS, SOURCES):
        parent = folder / kind
        if parent.is_dir():
            for file in sorted(parent.iterdir()):
                if not file.name.startswith("."):
                    users[file.name] = read_secret(file)
    return users


def password_file(users: Mapping[str, str], old: Mapping[str, str] | None = None) -> str:
    """Text of Mosquitto's ``password_file`` for `users`.

    A line of `old` (name -> hash) that still fits its password stays as it is, so that nothing
    changes when nobody was added.
    """
    old = old or {}
    lines = []
    for name in sorted(users):
        kept = old.get(name, "")
        fits = bool(kept) and fits_password(kept, users[name])
        lines.append(f"{name}:{kept if fits else hash_password(users[name])}\n")
    return "".join(lines)


def hash_password(password: str, salt: bytes | None = None) -> str:
    """`password` as Mosquitto 2.x stores it: ``$7$rounds$salt$hash``, PBKDF2 with HMAC-SHA-512."""
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _PBKDF2_ROUNDS, 64)
    parts = (base64.b64encode(salt).decode(), base64.b64encode(digest).decode())
    return f"$7${_PBKDF2_ROUNDS}${parts[0]}${parts[1]}"


def fits_password(stored: str, password: str) -> bool:
    """Whether the stored hash (see `hash_password`) is that of `password`."""
    try:
        _, kind, rounds, salt, digest = stored.split("$")
        wanted = base64.b64decode(digest, validate=True)
        raw_salt = base64.b64decode(salt, validate=True)
        given = hashlib.pbkdf2_hmac("sha512", password.encode(), raw_salt, int(rounds), 64)
    except ValueError:
        return False
    return kind == "7" and hmac.compare_digest(given, wanted)


def _old_lines(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    rows = (line.partition(":") for line in file.read_text(encoding="utf-8").splitlines())
    return {name: stored for name, _, stored in rows if name}


def _open_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def _make(file: Path) -> bool:
    """Make one random secret of 256 bits; False when there is one already (which is checked)."""
    if file.exists():
        read_secret(file)
        return False
    draft = _draft(file, secrets.token_urlsafe(32) + "\n")
    try:
        # A link, not a rename: two processes that start together end with one and the same secret.
        file.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _replace(file: Path, text: str) -> bool:
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    _draft(file, text).replace(file)
    return True


def _draft(file: Path, text: str) -> Path:
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    return draft
