"""What the service gives browsers to keep, signed so that it comes back as it was: sessions, and sign-ins under way."""

import secrets
import time
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request

from ui.api.settings import LOOPBACK, Portal

COOKIE = "wenju_session"
LONGEST = 4000
"""What fits into a cookie."""


class Sessions:
    """Seals values in cookies (JWT, HS256) and opens them again. What is sealed for one purpose opens for no other."""

    def __init__(self, portal: Portal) -> None:
        self._key = portal.session_key or secrets.token_urlsafe(48)

    def sealed(self, purpose: str, content: Mapping[str, Any], seconds: int) -> str:
        """The content, good for so long."""
        import jwt

        return jwt.encode({**content, "aud": purpose, "exp": int(time.time()) + seconds}, self._key, "HS256")

    def opened(self, purpose: str, sealed: str) -> Mapping[str, Any] | None:
        """The content; None when it was not sealed here, for this purpose, or has run out."""
        import jwt

        try:
            return jwt.decode(sealed, self._key, algorithms=["HS256"], audience=purpose, options={"require": ["exp", "aud"]})
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None


def cookie_of(headers: Headers, name: str) -> str:
    """The value of a cookie, "" when there is none."""
    pairs = [pair.strip().partition("=") for pair in headers.get("cookie", "").split(";")]
    return next((value for key, _, value in pairs if key == name), "")[:LONGEST]


def set_cookie(request: Request, name: str, value: str, seconds: int | None = None, below: str = "", framed: bool = False) -> str:
    """A Set-Cookie header: out of reach of scripts, sent along only by our own pages and by links to them.

    seconds: how long it is kept (0: it goes), as long as the browser runs if None. below: the part of the service that it is
    for. framed: it is for frames of other sites; there only a partitioned, secure cookie is kept.
    """
    secure = request.scope["scheme"] == "https" or request.url.hostname in LOOPBACK  # browsers take loopback for secure
    site = "; SameSite=None; Secure; Partitioned" if framed and secure else "; SameSite=Lax" + "; Secure" * secure
    path = request.scope.get("root_path", "") + below or "/"
    return f"{name}={value}; Path={path}; HttpOnly{site}" + ("" if seconds is None else f"; Max-Age={seconds}")
