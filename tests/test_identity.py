"""Signing in: what is believed of a token, of a proxy's headers, of a browser's cookie; and everything that is refused."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from test_api import SEEDS, _problem, running
from web_fakes import EXAMPLE, WebPipeline

from rag.config import Settings
from rag.errors import SettingError, WenjuError
from ui.api.identity import Asker, Tokens, Unknown, identify
from ui.api.proxy import TRUSTED
from ui.api.settings import Portal
from ui.cli import main
from ui.server import create_app

SECRET = "一把至少三十二个字节长的共享密钥，只在测试里用"
AUDIENCE = "wenju"


def claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    return {"sub": "li.na", "aud": AUDIENCE, "exp": now + 600, "nbf": now - 5, "iat": now - 5, "groups": ["人事", "财务"]} | changes


def without(*names: str) -> dict[str, object]:
    return {name: value for name, value in claims().items() if name not in names}


def hs256(payload: dict[str, object], key: str | bytes = SECRET, **header: object) -> str:
    """A token made by hand, so that no library keeps the test from making a wrong one."""
    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    head = part(json.dumps({"alg": "HS256", "typ": "JWT"} | header).encode()) + b"." + part(json.dumps(payload).encode())
    secret = key.encode() if isinstance(key, str) else key
    return (head + b"." + part(hmac.new(secret, head, hashlib.sha256).digest())).decode()


@pytest.fixture(scope="module")
def rsa() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def pem(key: RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


# ---------------------------------------------------------------- tokens

TOKENS = Tokens(Portal(identity="token", token_key=SECRET))


def test_a_token_in_order_says_who_and_which_groups() -> None:
    assert TOKENS.asker(hs256(claims())) == Asker("li.na", frozenset(("人事", "财务")))
    assert TOKENS.asker(jwt.encode(claims(), SECRET, "HS256")).name == "li.na"
    assert TOKENS.asker(hs256(without("groups"))).groups == frozenset()
    assert TOKENS.asker(hs256(claims(exp=int(time.time()) - 20))).name == "li.na"  # clocks differ by up to 30 s
    assert TOKENS.asker(hs256(claims(nbf=int(time.time()) + 20))).name == "li.na"


@pytest.mark.parametrize("token", [
    "", "x", "a.b.c", "." * 5000, "中文", hs256(claims(), "另一把同样长的密钥，谁都可以拿它来签名，三十二字节"),
    hs256(claims(exp=int(time.time()) - 60)), hs256(claims(nbf=int(time.time()) + 3600)), hs256(claims(iat=int(time.time()) + 3600)),
    hs256(claims(aud="other")), hs256(claims(aud=["other", "others"])), hs256(claims(exp="soon")),
    hs256(without("exp")), hs256(without("aud")), hs256(without("sub")), hs256(claims(sub="")), hs256(claims(sub=5)),
    hs256(claims(groups="人事")), hs256(claims(groups=[1])), hs256(claims(), alg="none"), hs256(claims(), alg="HS512"),
    hs256(claims(), alg="RS256"), hs256(claims(), crit=["exp"]), hs256(claims(), kid={"a": 1}),
    jwt.encode(claims(), None, "none"), hs256(claims())[:-2], hs256(claims()).rsplit(".", 1)[0] + ".",
    hs256(claims()).replace(".", ".e30.", 1), jwt.encode(claims(), SECRET, "HS512"),
    hs256({"a": "[" * 50_000}),
])
def test_every_other_token_is_refused(token: str) -> None:
    with pytest.raises(Unknown) as refused:
        TOKENS.asker(token)
    assert "登录" in str(refused.value)


def test_public_keys_and_key_sets(tmp_path: Path, rsa: RSAPrivateKey) -> None:
    (tmp_path / "key.pem").write_bytes(pem(rsa))
    signed = jwt.encode(claims(), rsa, "RS256")
    other = generate_private_key(65537, 2048)
    from_file = Tokens(Portal(identity="token", token_key_file=str(tmp_path / "key.pem")))
    assert from_file.asker(signed).name == "li.na"
    entries = [json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(k.public_key())) | {"kid": kid} for kid, k in (("a", rsa), ("b", other))]
    (tmp_path / "keys.json").write_text(json.dumps({"keys": entries}))
    from_set = Tokens(Portal(identity="token", token_key_file=str(tmp_path / "keys.json")))
    assert from_set.asker(jwt.encode(claims(), rsa, "RS256", headers={"kid": "a"})).name == "li.na"
    assert from_set.asker(jwt.encode(claims(), other, "RS256", headers={"kid": "b"})).name == "li.na"
    wrong = [jwt.encode(claims(), other, "RS256", headers={"kid": "a"}), jwt.encode(claims(), rsa, "RS256", headers={"kid": "c"}), signed,
             jwt.encode(claims(), rsa, "RS512", headers={"kid": "a"}),
             hs256(claims(), pem(rsa), kid="a")]  # the public key taken for a shared secret
    for token in wrong:
        with pytest.raises(Unknown):
            from_set.asker(token)
    for token in (hs256(claims(), pem(rsa)), jwt.encode(claims(), other, "RS256"), hs256(claims())):
        with pytest.raises(Unknown):
            from_file.asker(token)


@pytest.mark.parametrize("content", [
    None, b"", b"short", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "EC"}]}', b'{"keys": [{"kty": "oct", "k": "YQ"}]}', b"{" * 3000,
    b"-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n",
])
def test_keys_that_are_none_keep_the_service_from_starting(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(SettingError) as error:
        identify(Portal(identity="token", token_key_file=str(tmp_path / "key")))
    assert str(tmp_path) not in str(error.value)
    with pytest.raises(SettingError):
        identify(Portal(identity="token"))
    with pytest.raises(SettingError):
        identify(Portal(identity="token", token_key="短"))


# ---------------------------------------------------------------- settings

def test_settings_come_from_file_and_environment_and_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wenju.toml").write_text('[portal]\nidentity = "token"\norigins = ["https://portal.example"]\nrate = 30\n')
    monkeypatch.setenv("WENJU_PORTAL_RATE", "60")
    monkeypatch.setenv("WENJU_PORTAL_TRUSTED_PROXIES", "10.0.0.1, 10.1.0.0/16")
    monkeypatch.setenv("WENJU_PORTAL_TOKEN_KEY", SECRET)
    portal = Portal.load(tmp_path)
    assert (portal.identity, portal.origins, portal.rate) == ("token", ("https://portal.example",), 60)
    assert portal.trusted_proxies == ("10.0.0.1", "10.1.0.0/16") and portal.token_key == SECRET


@pytest.mark.parametrize("written", [
    'identity = "basic"', "identiy = 1", 'origins = "*"', 'origins = ["*"]', 'origins = ["https://a.example/path"]', "rate = -1",
    'rate = "many"', 'root_path = "kb"', 'root_path = "/kb/"', 'trusted_proxies = ["proxy.example"]', 'identity = "header"',
    'audit_sync = "maybe"', 'log = "xml"', "body_kb = 0", f'token_key = "{SECRET}"', "audit_days = 0",
])
def test_impossible_settings_are_explained(tmp_path: Path, written: str) -> None:
    (tmp_path / "wenju.toml").write_text(f"[portal]\n{written}\n", encoding="utf-8")
    with pytest.raises(SettingError):
        Portal.load(tmp_path)


def test_other_addresses_need_an_identity_or_a_word(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    assert "--anyone" in capsys.readouterr().err
    assert main(["serve", "--host", "0.0.0.0", "--anyone"]) == 1  # there is no index; but it warned first
    assert "任何人都可以提问" in capsys.readouterr().err


# ---------------------------------------------------------------- over HTTP

PROTECTED = (("GET", "/api/v1/documents"), ("GET", "/api/v1/documents/x"), ("POST", "/api/v1/ask"), ("POST", "/api/v1/ask/stream"),
             ("POST", "/api/v1/search"), ("POST", "/api/v1/feedback"), ("POST", "/api/v1/export"), ("GET", "/api/v1/documents/x/original"),
             ("GET", "/page/documents/x/part?start=0&end=9"), ("GET", "/eval"), ("GET", "/v1/models"), ("POST", "/v1/chat/completions"),
             ("GET", "/page/documents"), ("GET", "/page/documents/x"), ("GET", "/"), ("GET", "/embed"), ("GET", "/config"),
             ("GET", "/gradio_api/info"), ("POST", "/gradio_api/queue/join"), ("GET", "/gradio_api/queue/data"),
             ("POST", "/gradio_api/call/ask"), ("GET", "/gradio_api/heartbeat/abc"), ("POST", "/api/v1/session"),
             ("GET", "/nothing"), ("GET", "/page/../api/v1/documents"), ("GET", "/assets/../config"), ("GET", "/page/documents/.css"))
OPEN = ("/healthz", "/readyz", "/openapi.json", "/page/page.css", "/page/base.js", "/theme.css", "/widget.js")


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., httpx.Client]]:
    """Starts the application with these settings and gives a client of it."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        def start(**settings: object) -> httpx.Client:
            app = create_app(WebPipeline(Settings(home=tmp_path), SEEDS), Portal(**settings).checked())
            return stack.enter_context(httpx.Client(base_url=stack.enter_context(running(app)), timeout=30))

        yield start


def test_without_a_token_nothing_but_the_shell_is_open(serving) -> None:
    client = serving(identity="token", token_key=SECRET)
    for method, path in PROTECTED:
        body = _problem(client.request(method, path, json={} if method == "POST" else None), 401)
        assert ("error" in body) == path.startswith("/v1/")
    for path in OPEN:
        assert client.get(path).status_code == 200, path
    page = client.get("/", headers={"accept": "text/html"})
    assert page.status_code == 401 and "请先登录" in page.text and "window.gradio_config" not in page.text
    assert client.get("/metrics").status_code == 200  # from this machine


def test_a_token_opens_all_doors_and_its_cookie_the_page(serving, tmp_path: Path) -> None:
    client = serving(identity="token", token_key=SECRET)
    bearer = {"authorization": f"Bearer {hs256(claims())}"}
    assert client.post("/api/v1/ask", json={"question": EXAMPLE}, headers=bearer).json()["status"] == "answered"
    assert client.post("/api/v1/ask", json={"question": EXAMPLE}, headers={"authorization": f"Bearer {hs256(claims(), 'x' * 40)}"}).status_code == 401
    assert client.get("/").status_code == 401
    entered = client.post("/api/v1/session", headers=bearer)
    assert entered.status_code == 204 and not entered.content
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie
    # httpx sends no Secure cookie over http, browsers do to loopback
    kept = {"cookie": cookie.partition(";")[0]}
    page = client.get("/", headers=kept)
    assert page.status_code == 200 and "window.gradio_config" in page.text
    assert client.post("/api/v1/ask", json={"question": EXAMPLE}, headers=kept).status_code == 200
    _problem(client.post("/api/v1/ask", json={"question": EXAMPLE}, headers=kept | {"origin": "https://evil.example"}), 403)
    assert "Max-Age=0" in client.delete("/api/v1/session", headers=kept).headers["set-cookie"]
    entries = [json.loads(line) for path in (tmp_path / "audit").iterdir() for line in path.read_text(encoding="utf-8").splitlines()]
    assert [e["who"] for e in entries] == ["li.na", "li.na"] and all(e["question"] == EXAMPLE and e["documents"] for e in entries)


def test_a_cookie_for_frames_of_another_site_is_partitioned(serving) -> None:
    client = serving(identity="token", token_key=SECRET, origins=("https://portal.example",))
    cookie = client.post("/api/v1/session", headers={"authorization": f"Bearer {hs256(claims())}"}).headers["set-cookie"]
    assert "SameSite=None; Secure; Partitioned" in cookie


def test_a_trusted_proxy_names_the_person_and_nobody_else_can(serving) -> None:
    names = {"x-remote-user": "王芳".encode(), "x-remote-groups": "人事, 监察".encode()}
    trusted = serving(identity="header", trusted_proxies=("127.0.0.1",))
    assert trusted.post("/api/v1/ask", json={"question": EXAMPLE}, headers=names).status_code == 200
    assert trusted.get("/", headers=names).status_code == 200
    _problem(trusted.get("/api/v1/documents"), 401)
    _problem(trusted.get("/api/v1/documents", headers=[("x-remote-user", "a"), ("x-remote-user", "b")]), 401)
    stranger = serving(identity="header", trusted_proxies=("10.0.0.5",))
    for method, path in PROTECTED:
        _problem(stranger.request(method, path, headers=names | {"x-forwarded-for": "10.0.0.5"}, json={} if method == "POST" else None), 401)


def test_header_groups_are_read_as_utf8() -> None:
    who = identify(Portal(identity="header", trusted_proxies=("127.0.0.1",)))
    scope = {"type": "http", TRUSTED: True, "headers": [(b"x-remote-user", "王芳".encode()), (b"x-remote-groups", "人事,,监察 ".encode())]}
    assert who(scope) == Asker("王芳", frozenset(("人事", "监察")))
    with pytest.raises(Unknown):
        who(scope | {TRUSTED: False})
    with pytest.raises(Unknown):
        who(scope | {"headers": [(b"x-remote-user", b"\xff\xfe")]})


def test_metrics_are_for_this_machine_once_people_sign_in(serving) -> None:
    behind = serving(identity="token", token_key=SECRET, trusted_proxies=("127.0.0.1",))
    _problem(behind.get("/metrics", headers={"x-forwarded-for": "10.2.3.4"}), 403)


def test_errors_are_one_tree() -> None:
    assert issubclass(SettingError, WenjuError)
