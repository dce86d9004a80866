"""The administrators' page in a real browser: what is uploaded answers, what is withdrawn does not, figures are drawn."""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from access_fakes import Remembering
from admin_fakes import NEW, NEWER, QUESTION, Admin, serving
from browsing import Visit, needs_chromium
from playwright.sync_api import expect

from rag.schema import to_json
from ui.api.audit import Entry

pytestmark = needs_chromium
PARTS = ("files", "index", "feedback", "usage", "audit")
HOSTILE = "<img src=x onerror=window.ran=1>"


@pytest.fixture(scope="module")
def remembering(embedder) -> Remembering:
    return Remembering(embedder)


@pytest.fixture
def address(tmp_path: Path, remembering: Remembering) -> Iterator[str]:
    with serving(tmp_path, remembering) as address:
        yield address


@pytest.fixture
def opened(browser, address: str) -> Iterator[Callable[..., Visit]]:
    """Opens the page at a part of it; at the end nothing foreign was asked for, nothing ran, nothing was complained about."""
    contexts, visits = [], []

    def open_part(part: str = "files", width: int = 1280, dark: bool = False) -> Visit:
        context = browser.new_context(viewport={"width": width, "height": 800}, locale="zh-CN", color_scheme="dark" if dark else "light", reduced_motion="reduce")
        contexts.append(context)
        seen = Visit(context.new_page(), address)
        visits.append(seen)
        context.on("request", lambda request: seen.requests.append(request.url))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("console", lambda message: seen.complaints.append(message.text) if message.type == "error" and "422" not in message.text else None)
        seen.page.goto(f"{address}/admin#{part}")
        expect(seen.page.locator("#adm-pane .adm-part, #adm-pane .adm-card").first).to_be_visible(timeout=20_000)
        return seen

    yield open_part
    for seen in visits:
        assert seen.requests and not seen.foreign and not seen.complaints
        assert seen.page.evaluate("window.ran") is None
    for context in contexts:
        context.close()


def done(seen: Visit, what: str = "") -> None:
    """Waits until the work has ended well."""
    expect(seen.page.locator("[data-job=done]")).to_contain_text(what, use_inner_text=True, timeout=30_000)


def row(seen: Visit, text: str):
    """The line of a document."""
    return seen.page.locator("#adm-pane tbody tr").filter(has_text=text)


def test_a_document_from_upload_to_withdrawal(opened, visit, address: str, tmp_path: Path) -> None:
    seen = opened()
    page = seen.page
    files = tmp_path / "chosen"
    files.mkdir()
    (files / "防滑.txt").write_text(NEW, encoding="utf-8")
    (files / f"{HOSTILE}.txt").write_text(NEW.replace("白桦谷", "青松岭").replace("关于做好", f"关于{HOSTILE}"), encoding="utf-8")
    (files / "不是.pdf").write_bytes(b"MZ" * 200)
    (files / "副本.txt").write_text(NEW, encoding="utf-8")
    (files / "太大.txt").write_text("大" * 2**20, encoding="utf-8")
    page.locator("#adm-files").set_input_files(sorted(files.iterdir()))
    done(seen, "重复 1")
    expect(page.locator("#adm-taken li")).to_have_count(5)
    expect(page.locator("#adm-taken .adm-bad")).to_contain_text(["不是.pdf", "太大.txt"])
    expect(page.locator(".adm-report")).to_contain_text("新增 2", use_inner_text=True)
    expect(page.locator("#adm-pane tbody")).to_contain_text(HOSTILE)

    reader = visit(address)
    reader.ask(QUESTION)
    expect(reader.turn).to_contain_text("0531-77120045")
    assert "白桦谷防滑" in reader.marked()

    (tmp_path / "防滑新版.txt").write_text(NEWER, encoding="utf-8")
    with page.expect_file_chooser() as chooser:
        row(seen, "桦办发〔2024〕7号").filter(has_text="白桦谷").get_by_role("button", name="换新版").click()
    chooser.value.set_files(tmp_path / "防滑新版.txt")
    done(seen, "移除")
    expect(row(seen, "桦办发〔2024〕8号")).to_be_visible()
    reader.ask(QUESTION)
    expect(reader.turn).to_contain_text("0531-77129999")

    row(seen, "桦办发〔2024〕8号").get_by_role("button", name="撤下").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("随时可以恢复")
    expect(dialog).to_contain_text("不能恢复")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(row(seen, "桦办发〔2024〕8号")).to_be_visible()
    row(seen, "桦办发〔2024〕8号").get_by_role("button", name="撤下").press("Enter")
    dialog.get_by_role("button", name="确定").press("Enter")
    expect(row(seen, "桦办发〔2024〕8号")).to_have_count(0, timeout=20_000)
    reader.ask(QUESTION, "no_evidence")
    page.locator(".adm-loose li", has_text="防滑新版.txt").get_by_role("button", name="编入").click()
    expect(row(seen, "桦办发〔2024〕8号")).to_be_visible(timeout=20_000)
    reader.ask(QUESTION)


def test_files_are_dropped(opened) -> None:
    seen = opened()
    seen.page.evaluate("""([name, text]) => {
        const given = new DataTransfer();
        given.items.add(new File([text], name, { type: "text/plain" }));
        for (const kind of ["dragover", "drop"])
          document.querySelector("[data-drop] label").dispatchEvent(new DragEvent(kind, { dataTransfer: given, bubbles: true, cancelable: true }));
    }""", ["防滑.txt", NEW])
    done(seen, "新增 1")
    expect(row(seen, "白桦谷")).to_be_visible()


def test_a_correction_shows_who_made_it_and_is_answered_with(opened, address: str) -> None:
    seen = opened()
    row(seen, "00.txt").get_by_role("link", name="更正").click()
    page = seen.page
    expect(page.locator(".adm-field", has_text="成文日期")).to_contain_text("原文：2015年1月1日", use_inner_text=True)
    page.locator("#adm-document_number").fill("鹭办发〔2030〕99号")
    page.locator("#adm-issuer").fill("鹭岛值守办公室\n松江市机关事务局")
    page.get_by_role("button", name="保存并编入").press("Enter")
    expect(page.locator(".adm-field", has_text="文号").locator(".adm-by")).to_contain_text("本机", timeout=20_000)
    admin = Admin(address)
    assert any(c["document_number"] == "鹭办发〔2030〕99号" for c in admin.ask("鹭岛行动的值班要求是什么？")["citations"])
    page.locator("#adm-status").select_option("expired")
    page.get_by_role("button", name="保存并编入").click()
    expect(page.get_by_role("alert")).to_contain_text("一起写", timeout=20_000)
    page.get_by_role("link", name="返回文件列表").click()
    expect(row(seen, "00.txt")).to_contain_text("有更正")


def test_plots_are_drawn_from_the_audit_log(opened, tmp_path: Path) -> None:
    today = dt.date.today()
    folder = tmp_path / "home" / "audit"
    folder.mkdir(exist_ok=True)
    for age, counts in ((2, {"answered": 30, "no_evidence": 10}), (1, {"answered": 10})):
        day = today - dt.timedelta(age)
        rows = [Entry("王芳", "rest", "ask", f"{HOSTILE}{status}", status, at=f"{day}T12:00:00+00:00", ms=100.0 * age) for status, n in counts.items() for _ in range(n)]
        (folder / f"{day}.jsonl").write_text("".join(json.dumps(to_json(r)) + "\n" for r in rows), encoding="utf-8")
    seen = opened("usage?days=7")
    bars = seen.page.locator("[data-plot=questions] svg rect")
    expect(bars).to_have_count(3)
    heights = [float(bar.get_attribute("height")) for bar in bars.all()]
    assert heights[0] == pytest.approx(3 * heights[1], abs=0.3) and heights[2] == pytest.approx(heights[1], abs=0.3)
    expect(seen.page.locator("[data-plot=refused] svg circle title")).to_have_text([f"{today - dt.timedelta(2)} 没有依据的占比 25%", f"{today - dt.timedelta(1)} 没有依据的占比 0%"])
    expect(seen.page.locator("[data-plot=latency] svg polyline")).to_have_count(3)
    expect(seen.page.locator(".adm-tiles")).to_contain_text("50")
    expect(seen.page.get_by_text(f"{HOSTILE}no_evidence")).to_have_count(2)
    seen.page.get_by_role("link", name="最近 90 天").click()
    expect(bars).to_have_count(3)


def test_index_records_and_feedback_are_worked_with(opened, address: str) -> None:
    admin = Admin(address)
    for rating in ("down", "wrong_citation"):
        admin.http.post("/api/v1/feedback", json={"rating": rating, "question": f"{HOSTILE}几次？", "answer": HOSTILE, "comment": HOSTILE, "generation": "g"})
    seen = opened("feedback")
    page = seen.page
    cards = page.locator("[data-candidate]")
    expect(cards).to_have_count(2)
    cards.first.get_by_role("button", name="不收").click()
    expect(cards).to_have_count(1)
    cards.first.get_by_role("textbox").fill("没有这句")
    cards.first.get_by_role("button", name="收进").click()
    expect(page.locator("#adm-note")).to_contain_text("不在任何文件里")
    cards.first.get_by_role("textbox").fill("鹭岛行动期间每天检查2次，发现问题立即整改。")
    cards.first.get_by_role("button", name="收进").click()
    expect(page.locator("#adm-pane")).to_contain_text("没有待处理的反馈")
    page.get_by_role("link", name="索引").click()
    page.get_by_role("button", name="检查索引").click()
    done(seen, "索引完好")
    page.get_by_role("button", name="重新编入").click()
    done(seen, "未变 3")
    page.get_by_role("link", name="审计").click()
    page.get_by_role("searchbox").fill("检查索引")
    page.keyboard.press("Enter")
    expect(page.locator("#adm-pane tbody tr")).to_have_count(2)
    expect(page.get_by_role("link", name="导出 CSV")).to_have_attribute("href", "./api/v1/admin/audit.csv?find=%E6%A3%80%E6%9F%A5%E7%B4%A2%E5%BC%95")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_every_part_is_accessible_and_fits(opened, address: str, width: int, dark: bool) -> None:
    admin = Admin(address)
    admin.ask()
    admin.upload("防滑.txt", NEW)
    admin.http.post("/api/v1/feedback", json={"rating": "down", "question": "几次？"})
    id = admin.documents()["00.txt"]["id"]
    seen = opened(width=width, dark=dark)
    for part in (*PARTS, f"file/{id}"):
        with seen.page.expect_response(f"**/page/admin/{part}"):
            seen.page.evaluate("part => { location.hash = ''; location.hash = part; }", part)
        expect(seen.page.locator("[data-pane][aria-current]")).to_be_visible()
        assert not seen.faults() and seen.sideways() <= 0, part
    seen.page.get_by_role("button", name="Switch to English").click()
    expect(seen.page.locator("html")).to_have_attribute("lang", "en")
    expect(seen.page.get_by_role("link", name="Usage")).to_be_visible()
    assert not seen.faults() and seen.sideways() <= 0


def test_the_way_there_is_shown_to_administrators(visit, address: str) -> None:
    reader = visit(address)
    expect(reader.page.get_by_role("link", name="管理")).to_be_visible()
    reader.page.evaluate("document.querySelector('[data-admin]').removeAttribute('data-admin')")
    expect(reader.page.get_by_role("link", name="管理")).to_be_hidden()
