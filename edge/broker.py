"""Where the broker is and how to log in; it comes from the environment, never from a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """One MQTT 3.1.1 broker; with `tls` its certificate is checked, against `ca` when given."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca: Path | None = None

    @classmethod
    def parse(
        cls, url: str, user: str = "", password: str = "", ca: Path | None = None
    ) -> BrokerAddress:
        """From ``mqtt://[user@]host[:1883]`` or ``mqtts://[user@]host[:8883]``; raises ValueError.

        A password inside the URL is refused: it would end up in process lists and logs.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError(f"broker address {url!r}: use mqtt://host:port or mqtts://host:port")
        if parts.password:
            raise ValueError("broker address: give the password apart, not inside the URL")
        user = user or unquote(parts.username or "")
        tls = parts.scheme == "mqtts"
        return cls(parts.hostname, parts.port or (8883 if tls else 1883), user, password, tls, ca)
