"""Fetches the screen's third-party modules, exactly as published, and checks every file's SHA-256.

`dashboards/screen/vendor.lock.json` names each package, its version, the files taken from it and
their sums. The packages come through the machine's own npm client (`npm pack NAME@VERSION`).
The files are committed, so neither running nor building the screen needs this module.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SCREEN = Path(__file__).resolve().parent / "screen"


class VendorError(Exception):
    """A package could not be fetched, or a file is not the one that the lock names."""


@dataclass(frozen=True, slots=True)
class Package:
    """One row of the lock: `files` maps a path inside the package to (path on disk, SHA-256)."""

    name: str
    version: str
    licence: str
    files: dict[str, tuple[str, str]]

    @property
    def folder(self) -> str:
        """Folder under vendor/, e.g. ``lit-html-3.3.3`` or ``fontsource-barlow-5.3.0``."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}"


def read_lock(screen: Path) -> list[Package]:
    """The packages of `screen`/vendor.lock.json, in its order."""
    rows = json.loads((screen / "vendor.lock.json").read_text(encoding="utf-8"))["packages"]
    return [
        Package(
            row["name"],
            row["version"],
            row["licence"],
            {path: (entry["as"], entry["sha256"]) for path, entry in row["files"].items()},
        )
        for row in rows
    ]


def write_lock(screen: Path, packages: Sequence[Package]) -> None:
    """Writes the lock with the sums of `packages`; the order of packages and files is kept."""
    rows = [
        {
            "name": package.name,
            "version": package.version,
            "licence": package.licence,
            "files": {
                path: {"as": target, "sha256": digest}
                for path, (target, digest) in package.files.items()
            },
        }
        for package in packages
    ]
    text = json.dumps({"packages": rows}, indent=2, ensure_ascii=False)
    (screen / "vendor.lock.json").write_text(text + "\n", encoding="utf-8")


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def differences(screen: Path) -> Iterator[str]:
    """What in `screen`/vendor is missing, altered or not in the lock; nothing when all is well."""
    expected: set[Path] = set()
    for package in read_lock(screen):
        for target, sha256 in package.files.values():
            path = screen / "vendor" / package.folder / target
            expected.add(path)
            if not path.is_file():
                yield f"{path.relative_to(screen)}: missing"
            elif digest(path) != sha256:
                yield f"{path.relative_to(screen)}: is not the file that the lock names"
    for path in sorted((screen / "vendor").rglob("*")):
        if path.is_file() and path not in expected:
            yield f"{path.relative_to(screen)}: is not in the lock"


def npm_pack(package: Package, folder: Path) -> Path:
    """Downloads the package's archive into `folder` with npm. Raises VendorError."""
    if shutil.which("npm") is None:
        raise VendorError("npm is not installed: apt-get install npm (or nodejs)")
    done = subprocess.run(
        ["npm", "pack", f"{package.name}@{package.version}", "--silent", "--ignore-scripts"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    archives = list(folder.glob("*.tgz"))
    if done.returncode != 0 or len(archives) != 1:
        raise VendorError(f"npm pack {package.name}@{package.version}: {done.stderr.strip()}")
    return archives[0]


def unpack(package: Package, archive: Path, screen: Path, *, relock: bool) -> Package:
    """Writes the locked files of `archive` into vendor/ and gives the package with their sums.

    Unless `relock`, a file whose sum is not the locked one raises VendorError before it is written.
    """
    folder = screen / "vendor" / package.folder
    files: dict[str, tuple[str, str]] = {}
    contents: dict[Path, bytes] = {}
    with tarfile.open(archive) as tar:
        for path, (target, locked) in package.files.items():
            try:
                member = tar.extractfile(f"package/{path}")
            except KeyError:
                member = None
            if member is None:
                raise VendorError(f"{package.name}@{package.version} has no file {path}")
            content = member.read()
            found = hashlib.sha256(content).hexdigest()
            if found != locked and not relock:
                raise VendorError(
                    f"{package.name}@{package.version} {path}: SHA-256 is {found}, "
                    f"the lock says {locked}"
                )
            contents[folder / target] = content
            files[path] = (target, found)
    shutil.rmtree(folder, ignore_errors=True)
    for place, content in contents.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return Package(package.name, package.version, package.licence, files)


def fetch(
    screen: Path,
    *,
    relock: bool,
    pack: Callable[[Package, Path], Path] = npm_pack,
    say: Callable[[str], None] = print,
) -> None:
    """Fetches every package of the lock; with `relock` the new sums go into the lock."""
    fetched: list[Package] = []
    for package in read_lock(screen):
        with tempfile.TemporaryDirectory() as folder:
            fresh = unpack(package, pack(package, Path(folder)), screen, relock=relock)
        fetched.append(fresh)
        say(f"{package.folder}: {len(fresh.files)} files")
    if relock:
        write_lock(screen, fetched)
    current = {package.folder for package in fetched}
    for folder_of_old in sorted((screen / "vendor").iterdir()):
        if folder_of_old.name not in current:
            shutil.rmtree(folder_of_old)
            say(f"{folder_of_old.name}: removed, no longer in the lock")


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m dashboards.vendor [--relock]`; exit code 1 when a sum is wrong."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.vendor", description=__doc__)
    parser.add_argument(
        "--relock", action="store_true", help="after changing a version: write the new sums"
    )
    options = parser.parse_args(arguments)
    try:
        fetch(SCREEN, relock=options.relock)
    except VendorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
