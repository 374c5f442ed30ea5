"""The documentation page at /docs: the API document and the problems as one plain HTML page.

No script and nothing from elsewhere, so it reads the same without internet and under the strictest
content security policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from api.language import Language, Words
from api.problems import KINDS

STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem } h3 { margin: 1.5rem 0 .3rem; font-size: 1rem }
code, pre { font: .9em ui-monospace, monospace }
pre { overflow-x: auto; padding: .6rem; border: 1px solid #8886; border-radius: 4px }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-bottom:
  1px solid #8884 }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700 }
details > summary { cursor: pointer }
"""

_TEXT: Final = {
    "title": Words("ParkTwin 接口", "ParkTwin API"),
    "intro": Words(
        "所有地址以 JSON 收发。浏览器用会话 Cookie；修改操作另需 X-CSRF-Token 请求头。"
        "程序用机器密钥：Authorization: Bearer pk_…。错误按 RFC 9457 返回，"
        "语言随 Accept-Language。时间为 Unix 毫秒。",
        "Everything is JSON. Browsers use a session cookie; changes also need the X-CSRF-Token "
        "header. Programs use a machine key: Authorization: Bearer pk_…. Errors follow RFC 9457, "
        "in the language of Accept-Language. Times are Unix milliseconds.",
    ),
    "document": Words("OpenAPI 文档", "OpenAPI document"),
    "addresses": Words("地址", "Addresses"),
    "parameter": Words("参数", "Parameter"),
    "meaning": Words("说明", "Meaning"),
    "body": Words("请求正文", "Body"),
    "answer": Words("应答", "Answer"),
    "live": Words("实时通道", "Live feed"),
    "live_text": Words(
        "WebSocket /api/v1/live（同源，需会话）。先收到快照，随后每秒一条增量；报警变化立即发送。"
        "delta 的 values 中 i 是快照 points 的下标。"
        "alarms 与 gateways 仅在变化时出现，且为完整列表。"
        "关闭码：4401 会话结束，1013 连接过多或接收过慢，请稍后重连。",
        "WebSocket /api/v1/live (same origin, with a session). A snapshot first, then a delta each "
        "second, or at once when an alarm changes. In a delta's values, i is an index into the "
        "snapshot's points. alarms and gateways appear only when changed, then complete. Close "
        "codes: 4401 the session is over; 1013 too many sockets or too slow, connect again later.",
    ),
    "shapes": Words("数据结构", "Shapes"),
    "problems": Words("错误", "Problems"),
    "advice": Words("处理办法", "What to do"),
}

_LIVE: Final = """{"type":"snapshot","now":…,"lag_ms":…,"points":["MH-012.level",…],
 "values":[[0.42,1763890000123,0],null,…],"alarms":[…],
 "gateways":[{"id":"GW-1","online":true,"last_seen_at":…,"lag_ms":…}]}
{"type":"delta","now":…,"lag_ms":…,"values":[[i,value,time,quality],…],"alarms":[…],"gateways":[…]}"""


def page(document: Mapping[str, Any], language: Language) -> str:
    """The HTML of `document` (OpenAPI 3.1) in `language`."""
    text = {key: escape(words.in_(language)) for key, words in _TEXT.items()}
    parts = [
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>{text["title"]}</title><link rel="stylesheet" href="/docs.css"></head><body>',
        f"<h1>{text['title']}</h1><p>{text['intro']}</p>",
        f'<p><a href="/api/v1/openapi.json">{text["document"]}</a> (OpenAPI 3.1)</p>',
        f"<h2>{text['addresses']}</h2>",
        *_operations(document, text),
        f'<h2 id="live">{text["live"]}</h2><p>{text["live_text"]}</p>',
        f"<pre>{escape(_LIVE)}</pre>",
        f"<h2>{text['shapes']}</h2>",
        *_shapes(document),
        f"<h2>{text['problems']}</h2>",
        *_problems(language, text["advice"]),
        "</body></html>",
    ]
    return "\n".join(parts)


def _operations(document: Mapping[str, Any], text: Mapping[str, str]) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            verb = f'<span class="method">{method.upper()}</span>'
            yield f"<h3>{verb} <code>{escape(path)}</code></h3>"
            yield f"<p>{escape(operation.get('description') or operation.get('summary', ''))}</p>"
            parameters = operation.get("parameters", [])
            if parameters:
                yield f"<table><tr><th>{text['parameter']}<th><th>{text['meaning']}</tr>"
                for row in parameters:
                    shape = escape(_shape(row["schema"]))
                    words = escape(row.get("description", ""))
                    name = escape(row["name"])
                    yield f"<tr><td><code>{name}</code><td>{shape}<td>{words}</tr>"
                yield "</table>"
            body = operation.get("requestBody", {}).get("content", {})
            for content in body.values():
                yield f"<p>{text['body']}: {_link(content['schema'])}</p>"
            for status, answer in operation["responses"].items():
                for content in answer.get("content", {}).values():
                    if status.startswith("2") and content.get("schema"):
                        yield f"<p>{text['answer']} {status}: {_link(content['schema'])}</p>"


def _shapes(document: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        yield f'<h3 id="shape-{escape(name)}">{escape(name)}</h3>'
        yield f"<p>{escape(schema.get('description', ''))}</p><table>"
        needed = schema.get("required", [])
        for field, part in schema.get("properties", {}).items():
            mark = "" if field in needed else "?"
            yield f"<tr><td><code>{escape(field)}{mark}</code><td>{_link(part)}</tr>"
        yield "</table>"


def _problems(language: Language, advice: str) -> Iterator[str]:
    for name, kind in KINDS.items():
        yield f'<h3 id="{name}">{kind.status} {escape(kind.title.in_(language))}</h3>'
        yield f"<p><code>/docs#{name}</code> {escape(kind.detail.in_(language))}</p>"
        yield f"<p>{advice}: {escape(kind.advice.in_(language))}</p>"


def _link(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, its named shapes as links."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#shape-{name}">{name}</a>'
    if schema.get("type") == "array" and "items" in schema:
        return f"[{_link(schema['items'])}]"
    if "anyOf" in schema:
        return " | ".join(_link(part) for part in schema["anyOf"])
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"{{…: {_link(schema['additionalProperties'])}}}"
    return escape(_shape(schema))


def _shape(schema: Mapping[str, Any]) -> str:
    """A plain schema in a few words, e.g. ``integer 1..100, default 10``."""
    if "enum" in schema:
        words = " | ".join(str(value) for value in schema["enum"])
    elif "const" in schema:
        words = str(schema["const"])
    elif "anyOf" in schema:
        words = " | ".join(_shape(part) for part in schema["anyOf"])
    else:
        words = str(schema.get("type", "any"))
    if "minimum" in schema or "maximum" in schema:
        words += f" {schema.get('minimum', '')}..{schema.get('maximum', '')}"
    if schema.get("default") is not None:
        words += f", default {schema['default']}"
    return words
