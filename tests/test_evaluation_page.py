"""The evaluation page in a real browser: a run is started, watched, read and compared; and nobody from elsewhere may."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from browsing import ARGS, CHROMIUM
from playwright.sync_api import Browser, Page, expect, sync_playwright
from test_api import running

from eval.runs import run
from eval.sets import SHIPPED, load_set, save_set
from rag.pipeline import Pipeline
from ui.server import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists() and os.environ.get("CI") != "true", reason="chromium is not installed")


@pytest.fixture(scope="module")
def address(pipeline, settings, embedder, tmp_path_factory) -> Iterator[str]:
    """The application with a small set of its own, and one run of it that was stricter."""
    home = tmp_path_factory.mktemp("evaluation")
    (home / "sets").mkdir()
    items = load_set(SHIPPED / "confusion.jsonl").items[:5] + load_set(SHIPPED / "refusal.jsonl").items[:3]
    save_set(items, home / "sets" / "little.jsonl")
    strict = Pipeline(replace(settings, min_confidence=1.0), pipeline.index, embedder)
    run(load_set(home / "sets" / "little.jsonl"), strict, home / "runs" / "little-strict")
    with running(create_app(Pipeline(replace(settings, home=home), pipeline.index, embedder))) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM.exists(), "CI 中必须装有 chromium：apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page; at the end nothing foreign was asked for and nothing was complained about."""
    context = browser.new_context(locale="zh-CN", viewport={"width": 1200, "height": 900})
    page, seen, complaints = context.new_page(), [], []
    page.on("request", lambda request: seen.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address + "/eval")
    yield page
    assert seen and all(url.startswith(address + "/") for url in seen) and not complaints
    context.close()


def test_a_set_is_run_read_and_compared_with_the_keyboard(page: Page, address: str, tmp_path: Path):
    page.get_by_label("评测集").select_option("little")
    page.get_by_role("button", name="开始").press("Enter")
    expect(page.locator("#now")).to_have_attribute("data-state", "done", timeout=60_000)
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    for box in page.get_by_role("checkbox").all():
        box.press("Space")
    page.get_by_role("button", name="比较所选的两次").press("Enter")
    expect(page.get_by_role("heading", name="改对的题")).to_contain_text("（5）")
    expect(page.locator("main")).to_contain_text("asker.min_confidence")
    page.get_by_role("link", name="回到评测").click()
    rows.first.get_by_role("link", name="报告").click()
    expect(page.get_by_role("heading", name="评测报告：little")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(address + "/eval")
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_what_cannot_be_done_is_said_in_words(page: Page, address: str):
    page.goto(address + "/eval/compare?run=a")
    expect(page.get_by_role("alert")).to_contain_text("正好选两次")
    page.goto(address + "/eval/compare?run=../x&run=%3Cb%3E")
    expect(page.get_by_role("alert")).to_contain_text("没有这次评测")
    page.goto(address + "/eval/report/%3Cscript%3E")
    expect(page.get_by_role("alert")).to_contain_text("没有这次评测")
    page.get_by_role("link", name="回到评测").click()
    page.get_by_label("评测集").evaluate("select => { select.options[0].value = 'none' }")
    page.get_by_label("评测集").select_option("none")
    page.get_by_role("button", name="开始").click()
    expect(page.get_by_role("alert")).to_contain_text("没有评测集 none")


@pytest.mark.parametrize("headers", [{"x-forwarded-for": "10.0.0.8"}, {"forwarded": "for=10.0.0.8"}])
def test_only_a_person_at_this_machine_sees_it(address: str, headers: dict[str, str]):
    for path in ("/eval", "/eval/now", "/eval/compare?run=a&run=b", "/eval/report/little-strict"):
        assert httpx.get(address + path).status_code in (200, 422)
        refused = httpx.get(address + path, headers=headers)
        assert refused.status_code == 403 and "管理员" in refused.json()["detail"]


def test_another_site_starts_nothing(address: str):
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        assert httpx.post(address + "/eval/start", data={"set": "little"}, headers=headers).status_code == 403
        assert httpx.post(address + "/eval/stop", headers=headers).status_code == 403
