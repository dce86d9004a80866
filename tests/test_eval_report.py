"""Reports: nothing from outside is taken as HTML or as a formula, nothing is fetched, every wrong question is there."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from eval_fakes import QUESTIONS, TEXTS, BigramAsker

from eval.report import write_reports
from eval.report.html import page
from eval.report.markdown import markdown
from eval.report.sheet import safe_cell, sheet
from eval.runs import Run, run
from eval.sets import load_set

EVIL = "<script>alert(1)</script>\"'&<img src=http://x.example/a onerror=alert(1)>"
VOID = {"meta", "br", "line", "polyline"}


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Run:
    """A run whose questions, documents, ids, types and tags all carry markup and formulas."""
    folder = tmp_path_factory.mktemp("report")
    texts = dict(TEXTS) | {f"docs/{EVIL.replace('/', '')}.txt": f"{EVIL}\n=HYPERLINK(\"http://x.example\")值班经费是多少。\n"}
    odd = {"id": EVIL, "question": f"=1+1 {EVIL} 值班经费是多少？", "type": EVIL, "tags": [EVIL],
           "gold": [{"source": "docs/a.txt", "quote": "值班室电话是0931-8826009"}], "must_include": [EVIL]}  # fmt: skip
    path = folder / "odd.jsonl"
    path.write_text("".join(json.dumps(q) + "\n" for q in (*QUESTIONS, odd)), encoding="utf-8")
    asker = BigramAsker(texts, threshold=0.3)
    return run(load_set(path, asker.text_of), asker, folder / "out")


class Elements(HTMLParser):
    """Collects tags with their attributes, and checks that they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_self_contained(done):
    text = page(done)
    elements = Elements(text).found
    assert sum(tag == "script" for tag, _ in elements) == 1
    assert not any(tag in ("img", "link", "iframe", "object", "base") for tag, _ in elements)
    for _, attributes in elements:
        assert not {"src", "href", "srcset", "action"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\(|@import", text)
    assert "default-src 'none'" in text and "$" not in text
    assert "prefers-color-scheme: dark" in text and "<polyline" in text


def test_the_page_shows_each_wrong_question_and_why(done):
    text = page(done)
    wrong = [r for r in done.records if not r.correct]
    assert text.count('<details class="q"') == len(wrong) > 1
    q7 = text[text.index("值班和防火各怎么说？") :]
    assert "应该引的" in q7 and "加强烟花爆竹安全监管" in q7 and "实际引的" in q7 and "检索到的前 5 段" in q7
    for record in wrong:
        assert f'data-stage="{record.lost_at}"' in text


def test_reports_repeat_and_carry_no_times(done):
    first = [p.read_bytes() for p in write_reports(done)]
    assert [p.read_bytes() for p in write_reports(done)] == first
    assert not any(str(done.folder).encode() in text for text in first)


def test_a_run_without_mistakes_or_refusals_has_a_page_too(tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps(QUESTIONS[1]) + "\n")
    asker = BigramAsker()
    good = run(load_set(path, asker.text_of), asker, tmp_path / "good")
    assert "没有答错的题" in page(good) and "没有标签" not in page(good)
    silent = BigramAsker(threshold=2)
    Elements(page(run(load_set(path, silent.text_of), silent, tmp_path / "silent")))


def test_the_table_is_safe_to_open_in_a_spreadsheet(done):
    text = sheet(done)
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert len(rows) == 1 + len(done.records) and len({len(r) for r in rows}) == 1
    for row in rows[1:]:
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@", "＝")) for cell in row)
    assert rows[-1][3].startswith("'=1+1")
    assert rows[2][rows[0].index("答对")] == "是"


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "　=1", "\n=1"])
def test_formulas_become_text(evil):
    assert safe_cell(evil) == "'" + evil


@pytest.mark.parametrize("plain", ["值班", "0931-8826009", "", "a=b", "'已经"])
def test_other_text_is_left_alone(plain):
    assert safe_cell(plain) == plain


def test_markdown_lists_figures_and_wrong_questions(done):
    text = markdown(done)
    assert "| 答对 `correct` |" in text and "## 按类型" in text and "值班和防火各怎么说" in text
    assert "<script>" not in text.replace("\\<", "") and "\\<script\\>" in text
    for line in text.splitlines():
        if line.startswith("| "):
            assert line.endswith(" |")


def test_the_page_opens_in_a_browser_without_an_error_or_a_request(done, tmp_path):
    from playwright.sync_api import sync_playwright

    path = tmp_path / "report.html"
    path.write_text(page(done), encoding="utf-8")
    wrong = [r for r in done.records if not r.correct]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 390, "height": 800})
        problems, requests = [], []
        tab.on("console", lambda m: problems.append(m.text))
        tab.on("pageerror", lambda e: problems.append(str(e)))
        tab.on("dialog", lambda d: problems.append(d.message))
        tab.on("request", lambda r: requests.append(r.url))
        tab.goto(path.as_uri())
        assert tab.locator(".q:visible").count() == len(wrong)
        stage = wrong[0].lost_at
        tab.select_option("#stage", stage)
        expected = sum(r.lost_at == stage for r in wrong)
        assert tab.locator(".q:visible").count() == expected and tab.inner_text("#count") == str(expected)
        tab.locator(".q:visible summary").first.click()
        assert tab.locator(".q[open] h4").count() == 4
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")  # on a phone, too
        browser.close()
    assert not problems and requests == [path.as_uri()]


def _chromium() -> str | None:
    """The system's browser where there is one, else the one playwright brought."""
    import shutil

    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
