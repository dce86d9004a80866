"""The pages on the way to an OpenID provider and back (identity = "oidc")."""

import hashlib
import hmac
import logging
import re
import secrets

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from ui.api.identity import Asker, Unknown
from ui.api.oidc import CALLBACK, DONE, Provider, Unreachable
from ui.api.sessions import COOKIE, LONGEST, Sessions, cookie_of, set_cookie
from ui.api.settings import Portal
from ui.api.workers import Workers

log = logging.getLogger("wenju.service")
LOGIN = "/auth/login"
_BELOW = "/auth"
_UNDER_WAY = 600
"""Seconds within which a sign-in has to be finished."""
_OURS = re.compile(r"/(?![/\\])[\w./?&=%#@~:+-]{0,500}", re.ASCII)
"""What one may be led to after signing in: a place of this service, never another host."""
_THREADS, _WAITING = 4, 16
"""Sign-ins that wait for the provider at once, and those that wait for them; the next one is refused with 503."""
_PAGE = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title} · 文据</title><script src="{up}/page/embed.js"></script><link rel="stylesheet" href="{up}/page/embed.css"></head>
<body class="wj-signin"{more}><main><h1>{title}</h1><p role="status">{text}</p>{way}</main></body></html>"""


def page(status: int, title: str, text: str, up: str, login: bool = False, at_once: bool = False) -> HTMLResponse:
    """A page about signing in. The texts are ours. up: the way to the root. login: it leads to the provider, `at_once`
    without being asked."""
    way = f'<p><a href="{up}{LOGIN}">登录</a></p>' if login else ""
    more = f' data-login="{up}{LOGIN}"' if at_once else ""
    return HTMLResponse(_PAGE.format(title=title, text=text, up=up, way=way, more=more), status, {"Cache-Control": "no-store"})


def router(portal: Portal, sessions: Sessions) -> APIRouter:
    """/auth/login, /auth/callback, /auth/logout and /auth/done."""
    api = APIRouter(include_in_schema=False)
    provider, threads = Provider(portal), Workers(_THREADS, _WAITING)

    @api.get(LOGIN)
    async def login(request: Request, next: str = "/") -> Response:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        try:
            there = await threads.run(lambda: provider.login_url(state, nonce, verifier))
        except Unreachable as error:
            return _unreachable(error)
        begun = {"state": state, "nonce": nonce, "verifier": verifier, "next": next if _OURS.fullmatch(next) else "/"}
        cookie = set_cookie(request, _kept(state), sessions.sealed("signin", begun, _UNDER_WAY), _UNDER_WAY, _BELOW)
        return RedirectResponse(there, 303, {"Set-Cookie": cookie, "Cache-Control": "no-store"})

    @api.get(CALLBACK)
    async def callback(request: Request, state: str = "", code: str = "", iss: str = "") -> Response:
        begun = sessions.opened("signin", cookie_of(request.headers, _kept(state)))
        try:
            if begun is None or not hmac.compare_digest(begun["state"].encode(), state.encode()):
                raise Unknown("这次登录不是从这个浏览器开始的，或者已经过了太久。")
            if not code or iss not in ("", portal.oidc_issuer):  # RFC 9207
                raise Unknown("身份服务没有让您登录。")
            asker = await threads.run(lambda: provider.redeem(code, begun["verifier"], begun["nonce"]))
            response: Response = RedirectResponse(request.scope.get("root_path", "") + begun["next"], 303, {"Cache-Control": "no-store"})
            response.headers.append("Set-Cookie", _session(request, portal, sessions, asker))
        except Unknown as error:
            log.warning("sign-in refused: %s", error.__cause__ or error)
            response = page(403, "没有登录", f"{error}请重新登录；仍不行请联系管理员。", "..", login=True)
        except Unreachable as error:
            response = _unreachable(error)
        if begun:
            response.headers.append("Set-Cookie", set_cookie(request, _kept(state), "", 0, _BELOW))
        return response

    @api.post("/auth/logout")
    async def logout(request: Request) -> Response:
        """Ends the session; `next` is where the page goes on to, so that the provider's session ends, too."""
        try:
            there = await threads.run(provider.logout_url)
        except Unreachable:
            there = ""
        cookie = set_cookie(request, COOKIE, "", 0)
        return JSONResponse({"next": there or f".{DONE}"}, headers={"Set-Cookie": cookie, "Cache-Control": "no-store"})

    @api.get(DONE)
    async def done(request: Request) -> Response:
        """Where a window ends that was opened to sign in, and where signing out ends."""
        if sessions.opened("session", cookie_of(request.headers, COOKIE)):
            return page(200, "已登录", "可以关闭这个窗口，回到原来的页面。", "..")
        return page(200, "已退出登录", "可以关闭这个窗口。", "..", login=True)

    return api


def _kept(state: str) -> str:
    """Name of the cookie of one sign-in: several may be under way in several windows."""
    return f"wenju_signin_{hashlib.sha256(state.encode(errors='replace')).hexdigest()[:12]}"


def _session(request: Request, portal: Portal, sessions: Sessions, asker: Asker) -> str:
    """The cookie of a session. Raises Unknown when the groups do not fit into it."""
    seconds = portal.session_hours * 3600
    sealed = sessions.sealed("session", {"name": asker.name, "groups": sorted(asker.groups)}, seconds)
    if len(sealed) > LONGEST:
        raise Unknown("您所在的组太多，请管理员让身份服务只给出与文件有关的组。")
    return set_cookie(request, COOKIE, sealed, seconds)


def _unreachable(error: Unreachable) -> Response:
    log.error("the OpenID provider cannot be reached: %s", error)
    return page(503, "暂时不能登录", "连不上身份服务。请稍后再试；仍不行请联系管理员。", "..", login=True)
