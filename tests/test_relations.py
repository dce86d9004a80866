"""The documents page: what other documents have to do with one, with the words that state it; and the original at its page."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browsing import needs_chromium
from office_files import ofd_of, printed
from playwright.sync_api import expect
from test_api import running

from rag.config import Settings
from rag.index import Index
from rag.pipeline import Pipeline, build_index
from rag.schema import to_json
from rag.text import compact
from ui.pages.relations import render
from ui.server import create_app

pytestmark = needs_chromium

_TEXTS = {
    "办法.txt": "青石县值班工作办法\n青政办发〔2018〕5号\n第一条 各单位值班人员应当每两小时巡查一次。\n第二条 本办法自2018年3月1日起施行。\n青石县人民政府办公室\n2018年2月1日\n",
    "决定.txt": "青石县人民政府办公室关于废止和修改部分文件的通知\n青政办发〔2021〕9号\n各乡镇人民政府：\n现将有关事项通知如下。\n"
              "一、《青石县值班工作办法》（青政办发〔2018〕5号）即行废止。\n"
              "二、对《青石县<假日>安全办法》（青政办发〔2019〕7号）作如下修改：第三条删去。\n"
              "三、《青石县早已遗失的旧办法》（青政办发〔1999〕1号）同时废止。\n青石县人民政府办公室\n2021年6月1日\n",
    "安全.txt": "青石县<假日>安全办法\n青政办发〔2019〕7号\n第一条 假日期间每天检查消防设施。\n第二条 本办法自2019年3月1日起施行。\n青石县人民政府办公室\n2019年2月1日\n",
    **{f"{year}.txt": f"关于做好{year}年防汛工作的通知\n青水发〔{year}〕3号\n各乡镇：\n一、防汛值班每天{year % 7 + 2}次报告水情。\n青石县水务局\n{year}年5月1日\n"
       for year in (2019, 2020, 2021)},
    "副本.txt": "关于做好2021年防汛工作的通知\n青水发〔2021〕3号\n各乡镇：\n一、防汛值班每天7次报告水情，另附联系表。\n青石县水务局\n2021年5月1日\n",
}
_PARTS = [f"{'一二三四五六七八九'[n]}、{topic}\n{topic}由第{n + 1}科负责，联系电话为0931-88{n}{n}{n}{n}{n}，每天早晚各报告一次进展情况。" for n, topic in
          enumerate(("防汛", "消防", "供水", "供电", "供暖", "道路", "绿化", "信访", "档案"))]


@pytest.fixture(scope="module")
def related(tmp_path_factory: pytest.TempPathFactory, embedder) -> Pipeline:
    """A pipeline over documents that speak of each other, a PDF and an OFD of several pages."""
    folder = tmp_path_factory.mktemp("related")
    files = folder / "文件"
    files.mkdir()
    for name, text in _TEXTS.items():
        (files / name).write_text(text, encoding="utf-8")
    pages = "".join(f'<p style="page-break-after: always">{part}</p>' for part in _PARTS)
    head = '<h1>关于明确2022年城市运行责任分工的通知</h1><p>各科室：</p>'
    (files / "分工.pdf").write_bytes(printed([f'<html lang="zh-CN"><meta charset="utf-8">{head}{pages}</html>'])[0])
    lines = [line for part in _PARTS for line in (*part.replace("科负责", "股负责").split("\n"), *["请各股认真落实上述要求并及时反馈有关情况，不得拖延。"] * 4)]
    (files / "分工.ofd").write_bytes(ofd_of(["关于明确2020年城市运行责任分工的通知", "各股：", *lines]))
    settings = Settings(home=folder / "home", today="2023-01-10")
    here = Path.cwd()
    os.chdir(folder)
    try:
        build_index(settings, [Path("文件")], embedder=embedder)
    finally:
        os.chdir(here)
    return Pipeline(settings, Index.open(settings.index), embedder)


@pytest.fixture(scope="module")
def address(related: Pipeline) -> Iterator[str]:
    with running(create_app(related)) as address:
        yield address


def of(pipeline: Pipeline, name: str):
    """The entry of a file."""
    return next(entry for entry in pipeline.documents() if entry.source.endswith(name))


def test_a_document_leads_to_those_it_speaks_of_and_back(address: str, related: Pipeline, visit) -> None:
    old, notice, amended = of(related, "办法.txt"), of(related, "决定.txt"), of(related, "安全.txt")
    seen = visit(address, f"/#document/{old.id}")
    relatives = seen.page.locator(".wj-relatives")
    expect(relatives.locator("dt")).to_have_text(["废止它的"], use_inner_text=True)
    expect(seen.page.locator("#wj-document header .wj-badge")).to_have_text("已被废止", use_inner_text=True)
    expect(seen.page.locator(".wj-about").first).to_contain_text("已被《青石县人民政府办公室关于废止和修改部分文件的通知》")
    link = related.related(old.id).stated[0]
    relatives.locator(".wj-said a").click()
    expect(seen.page.locator("#wj-document h2")).to_contain_text("关于废止和修改部分文件的通知")
    assert seen.marked("#wj-document mark") == compact(related.document(notice.id).text[link.relation.span.start : link.relation.span.end])
    assert "废止" in seen.marked("#wj-document mark")
    expect(relatives.locator("dt")).to_have_text(["它废止", "它修改"], use_inner_text=True)
    expect(relatives).to_contain_text("《青石县早已遗失的旧办法》（青政办发〔1999〕1号） 未收录", use_inner_text=True)
    if folder := os.environ.get("WENJU_SCREENSHOTS"):
        seen.page.screenshot(path=f"{folder}/relations.png")
    relatives.get_by_role("link", name="《青石县<假日>安全办法》", exact=True).click()
    expect(seen.page.locator("#wj-document")).to_have_attribute("data-id", amended.id)
    expect(relatives.locator("dt")).to_have_text(["修改它的"], use_inner_text=True)
    assert not seen.faults()
    seen.page.set_viewport_size({"width": 360, "height": 740})
    assert seen.sideways() == 0


def test_the_source_panel_says_whether_a_document_is_in_force_and_why(address: str, related: Pipeline, visit) -> None:
    question = "《青石县值班工作办法》规定值班人员多久巡查一次？"
    old = of(related, "办法.txt")
    assert old.id in {c.document_id for c in related.ask(question).citations}
    seen = visit(address)
    seen.ask(question)
    badge = seen.panel.locator(".wj-badge")
    expect(badge).to_have_text("已被废止", use_inner_text=True)
    expect(badge).to_have_attribute("title", related.status(old.id).reason)
    badge.click()
    expect(seen.page.locator("#wj-document h2")).to_contain_text("关于废止和修改部分文件的通知")
    assert seen.marked("#wj-document mark").endswith("即行废止")


def test_only_documents_in_force_may_be_asked(address: str, related: Pipeline, visit) -> None:
    question = "《青石县值班工作办法》规定值班人员多久巡查一次？"
    narrowed = related.ask(question, (), {"in_force": "现行有效"})
    assert of(related, "办法.txt").id not in {c.document_id for c in narrowed.citations}
    seen = visit(address)
    seen.page.get_by_text("筛选", exact=True).click()
    seen.page.get_by_label("只看现行有效").check()
    seen.ask(question, narrowed.status)
    assert quoted(seen) == [c.quote for c in narrowed.citations]


def quoted(seen) -> list[str]:
    """The quotes of the last answer, as the page carries it."""
    return [c["quote"] for c in json.loads(seen.turn.locator("[data-record]").text_content())["answer"]["citations"]]


def test_the_same_notice_of_other_years_is_a_series(address: str, related: Pipeline, visit) -> None:
    seen = visit(address, f"/#document/{of(related, '2020.txt').id}")
    rows = seen.page.locator(".wj-relatives dd p")
    expect(rows).to_have_text(["2021 《关于做好2021年防汛工作的通知》（青水发〔2021〕3号，2021-05-01）", "2020 本文件",
                               "2019 《关于做好2019年防汛工作的通知》（青水发〔2019〕3号，2019-05-01）"], use_inner_text=True)
    rows.last.get_by_role("link").click()
    expect(seen.page.locator("#wj-document h2")).to_contain_text("2019年防汛")
    copy = related.related(of(related, "副本.txt").id)
    assert {*copy.namesakes, *copy.series.values()} >= {of(related, "2021.txt").id}


def test_the_service_says_the_same(address: str, related: Pipeline) -> None:
    old, notice = of(related, "办法.txt"), of(related, "决定.txt")
    said = httpx.get(f"{address}/api/v1/documents/{old.id}").json()
    assert said["validity"]["kind"] == "superseded" and [r["document_id"] for r in said["validity"]["related_by"]] == [notice.id]
    says = httpx.get(f"{address}/api/v1/documents/{notice.id}").json()["validity"]["relations"]
    assert [(r["kind"], r["document_ids"]) for r in says] == [
        ("repeals", [old.id]), ("amends", [of(related, "安全.txt").id]), ("repeals", [])]
    series = httpx.get(f"{address}/api/v1/documents/{of(related, '2019.txt').id}").json()["series"]
    assert list(series) == ["2021", "2020", "2019"]


def test_more_relatives_than_can_be_shown_are_counted(related: Pipeline) -> None:
    from rag.validity import Related

    document = related.document(of(related, "决定.txt").id)
    link = related.related(document.id).states[0]
    shown = render(document, Related(states=(link,) * 25), related.document)
    assert shown.count("wj-said") == 20 and "另有 5 份" in shown
    assert "<假日>" not in render(document, related.related(document.id), related.document)


@pytest.mark.parametrize(("name", "question"), [("分工.pdf", "2022年绿化由第几科负责，电话是多少？"), ("分工.ofd", "2020年绿化由第几股负责，电话是多少？")])
def test_a_citation_knows_its_page_and_the_original_opens_there(address: str, related: Pipeline, visit, name: str, question: str) -> None:
    answer = related.ask(question)
    citation = next(c for c in answer.citations if c.source.endswith(name))
    document = related.document(citation.document_id)
    assert citation.page == sum(start <= citation.start for start in document.pages) > 1
    seen = visit(address)
    seen.ask(question)
    seen.turn.locator(f'[data-cite="1-{citation.id}"]').first.click()
    expect(seen.panel.locator(".wj-facts")).to_contain_text(f"第 {citation.page} 页")
    link = seen.panel.locator("[data-original]")
    if name.endswith(".ofd"):
        expect(link).to_have_text("下载原文件", use_inner_text=True)
        with seen.page.expect_download() as saved:
            link.click()
        assert saved.value.path().read_bytes() == related.original(document.id)
        return
    expect(link).to_have_text(f"打开原文件（第 {citation.page} 页）", use_inner_text=True)
    served = httpx.get(f"{address}/api/v1/documents/{document.id}/original?inline=true")
    assert served.headers["content-type"] == "application/pdf" and served.headers["content-disposition"].startswith("inline")
    assert served.headers["x-content-type-options"] == "nosniff" and served.content == related.original(document.id)
    with seen.page.context.expect_page() as opened:
        link.click()
    expect(opened.value).to_have_url(f"{address}/api/v1/documents/{document.id}/original?inline=true#page={citation.page}")
    if folder := os.environ.get("WENJU_SCREENSHOTS"):
        opened.value.wait_for_timeout(3000)
        opened.value.screenshot(path=f"{folder}/original.png")
    opened.value.close()
    seen.page.goto(f"{address}/#document/{document.id}@{citation.start}-{citation.end}")
    expect(seen.page.locator("#wj-document [data-original]")).to_have_text(f"打开原文件（第 {citation.page} 页）", use_inner_text=True)


def test_only_a_pdf_is_shown_by_the_browser(address: str, related: Pipeline) -> None:
    for entry in related.documents():
        served = httpx.get(f"{address}/api/v1/documents/{entry.id}/original?inline=true")
        kind = "inline" if entry.source.endswith(".pdf") else "attachment"
        assert served.headers["content-disposition"].startswith(kind) and (kind == "inline") == (served.headers["content-type"] == "application/pdf")
    assert to_json(related.related(of(related, "分工.pdf").id)) == {"states": [], "stated": [], "namesakes": [], "series": to_json(
        related.related(of(related, "分工.pdf").id).series)}
