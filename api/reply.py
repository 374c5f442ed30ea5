"""Bodies of successful answers: JSON by msgspec, compressed for callers that take gzip.

Compression runs where the caller is, so bulk answers are made in a worker thread.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

JSON: Final = "application/json"
SMALL: Final = 4_096
"""Bodies up to this many bytes go out as they are."""

GZIP_LEVEL: Final = 1


def json_reply(request: Request, content: Any, status: int = 200) -> Response:
    """`content` (dataclasses, structs, plain values; NaN becomes null) as a JSON response."""
    return body_reply(request, msgspec.json.encode(content), JSON, status=status)


def body_reply(
    request: Request,
    body: bytes,
    media_type: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`body` as a response, compressed when that is worth it and wanted."""
    out = dict(headers or {})
    if len(body) > SMALL:
        out["Vary"] = "Accept-Encoding"
        if takes_gzip(request):
            body = gzip.compress(body, GZIP_LEVEL, mtime=0)
            out["Content-Encoding"] = "gzip"
    return Response(body, status, out, media_type)


def takes_gzip(request: Request) -> bool:
    """Whether Accept-Encoding names gzip, not with q=0."""
    for item in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, parameter = item.strip().partition(";")
        if coding.strip() in {"gzip", "*"}:
            return parameter.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


class Document:
    """A JSON document that changes only with the model: made once, with an ETag."""

    def __init__(self, content: Any) -> None:
        self.body = msgspec.json.encode(content)
        self._zipped = gzip.compress(self.body, 6, mtime=0)
        self._etag = f'"{hashlib.sha256(self.body).hexdigest()[:24]}"'

    def reply(self, request: Request) -> Response:
        """The document, or 304 when the caller has it."""
        headers = {
            "ETag": self._etag,
            "Cache-Control": "private, no-cache",
            "Vary": "Accept-Encoding, Cookie, Authorization",
        }
        if has_current(request, self._etag):
            return Response(status_code=304, headers=headers)
        if len(self.body) > SMALL and takes_gzip(request):
            headers["Content-Encoding"] = "gzip"
            return Response(self._zipped, 200, headers, JSON)
        return Response(self.body, 200, headers, JSON)


def has_current(request: Request, etag: str) -> bool:
    """Whether If-None-Match names `etag` (weak comparison, RFC 9110, 13.1.2)."""
    given = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return etag in tags or "*" in tags
