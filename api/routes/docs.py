"""The API document and its page; open to everyone who reaches the node."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.docs_page import STYLE, page
from api.language import preferred
from api.reply import body_reply, json_reply

router = APIRouter(include_in_schema=False)


@router.get("/api/v1/openapi.json")
def document(request: Request) -> Response:
    """OpenAPI 3.1."""
    return json_reply(request, request.app.openapi())


@router.get("/docs")
def docs(request: Request) -> Response:
    """The page."""
    language = preferred(request.headers.get("accept-language"))
    text = page(request.app.openapi(), language)
    headers = {"Content-Language": language}
    return body_reply(request, text.encode(), "text/html; charset=utf-8", headers=headers)


@router.get("/docs.css")
def style(request: Request) -> Response:
    """Its style sheet."""
    return body_reply(request, STYLE.encode(), "text/css; charset=utf-8")
