"""Documents as offices write them: letterheads, imprints, decrees, plain decimal numbers; and pages with their sites' names."""

from pathlib import Path

import pytest

from rag.loading import load
from rag.loading.overrides import completed
from rag.schema import Document
from rag.text import compact


def loaded(folder: Path, text: str, name: str = "a.txt") -> Document:
    (folder / name).write_text(text, encoding="utf-8")
    return completed(load(folder / name, name), b"", "")[0]


def said(document: Document, name: str) -> str:
    span = document.meta.proof[name]
    return compact(document.text[span.start : span.end])


LETTER = """000012
机密★1年
特急
某市民政局文件
某民发〔2023〕1号　　　　　　签发人：张某某
————★————
某市民政局关于做好
2023年春节期间值班工作的通知

各县（区）民政局，局机关各科室：
    为做好2023年春节期间值班工作，现将有关事项通知如下。
    一、值班要求
    各单位实行24小时专人值班。

    附件：1.值班表
          2.通讯录

                               某市民政局
                               2023年1月10日
（此件依申请公开）
抄送：市委办公室，市人大常委会办公室，
　　　市政协办公室。
某市民政局办公室　　　　　　　2023年1月11日印发
"""


def test_a_letterhead_and_an_imprint(tmp_path: Path) -> None:
    document = loaded(tmp_path, LETTER)
    meta = document.meta
    assert (meta.title, meta.document_number) == ("某市民政局关于做好2023年春节期间值班工作的通知", "某民发〔2023〕1号")
    assert (meta.secrecy, meta.urgency, meta.issued_on) == ("机密★1年", "特急", "2023-01-10")
    assert (meta.issuers, meta.addressees) == (("某市民政局",), ("各县（区）民政局", "局机关各科室"))
    assert meta.copied_to == ("市委办公室", "市人大常委会办公室", "市政协办公室") and "市政协办公室" in said(document, "copied_to")
    assert [(s.kind, s.path[-1]) for s in document.sections] == [
        ("part", "一、值班要求"), ("attachment", "附件"), ("signature", "落款"), ("imprint", "版记")]


def test_labelled_grades_and_addressees_that_stand_in_the_imprint(tmp_path: Path) -> None:
    text = ("密级：秘密　　　　紧急程度：加急\n关于报送值班情况的报告\n现将值班情况报告如下，各单位均已落实。\n某市民政局\n2023年1月10日\n"
            "某市值班办法\n第一条　值班实行24小时制。\n主送：省民政厅、省应急厅。\n抄报：省政府。\n共印30份\n")
    document = loaded(tmp_path, text)
    meta = document.meta
    assert (meta.secrecy, meta.urgency, meta.addressees) == ("秘密", "加急", ("省民政厅", "省应急厅"))
    assert [s.kind for s in document.sections] == ["signature", "attachment", "part", "imprint"]
    assert document.text[document.sections[2].start : document.sections[2].end] == "第一条　值班实行24小时制。"


@pytest.mark.parametrize(("head", "issuer", "number"), [
    ("某市人民政府令\n第15号", "某市人民政府", "某市人民政府令第15号"), ("某市人民政府令\n（第 15 号）", "某市人民政府", "某市人民政府令第15号"),
    ("中华人民共和国国务院令\n第722号", "国务院", "国务院令第722号"),
])
def test_a_decree_is_known_by_what_it_publishes(tmp_path: Path, head: str, issuer: str, number: str) -> None:
    text = f"{head}\n《停车管理办法》已经会议审议通过，现予公布，自2022年7月1日起施行。\n2022年5月20日\n停车管理办法\n第一条　为了规范停车，制定本办法。"
    meta = loaded(tmp_path, text).meta
    assert (meta.title, meta.issuers, meta.document_number, meta.effective_on) == ("停车管理办法", (issuer,), number, "2022-07-01")


def test_the_history_of_a_law_gives_its_decree_and_its_days(tmp_path: Path) -> None:
    text = ("# 防治条例\n\n2000年1月29日 中华人民共和国国务院令第278号发布\n\n2011年1月8日 《国务院关于修改部分行政法规的决定》第一次修订\n\n"
            "第一条 为了防治，制定本条例。\n\n第二条 本条例自发布之日起施行。")
    meta = (document := loaded(tmp_path, text, "a.md")).meta
    assert (meta.document_number, said(document, "document_number")) == ("国务院令第278号",) * 2
    assert (meta.issued_on, meta.effective_on) == ("2011-01-08", "2000-01-29"), "an amendment does not set the beginning anew"
    text = "某规定\n（审判委员会第1421次会议通过 2008年4月17日公告公布 自2008年4月23日起施行）\n第一条 适用本规定。"
    meta = loaded(tmp_path, text).meta
    assert meta.issued_on == "2008-04-17", "the day of effect is not the day of issue"


def test_numbers_without_a_stop_open_parts_where_the_text_says_so(tmp_path: Path) -> None:
    document = loaded(tmp_path, "某市应急预案\n1 总则\n1.1 编制目的\n为了应对，制定本预案。\n1.1.1 范围\n适用于本市。\n2 职责\n各部门要履行职责。\n3 附则\n3.1 施行\n自发布起施行。")
    assert [s.path for s in document.sections] == [
        ("1 总则",), ("1 总则", "1.1 编制目的"), ("1 总则", "1.1 编制目的", "1.1.1 范围"), ("2 职责",), ("3 附则",), ("3 附则", "3.1 施行")]
    table = loaded(tmp_path, "值班表\n序号 姓名 电话\n1 张三 1001\n2 李四 1002\n3 王五 1003\n以上人员要按时到岗。")
    assert table.sections == ()


def test_a_file_that_is_an_attachment_itself(tmp_path: Path) -> None:
    assert loaded(tmp_path, "附件3：\n某大学论文撰写规范化要求\n为统一规范论文的格式，特制订本要求。\n1 总体要求\n论文要独立完成。").meta.title == "某大学论文撰写规范化要求"


def test_minutes_under_a_masthead(tmp_path: Path) -> None:
    text = ("某市人民政府办公室会议纪要\n（第12期）\n某市人民政府办公室                     2023年5月8日\n关于研究老旧小区改造有关问题的会议纪要\n"
            "2023年5月6日，副市长主持召开专题会议。现纪要如下：\n一、关于资金筹措。会议明确，由市财政局统筹安排资金3.5万元。\n二、关于进度。会议要求，6月底前完成招标。")
    meta = loaded(tmp_path, text).meta
    assert (meta.title, meta.issuers, meta.issued_on) == ("关于研究老旧小区改造有关问题的会议纪要", ("某市人民政府办公室",), "2023-05-08")


def test_an_attachment_of_lines_has_the_name_that_the_list_gives_it(tmp_path: Path) -> None:
    text = ("某局关于下达经费的通知\n各市财政局：\n现下达你单位经费，请按规定使用。\n附件1：经费分配表\n附件2：绩效目标表\n某局\n2023年6月1日\n"
            "附件1\n经费分配表\n单位：万元\n甲市 350.5\n乙市 120")
    assert [(s.kind, s.path[-1]) for s in loaded(tmp_path, text).sections] == [
        ("attachment", "附件"), ("signature", "落款"), ("attachment", "附件1 经费分配表")]


@pytest.mark.parametrize(("line", "names"), [
    ("某省人民政府，教育部、外交部、财政部、体育总局：", ("某省人民政府", "教育部", "外交部", "财政部", "体育总局")),
    ("市委各部、委、办，市政府各委、办、局：", ("市委各部、委、办", "市政府各委、办、局")),
    ("各省、自治区、直辖市人民政府，国务院各部委、各直属机构：", ("各省、自治区、直辖市人民政府", "国务院各部委", "各直属机构")),
])
def test_addressees(tmp_path: Path, line: str, names: tuple[str, ...]) -> None:
    assert loaded(tmp_path, f"某局关于值班的通知\n{line}\n请做好值班工作。").meta.addressees == names


def test_a_line_that_breaks_inside_a_date_ends_no_paragraph(tmp_path: Path) -> None:
    document = loaded(tmp_path, "某条例\n1994年10月12日某省人民代表大会常务委员会第十次会议批准的1994年\n\n9月24日某市人民代表大会常务委员会修正\n第一条 适用。")
    assert [document.text[b.start : b.end].count("\n") for b in document.body] == [0, 2, 0]


BODY = "<p>各区人民政府：</p><p>为做好工作，现将有关事项通知如下，请认真贯彻执行，不得有误。</p><p>一、总体要求</p><p>各单位要加强领导，落实责任，确保完成。</p>"


@pytest.mark.parametrize(("tag", "heads", "title"), [
    ("关于做好2021-2025年规划编制工作有关事项_某市人民政府门户网站", "", "关于做好2021-2025年规划编制工作有关事项"),
    ("关于做好值班工作的通知 - 部门文件 - 某市人民政府网", "", "关于做好值班工作的通知"),
    ("某市民政局-通知公告-关于做好困难群众慰问有关情况", "", "关于做好困难群众慰问有关情况"),
    ("某市人民政府门户网站 关于做好值班情况", "", "关于做好值班情况"),
    ("规划——某市篇 - 某市发展改革委", "<h1>规划——某市篇 - 某市发展改革委</h1>", "规划——某市篇"),
    ("关于值班情况 | 某市人民政府", "<h1>某市人民政府</h1><h2>关于值班情况</h2>", "关于值班情况"),
])
def test_titles_of_pages_without_the_site_s_name(tmp_path: Path, tag: str, heads: str, title: str) -> None:
    page = f"<html><head><title>{tag}</title></head><body><div><a>首页</a></div><div>{heads}{BODY}</div></body></html>"
    assert loaded(tmp_path, page, "a.html").meta.title == title


@pytest.mark.parametrize("name", ["a.md", "a.txt"])
def test_a_page_that_a_reader_tool_saved(tmp_path: Path, name: str) -> None:
    text = ("Title: 异地就医怎么办？ - 某市人民政府门户网站\n\nURL Source: https://www.example.gov.cn/a.html\n\nPublished Time: 2025-03-28T16:55\n\n"
            "Markdown Content:\n[登录](javascript:void(0))[EN](https://example.gov.cn/en)\n\n*   [首页](https://example.gov.cn/)\n\n无障碍\n\n"
            "# 异地就医怎么办？\n\n先备案，后就医。\n\n一、备案\n\n拨打电话办理备案。[备案表.docx](https://example.gov.cn/1.docx)\n\n[打印](javascript:print();)[关闭](javascript:void(0);)\n\n"
            "# 异地就医怎么办？\n\n先备案，后就医。\n\n某市人民政府 版权所有\n\n*   [市级机构](https://example.gov.cn/)\n")
    document = loaded(tmp_path, text, name)
    assert (document.meta.title, document.meta.published_on) == ("异地就医怎么办？", "2025-03-28")
    assert [document.text[b.start : b.end].partition("[")[0] for b in document.body] == ["异地就医怎么办？", "先备案，后就医。", "一、备案", "拨打电话办理备案。"]
