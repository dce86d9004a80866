"""A small OpenID provider on loopback: people, codes that are good once, PKCE, signed ID tokens; and ways to go wrong."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

KEY = generate_private_key(65537, 2048)
CLIENT, SECRET = "wenju-page", "secret of the client: 100%"
LOGIN_PAGE = """<!doctype html><html lang="zh-CN"><title>统一身份认证</title><form>{hidden}
<label>用户 <input name="user"></label><button>登录</button></form></html>"""


@dataclass
class Provider:
    """What the provider knows. Tests change it between two sign-ins."""

    people: dict[str, list[str]] = field(default_factory=lambda: {"李娜": ["人事"], "王芳": []})
    key: RSAPrivateKey = KEY
    kid: str = "k1"
    claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    """Changes the claims before they are signed."""
    sign: Callable[[dict[str, Any]], str] | None = None
    """Makes the ID token in another way."""
    hides: tuple[str, ...] = ()
    """Paths that answer 500."""
    discovery: dict[str, Any] = field(default_factory=dict)
    """Put over the discovery document."""
    issuer: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def signed(self, claims: dict[str, Any]) -> str:
        """An ID token as it should be."""
        return jwt.encode(claims, self.key, "RS256", headers={"kid": self.kid})

    def document(self) -> dict[str, Any]:
        """The discovery document."""
        return {"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize", "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys", "end_session_endpoint": f"{self.issuer}/logout"} | self.discovery

    def redirect(self, query: dict[str, str]) -> str:
        """Where somebody who has signed in is sent, with a fresh code."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': self.issuer})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The token endpoint: client, code, redirect URI and verifier have to fit."""
        pair = "wenju-page:secret+of+the+client%3A+100%25"
        known = authorization == f"Basic {base64.b64encode(pair.encode()).decode()}" or form.get("client_secret") == SECRET
        query = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if not known or not query or query["redirect_uri"] != form["redirect_uri"] or query["code_challenge"] != challenge \
                or query["code_challenge_method"] != "S256" or form["grant_type"] != "authorization_code":
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = self.claims({"iss": self.issuer, "sub": f"id-of-{query['user']}", "aud": CLIENT, "iat": now, "exp": now + 300,
                              "nonce": query["nonce"], "name": query["user"], "groups": self.people[query["user"]]})
        return 200, {"id_token": (self.sign or self.signed)(claims), "access_token": "x", "token_type": "Bearer"}


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider that runs."""
    state = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            state.asked.append(parts.path)
            match parts.path:
                case path if path in state.hides:
                    self._send(500, "{}")
                case "/.well-known/openid-configuration":
                    self._send(200, json.dumps(state.document()))
                case "/keys":
                    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(state.key.public_key()))
                    self._send(200, json.dumps({"keys": [{"kty": "oct", "k": "YQ", "kid": "shared"}, public | {"kid": state.kid, "use": "sig"}]}))
                case "/authorize" if "user" in query:
                    self._send(303, "", {"Location": state.redirect(query)})
                case "/authorize":
                    hidden = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in query.items())
                    self._send(200, LOGIN_PAGE.format(hidden=hidden), {"Content-Type": "text/html; charset=utf-8"})
                case "/logout":
                    self._send(303, "", {"Location": query["post_logout_redirect_uri"]})
                case _:
                    self._send(404, "")

        def do_POST(self) -> None:
            state.asked.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            status, answer = (500, {}) if self.path in state.hides else state.token(form, self.headers.get("authorization", ""))
            self._send(status, json.dumps(answer))

        def _send(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
            data = body.encode()
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(data))} | (headers or {})).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.issuer = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield state
        finally:
            server.shutdown()
