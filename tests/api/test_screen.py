"""The screen's files: cached by content, compressed, and nothing outside their folder."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from tests.api.plant import Plant


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A screen of a few files, and things that are not for browsers."""
    tmp_path = tmp_path_factory.mktemp("files")
    root = tmp_path / "screen"
    (root / "vendor" / "lib-1.2.3").mkdir(parents=True)
    (root / "node_modules").mkdir()
    (root / "index.html").write_text("<!doctype html><title>screen</title>" + " " * 600)
    (root / "app.js").write_text("export const a = 1;\n" * 100)
    (root / "vendor" / "lib-1.2.3" / "lib.mjs").write_text("export {};\n")
    (root / "logo.png").write_bytes(b"\x89PNG" + bytes(1000))
    (root / "package.json").write_text("{}")
    (root / ".npmrc").write_text("secret")
    (root / "notes.md").write_text("internal")
    (root / "types.d.ts").write_text("export {}")
    (root / "node_modules" / "x.js").write_text("x")
    (tmp_path / "outside.js").write_text("outside")
    (root / "link.js").symlink_to(tmp_path / "outside.js")
    return root


@pytest.fixture(scope="module")
def browser(
    tmp_path_factory: pytest.TempPathFactory, accounts: Path, folder: Path
) -> Iterator[TestClient]:
    """A client of an application with that screen."""
    plant = Plant.build(tmp_path_factory.mktemp("plant"), accounts)
    with TestClient(create_app(plant.services(screen_dir=folder))) as client:
        client.headers["Accept-Encoding"] = "identity"
        yield client
    plant.close()


def test_the_screen_is_at_the_root_without_a_login(browser: TestClient) -> None:
    answer = browser.get("/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-cache"


def test_modules_are_served_as_javascript(browser: TestClient) -> None:
    for path in ("/app.js", "/vendor/lib-1.2.3/lib.mjs"):
        assert browser.get(path).headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_a_file_is_not_sent_again_until_its_content_changes(
    browser: TestClient, folder: Path
) -> None:
    (folder / "edited.js").write_text("export const a = 1;\n")
    first = browser.get("/edited.js")
    same = browser.get("/edited.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    (folder / "edited.js").write_text("export const a = 2;\n")
    changed = browser.get("/edited.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, changed.text) == (200, "export const a = 2;\n")


def test_vendored_files_may_be_kept_for_ever(browser: TestClient) -> None:
    assert "immutable" in browser.get("/vendor/lib-1.2.3/lib.mjs").headers["Cache-Control"]


def test_text_is_compressed_and_pictures_are_not(browser: TestClient, folder: Path) -> None:
    for path, packed in (("/app.js", True), ("/logo.png", False)):
        with browser.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
            body = b"".join(answer.iter_raw())
            assert (answer.headers.get("Content-Encoding") == "gzip") is packed
        plain = (folder / path[1:]).read_bytes()
        assert (gzip.decompress(body) if packed else body) == plain


def test_head_tells_the_same_without_the_body(browser: TestClient) -> None:
    got, head = browser.get("/app.js"), browser.head("/app.js")
    assert head.content == b""
    assert head.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing.js",
        "/.npmrc",
        "/package.json",
        "/notes.md",
        "/types.d.ts",
        "/node_modules/x.js",
        "/vendor",
        "/vendor/",
        "/link.js",
        "/../outside.js",
        "/%2e%2e/outside.js",
        "/vendor/..%2f..%2foutside.js",
        "/vendor/../../outside.js",
        "//etc/passwd",
        "/app.js%00.html",
        "/app.js/",
        "/%00.js",
        "/a%0Ab.js",
        "/" + "a" * 300 + ".js",
        "/" + "a/" * 3000 + "b.js",
        "/C:%5Cwindows.js",
        "/api/v1/nothing",
    ],
)
def test_nothing_else_is_served(path: str, browser: TestClient) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_screen_takes_no_other_method(browser: TestClient) -> None:
    answer = browser.post("/index.html")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
