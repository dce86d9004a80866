"""The page in a real browser: what a reader sees and does, and what must never happen (foreign requests, scripts).

Needs Debian's chromium. Where it is missing these tests are skipped, except in CI, where that is a failure.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Visit, needs_chromium
from playwright.sync_api import expect
from test_api import SEEDS, running
from web_fakes import EXAMPLE, WebPipeline

from rag.config import Settings
from rag.errors import IndexMissing
from rag.text import compact
from ui.server import create_app

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def real(pipeline) -> Iterator[str]:
    """The application over the real pipeline and the five seeds."""
    with running(create_app(pipeline)) as address:
        yield address


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, WebPipeline]]:
    """The application over a pipeline whose answers take a while, and that can be made to fail."""
    fake = WebPipeline(Settings(home=tmp_path_factory.mktemp("home")), SEEDS, delay=0.2)
    with running(create_app(fake)) as address:
        yield address, fake


# ---------------------------------------------------------------- the main job

def test_the_example_question_shows_its_evidence(real: str, visit, pipeline) -> None:
    answer = pipeline.ask(EXAMPLE)
    assert len(answer.citations) > 2
    seen = visit(real)
    assert seen.page.evaluate("document.documentElement.lang") == "zh-CN" and "文据" in seen.page.title()
    seen.ask(EXAMPLE)
    for citation in (answer.citations[0], answer.citations[-1]):
        seen.turn.locator(f'button[data-cite="1-{citation.id}"]').first.click()
        expect(seen.panel.locator("[data-place]").first).to_have_text(f"{citation.id} / {len(answer.citations)}")
        assert seen.marked() == compact(citation.quote)
        expect(seen.panel.locator("mark").first).to_be_in_viewport()
        for fact in (citation.title or citation.issuer, citation.document_number, citation.issued_on, *citation.section_path):
            expect(seen.panel).to_contain_text(fact or "")
    text = compact(seen.turn.locator(".wj-answer").inner_text())
    for claim in answer.claims:
        assert compact(claim.text) in text


def test_the_reader_walks_through_the_quotes_and_on_to_the_full_text(real: str, visit, pipeline) -> None:
    answer = pipeline.ask(EXAMPLE)
    seen = visit(real)
    seen.ask(EXAMPLE)
    assert seen.marked() == compact(answer.citations[0].quote)  # the first one opens by itself where there is room
    back, on = seen.panel.get_by_role("button", name="上一处依据"), seen.panel.get_by_role("button", name="下一处依据")
    expect(back).to_be_disabled()
    for citation in answer.citations[1:]:
        on.click()
        assert seen.marked() == compact(citation.quote)
    expect(on).to_be_disabled()
    back.click()
    citation = answer.citations[-2]
    assert seen.marked() == compact(citation.quote)
    seen.panel.get_by_role("link", name="查看全文").click()
    expect(seen.page.locator("#wj-document mark").first).to_be_in_viewport()
    assert seen.marked("#wj-document mark") == compact(citation.quote)
    whole = compact("".join(seen.page.locator("#wj-document .wj-original p").all_text_contents()))
    assert whole == compact(pipeline.document(citation.document_id).text)
    seen.page.go_back()
    expect(seen.turn).to_be_visible()


def test_every_quote_of_many_questions_is_marked_exactly(real: str, visit, pipeline) -> None:
    seen = visit(real)
    for number, question in enumerate(("值班室电话是多少？", "消防安全大检查什么时候做？", "2024年民生实事有哪些？"), 1):
        answer = pipeline.ask(question, [])
        seen.ask(question, answer.status)
        stash = seen.turn.locator("[data-source]")
        assert stash.count() == len(answer.citations)
        for citation in answer.citations:
            marks = seen.turn.locator(f'[data-source="{number}-{citation.id}"] mark').all_text_contents()
            assert compact("".join(marks)) == compact(citation.quote)


def test_keyboard_only(real: str, visit) -> None:
    seen = visit(real)
    expect(seen.page.get_by_label("问题", exact=True)).to_be_focused()
    seen.page.keyboard.type(EXAMPLE)
    seen.page.keyboard.press("Enter")
    expect(seen.turn).to_have_attribute("data-state", "answered", timeout=60_000)
    for _ in range(40):
        seen.page.keyboard.press("Shift+Tab")
        if seen.page.evaluate("document.activeElement.dataset.cite"):
            break
    marker = seen.page.evaluate("document.activeElement.dataset.cite")
    assert marker
    seen.page.keyboard.press("Enter")
    expect(seen.panel.locator("h2[tabindex]")).to_be_focused()
    expect(seen.panel.locator("[data-place]").first).to_have_text(re.compile(rf"^{marker.split('-')[1]} / "))
    seen.page.keyboard.press("Escape")
    assert seen.page.evaluate("document.activeElement.dataset.cite") == marker


def test_a_phone_has_no_sideways_scrolling_and_a_sheet_for_sources(real: str, visit, pipeline) -> None:
    answer = pipeline.ask(EXAMPLE)
    seen = visit(real, width=360, height=740)
    for question in ("值班室电话是多少？", EXAMPLE):
        seen.ask(question)
        expect(seen.turn.locator(".wj-question")).to_be_in_viewport()
        question_box, head = seen.turn.locator(".wj-question").bounding_box(), seen.page.locator(".wj-head").bounding_box()
        assert question_box["y"] >= head["y"] + head["height"] > 40
    expect(seen.panel).to_be_hidden()
    seen.turn.locator('button[data-cite="2-1"]').first.click()
    expect(seen.panel).to_be_visible()
    assert seen.marked() == compact(answer.citations[0].quote)
    box = seen.panel.bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["y"] > 100 and box["y"] + box["height"] <= 741
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360
    seen.panel.get_by_role("button", name="关闭依据").click()
    expect(seen.panel).to_be_hidden()
    seen.page.get_by_role("link", name="文件", exact=True).click()
    expect(seen.page.locator("#wj-list a")).to_have_count(5)
    seen.page.locator("#wj-list a").first.click()
    expect(seen.page.locator("#wj-document h2")).to_be_visible()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_dark_follows_the_system(real: str, visit) -> None:
    def brightness(seen: Visit) -> float:
        colour = seen.page.evaluate("getComputedStyle(document.querySelector('.gradio-container')).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

    assert brightness(visit(real, dark=True)) < 60 < 200 < brightness(visit(real))


# ---------------------------------------------------------------- documents

def test_the_documents_view_lists_filters_and_leads_to_sections(real: str, visit, pipeline) -> None:
    seen = visit(real, "/#documents")
    rows = seen.page.locator("#wj-list li")
    expect(rows).to_have_count(5)
    for entry in pipeline.documents():
        for fact in (entry.meta.title, entry.meta.issuer, entry.meta.document_number, entry.meta.issued_on):
            expect(seen.page.locator("#wj-list")).to_contain_text(fact or "")
    seen.page.get_by_label("标题、单位、文号").fill("239号")
    expect(seen.page.locator("#wj-list li:visible")).to_have_count(1)
    seen.page.locator("#wj-list li:visible a").click()
    tree = seen.page.get_by_role("navigation", name="章节")
    link = tree.get_by_role("link", name=re.compile("^七、")).first
    link.click()
    expect(seen.page.locator(f"#section-{link.get_attribute('data-section')}")).to_be_in_viewport()


def test_a_link_to_a_place_opens_it_and_an_unknown_document_says_so(real: str, visit, pipeline) -> None:
    citation = pipeline.ask(EXAMPLE).citations[0]
    seen = visit(real, f"/#document/{citation.document_id}@{citation.start}-{citation.end}")
    expect(seen.page.locator("#wj-document mark").first).to_be_in_viewport()
    assert seen.marked("#wj-document mark") == compact(citation.quote)
    gone = visit(real, "/#document/nothing")
    expect(gone.page.locator("#wj-document")).to_contain_text("没有这份文件")
    assert len(gone.complaints) == 1 and "404" in gone.complaints.pop()  # the browser's own note of the 404


# ---------------------------------------------------------------- states

def test_examples_are_offered_and_asked_with_one_click(slow: tuple[str, WebPipeline], visit) -> None:
    address, fake = slow
    seen = visit(address)
    buttons = seen.page.locator(".wj-examples button:visible")
    expect(buttons).to_have_text(list(fake.examples()))
    buttons.nth(1).click()
    expect(seen.turn.locator(".wj-question")).to_have_text(fake.examples()[1])
    expect(seen.turn.locator(".wj-now")).to_be_visible()
    expect(seen.turn).to_have_attribute("data-state", "answered", timeout=60_000)
    expect(buttons).to_have_count(0)


def test_an_answer_can_be_stopped_and_the_next_one_comes(slow: tuple[str, WebPipeline], visit) -> None:
    seen = visit(slow[0])
    seen.page.get_by_label("问题", exact=True).fill(EXAMPLE)
    seen.page.keyboard.press("Enter")
    expect(seen.turn.locator(".wj-steps")).to_contain_text("检索到")
    seen.page.get_by_role("button", name="停止").click()
    expect(seen.turn).to_have_attribute("data-state", "failed")
    expect(seen.turn).to_contain_text("已停止")
    seen.page.wait_for_timeout(1500)  # what was still under way must not come back
    expect(seen.turn).to_contain_text("已停止")
    seen.ask("值班室电话是多少？")
    expect(seen.page.locator("#wj-past .wj-turn")).to_have_count(1)


def test_the_page_stays_usable_while_an_answer_grows(slow: tuple[str, WebPipeline], visit) -> None:
    seen = visit(slow[0])
    seen.ask(EXAMPLE)
    seen.page.get_by_label("问题", exact=True).fill("值班室电话是多少？")
    seen.page.keyboard.press("Enter")
    expect(seen.turn).to_have_attribute("data-state", "busy")
    seen.page.locator('#wj-past button[data-cite="1-2"]').first.click()
    expect(seen.panel.locator("mark").first).to_be_visible()
    expect(seen.turn).to_have_attribute("data-state", "busy")
    expect(seen.turn).to_have_attribute("data-state", "answered", timeout=60_000)


def test_no_evidence_names_the_nearest_documents_as_leads(real: str, visit, pipeline) -> None:
    question = "2025年端午节放假怎么安排？"
    assert pipeline.ask(question).status == "no_evidence"
    seen = visit(real)
    seen.ask(question, "no_evidence")
    expect(seen.turn).to_contain_text("没有找到依据")
    expect(seen.turn.locator("button[data-cite]")).to_have_count(0)
    seen.turn.locator(".wj-leads a").first.click()
    expect(seen.page.locator("#wj-document mark").first).to_be_in_viewport()


def test_errors_say_what_to_do_next(slow: tuple[str, WebPipeline], visit) -> None:
    address, fake = slow
    seen = visit(address)
    seen.page.keyboard.press("Enter")  # an empty question changes nothing
    seen.page.wait_for_timeout(300)
    seen.ask("值", "failed")
    expect(seen.turn).to_have_attribute("data-turn", "1")
    expect(seen.turn).to_contain_text("请写成一句完整的话")
    seen.ask("值班" * 5000, "failed")
    expect(seen.turn).to_contain_text("请把问题缩短")
    for error, says in ((IndexMissing("/home/x 里没有索引。"), "wenju index"), (ZeroDivisionError("/root/secret"), "编号")):
        fake.failing = error
        try:
            seen.ask(EXAMPLE, "failed")
        finally:
            fake.failing = None
        expect(seen.turn).to_contain_text(says)
        assert "/home/x" not in seen.page.content() and "secret" not in seen.page.content()
    seen.ask(EXAMPLE)


def test_feedback_and_copying(slow: tuple[str, WebPipeline], visit) -> None:
    address, fake = slow
    seen = visit(address)
    seen.ask(EXAMPLE)
    seen.turn.get_by_role("button", name="复制", exact=True).click()
    expect(seen.turn.get_by_role("button", name="已复制")).to_be_visible()
    copied = seen.page.evaluate("navigator.clipboard.readText()")
    answer = fake.ask(EXAMPLE)
    assert copied.startswith(EXAMPLE) and "**" not in copied and all(c.quote in copied for c in answer.citations)
    seen.turn.get_by_role("button", name="引文有误").click()
    seen.page.get_by_label("哪里不对").fill("第2处说的是另一年")
    seen.turn.get_by_role("button", name="提交").click()
    expect(seen.turn).to_contain_text("已收到")
    entry = json.loads((fake.settings.home / "feedback.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert entry["rating"] == "wrong_citation" and entry["question"] == EXAMPLE and entry["comment"] == "第2处说的是另一年"
    assert [c["start"] for c in entry["citations"]] == [c.start for c in answer.citations]


def test_screen_readers_are_told(slow: tuple[str, WebPipeline], visit) -> None:
    seen = visit(slow[0])
    live = seen.page.locator('#wj-say[aria-live="polite"]')
    seen.page.get_by_label("问题", exact=True).fill(EXAMPLE)
    seen.page.keyboard.press("Enter")
    expect(live).to_have_text("正在查找依据")
    expect(seen.turn).to_have_attribute("data-state", "answered", timeout=60_000)
    expect(live).to_have_text(f"回答完成，共 {len(slow[1].ask(EXAMPLE).citations)} 处引文。")
    seen.turn.locator('button[data-cite="1-2"]').first.click()
    expect(live).to_have_text(re.compile("依据 2 / "))


# ---------------------------------------------------------------- hostile documents

PAYLOADS = ("<script>window.ran=1</script>", "<img src=x onerror=window.ran=2>", "<svg onload=window.ran=3>", "\"onmouseover=\"window.ran=4",
            "</article></div><iframe srcdoc='<script>parent.ran=5</script>'></iframe>", "${window.ran=6}", "{{#with this}}{{ran}}{{/with}}",
            "[x](javascript:window.ran=7)", "<a href=javascript:window.ran=8>点我</a>", "&lt;script&gt;", "`${alert(9)}`")


def test_scripts_in_documents_titles_and_questions_do_not_run(tmp_path: Path, visit) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    for number, payload in enumerate(PAYLOADS):
        line = f"关于{payload}的通知\n一、值班要求{payload}。值班室要有人值班{payload}，电话要有人接。\n"
        (folder / f"{number:02}.txt").write_text(line, encoding="utf-8")
    fake = WebPipeline(Settings(home=tmp_path / "home"), folder)
    with running(create_app(fake)) as address:
        seen = visit(address)
        for payload in PAYLOADS:
            seen.ask(f"值班要求是什么{payload}")
            for marker in seen.turn.locator("button[data-cite]").all():
                marker.click()
            assert seen.page.evaluate("window.ran") is None
        quotes = {compact(c.quote) for c in fake.ask("值班要求是什么").citations}
        assert any(payload in quote for quote in quotes for payload in PAYLOADS[:2])
        assert seen.marked() in {compact(d.text[s.start : s.end]) for d in fake.documents() for s in _sentences(d.text)}
        for document in fake.documents():
            seen.page.goto(f"{address}/#document/{document.id}")
            expect(seen.page.locator("#wj-document")).to_have_attribute("data-id", document.id)
            shown = compact("".join(seen.page.locator("#wj-document .wj-original p").all_text_contents()))
            assert shown == compact(document.text)
        assert seen.page.evaluate("window.ran") is None
        assert seen.page.locator(".gradio-container :is(iframe, script, img)").count() == 0


def _sentences(text: str):
    from rag.text import sentences

    return list(sentences(text))


def test_markup_is_made_in_one_place_only() -> None:
    pages = Path(__file__).parent.parent / "ui" / "pages"
    sinks = {path.name for path in pages.rglob("*.py") if re.search(r"\bMarkup\([^)]", path.read_text(encoding="utf-8"))}
    assert sinks == {"escape.py"}
    script = "".join(path.read_text(encoding="utf-8") for path in (pages.parent / "static").glob("*.js"))
    assert script.count("innerHTML") == 1 and "insertAdjacentHTML" not in script and "eval(" not in script
