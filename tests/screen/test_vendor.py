"""The vendored files are the ones that the lock names, and the page names no others."""

from __future__ import annotations

import re
import shutil
import tarfile
from pathlib import Path

import pytest

from dashboards.vendor import (
    SCREEN,
    Package,
    VendorError,
    differences,
    fetch,
    read_lock,
    unpack,
    write_lock,
)


def test_every_vendored_file_has_the_sum_of_the_lock_and_nothing_else_is_there() -> None:
    assert list(differences(SCREEN)) == []


def test_an_altered_a_missing_and_a_foreign_file_are_named(tmp_path: Path) -> None:
    shutil.copytree(SCREEN / "vendor", tmp_path / "vendor")
    shutil.copy(SCREEN / "vendor.lock.json", tmp_path)
    lit, maplibre = (tmp_path / "vendor" / package.folder for package in read_lock(SCREEN)[:2])
    (lit / "lit-html.js").write_bytes((lit / "lit-html.js").read_bytes() + b" ")
    (maplibre / "LICENSE.txt").unlink()
    (maplibre / "extra.js").write_text("1")
    found = sorted(differences(tmp_path))
    assert len(found) == 3
    assert "LICENSE.txt: missing" in found[2] or "LICENSE.txt: missing" in found[1]
    assert any("lit-html.js: is not the file" in row for row in found)
    assert any("extra.js: is not in the lock" in row for row in found)


def test_every_package_brings_its_licence() -> None:
    for package in read_lock(SCREEN):
        assert any("LICENSE" in target for target, _ in package.files.values()), package.name


def test_the_page_names_only_folders_of_the_lock() -> None:
    folders = {package.folder for package in read_lock(SCREEN)}
    named: set[str] = set()
    for path in SCREEN.rglob("*"):
        own = not {"vendor", "node_modules"} & set(path.relative_to(SCREEN).parts)
        if own and path.suffix in {".js", ".html", ".css"}:
            named |= set(re.findall(r"/vendor/([^/]+)/", path.read_text(encoding="utf-8")))
    assert named == folders


def test_nothing_of_the_page_points_outside() -> None:
    for path in SCREEN.rglob("*"):
        own = not {"vendor", "node_modules"} & set(path.relative_to(SCREEN).parts)
        if own and path.suffix in {".js", ".html", ".css"}:
            addresses = re.findall(
                r"(?:https?:)?//[a-z0-9-]+\.[a-z][^'\")\s]*", path.read_text("utf-8")
            )
            assert addresses == [], path


def _archive(folder: Path, content: bytes) -> Path:
    (folder / "a.js").write_bytes(content)
    archive = folder / "a.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / "a.js", "package/dist/a.js")
    return archive


def test_a_package_whose_file_has_another_sum_is_refused_before_it_is_written(
    tmp_path: Path,
) -> None:
    package = Package("thing", "1.0.0", "MIT", {"dist/a.js": ("a.js", "0" * 64)})
    archive = _archive(tmp_path, b"export default 1")
    with pytest.raises(VendorError, match="the lock says 000"):
        unpack(package, archive, tmp_path, relock=False)
    assert not (tmp_path / "vendor").exists()


def test_relocking_writes_the_new_sums_and_removes_old_versions(tmp_path: Path) -> None:
    archive = _archive(tmp_path, b"export default 1")
    (tmp_path / "vendor" / "thing-0.9.0").mkdir(parents=True)
    write_lock(tmp_path, [Package("thing", "1.0.0", "MIT", {"dist/a.js": ("a.js", "")})])
    said: list[str] = []
    fetch(tmp_path, relock=True, pack=lambda package, folder: archive, say=said.append)
    assert list(differences(tmp_path)) == []
    assert said[-1].startswith("thing-0.9.0: removed")
    fetch(tmp_path, relock=False, pack=lambda package, folder: archive, say=said.append)
