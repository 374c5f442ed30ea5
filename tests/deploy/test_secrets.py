"""Secrets are random, private, made once and never a known default."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parktwin.access import name_problem
from parktwin.handout import SHARES, gateway_names, hand_out, source_names
from parktwin.secrets import (
    BROKER_NODE,
    BROKER_PASSWORDS,
    KNOWN_DEFAULTS,
    RANDOM,
    SecretError,
    broker_users,
    fits_password,
    hash_password,
    make_secrets,
    password_file,
    read_secret,
)
from parktwin.secrets_command import app
from tests.deploy.conftest import keep_owner


def contents(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def overwrite(file: Path, text: str) -> None:
    file.chmod(0o600)
    file.write_text(text)
    file.chmod(0o400)


def test_a_first_run_makes_them_all_and_a_second_none(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    made = make_secrets(folder, ["GW-1"], ["cloud"])
    before = contents(folder)
    assert set(made) == set(before)
    assert set(RANDOM) | {"gateways/GW-1", "sources/cloud"} <= set(made)
    assert make_secrets(folder, ["GW-1"], ["cloud"]) == []
    assert contents(folder) == before


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o755)
    make_secrets(folder, ["GW-1"])
    assert folder.stat().st_mode & 0o777 == 0o700
    for file in folder.rglob("*"):
        assert file.stat().st_mode & 0o777 == (0o700 if file.is_dir() else 0o400), file
        assert not file.name.startswith("."), "a draft was left behind"


def test_no_two_secrets_and_no_two_installations_are_alike(tmp_path: Path) -> None:
    values = []
    for name in ("a", "b"):
        make_secrets(tmp_path / name, ["GW-1", "GW-2"])
        values += [read_secret(tmp_path / name / secret) for secret in RANDOM]
        values += [read_secret(tmp_path / name / f"gateways/GW-{n}") for n in (1, 2)]
    assert len(set(values)) == len(values)
    assert min(map(len, values)) >= 43  # 256 bits in base64


def test_a_new_gateway_gets_a_password_and_the_others_keep_theirs(tmp_path: Path) -> None:
    make_secrets(tmp_path, ["GW-1"])
    before = contents(tmp_path)
    assert make_secrets(tmp_path, ["GW-1", "GW-2"]) == ["gateways/GW-2", BROKER_PASSWORDS]
    after = contents(tmp_path)
    old = set(before[BROKER_PASSWORDS].splitlines())
    assert old < set(after[BROKER_PASSWORDS].splitlines())
    assert {name: after[name] for name in before if name != BROKER_PASSWORDS} == {
        name: text for name, text in before.items() if name != BROKER_PASSWORDS
    }


def test_a_changed_password_changes_its_hash_only(tmp_path: Path) -> None:
    make_secrets(tmp_path, ["GW-1"])
    before = dict(line.split(":") for line in (tmp_path / BROKER_PASSWORDS).read_text().split())
    (tmp_path / "gateways/GW-1").unlink()
    assert make_secrets(tmp_path, ["GW-1"]) == ["gateways/GW-1", BROKER_PASSWORDS]
    after = dict(line.split(":") for line in (tmp_path / BROKER_PASSWORDS).read_text().split())
    assert {name for name in after if after[name] != before[name]} == {"GW-1"}


def test_starting_twice_at_once_ends_with_one_set(tmp_path: Path) -> None:
    ends: list[dict[str, str]] = []

    def start() -> None:
        make_secrets(tmp_path, ["GW-1"])
        ends.append(broker_users(tmp_path))

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 6
    assert all(end == ends[0] for end in ends)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "\n",
        "admin",
        "Admin\n",
        "my-super-secret-auth-token",
        "thingsboardDefaultSigningKey",
        "SW2YcwTIb9zpOOhoPsMm",
        "short-but-mine",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
    ],
)
def test_a_default_or_guessable_secret_refuses_to_start(tmp_path: Path, value: str) -> None:
    make_secrets(tmp_path)
    file = tmp_path / BROKER_NODE
    overwrite(file, value)
    for refused in (lambda: make_secrets(tmp_path), lambda: read_secret(file)):
        with pytest.raises(SecretError) as problem:
            refused()
        assert problem.value.file == file
        assert "parktwin secrets make" in problem.value.mend
        assert len(value) < 8 or value not in str(problem.value), "the message shows the secret"
    assert file.read_text() == value, "an existing file was overwritten"


def test_the_list_of_defaults_is_compared_without_case() -> None:
    assert all(word == word.lower() for word in KNOWN_DEFAULTS)


def test_an_own_secret_of_the_operator_is_kept(tmp_path: Path) -> None:
    own = tmp_path / "postgres-password"
    own.write_text("correct horse battery staple 42\n")
    assert "postgres-password" not in make_secrets(tmp_path)
    assert read_secret(own) == "correct horse battery staple 42"


@pytest.mark.parametrize("name", ["node", "health", "a/b", "a+b", "#", "", "..", "GW 1", "x" * 64])
def test_a_name_that_no_topic_can_carry_is_refused(tmp_path: Path, name: str) -> None:
    assert name_problem(name) is not None
    with pytest.raises(SecretError, match="Rename"):
        make_secrets(tmp_path, [name])


def test_a_source_cannot_have_the_name_of_a_gateway(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="gateway already"):
        make_secrets(tmp_path, ["GW-1"], ["GW-1"])


def test_hashes_are_those_of_mosquitto_passwd(tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    program = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
    subprocess.run([program, "-b", "-c", str(file), "GW-1", "right word"], check=True)
    stored = file.read_text().strip().partition(":")[2]
    assert fits_password(stored, "right word")
    assert not fits_password(stored, "wrong word")
    assert password_file({"GW-1": "right word"}, {"GW-1": stored}) == f"GW-1:{stored}\n"
    ours = hash_password("right word")
    assert [len(part) for part in ours.split("$")] == [len(part) for part in stored.split("$")]


@pytest.mark.parametrize("stored", ["", "plain", "$6$c2FsdA==$aGFzaA==", "$7$x$c2FsdA==$aGFzaA=="])
def test_a_hash_of_another_kind_fits_nothing(stored: str) -> None:
    assert not fits_password(stored, "word")


def test_each_service_gets_its_own_files_and_they_are_given_to_its_user(tmp_path: Path) -> None:
    make_secrets(tmp_path, ["GW-1"])
    given: dict[str, tuple[int, int]] = {}

    def note(path: Path, uid: int, gid: int) -> None:
        keep_owner(path, uid, gid)
        given[path.parent.name if path.is_file() else path.name] = (uid, gid)
        if path.is_file():
            assert path.stat().st_mode & 0o777 == 0o400

    hand_out(tmp_path, chown=note)
    for share in SHARES:
        folder = tmp_path / "for" / share.service
        found = {file.name for file in folder.iterdir()}
        assert found == set(share.files) | (
            {"mosquitto_sub"} if share.service == "broker" else set()
        )
        assert given[share.service] == (share.uid, share.gid)
    assert not list((tmp_path / "for").rglob("gateways"))


def test_handing_out_again_renews_copies_in_place(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    hand_out(tmp_path, chown=keep_owner)
    folder = tmp_path / "for/broker"
    inode = folder.stat().st_ino
    make_secrets(tmp_path, ["GW-9"])
    hand_out(tmp_path, chown=keep_owner)
    assert "GW-9:" in (folder / BROKER_PASSWORDS).read_text()
    # A running container has this very folder mounted.
    assert folder.stat().st_ino == inode
    assert not [file for file in folder.iterdir() if file.name.startswith(".")]


def test_names_come_from_the_park_model(tmp_path: Path) -> None:
    (tmp_path / "gateways").mkdir()
    (tmp_path / "gateways/one.yaml").write_text("gateway: GW-1  # old park\ndevices: []\n")
    (tmp_path / "gateways/two.yaml").write_text("gateway: GW-2\n")
    (tmp_path / "bindings.csv").write_text(
        "source,format,match,point,scale\nlora-1,json,a,A.b,1\nlora-1,json,c,A.c,1\n"
    )
    assert gateway_names(tmp_path) == ["GW-1", "GW-2"]
    assert source_names(tmp_path) == ["lora-1"]
    assert source_names(tmp_path / "gateways") == []


@pytest.mark.parametrize(
    "text", ["- a list\n", "name: x\n", "gateway: [unclosed\n", "gateway: 7\n"]
)
def test_a_gateway_file_without_a_name_is_said_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "gateways").mkdir()
    (tmp_path / "gateways/bad.yaml").write_text(text)
    answer = CliRunner().invoke(app, ["make", str(tmp_path / "s"), "--park", str(tmp_path)])
    assert answer.exit_code == 1
    assert "bad.yaml" in answer.output
    assert "Traceback" not in answer.output


def test_the_command_says_what_it_made_and_shows_no_secret(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first = CliRunner().invoke(app, ["make", str(folder)])
    assert first.exit_code == 0
    assert "session-pepper" in first.output
    assert not any(value.strip() in first.output for value in contents(folder).values())
    assert "nothing was missing" in CliRunner().invoke(app, ["make", str(folder)]).output
