"""The layer around everything: security headers, a request id, counts and a log line, and no exception that gets out."""

import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.api import logs
from ui.api.problems import respond
from ui.api.proxy import TRUSTED, route_path
from ui.api.service import Metrics

# 'unsafe-eval': Gradio builds the templates of gr.HTML with it; 'unsafe-inline': its page starts from inline scripts.
CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


class Shield:
    """Puts security headers on every response, counts it under its route's template, and turns what nobody
    caught into a problem object (inside, so that it too has its headers).

    origins: whose pages may show /embed in a frame; nothing else may be framed by others.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, origins: tuple[str, ...] = ()) -> None:
        self.app, self.metrics = app, metrics
        self._embedded = _HEADERS | {"Content-Security-Policy": " ".join((CSP, *origins))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with a `send` that adds headers."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, status, whole, number = time.perf_counter(), 0, False, _request_id(scope)
        logs.REQUEST.set(number)
        added = {**(self._embedded if route_path(scope) == "/embed" else _HEADERS), "X-Request-Id": number}

        async def guarded(message: Message) -> None:
            nonlocal status, whole
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in added.items():
                    headers[name] = value
                self._count(scope, status, time.perf_counter() - began)
            await send(message)
            whole = message["type"] == "http.response.body" and not message.get("more_body")

        try:
            await self.app(scope, receive, guarded)
        except Exception as error:
            if status and not whole:
                raise
            if not status:  # else Starlette raises what it has already answered and we have logged: the connection is fine
                await respond(scope, error)(scope, receive, guarded)
        finally:
            fields = {"route": _template(scope), "method": _method(scope), "status": status,
                      "ms": round((time.perf_counter() - began) * 1000, 1)}
            logs.requests.info("request", extra={"fields": fields})

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = _template(scope)
        self.metrics.requests.labels(route, _method(scope), status).inc()
        self.metrics.seconds.labels(route).observe(seconds)


def _request_id(scope: Scope) -> str:
    """The id a trusted proxy gave the request, else a new one."""
    given = Headers(scope=scope).get("x-request-id", "") if scope.get(TRUSTED) else ""
    return given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "OTHER"


def _template(scope: Scope) -> str:
    """`/api/v1/documents/{id}` rather than one label for each id; "other" for pages, assets and unknown paths."""
    return getattr(scope.get("route"), "path", None) or "other"
