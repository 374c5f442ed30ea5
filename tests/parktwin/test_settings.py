"""Settings: secrets come from files, and a setting that cannot work says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from parktwin.settings import Settings, SettingsError


def test_records_live_in_the_home_folder_unless_a_database_is_named(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).records_address() == f"sqlite:///{tmp_path}/records.db"


def test_the_records_password_is_read_from_its_file_and_escaped(tmp_path: Path) -> None:
    word = tmp_path / "pg"
    word.write_text("p@ss/word-of-36-characters-or-more\n")
    settings = Settings(
        records_url="postgresql+psycopg://parktwin@postgres:5432/parktwin",
        records_password_file=word,
    )
    assert (
        settings.records_address()
        == "postgresql+psycopg://parktwin:p%40ss%2Fword-of-36-characters-or-more@postgres:5432/parktwin"
    )


def test_a_missing_secret_file_names_the_setting_and_the_mend(tmp_path: Path) -> None:
    settings = Settings(broker_password_file=tmp_path / "nowhere")
    with pytest.raises(
        SettingsError, match=r"PARKTWIN_BROKER_PASSWORD_FILE=.*nowhere cannot be read"
    ):
        settings.secret("broker_password_file")


def test_an_empty_secret_is_refused_rather_than_used(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(SettingsError, match="is empty"):
        Settings(influxdb_token_file=empty).secret("influxdb_token_file")


def test_a_node_refuses_a_publicly_known_default(tmp_path: Path) -> None:
    known = tmp_path / "token"
    known.write_text("my-super-secret-auth-token\n")
    with pytest.raises(SettingsError, match=r"_INFLUXDB_TOKEN_FILE.*publicly known default"):
        Settings(influxdb_token_file=known).secret("influxdb_token_file")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARKTWIN_HTTP_PORT", "9001")
    monkeypatch.setenv("PARKTWIN_HOME", "/srv/parktwin")
    settings = Settings()
    assert (settings.http_port, settings.home) == (9001, Path("/srv/parktwin"))
