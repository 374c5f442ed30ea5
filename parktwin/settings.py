"""Settings of one node, from the environment (``PARKTWIN_*``).

Owns names and defaults; reads no secret until asked.
Every setting is listed in docs/deployment.md; a test holds the two equal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from parktwin.secrets import SecretError, refuse_default


class SettingsError(Exception):
    """A setting that cannot work; the message names it, its value and the mend."""


class Settings(BaseSettings):
    """What a node needs to know. A secret is given by file, never by value."""

    model_config = SettingsConfigDict(env_prefix="PARKTWIN_", extra="ignore")

    home: Annotated[Path, Field(description="folder of everything the node writes")] = Path("var")
    park: Annotated[Path, Field(description="folder of the park model")] = Path("parks/demo")
    secrets: Annotated[
        Path | None, Field(description="folder with session-pepper; in the home folder if empty")
    ] = None
    http_host: Annotated[str, Field(description="address the node listens on")] = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535, description="its port")] = 8000
    public_url: Annotated[
        str, Field(description="how browsers reach the node, when a proxy stands before it")
    ] = ""
    broker_url: Annotated[str, Field(description="mqtt://user@host:port")] = (
        "mqtt://node@127.0.0.1:1883"
    )
    broker_password_file: Annotated[Path | None, Field(description="the node's password there")] = (
        None
    )
    broker_ca_file: Annotated[
        Path | None, Field(description="authority of the broker's certificate, for mqtts://")
    ] = None
    broker_window: Annotated[
        int,
        Field(ge=10, le=20000, description="unacknowledged messages the broker may have under way"),
    ] = 1000
    influxdb_url: Annotated[str, Field(description="forward to this InfluxDB when set")] = ""
    influxdb_token_file: Annotated[Path | None, Field(description="its write token")] = None
    influxdb_org: Annotated[str, Field(description="its organisation")] = "parktwin"
    records_url: Annotated[
        str,
        Field(description="PostgreSQL for alarms and users; SQLite in the home folder if empty"),
    ] = ""
    records_password_file: Annotated[Path | None, Field(description="PostgreSQL password")] = None
    retain_days: Annotated[int, Field(ge=2, description="days of raw readings kept locally")] = 90
    journal_hours: Annotated[int, Field(ge=1, description="hours of journal always kept")] = 48
    log_format: Annotated[Literal["console", "json"], Field(description="how logs are written")] = (
        "console"
    )

    def secret(self, name: str) -> str:
        """The content of the file that setting `name` (e.g. ``broker_password_file``) points to.

        Empty when the setting is empty. Raises `SettingsError` when the file cannot be read, is
        empty, or holds a secret that is short or publicly known.
        """
        path: Path | None = getattr(self, name)
        if path is None:
            return ""
        variable = f"PARKTWIN_{name.upper()}"
        try:
            value = path.read_text(encoding="utf-8").strip()
        except OSError as problem:
            raise SettingsError(
                f"{variable}={path} cannot be read ({problem.strerror}). "
                "Point it to a file that this user may read."
            ) from problem
        try:
            refuse_default(value, path)
        except SecretError as problem:
            raise SettingsError(f"{variable}: {problem}") from problem
        return value

    def records_address(self) -> str:
        """SQLAlchemy URL of the records database, with its password."""
        if not self.records_url:
            return f"sqlite:///{(self.home / 'records.db').resolve()}"
        password = self.secret("records_password_file")
        if not password:
            return self.records_url
        parts = urlsplit(self.records_url)
        at = f"{parts.username or ''}:{quote(password, safe='')}@{parts.hostname}"
        if parts.port:
            at += f":{parts.port}"
        return parts._replace(netloc=at).geturl()
