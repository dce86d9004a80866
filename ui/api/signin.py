"""The layer that lets people in: finds out who asks, keeps other sites' pages from asking in their name, opens sessions.

A portal's token comes as `Authorization: Bearer`, or, for a browser, in a cookie that `POST /api/v1/session` sets from one.
The cookie is the token itself, checked at every request; the service keeps nothing. Whoever is not known gets 401, and in a
browser a page that signs in with the token of the address (`#token=…`, which browsers send to nobody), or leads to the
OpenID provider (see `login`).
"""

import re
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.api.hosts import asked_by_name
from ui.api.identity import KEY, NOBODY, Identify, Unknown
from ui.api.login import page
from ui.api.problems import refusal, responses
from ui.api.proxy import TRUSTED, route_path
from ui.api.sessions import COOKIE, set_cookie
from ui.api.settings import LOOPBACK, Portal

_OPEN = re.compile(
    r"/healthz|/readyz|/widget\.js|/openapi\.json|/theme\.css|/manifest\.json|/favicon\.ico|/robots\.txt"
    r"|/pwa_icon(/\d+)?|/page/[\w.-]+\.(css|js|png|svg)|/(assets|static|svelte)/.+|/auth/(login|callback|logout|done)"
)
"""What holds nothing of any document, and what a page needs to say that one has to sign in."""
SESSION = "/api/v1/session"
_READING = ("GET", "HEAD", "OPTIONS")


class SignIn:
    """Puts the asker into the scope, or answers 401, 403 or 421."""

    def __init__(self, app: ASGIApp, portal: Portal, who: Identify) -> None:
        self.app, self._portal, self._who = app, portal, who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on whoever may pass."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path, headers = route_path(scope), Headers(scope=scope)
        if name := asked_by_name(scope, self._portal):
            detail = f"这个服务不叫“{name[:60]}”。请用 IP 地址打开，或请管理员把这个名字写进 portal.hosts。"
            return await refusal(421, detail, scope)(scope, receive, send)
        if scope["method"] not in _READING and not self._is_ours(headers):
            return await refusal(403, "这个请求来自别的网站的页面。", scope)(scope, receive, send)
        if path == "/metrics" and self._portal.identity != "none" and not _is_local(scope):
            return await refusal(403, "指标只供本机读取。", scope)(scope, receive, send)
        scope[KEY] = NOBODY
        if not _OPEN.fullmatch(path) and path != "/metrics" and (path, scope["method"]) != (SESSION, "DELETE"):
            try:
                scope[KEY] = self._who(scope)
            except Unknown as error:
                return await self._unknown(scope, path, headers, str(error))(scope, receive, send)
        await self.app(scope, receive, send)

    def _is_ours(self, headers: Headers) -> bool:
        """Whether no other site's page sent this: browsers say where a writing request comes from, programs do not."""
        origin = headers.get("origin")
        return origin is None or origin in self._portal.origins or urlsplit(origin).netloc == headers.get("host", "")

    def _unknown(self, scope: Scope, path: str, headers: Headers, reason: str) -> Response:
        asked = {"WWW-Authenticate": "Bearer"}
        if scope["method"] == "GET" and path.count("/") == 1 and "text/html" in headers.get("accept", ""):
            provider = self._portal.identity == "oidc"
            shown = page(401, "请先登录", reason, ".", login=provider, at_once=provider)
            shown.headers.update(asked)
            return shown
        return refusal(401, reason, scope, asked)


def _is_local(scope: Scope) -> bool:
    """Whether the request was made on this machine, and not handed on by a proxy on it."""
    return (scope.get("client") or ("",))[0] in LOOPBACK and not scope.get(TRUSTED)


def router(portal: Portal) -> APIRouter:
    """Opening and closing a browser's session; only for services with tokens."""
    api = APIRouter(tags=["登录"])
    if portal.identity != "token":
        return api

    @api.post(SESSION, summary="用门户的凭证登录", status_code=204, responses=responses(401, 403, 429, 500))
    async def enter(request: Request) -> Response:
        """请求头 Authorization: Bearer 里的凭证通过核对后存入 Cookie，供网页使用；凭证到期即失效。"""
        token = request.headers["authorization"].partition(" ")[2].strip() if "authorization" in request.headers else ""
        cookie = set_cookie(request, COOKIE, token, framed=bool(portal.origins))
        return Response(status_code=204, headers={"Set-Cookie": cookie} if token else {})

    @api.delete(SESSION, summary="退出登录", status_code=204, responses=responses(403, 500))
    async def leave(request: Request) -> Response:
        """清除 Cookie。"""
        cookie = set_cookie(request, COOKIE, "", 0, framed=bool(portal.origins))
        return Response(status_code=204, headers={"Set-Cookie": cookie})

    return api
