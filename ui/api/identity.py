"""Who is asking: nobody in particular, the bearer of a token that the portal signed, whom a trusted proxy names, or who has
signed in with an OpenID provider."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

from rag.errors import SettingError
from ui.api.proxy import TRUSTED
from ui.api.sessions import COOKIE, LONGEST, Sessions, cookie_of
from ui.api.settings import LEAST_SECRET, Portal


@dataclass(frozen=True, slots=True)
class Asker:
    """A person, or nobody in particular (""), and the groups whose documents are open to them."""

    name: str = ""
    groups: frozenset[str] = frozenset()


NOBODY = Asker()
KEY = "wenju.asker"
"""Key of the scope: the asker, as the sign-in layer found them."""


class Unknown(Exception):
    """Nobody we know: no token, a bad one, or no name from a trusted proxy. The text, in Chinese, is for the person."""


def asker_of(request: Any) -> Asker:
    """Who sent a request (Starlette's or, on the page, Gradio's); nobody unless the sign-in layer said who."""
    return getattr(request, "request", request).scope.get(KEY, NOBODY)


Identify = Callable[[Scope], Asker]
"""The asker of a request. Raises Unknown."""


def identify(portal: Portal, sessions: Sessions | None = None) -> Identify:
    """The way of telling people that the settings ask for. Raises SettingError when its key is missing or unfit.

    sessions: those that sign-ins with an OpenID provider open.
    """
    match portal.identity:
        case "token":
            tokens = Tokens(portal)
            return lambda scope: tokens.asker(_token_of(Headers(scope=scope)))
        case "header":
            return lambda scope: _named(scope, portal)
        case "oidc":
            kept = sessions or Sessions(portal)
            return lambda scope: _signed_in(scope, kept)
        case _:
            return lambda scope: NOBODY


class Tokens:
    """Checks JSON Web Tokens (RFC 7519, as RFC 8725 advises): each key has one algorithm, and the token does not choose it."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._keys = _keys(portal)

    def asker(self, token: str) -> Asker:
        """Who bears the token. Raises Unknown: signature, algorithm, times, audience, issuer or name are not in order."""
        import jwt

        if not token:
            raise Unknown("请先登录。")
        portal = self._portal
        try:
            key, algorithm = self._key(jwt.get_unverified_header(token))
            claims = jwt.decode(
                token, key, algorithms=[algorithm], audience=portal.token_audience, issuer=portal.token_issuer or None,
                leeway=portal.token_leeway, options={"require": ["exp", "aud", "sub"], "enforce_minimum_key_length": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unknown("登录已过期，请从门户重新进入。") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unknown("登录凭证无效，请从门户重新进入。") from error
        groups = claims.get(portal.token_groups, [])
        if not claims["sub"].strip() or not isinstance(groups, list) or not all(isinstance(g, str) for g in groups):
            raise Unknown("登录凭证不完整，请联系门户管理员。")
        return Asker(claims["sub"], frozenset(groups))

    def _key(self, header: Mapping[str, Any]) -> tuple[Any, str]:
        """The key that the token names; without a name the only one there is. Raises ValueError."""
        named = header.get("kid")
        if named in self._keys:
            return self._keys[named]
        if len(self._keys) == 1 and (named is None or None in self._keys):
            return next(iter(self._keys.values()))
        raise ValueError("no such key")


def _keys(portal: Portal) -> dict[str | None, tuple[Any, str]]:
    """By key id: key and algorithm."""
    from jwt import PyJWK, PyJWTError

    if not portal.token_key and not portal.token_key_file:
        raise SettingError("identity 为 token 时要有密钥。", "请设置环境变量 WENJU_PORTAL_TOKEN_KEY，或 portal.token_key_file。")
    if portal.token_key:
        return {None: (_secret(portal.token_key.encode()), "HS256")}
    try:
        data = Path(portal.token_key_file).read_bytes()
        if data.lstrip().startswith(b"{"):
            keys = [PyJWK(entry) for entry in json.loads(data)["keys"]]
            found = {key.key_id: (key.key, {"RSA": "RS256", "oct": "HS256"}[key.key_type]) for key in keys}
            if not found:
                raise ValueError("empty JWKS")
            for key, algorithm in found.values():
                if algorithm == "HS256":
                    _secret(key)
            return found
        if b"-----BEGIN" in data:
            return {None: (_public(data), "RS256")}
        return {None: (_secret(data.strip()), "HS256")}
    except (OSError, ValueError, KeyError, TypeError, PyJWTError) as error:
        raise SettingError("登录密钥读不出来。", "token_key_file 应是 RSA 公钥（PEM）、JWKS，或至少 32 字节的共享密钥。") from error


def _public(data: bytes) -> Any:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = load_pem_public_key(data)
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise ValueError("not an RSA key of 2048 bits or more")
    return key


def _secret(data: bytes) -> bytes:
    if len(data) < LEAST_SECRET:
        raise SettingError("登录密钥太短。", f"共享密钥至少要 {LEAST_SECRET} 字节。")
    return data


def _token_of(headers: Headers) -> str:
    """The bearer token, else that of the session cookie."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip()[:LONGEST] if scheme.lower() == "bearer" else cookie_of(headers, COOKIE)


def _signed_in(scope: Scope, sessions: Sessions) -> Asker:
    session = sessions.opened("session", cookie_of(Headers(scope=scope), COOKIE))
    if session is None:
        raise Unknown("请先登录。")
    return Asker(session["name"], frozenset(session["groups"]))


def _named(scope: Scope, portal: Portal) -> Asker:
    headers = Headers(scope=scope)
    if not scope.get(TRUSTED):
        raise Unknown("请从门户进入。")
    names = headers.getlist(portal.user_header)
    name = _utf8(names[0]).strip() if len(names) == 1 else ""
    if not name:
        raise Unknown("请先在门户登录。")
    listed = ",".join(headers.getlist(portal.groups_header))
    return Asker(name, frozenset(group for part in _utf8(listed).split(",") if (group := part.strip())))


def _utf8(value: str) -> str:
    """A header's value: ASGI servers hand out bytes as Latin-1, proxies send UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return ""
