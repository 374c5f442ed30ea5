"""Problem documents on the wire (RFC 9457): turns every error of a request into one.

Owns rendering and the exception handlers; the catalogue is in `api.problems`.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.language import Language, Words, preferred
from api.problems import Problem
from ingest.consume import RetriableError
from twin.records import RecordsUnavailable

MEDIA_TYPE: Final = "application/problem+json"

BODY_LIMIT: Final = 256 * 1024
"""Bytes of a request body. No endpoint here takes more than a login or a comment."""

# pydantic's error types -> a sentence with its `ctx` filled in; others keep pydantic's English.
_FIELD_WORDS: Final[dict[str, Words]] = {
    "missing": Words("缺少此字段", "is missing"),
    "int_parsing": Words("必须是整数", "must be a whole number"),
    "int_type": Words("必须是整数", "must be a whole number"),
    "int_parsing_size": Words("整数过大", "is too large a number"),
    "string_type": Words("必须是字符串", "must be a string"),
    "string_too_long": Words("最长 {max_length} 个字符", "has at most {max_length} characters"),
    "string_too_short": Words("最短 {min_length} 个字符", "has at least {min_length} characters"),
    "string_pattern_mismatch": Words("含有无法保存的字符", "has a character that cannot be kept"),
    "greater_than_equal": Words("不得小于 {ge}", "must be at least {ge}"),
    "less_than_equal": Words("不得大于 {le}", "must be at most {le}"),
    "literal_error": Words("必须是 {expected} 之一", "must be one of {expected}"),
    "enum": Words("必须是 {expected} 之一", "must be one of {expected}"),
    "extra_forbidden": Words("没有此字段", "is not a field of this request"),
    "model_attributes_type": Words("必须是 JSON 对象", "must be a JSON object"),
    "dict_type": Words("必须是 JSON 对象", "must be a JSON object"),
}


def install(app: FastAPI) -> None:
    """Have `app` answer every expected error with a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RecordsUnavailable, _on_store_down)
    app.add_exception_handler(sqlite3.OperationalError, _on_store_down)
    app.add_exception_handler(RetriableError, _on_store_down)


def too_large() -> Problem:
    """The body exceeds `BODY_LIMIT`; the connection ends, since the rest of it is not read."""
    return Problem("too-large", limit=BODY_LIMIT, headers={"Connection": "close"})


def respond(problem: Problem, accept_language: str | None, path: str) -> Response:
    """The HTTP response that `problem` is."""
    language = preferred(accept_language)
    headers = {**problem.headers, "Content-Language": language, "Vary": "Accept-Language"}
    headers.setdefault("Cache-Control", "no-store")
    return Response(
        msgspec.json.encode(problem.document(language, path)),
        problem.status,
        headers,
        MEDIA_TYPE,
    )


def _answer(request: Request, problem: Problem) -> Response:
    return respond(problem, request.headers.get("accept-language"), request.url.path)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(request, error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    language = preferred(request.headers.get("accept-language"))
    found = [_field(item, language) for item in error.errors()]
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return _answer(request, Problem("malformed"))
    named = ", ".join(item["field"] for item in found)
    return _answer(request, Problem("invalid", fields=named, extra={"errors": found}))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return _answer(request, Problem("unknown-path", path=request.url.path))
    if error.status_code == 405:
        return _answer(request, Problem("method", method=request.method, headers=headers))
    if error.status_code == 413:
        return _answer(request, too_large())
    # FastAPI answers 400 itself when a body is not text or a form cannot be parsed.
    return _answer(request, Problem("malformed", headers=headers))


async def _on_store_down(request: Request, error: Exception) -> Response:
    return _answer(request, Problem("unavailable", reason=str(error), headers={"Retry-After": "5"}))


def _field(item: Any, language: Language) -> dict[str, str]:
    """One validation error: where (`in`), which `field`, and what is wrong (`problem`)."""
    place, *names = item["loc"]
    words = _FIELD_WORDS.get(item["type"])
    if words is None:
        problem = str(item["msg"])
    else:
        problem = words.in_(language).format(**item.get("ctx", {}))
    return {
        "in": str(place),
        "field": ".".join(str(name) for name in names) or str(place),
        "problem": problem,
    }
