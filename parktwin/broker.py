"""The embedded broker: rumqttd (package iotcore) on loopback, with one password for each client.

It keeps messages in memory only and has no access rules, which is why it never listens beyond
loopback; a park in production uses Mosquitto (compose.yaml). Readings do not depend on it: a
gateway keeps each one until the node says that it is on disk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

# rumqttd has at most this many messages of one connection unacknowledged, whatever is configured;
# a node that acknowledges more rarely than this stands still.
WINDOW = 100

_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 16777216
max_segment_count = 8

[v4.1]
name = "parktwin"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 10000
max_payload_size = 1048576
max_inflight_count = {window}
dynamic_filters = true

[v4.1.connections.auth]
{users}
"""


def write_config(path: Path, port: int, users: Mapping[str, str]) -> None:
    """Write rumqttd's configuration with `users` (name to password), readable by this user only."""
    lines = "\n".join(f"{json.dumps(name)} = {json.dumps(word)}" for name, word in users.items())
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(_CONFIG.format(port=port, window=WINDOW, users=lines), encoding="utf-8")


def serve(config: Path) -> None:
    """Run the broker in this process until it is ended."""
    from iotcore import Broker

    Broker(config_path=str(config)).run_forever()
