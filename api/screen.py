"""The operations screen as files: served from one folder, compressed, revalidated by content.

Only files of known kinds inside the folder are served. Third-party files carry their version in
their folder's name, so browsers may keep them for ever.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.reply import has_current, takes_gzip

MEDIA: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
PACKED: Final = frozenset({".png", ".ico", ".woff2"})
VENDOR: Final = "vendor"
HIDDEN: Final = frozenset({"node_modules", "package.json", "package-lock.json", "tsconfig.json"})


@dataclass(frozen=True, slots=True)
class _File:
    stamp: tuple[int, int]
    body: bytes
    zipped: bytes | None
    etag: str


class Screen:
    """An ASGI application over one folder; `/` is its index.html."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._files: dict[str, _File] = {}
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET and HEAD; other requests and unknown files raise HTTPException."""
        if scope["type"] != "http":
            raise HTTPException(404)
        request = Request(scope, receive)
        if request.method not in {"GET", "HEAD"}:
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        name = scope["path"].lstrip("/") or "index.html"
        file = await run_in_threadpool(self._find, name)
        if file is None:
            raise HTTPException(404)
        await self._respond(request, name, file)(scope, receive, send)

    def _respond(self, request: Request, name: str, file: _File) -> Response:
        vendored = name.startswith(f"{VENDOR}/")
        headers = {
            "ETag": file.etag,
            "Vary": "Accept-Encoding",
            "Cache-Control": "public, max-age=31536000, immutable" if vendored else "no-cache",
        }
        if has_current(request, file.etag):
            return Response(status_code=304, headers=headers)
        body = file.body
        if file.zipped is not None and takes_gzip(request):
            body = file.zipped
            headers["Content-Encoding"] = "gzip"
        return Response(body, 200, headers, MEDIA[Path(name).suffix])

    def _find(self, name: str) -> _File | None:
        """In a worker thread: the file of a relative name, read again when it has changed."""
        parts = name.split("/")
        if Path(name).suffix not in MEDIA or any(
            not part or part.startswith(".") or part in HIDDEN or not part.isprintable()
            for part in parts
        ):
            return None
        try:
            path = (self._folder / name).resolve()
            if not path.is_relative_to(self._folder) or not path.is_file():
                return None
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            with self._lock:
                known = self._files.get(name)
            if known is not None and known.stamp == stamp:
                return known
            body = path.read_bytes()
        except (OSError, ValueError):
            return None
        zipped = None
        if path.suffix not in PACKED and len(body) > 512:
            zipped = gzip.compress(body, 6, mtime=0)
        etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
        file = _File(stamp, body, zipped, etag)
        with self._lock:
            self._files[name] = file
        return file
