"""Documents as people copy and save them: header tables as text, information bars, cover sheets, contents, letters without a title."""

from pathlib import Path

import pytest

from rag.loading import load, ocr, pdf
from rag.loading.furniture import is_furniture
from rag.loading.layout import lines, wrap_width
from rag.loading.overrides import completed
from rag.loading.sheet import Glyph, Sheet
from rag.loading.tables import row_lines
from rag.loading.typeset import typeset
from rag.schema import Document
from rag.validity import Collection, status_of

BODY = "各单位要高度重视，明确责任，认真组织排查，发现问题及时整改，确保工作落到实处。\n"


def loaded(folder: Path, text: str, name: str = "a.txt") -> Document:
    (folder / name).write_text(text, encoding="utf-8")
    return completed(load(folder / name, name), b"", "")[0]


def body_of(document: Document) -> list[str]:
    return [document.text[span.start : span.end] for span in document.body]


@pytest.mark.parametrize("header", [
    "索引号 | 0100/2023-001 | ||\n组配分类 | 部门文件 | 发布机构 | 某某县民政局 |\n生成日期 | 2023-03-02 | 公开方式 | 主动公开 |\n文号 | 某民发〔2023〕7号 |\n",
    "  • 索引号:\n\n    0100/2023-001\n  • 来源:\n\n  • 发文机构:\n\n    某某县民政局\n  • 发文字号:\n\n    某民发〔2023〕7号\n  • 成文日期:\n\n    2023年03月02日\n",
    "索引号:0100/2023-001 公文目录:救灾 发文机关:某某县民政局 成文日期:2023年03月02日 文  号:某民发〔2023〕7号\n",
])
def test_a_header_that_was_copied_as_text_is_read_and_is_no_title(tmp_path: Path, header: str) -> None:
    meta = loaded(tmp_path, f"{header}\n关于开展防汛检查的通知\n\n{BODY}\n一、检查内容\n{BODY}二、检查时间\n{BODY}").meta
    assert (meta.title, meta.document_number, meta.issued_on) == ("关于开展防汛检查的通知", "某民发〔2023〕7号", "2023-03-02")
    assert meta.issuers == ("某某县民政局",)


def test_one_label_makes_no_header(tmp_path: Path) -> None:
    document = loaded(tmp_path, f"关于报送材料的通知\n各单位：\n{BODY}文件名称：年度工作总结报告\n{BODY}")
    assert document.meta.title == "关于报送材料的通知" and "文件名称：年度工作总结报告" in "".join(body_of(document))


@pytest.mark.parametrize("line", [
    "时间:2021-12-07 14:27 来源: 县应急管理局 浏览次数:", "2024年07月05日 14:05 来源：某采购网 【打印】 【显示概要】", "- 上一篇:无", "归档时间:2018-11-21",
    "首页 法规 购买服务 监督检查 信息公告当前位置：首页 » 公告 » 公开招标公告", "第一章 投标邀请.......................... 3", "附则………………………………………17",
    "© 1999-2024 某某部 版权所有 | 联系我们", "朗读", ">政务频道 >政务公开 >本局文件", "• 时间:2023-05-04 08:58:16",
])
def test_bars_and_contents_are_no_content(line: str) -> None:
    assert is_furniture(line)


@pytest.mark.parametrize("line", ["服务平台热线：400-000-0000（注册问题咨询）", "时间：2021年12月7日下午2点，地点：三楼会议室。", "时间：2021年12月7日", "投标总价：……元"])
def test_what_only_resembles_a_bar_is_kept(line: str) -> None:
    assert not is_furniture(line)


def test_the_day_in_an_information_bar(tmp_path: Path) -> None:
    document = loaded(tmp_path, f"某某县关于近期情况的通报\n时间:2021-12-07 14:27 来源: 县应急局 浏览次数:\n\n各乡镇人民政府:\n{BODY}")
    assert document.meta.published_on == "2021-12-07" and not any("浏览" in piece for piece in body_of(document))


@pytest.mark.parametrize(("cover", "title"), [
    ("某局机房\n软硬件采购项目\n招标文件\n项目编号：AB-2024-15\n采购人（章）：某局\n", "某局机房软硬件采购项目招标文件"),
    ("项目编号：AB-2024-15\n甲园区\n餐厅外包项目\n竞争性谈判文件\n采购人：乙公司\n", "甲园区餐厅外包项目竞争性谈判文件"),
    ("公开招标文件\n项目编号：AB-2024-15\n项目名称：某局食堂配送服务采购项目\n采购人：某局\n", "某局食堂配送服务采购项目"),
    ("项目编号：AB-2024-15\n公开招标\n招标文件\n购买服务人员经费\n采购人： 某局\n", "购买服务人员经费"),
])
def test_the_cover_of_a_call_for_tenders(tmp_path: Path, cover: str, title: str) -> None:
    contents = "2024年5月\n目录\n第一章 招标公告.............................. 3\n第二章 投标人须知............................ 5\n"
    document = loaded(tmp_path, f"{cover}{contents}第一章 招标公告\n{BODY}一、项目概况\n{BODY}第二章 投标人须知\n{BODY}")
    assert document.meta.title == title
    assert [s.path[-1] for s in document.sections if s.level == 1] == ["第一章 招标公告", "第二章 投标人须知"]


def test_a_deadline_in_the_text_does_not_end_the_document(tmp_path: Path) -> None:
    document = loaded(tmp_path, f"关于某项目的招标公告\n{BODY}1.投标截止时间：2020年6月12日10:00\n2.申报截止日期：2020年6月1日\n3.实施时间：2030年1月1日\n")
    assert (document.meta.expires_on, document.meta.effective_on) == (None, None)
    assert status_of(document, "2026-01-01", Collection([document])).kind == "unknown"


@pytest.mark.parametrize(("text", "title", "kind"), [
    (f"某乡人民政府:\n你乡《关于某规划的请示》收悉,现批复如下:\n一、同意该规划。\n二、{BODY}某县人民政府\n2015年3月3日\n", None, "批复"),
    (f"尊敬的用户:\n{BODY}特此公告。\n某市水务集团有限公司\n2025年9月19日\n", None, "公告"),
    (f"李某某等代表:\n您提出的建议收悉。经研究,答复如下:\n{BODY}某乡人民政府\n2022年6月20日\n", None, "答复"),
    (f"各乡镇人民政府:\n《某市会议议事规则》已经会议通过,现予印发。\n某市人民政府\n2024年11月20日\n某市会议议事规则\n第一条 {BODY}第二条 {BODY}", "某市会议议事规则", "规则"),
    (f"【五一放假通知】\n\n各位同事：\n{BODY}", "五一放假通知", "通知"),
    (f"中华人民共和国某某部令第87号--货物服务管理办法\n现予公布，自2017年10月1日起施行。\n部长 张三\n2017年7月11日\n第一章 总则\n第一条 {BODY}", "货物服务管理办法", "办法"),
])
def test_letters_without_a_title_and_titles_with_ornaments(tmp_path: Path, text: str, title: str | None, kind: str) -> None:
    meta = loaded(tmp_path, text).meta
    assert (meta.title, meta.kind) == (title, kind)


def test_a_decree_in_one_line_gives_number_issuer_and_day(tmp_path: Path) -> None:
    meta = loaded(tmp_path, f"中华人民共和国财政部令第87号--货物服务管理办法\n现予公布。\n部长 张三\n2017年7月11日\n第一章 总则\n第一条 {BODY}").meta
    assert (meta.document_number, meta.issuers, meta.issued_on) == ("中华人民共和国财政部令第87号", ("财政部",), "2017-07-11")


@pytest.mark.parametrize(("line", "names"), [
    ("李某某等代表：", ("李某某等代表",)), ("赵某等3名委员：", ("赵某等3名委员",)), ("尊敬的用户：", ("用户",)), ("广大市民：", ("广大市民",)), ("采购人代表签字：", ()),
])
def test_people_a_letter_is_sent_to(tmp_path: Path, line: str, names: tuple[str, ...]) -> None:
    assert loaded(tmp_path, f"关于某事的答复\n{line}\n{BODY}").meta.addressees == names


def test_the_front_matter_of_a_markdown_text_is_no_content(tmp_path: Path) -> None:
    text = f'---\nlayout: page\ntitle:  "某论坛征文通知"\ndate: 2022-9-19\n---\n\n### 一、主题 <br>\n{BODY.strip()} <br>\n### 二、时间 <br>\n{BODY}'
    document = loaded(tmp_path, text, "a.md")
    assert (document.meta.title, document.meta.published_on) == ("某论坛征文通知", "2022-09-19")
    assert not any("layout" in piece or "<br" in piece for piece in body_of(document))
    assert [s.path[-1] for s in document.sections] == ["一、主题", "二、时间"]


def test_the_heading_of_a_page_wins_over_the_name_of_the_program_that_shows_it(tmp_path: Path) -> None:
    page = f"<html><head><title>通知管理系统</title></head><body><h2>关于中秋节放假安排的通知</h2><p>各单位：</p><p>{BODY * 3}</p></body></html>"
    assert loaded(tmp_path, page, "a.html").meta.title == "关于中秋节放假安排的通知"


def test_many_short_paragraphs_broken_at_one_width() -> None:
    sentence = "采购人应当在规定期限内，将采购文件送达供应商并对其内容负责，不得以任何理由拒绝或者拖延办理有关手续"
    broken = "".join(f"第{n}条 {sentence[:31]}\n{sentence[31 : 36 + at]}。\n（一）按{'时' * at}。\n" for at, n in enumerate("一二三四五六七八九"))
    assert wrap_width(lines(broken)) is not None
    assert wrap_width(lines("".join(f"第{n}条 {sentence[: 12 + 4 * at]}。\n" for at, n in enumerate("一二三四五六七八九")))) is None


class _Engine:
    """Recognises a line on each page; like RapidOCR it goes on as the last call said."""

    def __init__(self) -> None:
        self.det = True

    def __call__(self, picture: object, use_det: bool | None = None, use_cls: bool | None = None, use_rec: bool | None = None) -> object:
        self.det = self.det if use_det is None else use_det
        return type("Found", (), {"boxes": None} if self.det else {"txts": ()})()


def test_every_page_is_searched_for_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    class Page:
        def get_size(self) -> tuple[int, int]:
            return 100, 100

        def render(self, scale: float) -> "Page":
            return self

        def to_numpy(self) -> None:
            return None

        def close(self) -> None:
            return None

    engine = _Engine()
    engine(None, use_det=False)
    assert ocr._sheet(engine, Page()).glyphs == []  # type: ignore[arg-type]


def test_text_drawn_as_shapes_counts_as_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = "".join(f"{x} {y} m {x + 3} {y} l {x} {y + 3} l f\n" for x in range(50, 300, 10) for y in range(100, 700, 100))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>", f"<< /Length {len(marks)} >>\nstream\n{marks}endstream"]
    data = "%PDF-1.4\n" + "".join(f"{n} 0 obj\n{o}\nendobj\n" for n, o in enumerate(objects, 1)) + "trailer\n<< /Root 1 0 R /Size 5 >>\n%%EOF\n"
    with pytest.raises(pdf.Scanned):
        pdf.read_pdf(data.encode(), "a.pdf")


MENU = "网站首页\n政务公开\n办事服务\n走进某县\n当前位置：首页 > 政务公开 > 通知公告\n"
FOOT = "【打印】 【关闭】\n上一篇：关于某事的公告\n相关链接：\n某部网站\n某省人民政府\n主办：某县人民政府办公室\n"


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_menus_above_and_links_below_a_copied_page(tmp_path: Path, name: str) -> None:
    notice = f"关于停水的通知\n各用户：\n{BODY}某县水务公司\n2025年9月19日\n"
    document = loaded(tmp_path, MENU + notice + FOOT, name)
    assert (document.meta.title, document.meta.issuers, document.meta.issued_on) == ("关于停水的通知", ("某县水务公司",), "2025-09-19")
    assert "".join(body_of(document)) == notice.replace("\n", "")
    assert loaded(tmp_path, notice, name).meta.title == "关于停水的通知"


def test_a_list_of_short_lines_is_no_menu(tmp_path: Path) -> None:
    document = loaded(tmp_path, f"值班表\n元旦\n张三\n李四\n春节\n王五\n{BODY}")
    assert document.meta.title == "值班表" and "张三" in body_of(document)


def test_a_short_letter_broken_at_one_width(tmp_path: Path) -> None:
    words = "为配合某路改造工程,我公司计划于九月二十日夜间对供水管道实施迁改作业,施工期间沿线用户停水,如遇特殊情况,恢复时间顺延,请广大用户提前做好蓄水准备,给您带来的不便敬请谅解"
    broken = "\n".join(words[at : at + 20] for at in range(0, len(words), 20))
    document = loaded(tmp_path, f"停水公告\n尊敬的用户:\n{broken}。\n某水务公司\n2025年9月19日\n")
    assert words + "。" in ["".join(piece.split()) for piece in body_of(document)] and document.meta.issuers == ("某水务公司",)


def test_blanks_that_became_question_marks(tmp_path: Path) -> None:
    document = loaded(tmp_path, f"关于检查的通知\n各单位:\n??一、检查内容\n??{BODY}??二、检查时间\n??{BODY}某县民政局\n??2018年5月14日\n")
    assert [s.path[-1] for s in document.sections] == ["一、检查内容", "二、检查时间", "落款"] and document.meta.issued_on == "2018-05-14"
    assert not any("?" in piece for piece in body_of(document))


def test_files_below_the_toolbar_stay(tmp_path: Path) -> None:
    document = loaded(tmp_path, f"关于停水的通知\n各用户：\n{BODY}【打印】 【关闭】\n附件：停水范围.docx\n联系我们\n")
    assert "附件：停水范围.docx" in body_of(document) and "联系我们" not in body_of(document)


@pytest.mark.parametrize(("rows", "lines"), [
    ([["会议主题", "功能测试"], ["会议时间", "3月2日", "会议地点", "二楼"], ["参会人员", "张三、李四"]], ["会议主题：功能测试", "会议时间：3月2日；会议地点：二楼", "参会人员：张三、李四"]),
    ([["第1天", "集合，出发"], ["第2天", "参观，座谈"]], ["第1天　集合，出发", "第2天　参观，座谈"]),
    ([["姓名", "单位", "电话"], ["张三", "民政局", "123"]], ["姓名：张三；单位：民政局；电话：123"]),
    ([["日期", "地点"], ["3月2日", "二楼"], ["3月3日", "三楼"]], ["日期：3月2日；地点：二楼", "日期：3月3日；地点：三楼"]),
    ([["姓名", "", "性别", ""], ["单位", "民政局", "电话", ""]], ["姓名　性别", "单位：民政局；电话"]),
])
def test_forms_and_tables(rows: list[list[str]], lines: list[str]) -> None:
    width = max(map(len, rows))
    assert row_lines([[*row, *[""] * (width - len(row))] for row in rows]) == lines


def test_a_year_of_long_ago_is_not_what_a_letter_is_about(tmp_path: Path) -> None:
    document = loaded(tmp_path, "某县教育局关于维修经费的请示\n县人民政府：\n3号楼建于1998年，现存在屋面渗漏等隐患，需经费86万元。\n某县教育局\n2024年6月3日\n")
    assert document.meta.years == (2024,)


def test_lines_that_stand_further_in_than_a_banner_are_joined() -> None:
    def line(text: str, x: float, y: float) -> list[Glyph]:
        return [Glyph(x + 10 * at, y, x + 10 * at + 10, y + 10, char, 10, False) for at, char in enumerate(text)]

    words = "某项目的潜在投标人应在某某市某某区某某路十号获取招标文件并于规定时间前递交投标文件逾期不予受理"
    page = Sheet(600, 842, [*line("某采购网站", 5, 20), *line(words[:32], 80, 200), *line(words[32:] + "。", 80, 216), *line("一、项目概况", 80, 232), *line("预算为十万元。", 80, 248)], [])
    assert [block.text for block in typeset([page]).blocks] == ["某采购网站", words + "。", "一、项目概况", "预算为十万元。"]
