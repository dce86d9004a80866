"""OpenID Connect, our side of it: where the provider is, what it is asked, what of its answer is believed.

The authorization code flow with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636; RFC 9700). PyJWT, which checks portals' tokens
too, checks signature and claims of the ID token; no other token of the provider is looked at or kept.
"""

import base64
import hashlib
import hmac
import http.client
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote_plus, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ui.api.identity import Asker, Unknown
from ui.api.settings import Portal, is_secure

CALLBACK, DONE = "/auth/callback", "/auth/done"
_ALGORITHMS = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"))
"""Signatures with a public key: a client's secret signs nothing here, and neither does nobody."""
_SECONDS = 10
_MOST_BYTES = 1 << 20
_KEYS_SECONDS = 60
"""After fetching the provider's keys, until an unknown one makes us look again."""


class Unreachable(Exception):
    """The provider does not answer, or not as a provider does."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of a provider. logout: "" when it has none. posts_secret: it takes the client's secret in the body only."""

    authorize: str
    token: str
    keys: str
    logout: str
    posts_secret: bool = False


class _Straight(HTTPRedirectHandler):
    """Goes nowhere else: what is sent holds secrets."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = build_opener(_Straight)


class Provider:
    """The provider that the settings name. Thread-safe; blocking, nothing is asked before somebody signs in."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._lock = threading.Lock()
        self._found: Endpoints | None = None
        self._keys: Mapping[str | None, Any] = {}
        self._fetched = float("-inf")

    def login_url(self, state: str, nonce: str, verifier: str) -> str:
        """Where somebody is sent to sign in. Raises Unreachable."""
        portal = self._portal
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return _with(self._endpoints().authorize, {
            "response_type": "code", "client_id": portal.oidc_client_id, "redirect_uri": portal.public_url + CALLBACK,
            "scope": portal.oidc_scope, "state": state, "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256",
        })

    def logout_url(self) -> str:
        """Where signing out goes on to, "" when the provider has no such place. Raises Unreachable."""
        portal, there = self._portal, self._endpoints().logout
        return there and _with(there, {"client_id": portal.oidc_client_id, "post_logout_redirect_uri": portal.public_url + DONE})

    def redeem(self, code: str, verifier: str, nonce: str) -> Asker:
        """Who has signed in, for the code that the provider sent along. Raises Unknown and Unreachable."""
        portal, endpoints = self._portal, self._endpoints()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": portal.public_url + CALLBACK,
                "client_id": portal.oidc_client_id, "code_verifier": verifier}
        headers = {}
        if portal.oidc_client_secret and endpoints.posts_secret:
            form["client_secret"] = portal.oidc_client_secret
        elif portal.oidc_client_secret:  # RFC 6749, 2.3.1
            pair = f"{quote_plus(portal.oidc_client_id)}:{quote_plus(portal.oidc_client_secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = _json(Request(endpoints.token, urlencode(form).encode(), headers))
        return self.asker(answer.get("id_token"), nonce)

    def asker(self, token: Any, nonce: str) -> Asker:
        """Whom an ID token names. Raises Unknown when anything about it is not in order, and Unreachable."""
        import jwt

        portal = self._portal
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token, key.key, algorithms=[key.algorithm_name], audience=portal.oidc_client_id, issuer=portal.oidc_issuer,
                leeway=portal.token_leeway,
                options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"], "enforce_minimum_key_length": True},
            )
            if not hmac.compare_digest(claims["nonce"].encode(), nonce.encode()):
                raise ValueError("another nonce")
            several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
            if claims.get("azp", None if several else portal.oidc_client_id) != portal.oidc_client_id:
                raise ValueError("made for another party")
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise Unknown("身份服务给出的登录结果不可信。") from error
        name, groups = _claim(claims, portal.oidc_name), _claim(claims, portal.oidc_groups) or []
        if not isinstance(name, str) or not name.strip() or not isinstance(groups, list) or not all(isinstance(g, str) for g in groups):
            raise Unknown("身份服务没有说明您是谁、在哪些组。")
        return Asker(name.strip(), frozenset(groups))

    def _endpoints(self) -> Endpoints:
        portal = self._portal
        if portal.oidc_token_url:
            return Endpoints(portal.oidc_authorize_url, portal.oidc_token_url, portal.oidc_keys_url, portal.oidc_logout_url)
        with self._lock:
            self._found = self._found or self._discovered()
            return self._found

    def _discovered(self) -> Endpoints:
        """OpenID Connect Discovery 1.0, 4."""
        portal = self._portal
        says = _json(Request(f"{portal.oidc_issuer.rstrip('/')}/.well-known/openid-configuration"))
        if says.get("issuer") != portal.oidc_issuer:
            raise Unreachable("another issuer")
        logout = portal.oidc_logout_url or says.get("end_session_endpoint") or ""
        urls = [says.get(f"{name}") for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        if not all(isinstance(url, str) and is_secure(url) for url in [*urls, logout or urls[0]]):
            raise Unreachable("endpoints that are none")
        methods = says.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return Endpoints(*urls, logout, posts_secret="client_secret_basic" not in methods)

    def _key(self, named: Any) -> Any:
        """The provider's key of that name, its only one if there is no name. Raises ValueError and Unreachable."""
        endpoints = self._endpoints()
        with self._lock:
            if named not in self._keys and time.monotonic() - self._fetched > _KEYS_SECONDS:
                self._keys, self._fetched = _public_keys(_json(Request(endpoints.keys))), time.monotonic()
            if named is None and len(self._keys) == 1:
                return next(iter(self._keys.values()))
            if named not in self._keys:
                raise ValueError("no such key")
            return self._keys[named]


def _public_keys(found: Mapping[str, Any]) -> Mapping[str | None, Any]:
    """By key id, the keys of a JWKS that sign; each has one algorithm, and the token does not choose it."""
    from jwt import PyJWKSet, PyJWTError

    try:
        keys = PyJWKSet.from_dict(dict(found)).keys
    except (PyJWTError, ValueError, TypeError, AttributeError) as error:
        raise Unreachable("keys that are none") from error
    return {key.key_id: key for key in keys if key.public_key_use in (None, "sig") and key.algorithm_name in _ALGORITHMS}


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, else by a way of names with dots between."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for step in name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _with(url: str, parameters: Mapping[str, str]) -> str:
    return url + ("&" if urlsplit(url).query else "?") + urlencode(parameters)


def _json(request: Request) -> Mapping[str, Any]:
    """What an endpoint answers. Raises Unknown when it refuses what was sent, else Unreachable."""
    request.add_header("Accept", "application/json")
    try:
        with _OPENER.open(request, timeout=_SECONDS) as answer:
            found = json.loads(answer.read(_MOST_BYTES))
    except HTTPError as error:
        if request.data and error.code in (400, 401, 403):
            raise Unknown("身份服务没有认可这次登录。") from error
        raise Unreachable(str(error)) from error
    except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
        raise Unreachable(str(error)) from error
    if not isinstance(found, Mapping):
        raise Unreachable("no object")
    return found
