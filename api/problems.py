"""Every problem the API can answer with, in both languages: what happened and what to do about it.

A problem's `type` is its anchor on the documentation page. Rendering is in `api.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from api.language import Language, Words

ECHO: Final = 120
"""Longest piece of a caller's own input that a problem repeats."""


class Kind(NamedTuple):
    """One kind of problem: HTTP status, title, detail template and advice."""

    status: int
    title: Words
    detail: Words
    advice: Words


KINDS: Final[Mapping[str, Kind]] = {
    "malformed": Kind(
        400,
        Words("请求无法读取", "The request cannot be read"),
        Words("请求正文不是有效的 JSON。", "The request body is not valid JSON."),
        Words("发送 UTF-8 编码的 JSON。", "Send JSON in UTF-8."),
    ),
    "not-logged-in": Kind(
        401,
        Words("未登录", "Not logged in"),
        Words(
            "此地址需要登录，或会话已过期。", "This address needs a session, or the session ended."
        ),
        Words(
            "请登录后重试；程序请使用机器密钥。",
            "Log in and try again; programs use a machine key.",
        ),
    ),
    "login-refused": Kind(
        401,
        Words("登录被拒绝", "Login refused"),
        Words(
            "用户名、密码或一次性登录码不正确。",
            "The user name, password or one-time code is wrong.",
        ),
        Words(
            "核对后重试；一次性登录码只能使用一次，并会过期。",
            "Check them and try again; a one-time code works once and expires.",
        ),
    ),
    "key-refused": Kind(
        401,
        Words("机器密钥被拒绝", "Machine key refused"),
        Words(
            "机器密钥无效、已过期或已吊销。",
            "The machine key is unknown, expired or revoked.",
        ),
        Words("请管理员签发新的密钥。", "Ask an administrator for a new key."),
    ),
    "csrf": Kind(
        403,
        Words("缺少防伪令牌", "Anti-forgery token missing"),
        Words(
            "X-CSRF-Token 请求头缺失或与会话不符。",
            "The X-CSRF-Token header is missing or is not this session's.",
        ),
        Words(
            "从 GET /api/v1/session 取得 csrf 并放入该请求头。",
            "Take `csrf` from GET /api/v1/session and send it in that header.",
        ),
    ),
    "cross-origin": Kind(
        403,
        Words("跨站请求被拒绝", "Cross-origin request refused"),
        Words(
            "请求来自另一个站点：{origin}。",
            "The request comes from another site: {origin}.",
        ),
        Words(
            "请直接打开本平台的地址；若前面有代理，请设置公开地址。",
            "Open the platform at its own address; behind a proxy, set its public address.",
        ),
    ),
    "role": Kind(
        403,
        Words("权限不足", "Not permitted"),
        Words("此操作需要“{needed}”权限。", "This needs the role “{needed}”."),
        Words("请管理员授予权限。", "Ask an administrator for the role."),
    ),
    "key-scope": Kind(
        403,
        Words("机器密钥无此权限", "Outside the machine key's scope"),
        Words("机器密钥不能用于此地址。", "A machine key cannot be used for this address."),
        Words(
            "机器密钥只能读取其范围内的测点。",
            "A machine key reads the points of its scope only.",
        ),
    ),
    "unknown-path": Kind(
        404,
        Words("没有此地址", "No such address"),
        Words("没有地址 {path}。", "There is no address {path}."),
        Words("所有地址见 /docs。", "Every address is listed at /docs."),
    ),
    "unknown-point": Kind(
        404,
        Words("没有此测点", "No such point"),
        Words("园区模型中没有测点 {id}。", "The park model has no point {id}."),
        Words("测点列表见 GET /api/v1/points。", "GET /api/v1/points lists the points."),
    ),
    "unknown-asset": Kind(
        404,
        Words("没有此设施", "No such asset"),
        Words("园区模型中没有设施 {id}。", "The park model has no asset {id}."),
        Words("设施列表见 GET /api/v1/assets。", "GET /api/v1/assets lists the assets."),
    ),
    "unknown-alarm": Kind(
        404,
        Words("没有此报警", "No such alarm"),
        Words(
            "报警 {id} 未处于打开状态：它不存在或已恢复并已确认。",
            "Alarm {id} is not open: it does not exist, or has returned and was acknowledged.",
        ),
        Words("打开的报警见 GET /api/v1/alarms。", "GET /api/v1/alarms lists the open alarms."),
    ),
    "no-audit": Kind(
        404,
        Words("尚无审计结果", "No audit yet"),
        Words("尚未完成过对账。", "No audit has finished yet."),
        Words("稍后再试，或运行 parktwin audit。", "Try later, or run `parktwin audit`."),
    ),
    "method": Kind(
        405,
        Words("不支持此方法", "Method not allowed"),
        Words("此地址不支持 {method}。", "This address does not take {method}."),
        Words("支持的方法见 Allow 响应头。", "The Allow header names what it takes."),
    ),
    "stale-occurrence": Kind(
        409,
        Words("报警已再次发生", "The alarm has occurred again"),
        Words(
            "您确认的是第 {sent} 次发生，当前是第 {occurrence} 次。",
            "You acknowledged occurrence {sent}; the current one is {occurrence}.",
        ),
        Words(
            "查看 current 中的当前报警后再确认。",
            "Look at the alarm in `current`, then acknowledge that.",
        ),
    ),
    "too-large": Kind(
        413,
        Words("请求过大", "Request too large"),
        Words("请求正文超过 {limit} 字节。", "The request body exceeds {limit} bytes."),
        Words("发送更小的请求。", "Send a smaller request."),
    ),
    "media-type": Kind(
        415,
        Words("不支持的内容类型", "Unsupported content type"),
        Words("Content-Type 必须为 application/json。", "Content-Type must be application/json."),
        Words("设置该请求头。", "Set that header."),
    ),
    "invalid": Kind(
        422,
        Words("请求参数无效", "The request is not valid"),
        Words("字段 {fields} 无效。", "Not valid: {fields}."),
        Words("按 errors 中各字段的说明修改。", "Mend each field as `errors` says."),
    ),
    "history-range": Kind(
        422,
        Words("时间范围无效", "The time range is not valid"),
        Words("{reason_zh}", "{reason_en}"),
        Words(
            "缩短范围，或选择更大的聚合间隔 every。",
            "Ask for a shorter range, or a longer `every`.",
        ),
    ),
    "too-many-attempts": Kind(
        429,
        Words("登录尝试过多", "Too many login attempts"),
        Words("请在 {wait} 秒后重试。", "Try again in {wait} s."),
        Words(
            "等待 Retry-After 给出的秒数；忘记密码请联系管理员。",
            "Wait as long as Retry-After says; ask an administrator if the password is lost.",
        ),
    ),
    "internal": Kind(
        500,
        Words("内部错误", "Internal error"),
        Words(
            "请求未能完成，已记录，编号 {request}。",
            "The request failed and was logged as {request}.",
        ),
        Words(
            "重试；若仍失败，请把编号告知管理员。", "Try again; if it stays, report that number."
        ),
    ),
    "busy": Kind(
        503,
        Words("系统繁忙", "Busy"),
        Words("耗时的查询过多。", "Too many long queries are under way."),
        Words("等待 Retry-After 给出的秒数后重试。", "Try again after Retry-After."),
    ),
    "unavailable": Kind(
        503,
        Words("暂时不可用", "Not available for the moment"),
        Words("存储暂时无法读取：{reason}", "A store cannot be read right now: {reason}"),
        Words("稍后重试；状态见 /readyz。", "Try again shortly; /readyz tells the state."),
    ),
}


class Problem(Exception):
    """Raised anywhere in a request to answer with problem `kind` (RFC 9457).

    `words` fill the placeholders of its detail; `extra` become members of the document.
    """

    def __init__(
        self,
        kind: str,
        *,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **words: object,
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.words = {name: _echo(word) for name, word in words.items()}
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """Its HTTP status."""
        return KINDS[self.kind].status

    def document(self, language: Language, instance: str) -> dict[str, Any]:
        """The problem document's members in `language`."""
        kind = KINDS[self.kind]
        return {
            "type": f"/docs#{self.kind}",
            "title": kind.title.in_(language),
            "status": kind.status,
            "detail": kind.detail.in_(language).format(**self.words),
            "instance": instance,
            "advice": kind.advice.in_(language),
            **self.extra,
        }


def _echo(word: object) -> object:
    """A caller's input, fit to be shown: short, printable."""
    if not isinstance(word, str):
        return word
    shown = "".join(c if c.isprintable() else "�" for c in word[:ECHO])
    return shown + "…" if len(word) > ECHO else shown
