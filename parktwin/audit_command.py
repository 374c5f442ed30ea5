"""``parktwin audit``: have a running node recount its readings, and print what it found."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.error
import urllib.request
from typing import Any

import typer


def show(url: str, user: str, password: str) -> int:
    """Log in at the node, run an audit, print its rows; 0 when everything agrees."""
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    opener = urllib.request.build_opener(jar)

    def post(path: str, body: dict[str, str], csrf: str = "") -> Any:
        headers = {"Content-Type": "application/json", "X-CSRF-Token": csrf}
        request = urllib.request.Request(f"{url}{path}", json.dumps(body).encode(), headers)
        with opener.open(request, timeout=600) as answer:
            return json.load(answer)

    try:
        login = {"username": user, "password": password} if user else {"code": password}
        csrf = post("/api/v1/session", login)["csrf"]
        report = post("/api/v1/audit", {}, csrf)
    except urllib.error.HTTPError as problem:
        text = problem.read().decode("utf-8", "replace")
        typer.echo(f"parktwin: {url} answered {problem.code}: {_detail(text)}", err=True)
        return 2
    except OSError as problem:
        typer.echo(f"parktwin: {url} cannot be reached ({problem}); does the node run?", err=True)
        return 2
    for kind in ("boxes", "days", "influx"):
        for row in report[kind]:
            mark = "ok  " if row["ok"] else "DIFF"
            typer.echo(f"{mark}  {row['sentence']['en']}")
    typer.echo(report["sentence"]["en"])
    return 0 if report["ok"] else 1


def _detail(text: str) -> str:
    try:
        problem = json.loads(text)
    except ValueError:
        return text[:300]
    return str(problem.get("detail") or problem.get("title") or text[:300])
