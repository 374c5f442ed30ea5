"""Which container may read which secret: one folder for each service, files owned by its user.

Owns the table of shares and the copying. Containers mount their own folder only, read-only, so a
broken Grafana cannot read the database's password.
"""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from parktwin.access import HEALTH, HEALTH_TOPIC
from parktwin.secrets import (
    BROKER_ACL,
    BROKER_HEALTH,
    BROKER_NODE,
    BROKER_PASSWORDS,
    SecretError,
    read_secret,
)

SHARES_FOLDER: Final = "for"
NODE_UID: Final = 10001

# Written here by the InfluxDB one-shot, which runs as the node's user; read by the node.
TOKEN_SHARE: Final = "node-influxdb"


@dataclass(frozen=True, slots=True)
class Share:
    """Files of one service: name inside the container -> name of the secret."""

    service: str
    uid: int
    gid: int
    files: dict[str, str] = field(default_factory=dict)


SHARES: Final = (
    Share("broker", 1883, 1883, {BROKER_PASSWORDS: BROKER_PASSWORDS, BROKER_ACL: BROKER_ACL}),
    Share(
        "influxdb",
        1000,
        1000,
        {
            "influxdb-admin-password": "influxdb-admin-password",
            "influxdb-operator-token": "influxdb-operator-token",
        },
    ),
    Share(
        "influxdb-setup",
        NODE_UID,
        NODE_UID,
        {
            "influxdb-operator-token": "influxdb-operator-token",
            "influxdb-grafana-password": "influxdb-grafana-password",
        },
    ),
    Share(
        "postgres",
        999,
        999,
        {
            "postgres-admin-password": "postgres-admin-password",
            "postgres-password": "postgres-password",
        },
    ),
    Share(
        "grafana",
        472,
        0,
        {
            "grafana-admin-password": "grafana-admin-password",
            "grafana-secret-key": "grafana-secret-key",
            "influxdb-grafana-password": "influxdb-grafana-password",
        },
    ),
    Share(
        "node",
        NODE_UID,
        NODE_UID,
        {
            BROKER_NODE: BROKER_NODE,
            "postgres-password": "postgres-password",
            "session-pepper": "session-pepper",
        },
    ),
    Share(TOKEN_SHARE, NODE_UID, NODE_UID),
)


def hand_out(folder: Path, chown: Callable[[Path, int, int], None] = os.chown) -> None:
    """Copy each service's secrets from `folder` into ``folder/for/SERVICE`` (files 0400).

    The folders stay root's and may be entered by everybody, because a container reaches its own
    through a mount; on the host nobody passes `folder` itself, which has mode 0700. The token
    share belongs to its user, who writes into it.
    """
    for share in SHARES:
        target = folder / SHARES_FOLDER / share.service
        target.mkdir(parents=True, exist_ok=True)
        if share.service == TOKEN_SHARE:
            target.chmod(0o700)
            chown(target, share.uid, share.gid)
            continue
        target.chmod(0o755)
        for name, secret in share.files.items():
            _copy((folder / secret).read_text(encoding="utf-8"), target / name, share, chown)
        if share.service == "broker":
            _copy(_health_options(folder), target / "mosquitto_sub", share, chown)


def gateway_names(park: Path) -> list[str]:
    """The ``gateway:`` of each file in ``PARK/gateways``. Raises `SecretError` for a bad file."""
    names = []
    for file in sorted((park / "gateways").glob("*.yaml")):
        try:
            document = YAML(typ="safe", pure=True).load(file)
        except YAMLError as problem:
            raise SecretError(file, f"not YAML ({problem})", "Mend the file.") from problem
        name = document.get("gateway") if isinstance(document, dict) else None
        if not isinstance(name, str):
            raise SecretError(file, "no `gateway: NAME` in it", "Name the gateway.")
        names.append(name)
    return names


def source_names(park: Path) -> list[str]:
    """Foreign MQTT publishers: the distinct values of column ``source`` in ``bindings.csv``."""
    file = park / "bindings.csv"
    if not file.exists():
        return []
    with file.open(encoding="utf-8-sig", newline="") as rows:
        return sorted({row["source"] for row in csv.DictReader(rows) if row.get("source")})


def _health_options(folder: Path) -> str:
    # mosquitto_sub reads this as its options file, so that the password is on no command line.
    password = read_secret(folder / BROKER_HEALTH)
    return f"-u {HEALTH}\n-P {password}\n-t {HEALTH_TOPIC}\n-C 1\n-W 4\n"


def _copy(text: str, to: Path, share: Share, chown: Callable[[Path, int, int], None]) -> None:
    draft = to.with_name(f".{to.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    chown(draft, share.uid, share.gid)
    draft.replace(to)
