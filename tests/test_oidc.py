"""Signing in with an OpenID provider: the code flow against a real small one on loopback, and everything that is refused."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from browsing import ARGS, CHROMIUM, needs_chromium
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from oidc_fakes import CLIENT, SECRET, Provider, provider
from portal_fakes import free_port
from test_api import SEEDS, running
from web_fakes import EXAMPLE, WebPipeline

from rag.config import Settings
from rag.errors import SettingError
from ui.api.identity import Asker
from ui.api.service import Service
from ui.api.sessions import Sessions
from ui.api.settings import Portal
from ui.server import create_api, create_app

KEY = "signs the cookies of the service in this test"


@pytest.fixture
def there() -> Iterator[Provider]:
    with provider() as running_provider:
        yield running_provider


@pytest.fixture
def serving(there: Provider, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts the service, with `pages` the whole application, with sign-in at the provider; gives its address."""
    with ExitStack() as stack:
        def start(pages: bool = False, **settings: object) -> str:
            port = free_port()
            portal = Portal(**{"identity": "oidc", "oidc_issuer": there.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET,
                               "oidc_name": "name", "public_url": f"http://127.0.0.1:{port}{settings.get('root_path', '')}", "session_key": KEY, **settings}).checked()
            pipeline = WebPipeline(Settings(home=tmp_path), SEEDS)
            app = create_app(pipeline, portal) if pages else create_api(Service(pipeline), portal)
            return stack.enter_context(running(app, port))

        yield start


class Browser:
    """As much of a browser as a sign-in takes; keeps cookies by hand, because httpx sends no secure ones over http."""

    def __init__(self, address: str) -> None:
        self.address, self.jar = address, {}
        self.http = httpx.Client(timeout=30)

    def get(self, url: str, **more: object) -> httpx.Response:
        """One request, redirects not followed."""
        response = self.http.get(url, headers={"cookie": "; ".join(f"{k}={v}" for k, v in self.jar.items())}, **more)
        for header in response.headers.get_list("set-cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            self.jar[name] = value
            if "Max-Age=0" in header:
                del self.jar[name]
        return response

    def begun(self, next: str = "/") -> str:
        """Goes to sign in; the address the provider sends it back to."""
        to_provider = self.get(f"{self.address}/auth/login", params={"next": next})
        assert to_provider.status_code == 303
        return self.http.get(to_provider.headers["location"], params={**_query(to_provider.headers["location"]), "user": "李娜"}).headers["location"]

    def sign_in(self, next: str = "/") -> httpx.Response:
        """All the way; what the service says at the end."""
        return self.get(self.begun(next))


def _query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def _refused(browser: Browser, response: httpx.Response, status: int = 403) -> None:
    """The page says so in Chinese and gives nothing away, and there is no session."""
    assert response.status_code == status, response.text
    assert "wenju_session" not in browser.jar
    assert "登录" in response.text and "Traceback" not in response.text and KEY not in response.text
    assert browser.get(f"{browser.address}/api/v1/documents").status_code == 401


# ---------------------------------------------------------------- in order

def test_a_person_signs_in_and_is_known_at_every_door(serving, there: Provider, tmp_path: Path) -> None:
    address = serving(pages=True)
    browser = Browser(address)
    to_provider = browser.get(f"{address}/auth/login")
    asked = _query(to_provider.headers["location"])
    assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256" and asked["scope"] == "openid profile"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    begun = to_provider.headers["set-cookie"]
    assert all(word in begun for word in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/auth", "Max-Age=600"))
    done = browser.sign_in("/#document/x@1-2")
    assert done.status_code == 303 and done.headers["location"] == "/#document/x@1-2" and done.headers["cache-control"] == "no-store"
    session = next(c for c in done.headers.get_list("set-cookie") if c.startswith("wenju_session="))
    assert all(word in session for word in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age=28800"))
    page = browser.get(f"{address}/")
    assert page.status_code == 200 and '<meta name="wenju-person" content="李娜" data-identity="oidc">' in page.text
    assert page.headers["cache-control"] == "no-store"
    cookie = {"cookie": f"wenju_session={browser.jar['wenju_session']}"}
    assert httpx.post(f"{address}/api/v1/ask", json={"question": EXAMPLE}, headers=cookie).status_code == 200
    assert httpx.post(f"{address}/v1/chat/completions", json={"messages": [{"role": "user", "content": EXAMPLE}]}, headers=cookie).status_code == 200
    assert httpx.post(f"{address}/api/v1/ask", json={"question": EXAMPLE}, headers=cookie | {"origin": "https://evil.example"}).status_code == 403
    entries = [json.loads(line) for path in (tmp_path / "audit").iterdir() for line in path.read_text(encoding="utf-8").splitlines()]
    assert {entry["who"] for entry in entries} == {"李娜"}


@pytest.mark.parametrize(("claimed", "setting", "groups"), [
    ({}, "groups", {"人事"}), ({"roles": ["a", "b"]}, "roles", {"a", "b"}), ({"realm_access": {"roles": ["c"]}}, "realm_access.roles", {"c"}),
    ({"https://x.example/g": ["d"]}, "https://x.example/g", {"d"}), ({}, "nothing", set()),
])
def test_groups_come_from_the_claim_that_the_settings_name(serving, there: Provider, claimed: dict, setting: str, groups: set[str]) -> None:
    there.claims = lambda claims: claims | claimed
    browser = Browser(serving(oidc_groups=setting))
    assert browser.sign_in().status_code == 303
    session = Sessions(Portal(session_key=KEY)).opened("session", browser.jar["wenju_session"])
    assert Asker(session["name"], frozenset(session["groups"])) == Asker("李娜", frozenset(groups))


def test_a_closed_network_states_the_addresses_itself(serving, there: Provider) -> None:
    there.hides = ("/.well-known/openid-configuration",)
    urls = {f"oidc_{name}_url": f"{there.issuer}/{path}" for name, path in (("authorize", "authorize"), ("token", "token"), ("keys", "keys"))}
    browser = Browser(serving(**urls))
    assert browser.sign_in().status_code == 303
    assert there.asked.count("/.well-known/openid-configuration") == 0


def test_a_provider_may_take_the_secret_in_the_body_and_change_its_key(serving, there: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    there.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    address = serving()
    assert Browser(address).sign_in().status_code == 303
    there.key, there.kid = generate_private_key(65537, 2048), "k2"
    _refused(browser := Browser(address), browser.sign_in())  # the keys were fetched just now: a made-up name costs no request
    monkeypatch.setattr("ui.api.oidc._KEYS_SECONDS", -1)
    assert Browser(address).sign_in().status_code == 303


def test_it_works_under_a_sub_path(serving) -> None:
    browser = Browser(f"{serving(root_path='/kb')}/kb")
    to_provider = browser.get(f"{browser.address}/auth/login")
    assert "Path=/kb/auth;" in to_provider.headers["set-cookie"] and _query(to_provider.headers["location"])["redirect_uri"].endswith("/kb/auth/callback")
    done = browser.sign_in("/#documents")
    assert done.headers["location"] == "/kb/#documents" and any("Path=/kb;" in cookie for cookie in done.headers.get_list("set-cookie"))
    assert browser.get(f"{browser.address}/api/v1/documents").status_code == 200
    page = browser.http.get(f"{browser.address}/", headers={"accept": "text/html"})
    assert page.status_code == 401 and 'data-login="./auth/login"' in page.text
    left = browser.http.post(f"{browser.address}/auth/logout")
    assert "Max-Age=0" in left.headers["set-cookie"] and "Path=/kb;" in left.headers["set-cookie"]


def test_several_windows_may_sign_in_at_once(serving) -> None:
    browser = Browser(serving())
    first, second = browser.begun("/#documents"), browser.begun()
    assert browser.get(first).headers["location"] == "/#documents"
    assert browser.get(second).headers["location"] == "/"
    assert set(browser.jar) == {"wenju_session"}  # nothing is left of the ways there


# ---------------------------------------------------------------- refused

@pytest.mark.parametrize("spoilt", [
    {"nonce": "another"}, {"nonce": None}, {"nonce": 5}, {"aud": "other"}, {"aud": [CLIENT, "other"]}, {"aud": [CLIENT, "other"], "azp": "other"},
    {"azp": "other"}, {"iss": "https://evil.example"}, {"exp": int(time.time()) - 60}, {"exp": None}, {"iat": int(time.time()) + 10**6},
    {"sub": None}, {"name": ""}, {"name": ["李娜"]}, {"groups": "人事"}, {"groups": [1]}, {"groups": [f"组{n:04}" for n in range(400)]},
], ids=str)
def test_a_token_that_is_not_in_order_opens_nothing(serving, there: Provider, spoilt: dict) -> None:
    there.claims = lambda claims: {name: value for name, value in (claims | spoilt).items() if value is not None}
    browser = Browser(serving())
    _refused(browser, browser.sign_in())


def test_clocks_may_differ_a_little(serving, there: Provider) -> None:
    there.claims = lambda claims: claims | {"exp": int(time.time()) - 20, "iat": int(time.time()) + 20}
    assert Browser(serving()).sign_in().status_code == 303


@pytest.mark.parametrize("forged", ["none", "hs256-public", "hs256-shared", "rs512", "stranger", "unknown key", "garbage", "nothing"])
def test_a_signature_that_is_not_the_providers_opens_nothing(serving, there: Provider, forged: str) -> None:
    from test_identity import hs256, pem

    stranger = generate_private_key(65537, 2048)
    there.sign = {
        "none": lambda claims: jwt.encode(claims, None, "none", headers={"kid": "k1"}),
        "hs256-public": lambda claims: hs256(claims, pem(there.key), kid="k1"),
        "hs256-shared": lambda claims: hs256(claims, "a", kid="shared"),
        "rs512": lambda claims: jwt.encode(claims, there.key, "RS512", headers={"kid": "k1"}),
        "stranger": lambda claims: jwt.encode(claims, stranger, "RS256", headers={"kid": "k1"}),
        "unknown key": lambda claims: jwt.encode(claims, stranger, "RS256", headers={"kid": "k9"}),
        "garbage": lambda claims: "a.b.c", "nothing": lambda claims: None,
    }[forged]
    browser = Browser(serving())
    _refused(browser, browser.sign_in())


def test_a_way_back_that_did_not_begin_here_is_refused(serving) -> None:
    address = serving()
    mine, other = Browser(address), Browser(address)
    theirs = other.begun()
    _refused(mine, mine.get(theirs))  # a stranger's code, slipped to me: signing me in as them
    back = mine.begun()
    _refused(mine, mine.get(back.replace("state=", "state=x")))
    _refused(mine, mine.get(f"{address}/auth/callback?code=x"))
    _refused(mine, mine.get(back.replace("iss=http", "iss=https")))  # of another provider, mixed up (RFC 9207)
    browser = Browser(address)
    _refused(browser, browser.get(f"{browser.begun().partition('code=')[0]}error=access_denied&{browser.begun().partition('&')[2]}"))


def test_a_code_is_good_once_and_only_with_what_was_kept(serving, there: Provider) -> None:
    address = serving()
    browser = Browser(address)
    back = browser.begun()
    kept = dict(browser.jar)
    assert browser.get(back).status_code == 303
    again = Browser(address)
    again.jar = kept
    _refused(again, again.get(back))
    late = Browser(address)
    back = late.begun()
    name = next(iter(late.jar))
    state = {"state": _query(back)["state"], "nonce": "x", "verifier": "y", "next": "/"}
    for sealed in (Sessions(Portal(session_key=KEY)).sealed("signin", state, -1), Sessions(Portal(session_key=KEY)).sealed("session", state, 60),
                   Sessions(Portal(session_key="another key of thirty-two bytes or more")).sealed("signin", state, 60), "x"):
        late.jar[name] = sealed
        _refused(late, late.get(back))


@pytest.mark.parametrize("next", ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
                                  "javascript:alert(1)", "evil.example", "/\r\nSet-Cookie: a=b", "", "/%0d%0a x", "/" + "a" * 600])
def test_nobody_is_led_to_another_host(serving, next: str) -> None:
    done = Browser(serving()).sign_in(next)
    assert done.status_code == 303 and done.headers["location"] == "/"


def test_a_session_made_elsewhere_opens_nothing(serving) -> None:
    address = serving()
    claims = {"name": "李娜", "groups": [], "aud": "session", "exp": int(time.time()) + 60}
    good = Sessions(Portal(session_key=KEY)).sealed("session", {"name": "李娜", "groups": []}, 60)
    assert httpx.get(f"{address}/api/v1/documents", headers={"cookie": f"wenju_session={good}"}).status_code == 200
    bad = [jwt.encode(claims, None, "none"), jwt.encode(claims, "k" * 32, "HS256"), jwt.encode(claims | {"aud": "signin"}, KEY, "HS256"),
           jwt.encode(claims | {"exp": 1}, KEY, "HS256"), jwt.encode({"name": "李娜", "groups": [], "aud": "session"}, KEY, "HS256"), good[:-2], "x", ""]
    for session in bad:
        for sent in ({"cookie": f"wenju_session={session}"}, {"authorization": f"Bearer {good}"}):
            assert httpx.get(f"{address}/api/v1/documents", headers=sent).status_code == 401


@pytest.mark.parametrize("hidden", ["/.well-known/openid-configuration", "/token", "/keys"])
def test_a_provider_that_is_down_is_said_to_be(serving, there: Provider, hidden: str) -> None:
    there.hides = (hidden,)
    browser = Browser(serving())
    response = browser.get(f"{browser.address}/auth/login")
    _refused(browser, response if response.status_code == 503 else browser.sign_in(), 503)
    there.hides = ()
    assert browser.sign_in().status_code == 303


@pytest.mark.parametrize("said", [{"issuer": "https://evil.example"}, {"token_endpoint": "http://evil.example/token"}, {"jwks_uri": None},
                                  {"authorization_endpoint": 5}])
def test_a_discovery_document_of_somebody_else_is_not_believed(serving, there: Provider, said: dict) -> None:
    there.discovery = said
    browser = Browser(serving())
    _refused(browser, browser.get(f"{browser.address}/auth/login"), 503)


@pytest.mark.parametrize("changed", [
    {"oidc_issuer": ""}, {"oidc_client_id": ""}, {"public_url": ""}, {"oidc_issuer": "http://sso.example"}, {"public_url": "https://a.example/"},
    {"public_url": "ftp://a"}, {"oidc_token_url": "https://a.example/token"}, {"oidc_scope": "profile"}, {"session_key": "short"}, {"session_hours": 0},
], ids=str)
def test_settings_that_cannot_be_are_explained(changed: dict) -> None:
    good = {"identity": "oidc", "oidc_issuer": "https://sso.example", "oidc_client_id": "x", "public_url": "https://a.example/kb"}
    assert Portal(**good).checked()
    with pytest.raises(SettingError):
        Portal(**good | changed).checked()


# ---------------------------------------------------------------- in a real browser

@needs_chromium
def test_from_opening_the_page_to_an_answer_and_out_again(serving, there: Provider) -> None:
    from playwright.sync_api import expect, sync_playwright

    address = serving(pages=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        context = chromium.new_context(locale="zh-CN")
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.goto(f"{address}/#documents")
        for name in ("李娜", "王芳"):
            page.get_by_label("用户").fill(name)
            page.keyboard.press("Enter")
            expect(page.locator("[data-name]")).to_have_text(name, timeout=30_000)
            if name == "李娜":  # what the address pointed at survived the way to the provider and back
                expect(page.locator("body")).to_have_attribute("data-view", "documents")
                page.get_by_role("link", name="问答").click()
            expect(page.locator("#wj-talks [data-talk]")).to_have_count(0)  # one's own conversations, nobody else's
            page.get_by_label("问题", exact=True).fill(EXAMPLE)
            page.keyboard.press("Enter")
            expect(page.locator("#wj-current .wj-turn")).to_have_attribute("data-state", "answered", timeout=30_000)
            expect(page.locator("#wj-talks [data-talk]")).to_have_count(1)
            if folder := os.environ.get("WENJU_SCREENSHOTS"):
                page.screenshot(path=f"{folder}/signed-in.png")
            page.get_by_role("button", name="退出").click()
            expect(page.get_by_role("heading", name="已退出登录")).to_be_visible()
            if folder:
                page.screenshot(path=f"{folder}/signed-out.png")
            assert not [c for c in context.cookies() if c["name"].startswith("wenju")]
            page.get_by_role("link", name="登录").click()
        page.get_by_label("用户").fill("李娜")
        page.keyboard.press("Enter")
        expect(page.locator("#wj-talks [data-talk]")).to_have_count(1, timeout=30_000)  # kept from before
        page.get_by_label("问题", exact=True).fill(EXAMPLE)
        context.clear_cookies()  # the session has run out
        page.keyboard.press("Enter")  # unless the page has noticed it by itself
        expect(page.get_by_label("用户")).to_be_visible(timeout=30_000)
        assert "/logout" in there.asked
        hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
        assert hosts == {urlsplit(address).netloc, urlsplit(there.issuer).netloc}
        chromium.close()
