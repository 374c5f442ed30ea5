"""The Dockerfile's promises: hashes, no root, nothing that builds in what runs, no stray files."""

from __future__ import annotations

import re
import tomllib

from parktwin.handout import NODE_UID
from tests.deploy.compose_file import ROOT

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) with continued lines joined and comments gone."""
    lines = [line for line in TEXT.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (word.upper(), rest)
        for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())
    ]


def stages() -> list[list[tuple[str, str]]]:
    out: list[list[tuple[str, str]]] = []
    for instruction in instructions():
        if instruction[0] == "FROM":
            out.append([])
        out[-1].append(instruction)
    return out


def test_every_base_is_pinned_to_the_python_that_the_project_supports() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert bases == ["python:3.11-slim-bookworm"] * 2
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"


def test_everything_from_an_index_is_checked_by_its_hash() -> None:
    installs = re.findall(r"pip install[^&]*", " ".join(rest for _, rest in instructions()))
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install, install


def test_the_locks_hold_a_hash_for_every_package() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "deploy/build.lock"):
        text = (ROOT / name).read_text()
        entries = re.split(r"\n(?=[a-z0-9])", text.strip())
        assert len(entries) >= 5
        for entry in entries:
            assert re.search(r"==[^\s]+", entry), entry
            assert "--hash=sha256:" in entry, entry
        assert "://" not in text, f"{name} names a host"


def test_the_last_stage_runs_as_the_nodes_user_and_builds_nothing() -> None:
    last = stages()[-1]
    users = [rest for word, rest in last if word == "USER"]
    assert users == [f"{NODE_UID}:{NODE_UID}"]
    runs = " ".join(rest for word, rest in last if word == "RUN")
    assert not re.search(r"\b(pip|apt-get|curl|wget|gcc)\b", runs)
    words = [word for word, _ in last]
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert "HEALTHCHECK" in words
    assert "ADD" not in {word for word, _ in instructions()}


def test_only_named_paths_enter_the_build() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [rule for rule in rules if rule and not rule.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        source for word, rest in stages()[0] if word == "COPY" for source in rest.split()[:-1]
    }
    assert copied == allowed
    assert not any(part in path for path in allowed for part in ("secret", "var", "tests", "parks"))


def test_every_package_of_the_project_is_in_the_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = {rest.split()[0] for word, rest in stages()[0] if word == "COPY"}
    assert set(packages) <= copied
