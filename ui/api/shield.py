"""Two thin layers of ASGI around everything: a body limit, and security headers with request counts."""

import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.api.problems import respond
from ui.api.service import Metrics

MAX_BODY = 1024 * 1024
"""Bytes. The longest legitimate request is a long conversation."""

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


class BodyLimit:
    """Refuses bodies past the limit, whether their length is announced or found out while reading."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with a counting `receive`."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        announced = Headers(scope=scope).get("content-length", "")
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.limit or (announced.isdecimal() and int(announced) > self.limit):
                raise HTTPException(413)
            return message

        await self.app(scope, counted, send)


class Shield:
    """Puts security headers on every response, counts it under its route's template, and turns what nobody
    caught into a problem object (inside, so that it too has its headers)."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with a `send` that adds headers."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, started = time.perf_counter(), False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                route = _template(scope)
                method = scope["method"] if scope["method"] in _METHODS else "OTHER"
                self.metrics.requests.labels(route, method, message["status"]).inc()
                self.metrics.seconds.labels(route).observe(time.perf_counter() - began)
            await send(message)

        try:
            await self.app(scope, receive, guarded)
        except Exception as error:
            if started:
                raise
            await respond(scope["path"], error)(scope, receive, guarded)


def _template(scope: Scope) -> str:
    """`/api/v1/documents/{id}` rather than one label for each id; "other" for pages, assets and unknown paths."""
    return getattr(scope.get("route"), "path", None) or "other"
