"""Every state of the page in a real browser, each free of serious accessibility faults and of foreign requests."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from browsing import Visit, needs_chromium
from playwright.sync_api import expect
from test_api import SEEDS, running
from web_fakes import EXAMPLE, WebPipeline

from rag.config import Settings
from rag.text import compact
from ui.server import create_app

pytestmark = needs_chromium

TABLE = "春节期间值班要求分别是什么？"
WHICH = "值班要求要看哪一份？"


@pytest.fixture(scope="module")
def real(pipeline) -> Iterator[str]:
    """The application over the real pipeline and the five seeds."""
    with running(create_app(pipeline)) as address:
        yield address


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, WebPipeline]]:
    """The application over a small pipeline that has a comparison and asks back."""
    pipeline = WebPipeline(Settings(home=tmp_path_factory.mktemp("home")), SEEDS, delay=0.05)
    with running(create_app(pipeline)) as address:
        yield address, pipeline


# ---------------------------------------------------------------- no faults in any state

@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_serious_fault_in_any_state(fake: tuple[str, WebPipeline], visit, dark: bool) -> None:
    address = fake[0]
    seen = visit(address, dark=dark)
    faults = {"empty": seen.faults()}
    seen.page.get_by_text("筛选", exact=True).click()
    seen.page.get_by_label("问题", exact=True).fill(EXAMPLE)
    seen.page.keyboard.press("Enter")
    expect(seen.turn.locator(".wj-now")).to_be_visible()
    faults["loading"] = seen.faults()
    seen.settled(EXAMPLE)
    seen.turn.get_by_role("button", name="引文有误").click()
    faults["answered, source open, filters open, feedback"] = seen.faults()
    for question, state in ((TABLE, "answered"), (WHICH, "clarify"), ("zzzz qqqq", "no_evidence"), ("值", "failed")):
        seen.ask(question, state)
        faults[f"{state}: {question}"] = seen.faults()
    seen.page.get_by_role("button", name="Switch to English").click()
    faults["english"] = seen.faults()
    seen.page.goto(f"{address}/#documents")
    seen.page.locator("#wj-list li a").first.click()
    expect(seen.page.locator("#wj-document .wj-original")).to_be_visible()
    faults["documents"] = seen.faults()
    assert not {state: found for state, found in faults.items() if found}


@pytest.mark.parametrize("width", [360, 640], ids=["phone", "200 %"])
def test_nothing_is_wider_than_a_narrow_window(fake: tuple[str, WebPipeline], visit, width: int) -> None:
    address = fake[0]
    seen = visit(address, width=width, height=640)
    seen.page.get_by_text("筛选", exact=True).click()
    for question, state in ((EXAMPLE, "answered"), (TABLE, "answered"), (WHICH, "clarify"), ("zzzz qqqq", "no_evidence")):
        seen.ask(question, state)
        assert seen.sideways() == 0, question
    seen.page.locator('[data-cite="2-1"]').first.click()
    assert seen.sideways() == 0
    assert not seen.faults()
    seen.page.keyboard.press("Escape")
    seen.page.get_by_role("button", name="历史").click()
    expect(seen.page.locator("#wj-talks li")).to_have_count(1)
    assert not seen.faults()
    seen.page.keyboard.press("Escape")
    expect(seen.page.locator("#wj-talks")).to_be_hidden()


# ---------------------------------------------------------------- the question, understood

def test_a_chip_lifts_what_was_understood_and_brings_it_back(real: str, visit, pipeline) -> None:
    question = "2023年吉林省春节期间值班要求是什么？"
    seen = visit(real)
    seen.ask(question)
    chips = seen.turn.locator(".wj-chips li")
    expect(chips).to_contain_text(["2023年", "春节", "吉林"])
    narrow = [c.quote for c in pipeline.ask(question).citations]
    seen.turn.get_by_role("button", name="去掉“2023年”再问一次").click()
    expect(seen.turn).to_have_attribute("data-turn", "2")
    seen.settled(question)
    expect(seen.turn.locator(".wj-lifted")).to_contain_text("不限年份")
    lifted = pipeline.ask(question, (), {"year": ""})
    assert _cited(seen) == [c.quote for c in lifted.citations]
    seen.turn.get_by_role("button", name="恢复年份的限定再问一次").click()
    expect(seen.turn).to_have_attribute("data-turn", "3")
    seen.settled(question)
    assert _cited(seen) == narrow


def _cited(seen: Visit) -> list[str]:
    """The quotes of the last answer, as the page carries it."""
    return [c["quote"] for c in json.loads(seen.turn.locator("[data-record]").text_content())["answer"]["citations"]]


def test_filters_narrow_the_question_and_show_as_chips(real: str, visit, pipeline) -> None:
    seen = visit(real)
    seen.page.get_by_text("筛选", exact=True).click()
    seen.page.locator('#wj-narrow [data-filter="issuer"]').fill("兰州市民政局")
    seen.page.locator('#wj-narrow [data-filter="year"]').select_option("2022")
    expect(seen.page.locator("[data-narrowed]")).to_have_text("：兰州市民政局，2022")
    seen.ask(EXAMPLE)
    expected = pipeline.ask(EXAMPLE, (), {"issuer": "兰州市民政局", "year": "2022"})
    assert _cited(seen) == [c.quote for c in expected.citations]
    assert {c.issuer for c in expected.citations} == {"兰州市民政局"}
    seen.turn.get_by_role("button", name="去掉“兰州市民政局”再问一次").click()
    expect(seen.turn).to_have_attribute("data-turn", "2")
    expect(seen.page.locator('#wj-narrow [data-filter="issuer"]')).to_have_value("")
    seen.page.get_by_role("button", name="清除筛选").click()
    expect(seen.page.locator("[data-narrowed]")).to_have_text("")


def test_the_kind_of_document_narrows_too(pipeline) -> None:
    kinds = {entry.meta.kind for entry in pipeline.documents() if entry.meta.kind}
    assert "通知" in kinds
    answer = pipeline.ask(EXAMPLE, (), {"kind": "通知"})
    assert answer.citations and {pipeline.document(c.document_id).meta.kind for c in answer.citations} == {"通知"}
    assert pipeline.ask(EXAMPLE, (), {"kind": "办法"}).status == "no_evidence"


def test_a_question_back_offers_its_choices_as_buttons(fake: tuple[str, WebPipeline], visit) -> None:
    seen = visit(fake[0])
    seen.ask(WHICH, "clarify")
    choices = list(fake[1].ask(WHICH).interpreted.choices)
    buttons = seen.turn.locator(".wj-choices button")
    expect(buttons).to_have_text(choices)
    assert seen.turn.locator(".wj-card").inner_text().count(choices[0]) == 1
    buttons.nth(1).click()
    seen.settled(choices[1])


def test_a_comparison_is_a_table_whose_markers_open_their_source(fake: tuple[str, WebPipeline], visit) -> None:
    seen = visit(fake[0])
    seen.ask(TABLE)
    answer = fake[1].ask(TABLE)
    assert seen.turn.locator("tbody tr").count() == len(answer.citations)
    expect(seen.turn.locator("thead th")).to_have_text(["文件", "怎么说"])
    seen.turn.locator('td [data-cite="1-2"]').click()
    assert seen.marked() == compact(answer.citations[1].quote)
    seen.page.set_viewport_size({"width": 360, "height": 740})
    boxes = [cell.bounding_box() for cell in seen.turn.locator("tbody tr").first.locator("th, td").all()]
    assert boxes[1]["y"] >= boxes[0]["y"] + boxes[0]["height"] - 1  # stacked


def test_suggestions_come_from_the_cited_documents_and_are_answered(real: str, visit, pipeline) -> None:
    seen = visit(real)
    seen.ask(EXAMPLE)
    buttons = seen.page.locator(".wj-follow button")
    expect(buttons.first).to_be_visible(timeout=20_000)
    cited = {c.document_id for c in pipeline.ask(EXAMPLE).citations}
    questions = buttons.all_inner_texts()
    for question in questions:
        answer = pipeline.ask(question)
        assert answer.status == "answered" and cited & {c.document_id for c in answer.citations}
    seen.page.get_by_label("问题", exact=True).fill("写了一半的")
    buttons.first.click()
    seen.settled(questions[0])
    expect(seen.page.get_by_label("问题", exact=True)).to_have_value("写了一半的")


# ---------------------------------------------------------------- history

def test_conversations_are_kept_in_the_browser_found_reopened_and_deleted(real: str, visit, pipeline) -> None:
    seen = visit(real, width=1500)
    seen.ask(EXAMPLE)
    seen.ask("值班室电话是多少？")
    seen.page.get_by_role("button", name="新对话").click()
    expect(seen.turn).to_have_count(0)
    expect(seen.page.locator(".wj-welcome")).to_be_visible()
    seen.ask("消防安全大检查什么时候做？", pipeline.ask("消防安全大检查什么时候做？").status)
    expect(seen.turn).to_have_attribute("data-turn", "1")
    seen.reload()
    talks = seen.page.locator("#wj-talks [data-talk]")
    expect(talks).to_have_text(["消防安全大检查什么时候做？", EXAMPLE])
    seen.page.get_by_label("搜索历史").fill("0931")  # a word of an answer
    expect(talks).to_have_text([EXAMPLE])
    talks.first.click()
    expect(seen.turn.locator(".wj-question")).to_have_text("值班室电话是多少？")
    expect(seen.page.locator("#wj-past .wj-turn")).to_have_count(1)
    seen.page.locator('#wj-past [data-cite="1-2"]').first.click()
    assert seen.marked() == compact(pipeline.ask(EXAMPLE).citations[1].quote)
    seen.ask("那紧急联系人呢？", pipeline.ask("那紧急联系人呢？", [EXAMPLE, "值班室电话是多少？"]).status)
    expect(seen.turn).to_have_attribute("data-turn", "3")
    seen.page.get_by_label("搜索历史").fill("")
    expect(talks).to_have_text([EXAMPLE, "消防安全大检查什么时候做？"])
    seen.page.locator("#wj-talks li").nth(1).hover()
    seen.page.locator("#wj-talks [data-forget]").nth(1).click()
    expect(talks).to_have_text([EXAMPLE])
    seen.page.once("dialog", lambda dialog: dialog.accept())
    seen.page.get_by_role("button", name="清空历史").click()
    expect(talks).to_have_count(0)
    assert seen.page.evaluate("localStorage.getItem('wenju.talks')") == "[]"


def test_a_kept_answer_that_was_tampered_with_shows_no_false_evidence(real: str, visit) -> None:
    seen = visit(real, width=1500)
    seen.ask(EXAMPLE)
    seen.page.evaluate("""() => {
        const talks = JSON.parse(localStorage.getItem("wenju.talks"));
        talks[0].turns[0].answer.citations[0].quote = "值班可以不来<img src=x onerror=window.ran=1>";
        localStorage.setItem("wenju.talks", JSON.stringify(talks));
    }""")
    seen.reload()
    seen.page.locator("#wj-talks [data-talk]").click()
    expect(seen.panel).to_contain_text("这份文件已有变动")
    expect(seen.panel.locator(".wj-leaf")).to_have_count(0)
    seen.turn.get_by_role("button", name="下载 Word").click()
    expect(seen.turn).to_contain_text("请重新提问后再导出")
    assert seen.page.evaluate("window.ran") is None
    assert len(seen.complaints) == 1 and "409" in seen.complaints.pop()  # the browser's own note


# ---------------------------------------------------------------- taking it away

def test_an_answer_is_copied_as_markdown_and_saved_as_word_with_footnotes(real: str, visit, pipeline) -> None:
    answer = pipeline.ask(EXAMPLE)
    seen = visit(real)
    seen.ask(EXAMPLE)
    seen.turn.get_by_role("button", name="复制 Markdown").click()
    expect(seen.turn.get_by_role("button", name="已复制")).to_be_visible()
    copied = seen.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"# {EXAMPLE}") and all(f"\n[^{c.id}]: " in copied for c in answer.citations)
    with seen.page.expect_download() as saved:
        seen.turn.get_by_role("button", name="下载 Word").click()
    package = zipfile.ZipFile(io.BytesIO(saved.value.path().read_bytes()))
    w = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
    notes = ["".join(t.text for t in note.iter(f"{w}t")) for note in ElementTree.fromstring(package.read("word/footnotes.xml"))]
    marks = list(ElementTree.fromstring(package.read("word/document.xml")).iter(f"{w}footnoteReference"))
    assert [int(m.get(f"{w}id")) for m in marks] == list(range(1, len(marks) + 1)) and len(notes) == len(marks) + 2
    for citation in answer.citations:
        assert any(citation.quote in note and (citation.document_number or "") in note
                   and all(h in note for h in citation.section_path) for note in notes)


def test_the_original_file_is_served_as_it_was_indexed(real: str, visit, pipeline) -> None:
    seen = visit(real)
    seen.ask(EXAMPLE)
    with seen.page.expect_download() as saved:
        seen.panel.get_by_role("link", name="下载原文件").click()
    source = pipeline.ask(EXAMPLE).citations[0].source
    assert saved.value.path().read_bytes() == (SEEDS.parent / source).read_bytes()
    assert saved.value.suggested_filename == source.rsplit("/", 1)[-1]


def test_paper_has_the_evidence_beneath_the_answer_and_no_buttons(real: str, visit, pipeline) -> None:
    seen = visit(real)
    seen.ask(EXAMPLE)
    expect(seen.turn.locator(".wj-printed")).to_be_hidden()
    seen.page.emulate_media(media="print")
    expect(seen.turn.locator(".wj-printed li")).to_have_count(len(pipeline.ask(EXAMPLE).citations))
    expect(seen.turn.locator(".wj-printed li").first).to_be_visible()
    for hidden in ("#wj-top", "#wj-composer", "#wj-panel", ".wj-actions"):
        expect(seen.page.locator(hidden).first).to_be_hidden()


# ---------------------------------------------------------------- reading on

def test_leafing_through_the_document_and_back_to_the_quote(real: str, visit, pipeline) -> None:
    answer = pipeline.ask(EXAMPLE)
    citation = answer.citations[0]
    document = pipeline.document(citation.document_id)
    seen = visit(real)
    seen.ask(EXAMPLE)
    shown = [seen.panel.locator(".wj-original").inner_text()]
    while (on := seen.panel.get_by_role("button", name="下一段")).is_enabled():
        before = seen.panel.locator(".wj-part").inner_text()
        on.click()
        expect(seen.panel.locator(".wj-part")).not_to_have_text(before, use_inner_text=True)
        shown.append(seen.panel.locator(".wj-original").inner_text())
    assert len(shown) > 1 and compact(document.text).endswith(compact("".join(shown)))  # nothing left out, nothing twice
    seen.panel.get_by_role("button", name="回到引文").click()
    assert seen.marked() == compact(citation.quote)
    seen.panel.get_by_role("button", name="上一段").click()
    expect(seen.panel.get_by_role("button", name="回到引文")).to_be_visible()


def test_what_a_document_says_of_itself_leads_to_where_it_says_so(real: str, visit, pipeline) -> None:
    entry = next(e for e in pipeline.documents() if "document_number" in e.meta.proof)
    seen = visit(real, f"/#document/{entry.id}")
    seen.page.locator(".wj-about").get_by_role("link", name=entry.meta.document_number).click()
    expect(seen.page.locator("#wj-document mark").first).to_be_in_viewport()
    proof = entry.meta.proof["document_number"]
    assert seen.marked("#wj-document mark") == compact(pipeline.document(entry.id).text[proof.start : proof.end])


def test_the_list_of_documents_is_sifted_by_its_filters(real: str, visit, pipeline) -> None:
    seen = visit(real, "/#documents")
    lines = seen.page.locator("#wj-list li:visible")
    expect(lines).to_have_count(5)
    seen.page.locator('#wj-list [data-filter="year"]').select_option("2022")
    expect(lines).to_have_count(sum(2022 in e.meta.years for e in pipeline.documents()))
    seen.page.locator('#wj-list [data-filter="year"]').select_option("")
    seen.page.locator("#wj-filter").fill("没有这样的文件")
    expect(lines).to_have_count(0)
    expect(seen.page.locator("[data-count]")).to_contain_text("没有符合的文件")


# ---------------------------------------------------------------- languages, light, keys

def test_the_page_speaks_english_and_remembers_it(fake: tuple[str, WebPipeline], visit) -> None:
    seen = visit(fake[0])
    seen.page.get_by_role("button", name="Switch to English").click()
    assert seen.page.evaluate("document.documentElement.lang") == "en"
    seen.reload()
    expect(seen.page.get_by_label("Question", exact=True)).to_be_visible()
    expect(seen.page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    seen.page.get_by_label("Question", exact=True).fill(EXAMPLE)
    seen.page.keyboard.press("Enter")
    expect(seen.page.locator("#wj-say")).to_have_text(re.compile(r"^Answered with \d+ quotes\.$"), timeout=20_000)
    for line in seen.page.locator("#wj-top, #wj-composer, .wj-steps, .wj-actions, .wj-bar, .wj-leaf, .wj-ways").locator("visible=true").all_inner_texts():
        assert not re.search(r"[\u4e00-\u9fff]", line.replace("中", "").replace("据", "")), line
    expect(seen.turn.get_by_role("button", name="Copy Markdown")).to_be_visible()
    seen.page.get_by_role("button", name="切换为中文").click()
    expect(seen.turn.get_by_role("button", name="引文有误")).to_be_visible()


def test_light_and_dark_are_chosen_and_remembered(fake: tuple[str, WebPipeline], visit) -> None:
    seen = visit(fake[0])
    switch = seen.page.get_by_role("button", name="切换深色与浅色")
    switch.click()
    expect(seen.page.locator("body.dark")).to_be_attached()
    seen.reload()
    expect(seen.page.locator("body.dark")).to_be_attached()
    switch.click()
    expect(seen.page.locator("body.dark")).to_have_count(0)


def test_the_keyboard_reaches_everything(fake: tuple[str, WebPipeline], visit) -> None:
    seen = visit(fake[0])
    focused = "document.activeElement"
    for _ in range(20):
        seen.page.keyboard.press("Shift+Tab")
        if seen.page.evaluate(f"{focused}.hasAttribute('data-skip')"):
            break
    expect(seen.page.locator(".wj-skip")).to_be_in_viewport()
    seen.page.keyboard.press("Enter")
    expect(seen.page.get_by_label("问题", exact=True)).to_be_focused()
    seen.page.keyboard.type(EXAMPLE)
    seen.page.keyboard.press("Enter")
    seen.settled(EXAMPLE)
    reached = set()
    seen.page.evaluate("document.activeElement.blur(); getSelection().removeAllRanges(); document.querySelector('.wj-skip').focus()")
    for _ in range(90):
        seen.page.keyboard.press("Tab")
        reached |= set(seen.page.evaluate(f"Object.keys({focused}.dataset)"))
        visible = f"getComputedStyle({focused}).outlineStyle == 'solid' || {focused}.closest('#wj-box, [tabindex=\"-1\"]') || {focused} == document.body"
        assert seen.page.evaluate(visible), seen.page.evaluate(f"{focused}.outerHTML.slice(0, 200)")
    assert reached >= {"language", "themeSwitch", "viewLink", "cite", "lift", "copy", "copyMarkdown", "word", "print", "rate", "step", "part"}
    seen.page.evaluate("document.activeElement.blur()")
    seen.page.keyboard.press("/")
    expect(seen.page.get_by_label("问题", exact=True)).to_be_focused()


def test_a_wrong_quote_is_reported_by_its_number(fake: tuple[str, WebPipeline], visit) -> None:
    address, pipeline = fake
    seen = visit(address)
    seen.ask(EXAMPLE)
    seen.turn.get_by_role("button", name="引文有误").click()
    seen.page.get_by_label("2", exact=True).check()
    seen.turn.get_by_role("button", name="提交").click()
    expect(seen.turn).to_contain_text("已收到")
    entry = json.loads((pipeline.settings.home / "feedback.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert entry["rating"] == "wrong_citation" and [c["start"] for c in entry["citations"]] == [pipeline.ask(EXAMPLE).citations[1].start]


def test_what_was_asked_meanwhile_waits_for_the_answer(
    fake: tuple[str, WebPipeline], visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Visit = visit(fake[0])
    seen.ask(EXAMPLE)
    lift = seen.turn.locator("[data-lift]").first
    expect(lift).to_be_visible()
    monkeypatch.setattr(fake[1], "delay", 2.0)  # time enough to click, however slow the machine is
    seen.page.get_by_label("问题", exact=True).fill("值班室电话是多少？")
    seen.page.keyboard.press("Enter")
    expect(seen.turn).to_have_attribute("data-state", "busy")
    seen.page.locator("#wj-past [data-lift]").first.click()
    expect(seen.page.locator("#wj-say")).to_have_text("请等这个回答完成，或先停止。")
    monkeypatch.undo()
    seen.settled("值班室电话是多少？")
    expect(seen.turn).to_have_attribute("data-turn", "2")
