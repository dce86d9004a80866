"""Every error leaves as RFC 9457 problem JSON with a Chinese `detail`; never a traceback, never a path.

Errors of the question are shown as they are. Errors of the machine (index, weights, bugs) are shown
in words of our own and logged in full, because their texts may name files.
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from rag.errors import EngineError, IndexBusy, IndexDamaged, IndexMissing, ModelError, UsageError, WenjuError
from ui.api.audit import AuditError
from ui.api.proxy import route_path
from ui.api.workers import Busy

log = logging.getLogger("wenju.service")
MEDIA_TYPE = "application/problem+json"

_TITLES = {
    400: "请求无法解析", 401: "没有登录", 403: "不允许", 404: "没有找到", 405: "方法不允许", 406: "无法提供这种格式",
    408: "请求太慢", 409: "与现状不符", 413: "内容过大", 415: "内容类型不支持", 421: "主机名不对", 422: "请求不符合要求", 429: "请求过多", 500: "内部错误",
    503: "暂时不可用", 507: "空间已满",
}
_DETAILS = {
    400: "请求正文无法解析。请发送 UTF-8 编码的 JSON。",
    404: "没有这个地址。接口说明见 /openapi.json。",
    405: "这个地址不支持该请求方法。接口说明见 /openapi.json。",
    401: "请先登录。",
    403: "这个请求来自别的网站的页面。",
    408: "请求正文迟迟没有传完。请检查网络后重试。",
    413: "请求正文过大。请缩短后重试。",
    429: "提问太频繁。请稍等几秒再试。",
}
_MACHINE: tuple[tuple[type[WenjuError], str, str], ...] = (
    (IndexMissing, "还没有建立索引。", "请管理员先运行 wenju index，再重启服务。"),
    (IndexDamaged, "索引已损坏。", "请管理员运行 wenju check 查看，再重新建立索引。"),
    (IndexBusy, "索引正在更新。", "请稍后再试。"),
    (EngineError, "检索服务暂时不可用。", "请稍后再试；一直这样时，请管理员查看 Milvus。"),
    (AuditError, "审计日志写不进去，所以不能作答。", "请管理员检查磁盘空间和权限。"),
    (ModelError, "模型无法使用。", "请管理员检查模型权重。"),
)
_BUSY = ("现在提问的人较多。", "请稍等几秒再试。")
RETRY_AFTER = 5
"""Seconds a refused caller is asked to wait."""


def explain(error: Exception) -> tuple[int, str, str]:
    """HTTP status, what happened, what to do next: for the service and the page alike. Logs what it hides."""
    if isinstance(error, UsageError):
        return 422, error.message, error.hint
    if isinstance(error, Busy):
        return 503, *_BUSY
    for kind, message, hint in _MACHINE:
        if isinstance(error, kind):
            log.error("unavailable: %s", error)
            return 503, message, hint
    number = secrets.token_hex(4)
    log.error("internal error %s", number, exc_info=error)
    return 500, f"出现内部错误（编号 {number}）。", "请重试；若仍出现，请把编号告诉管理员。"


def problem(status: int, detail: str, errors: Sequence[Mapping[str, str]] = (), openai: bool = False) -> dict[str, Any]:
    """The problem object. `openai` adds the `error` member that OpenAI client libraries look for."""
    body: dict[str, Any] = {"type": "about:blank", "title": _TITLES.get(status, "请求失败"), "status": status, "detail": detail}
    if errors:
        body["errors"] = list(errors)
    if openai:
        kind = "invalid_request_error" if status < 500 else "server_error"
        body["error"] = {"message": detail, "type": kind, "param": None, "code": None}
    return body


def from_exception(error: Exception, openai: bool = False) -> dict[str, Any]:
    """The problem object of an exception raised by Wenju's own work."""
    status, message, hint = explain(error)
    return problem(status, f"{message}{hint}", openai=openai)


READING = (401, 500, 503)
"""What any request may meet."""
WRITING = (400, 403, 408, 413, 422, 429)
"""What a request with a body may meet besides."""


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of these errors."""
    schema = {"$ref": "#/components/schemas/ProblemModel"}
    return {
        status: {"description": _TITLES[status], "content": {MEDIA_TYPE: {
            "schema": schema, "example": problem(status, _DETAILS.get(status, f"{_TITLES[status]}。")),
        }}}
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Makes problem JSON the shape of every error this application answers with."""
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(WenjuError, _on_error)
    app.add_exception_handler(Busy, _on_error)
    app.add_exception_handler(Exception, _on_error)


def respond(scope: Scope, error: Exception) -> JSONResponse:
    """The response to an exception raised by Wenju's own work, on the door that the request came to."""
    return _answer(from_exception(error, _is_openai(route_path(scope))))


def refusal(status: int, detail: str, scope: Scope, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response of a layer that does not let a request pass."""
    return _answer(problem(status, detail, openai=_is_openai(route_path(scope))), headers)


def _answer(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    extra = dict(headers or {})
    if body["status"] in (429, 503):
        extra.setdefault("Retry-After", str(RETRY_AFTER))
    return JSONResponse(body, body["status"], headers=extra, media_type=MEDIA_TYPE)


def _is_openai(path: str) -> bool:
    return path.startswith("/v1/")


async def _on_error(request: Request, error: Exception) -> JSONResponse:
    return respond(request.scope, error)


async def _on_http(request: Request, error: HTTPException) -> JSONResponse:
    own = isinstance(error.detail, str) and any("\u4e00" <= c <= "\u9fff" for c in error.detail)
    detail = error.detail if own else _DETAILS.get(error.status_code, "请求没有成功。")
    return _answer(problem(error.status_code, detail, openai=_is_openai(route_path(request.scope))), error.headers)


async def _on_validation(request: Request, error: RequestValidationError) -> JSONResponse:
    found = error.errors()
    if any(e["type"] == "json_invalid" for e in found):
        return _answer(problem(400, _DETAILS[400], openai=_is_openai(route_path(request.scope))))
    errors = [{"field": _field(e["loc"]), "message": _sentence(e["type"], e.get("ctx") or {})} for e in found[:20]]
    detail = f"{errors[0]['field']}：{errors[0]['message']}"
    return _answer(problem(422, detail, errors, _is_openai(route_path(request.scope))))


def _field(location: Sequence[str | int]) -> str:
    """Where in the request: `messages.0.content`; names the caller invented are cut short."""
    names = [str(part)[:60] for part in location if part not in ("body", "query", "path")]
    return ".".join(names) or "请求正文"


def _sentence(kind: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "missing":
            return "缺少这一项。"
        case "extra_forbidden":
            return "没有这一项，请检查名称。"
        case "string_too_short" | "too_short":
            return f"太短，至少 {context.get('min_length')} 个。"
        case "string_too_long" | "too_long":
            return f"太长，最多 {context.get('max_length')} 个。"
        case "greater_than_equal":
            return f"应不小于 {context.get('ge')}。"
        case "less_than_equal":
            return f"应不大于 {context.get('le')}。"
        case "literal_error" | "enum":
            return "取值不在允许的范围内。"
        case "string_type":
            return "应为文字。"
        case "string_unicode":
            return "含有无法识别的字符。"
        case "int_type" | "int_parsing" | "int_from_float":
            return "应为整数。"
        case "list_type":
            return "应为列表。"
        case _:
            return "格式不对，接口说明见 /openapi.json。"
