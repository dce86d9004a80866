"""Wenju inside a portal, in a real browser: the widget on a page of another origin, signing in, and /kb/ behind nginx."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from browsing import ARGS, CHROMIUM
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from portal_fakes import NGINX, behind_nginx, portal
from test_api import SEEDS, running
from test_identity import SECRET, claims, hs256
from web_fakes import EXAMPLE, WebPipeline

from rag.config import Settings
from ui.api.settings import Portal
from ui.server import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists() and os.environ.get("CI") != "true", reason="chromium is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that has never been anywhere; at the end no request has left this machine."""
    context = browser.new_context(locale="zh-CN", viewport={"width": 1100, "height": 820}, reduced_motion="reduce")
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context
    context.close()
    assert {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))} <= {"127.0.0.1", "localhost"}


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts the application with these settings; gives its address."""
    with ExitStack() as stack:
        def start(**settings: object) -> str:
            pipeline = WebPipeline(Settings(home=tmp_path), SEEDS)
            return stack.enter_context(running(create_app(pipeline, Portal(**settings).checked())))

        yield start


def widget(address: str, **data: str) -> str:
    """The one script tag."""
    more = "".join(f' data-{name}="{value}"' for name, value in data.items())
    return f'<p>办事指南</p><script src="{address}/widget.js" defer{more}></script>'


def framed(page: Page):
    """The chat inside the widget."""
    return page.frame_locator("iframe")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])  # another origin; another site, too
def test_the_widget_answers_on_an_allowed_page(serving, context: BrowserContext, host: str) -> None:
    with ExitStack() as stack:
        # the portal has to know the service's address and the service the portal's: the page's script tag is filled in below
        other = stack.enter_context(portal("", host))
        address = serving(origins=(other,))
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(other)
        page.evaluate("""([src, data]) => { const s = document.createElement("script"); s.src = src; Object.assign(s.dataset, data);
                         document.body.append(s); }""", [f"{address}/widget.js", {"title": "问文件", "accent": "#0a6e5c", "question": EXAMPLE}])
        button = page.get_by_role("button", name="问文件")
        expect(button).to_be_visible()
        assert page.locator("iframe").count() == 0  # nothing is loaded before somebody asks
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        chat = framed(page)
        expect(chat.locator("#wj-current .wj-turn")).to_have_attribute("data-state", "answered", timeout=60_000)
        expect(chat.locator(".wj-question")).to_have_text(EXAMPLE)
        expect(chat.locator("#wj-top")).to_be_hidden()
        assert chat.locator("body").evaluate("e => getComputedStyle(e).getPropertyValue('--seal').trim()") == "#0a6e5c"
        if folder := os.environ.get("WENJU_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/widget-{host}.png")
        chat.locator("#wj-box textarea").press("Escape")
        expect(button).to_be_focused()
        expect(page.get_by_role("dialog")).to_be_hidden()
        page.evaluate("Wenju.ask('值班室电话是多少？')")
        expect(chat.locator("#wj-current .wj-question")).to_have_text("值班室电话是多少？", timeout=30_000)
        assert not complaints


def test_the_widget_is_refused_where_it_is_not_allowed(serving, context: BrowserContext) -> None:
    for origins in ((), ("https://portal.example",)):
        address = serving(origins=origins)
        with portal(widget(address)) as other:
            page = context.new_page()
            complaints: list[str] = []
            page.on("console", lambda message, said=complaints: said.append(message.text))
            page.goto(other)
            page.get_by_role("button", name="问文件").click()
            frame = page.wait_for_selector("iframe").content_frame()
            deadline = time.monotonic() + 20
            while not any("frame-ancestors" in c for c in complaints) and time.monotonic() < deadline:
                page.wait_for_timeout(50)
            assert any("frame-ancestors" in c for c in complaints)
            assert "文据" not in frame.content()
            with pytest.raises(Exception, match="Failed to fetch"):
                page.evaluate("address => fetch(address + '/api/v1/documents').then(r => r.text())", address)
            page.close()


def test_other_origins_read_the_service_only_when_listed(serving) -> None:
    address = serving(origins=("https://portal.example",))
    allowed, evil = {"origin": "https://portal.example"}, {"origin": "https://evil.example"}
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    with httpx.Client(base_url=address) as client:
        assert client.options("/api/v1/ask", headers=allowed | ask).status_code == 200
        answer = client.post("/api/v1/ask", json={"question": EXAMPLE}, headers=allowed)
        assert answer.headers["access-control-allow-origin"] == "https://portal.example"
        assert "access-control-allow-credentials" not in answer.headers
        assert client.options("/api/v1/ask", headers=evil | ask).status_code == 400
        assert client.post("/api/v1/ask", json={"question": EXAMPLE}, headers=evil).status_code == 403
        assert "access-control-allow-origin" not in client.get("/api/v1/documents", headers=evil).headers
        framing = {path: client.get(path).headers["content-security-policy"] for path in ("/embed", "/", "/api/v1/documents")}
    assert framing["/embed"].endswith("frame-ancestors 'self' https://portal.example")
    assert framing["/"].endswith("frame-ancestors 'self'") and framing["/api/v1/documents"] == framing["/"]


def test_people_sign_in_with_the_portals_token_inside_the_frame(serving, context: BrowserContext, tmp_path: Path) -> None:
    with portal("", "localhost") as other:
        address = serving(identity="token", token_key=SECRET, origins=(other,))
        page = context.new_page()
        page.goto(other)
        tag = """([src, data]) => { const s = document.createElement("script"); s.src = src; Object.assign(s.dataset, data); document.body.append(s); }"""
        page.evaluate(tag, [f"{address}/widget.js", {"token": hs256(claims(exp=1)), "question": EXAMPLE}])
        page.get_by_role("button", name="问文件").click()
        chat = framed(page)
        expect(chat.get_by_role("status")).to_contain_text("登录已过期", timeout=20_000)
        page.evaluate("token => Wenju.token(token)", hs256(claims()))
        expect(chat.locator("#wj-send")).to_be_visible(timeout=30_000)
        expect(chat.locator("#wj-current .wj-turn")).to_have_attribute("data-state", "answered", timeout=60_000)
        assert "token" not in page.frames[-1].url
        entries = [json.loads(line) for f in (tmp_path / "audit").iterdir() for line in f.read_text(encoding="utf-8").splitlines()]
        assert {e["who"] for e in entries} == {"li.na"}


def test_a_person_comes_to_the_page_itself_with_a_token(serving, context: BrowserContext) -> None:
    address = serving(identity="token", token_key=SECRET)
    page = context.new_page()
    page.goto(address)
    expect(page.get_by_role("heading", name="请先登录")).to_be_visible()
    page.goto("about:blank")
    page.goto(f"{address}/#token={hs256(claims())}")
    expect(page.get_by_label("问题")).to_be_visible(timeout=30_000)
    assert "token" not in page.url
    page.get_by_label("问题").fill(EXAMPLE)
    page.keyboard.press("Enter")
    expect(page.locator("#wj-current .wj-turn")).to_have_attribute("data-state", "answered", timeout=60_000)


# ---------------------------------------------------------------- behind nginx

@pytest.fixture
def under_kb(serving, tmp_path: Path) -> Iterator[str]:
    """The service under /kb, as the example configuration of nginx has it."""
    assert Path(NGINX).exists() or os.environ.get("CI") != "true", "CI 中必须装有 nginx：apt-get install nginx-light"
    if not Path(NGINX).exists():
        pytest.skip("nginx is not installed")
    folder = tmp_path / "nginx"
    folder.mkdir()
    with portal("") as other, behind_nginx(serving(trusted_proxies=("127.0.0.1",), origins=(other,)), folder) as address:
        yield address


def test_everything_works_under_a_sub_path(under_kb: str, context: BrowserContext) -> None:
    page = context.new_page()
    asked: list[str] = []
    failed: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", lambda response: failed.append(f"{response.status} {response.url}") if response.status >= 400 else None)
    page.goto(f"{under_kb}/")
    page.get_by_label("问题").fill(EXAMPLE)
    page.keyboard.press("Enter")
    expect(page.locator("#wj-current .wj-turn")).to_have_attribute("data-state", "answered", timeout=60_000)
    page.locator("#wj-current .wj-cite").first.click()
    expect(page.locator("#wj-panel mark").first).to_be_visible()
    page.goto(f"{under_kb}/#documents")
    expect(page.locator("#wj-list a").first).to_be_visible(timeout=20_000)
    page.goto(f"{under_kb}/embed")
    expect(page.locator("#wj-send")).to_be_visible(timeout=30_000)
    outside = [url for url in asked if not url.startswith((f"{under_kb}/", "data:", "blob:", "about:"))]
    assert not outside and not failed, (outside, failed)


def test_the_interfaces_work_under_a_sub_path(under_kb: str) -> None:
    with httpx.Client(base_url=under_kb, timeout=30) as client:
        assert client.post("/api/v1/ask", json={"question": EXAMPLE}).json()["status"] == "answered"
        with client.stream("POST", "/api/v1/ask/stream", json={"question": EXAMPLE}) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.read().decode().rstrip().splitlines()[-2] == "event: answer"
        problem = client.post("/v1/chat/completions", json={"messages": []})
        assert problem.status_code == 422 and problem.json()["error"]["message"]
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/kb"}]
        assert client.get("/healthz").status_code == 200
        assert client.get("/metrics").status_code == 403
        assert client.get("/widget.js").headers["content-type"].startswith("text/javascript")
        assert re.fullmatch(r"[0-9a-f]{32}", client.get("/healthz").headers["x-request-id"])
        host = urlsplit(under_kb).netloc
        assert httpx.get(f"http://{host}/kb", follow_redirects=False).headers["location"].endswith("/kb/")


def test_only_listed_proxies_are_believed(serving) -> None:
    for address, root in ((serving(), ""), (serving(trusted_proxies=("10.9.8.7",)), ""), (serving(trusted_proxies=("127.0.0.0/8",)), "/kb"),
                          (serving(root_path="/docs-qa"), "/docs-qa")):
        told = {"x-forwarded-prefix": "/kb", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "x-forwarded-for": "8.8.8.8"}
        with httpx.Client(base_url=address, headers=told) as client:
            config = client.get("/config").json()
            assert "evil.example" not in json.dumps(config)
            assert urlsplit(config["root"]).path == root and urlsplit(config["root"]).scheme == ("https" if root == "/kb" else "http")
            assert client.get(f"{root}/healthz").status_code == 200  # whether or not the proxy takes the prefix off
            for strange in ("//evil.example", "/../x", "/a b", "/%2e", "kb"):
                got = client.get("/config", headers={"x-forwarded-prefix": strange}).json()["root"]
                assert urlsplit(got).path == ("/docs-qa" if root == "/docs-qa" else "")
