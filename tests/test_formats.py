"""docx, doc, pdf, ofd, xlsx, csv and their kin: what is read of them, and that one document is one whatever its format."""

import datetime as dt
import io
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from rag.citations import page_of, problems
from rag.config import Settings
from rag.errors import DocumentError, Scanned
from rag.index import Index
from rag.loading import abilities, load, ocr, office
from rag.loading.wordnumbers import chinese, formatted
from rag.passages import cut
from rag.pipeline import Pipeline, build_index
from rag.schema import Document, Section
from rag.text import compact, readable
from tests.conftest import ROOT
from tests.office_files import calc, converted, docx_of, html_of, ofd_of, printed, soffice, zipped

SEEDS = sorted((ROOT / "seeds").glob("*.txt"))
TABLE = [["姓名", "科室", "电话"], ["张三", "办公室", "0431-88900001"], ["李四", "值班室", "0431-88900002"]]


def loaded(folder: Path, name: str, data: bytes | str) -> Document:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return load(folder / name, name)[0]


def paragraphs_of(number: int) -> list[str]:
    """A seed's paragraphs as its author wrote them, broken lines joined."""
    document = load(SEEDS[number], "seed")[0]
    title = document.meta.proof.get("title")
    return [document.meta.title or "" if title and title.start == span.start else readable(document.text[span.start : span.end])
            for span in document.body]


def tree(document: Document) -> list[tuple]:
    def words(section: Section) -> str:
        return compact(document.text[section.start : section.end])

    return [(s.kind, s.label, s.level, s.parent, tuple(map(compact, s.path)), words(s)) for s in document.sections]


# ---------------------------------------------------------------- one document in every format

RICH = (1, 4)
"""Seeds with headings of two levels, inline items, contacts and signature."""


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory) -> Mapping[int, Mapping[str, Path]]:
    """The rich seeds as files of every format: seed → name → path."""
    folder = tmp_path_factory.mktemp("same")
    texts = {number: paragraphs_of(number) for number in RICH}
    pdfs = printed([html_of(text) for text in texts.values()])
    out: dict[int, dict[str, Path]] = {}
    for (number, text), pdf in zip(texts.items(), pdfs, strict=True):
        files: dict[str, bytes] = {
            "a.txt": "\n".join(text).encode(), "a.html": html_of(text).encode(), "a.docx": docx_of(text),
            "numbered.docx": docx_of(text, automatic=True), "a.ofd": ofd_of(text), "a.pdf": pdf,
        }
        if office.program():
            files["a.doc"] = converted(folder, files["numbered.docx"], ".docx", "doc:MS Word 97")
            files["office.pdf"] = converted(folder, files["numbered.docx"], ".docx", "pdf")
        (folder / str(number)).mkdir()
        out[number] = {name: folder / str(number) / name for name in files}
        for name, data in files.items():
            out[number][name].write_bytes(data)
    return out


@pytest.mark.parametrize("number", RICH)
def test_every_format_gives_the_same_sections_and_metadata(same: Mapping[int, Mapping[str, Path]], number: int) -> None:
    plain = load(same[number]["a.txt"], "a.txt")[0]
    assert len(plain.sections) > 10
    for name, path in same[number].items():
        document = load(path, name)[0]
        assert tree(document) == tree(plain), name
        meta = replace(document.meta, proof={})
        assert meta == replace(plain.meta, proof={}), name
        assert bool(document.pages) == name.endswith(("pdf", "ofd")), name


def test_every_format_gives_the_same_answers_from_its_own_file(
    same: Mapping[int, Mapping[str, Path]], tmp_path: Path, embedder, settings: Settings
) -> None:
    questions = ("春节期间值班要求是什么？", "值班室电话是多少？", "联系电话没有写的2019年中秋节怎么安排？")
    answers: dict[str, list] = {}
    own = replace(settings, home=tmp_path / "home")
    docs = tmp_path / "docs"
    for name, path in same[1].items():  # one after the other in one index, so that equal passages are embedded once
        if name == "office.pdf":  # paragraphs without indent: where one ends cannot always be seen
            continue
        shutil.rmtree(docs, ignore_errors=True)
        docs.mkdir()
        shutil.copy(path, docs)
        report = build_index(own, [docs], embedder=embedder)
        assert report.documents == 1 and (name == "a.txt" or report.embedded == 0), name
        pipeline = Pipeline(own, Index.open(own.index), embedder)
        given = [pipeline.ask(question) for question in questions]
        for answer in given:
            assert problems(answer, lambda id, pipeline=pipeline: pipeline.document(id).text) == []
            assert all(c.source.endswith(name) for c in answer.citations)
            pages = [c.page for c in answer.citations]
            assert all(pages) if name.endswith(("pdf", "ofd")) else not any(pages)
        answers[name] = [(a.status, a.answer, [compact(c.quote) for c in a.citations]) for a in given]
    assert answers["a.txt"][0][0] == answers["a.txt"][1][0] == "answered" and answers["a.txt"][2][0] == "no_evidence"
    assert "0931-8826009" in answers["a.txt"][1][1]
    for name, given in answers.items():
        assert given[:2] == answers["a.txt"][:2] and given[2][0] == "no_evidence", name


@pytest.mark.parametrize("number", RICH)
def test_quotes_stand_on_the_page_that_is_named(same: Mapping[int, Mapping[str, Path]], number: int) -> None:
    import pypdfium2

    path = same[number]["a.pdf"]
    document = load(path, "a.pdf")[0]
    with pypdfium2.PdfDocument(path.read_bytes()) as pdf:
        pages = [compact(page.get_textpage().get_text_range().replace("\ufffe", "")) for page in pdf]
    assert len(pages) == len(document.pages) > 3
    for passage in cut(document):
        start = compact(document.text[passage.start : passage.end])[:12]
        assert start in pages[(page_of(document, passage.start) or 0) - 1] or start not in "".join(pages)


def test_running_heads_and_page_numbers_stay_out(same: Mapping[int, Mapping[str, Path]]) -> None:
    for name in ("a.pdf", "a.ofd", "a.docx", "office.pdf"):
        if name in same[1]:
            text = load(same[1][name], name)[0].text
            assert not any(word in text for word in ("内部资料", "页眉不属于正文", "— 1 —", "第1页")), name


# ---------------------------------------------------------------- Word

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def word(body: str, **parts: str) -> bytes:
    """A Word file of raw XML."""
    return zipped({"word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
                   **{f"word/{name}.xml": f"<w:{name} {W}>{content}</w:{name}>" for name, content in parts.items()}})


def p(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def item(text: str, list_id: int, level: int = 0) -> str:
    return p(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>')


def level(at: int, style: str, pattern: str, more: str = "") -> str:
    return f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{style}"/><w:lvlText w:val="{pattern}"/>{more}</w:lvl>'


NUMBERS = (
    f'<w:abstractNum w:abstractNumId="0">{level(0, "chineseCountingThousand", "第%1条")}{level(1, "decimal", "%1.%2", "<w:isLgl/>")}</w:abstractNum>'
    f'<w:abstractNum w:abstractNumId="1">{level(0, "japaneseCounting", "%1、")}{level(1, "decimalEnclosedCircleChinese", "%2")}{level(2, "bullet", "•")}</w:abstractNum>'
    f'<w:abstractNum w:abstractNumId="2">{level(0, "chineseCounting", "%1、", """<w:pStyle w:val="H1"/>""")}</w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>'
    '<w:num w:numId="4"><w:abstractNumId w:val="1"/></w:num><w:num w:numId="5"><w:abstractNumId w:val="2"/></w:num>')


def test_automatic_numbers_are_written_out(tmp_path: Path) -> None:
    body = (item("为了规范", 1) + item("适用", 1, 1) + item("不适用", 1, 1) + item("施行", 1) + item("再次", 1, 1)
            + item("总则", 2) + item("甲", 2, 1) + item("点", 2, 2) + item("乙", 2, 1) + item("附则", 2) + item("重起", 3) + item("接着", 4)
            + "<w:p><w:pPr><w:numPr><w:ilvl w:val='0'/><w:numId w:val='4'/></w:numPr></w:pPr></w:p>" + item("空行也算", 4) + item("没有", 0))
    text = loaded(tmp_path, "a.docx", word(body, numbering=NUMBERS)).text
    assert text.splitlines() == ["第一条 为了规范", "1.1 适用", "1.2 不适用", "第二条 施行", "2.1 再次", "一、总则", "① 甲", "点", "② 乙",
                                 "二、附则", "一、重起", "二、接着", "四、空行也算", "没有"]


def test_numbers_that_a_style_gives(tmp_path: Path) -> None:
    styles = ('<w:style w:type="paragraph" w:default="1" w:styleId="N"><w:name w:val="Normal"/></w:style>'
              '<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>'
              '<w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/><w:pPr><w:numPr><w:numId w:val="5"/></w:numPr></w:pPr></w:style>'
              '<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="我的标题"/><w:basedOn w:val="H1"/></w:style>'
              '<w:style w:type="paragraph" w:styleId="C"><w:name w:val="toc 1"/></w:style>')
    body = (p("关于值班的通知", '<w:pStyle w:val="T"/>') + p("一、总则 1", '<w:pStyle w:val="C"/>') + p("总则", '<w:pStyle w:val="H1"/>')
            + p("各单位要值班。") + p("附则", '<w:pStyle w:val="Mine"/>') + p("自发布之日起施行。"))
    document = loaded(tmp_path, "a.docx", word(body, styles=styles, numbering=NUMBERS))
    assert document.meta.title == "关于值班的通知"
    assert [s.path for s in document.sections] == [("一、总则",), ("二、附则",)]


def test_what_is_seen_is_read_and_nothing_else(tmp_path: Path) -> None:
    body = ("<w:p><w:r><w:t>一、值班</w:t></w:r><w:del><w:r><w:delText>删去</w:delText></w:r></w:del><w:ins><w:r><w:t>加上</w:t></w:r></w:ins>"
            '<w:r><w:rPr><w:vanish/></w:rPr><w:t>隐藏</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r>'
            "<w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
            '<w:p><w:r><mc:AlternateContent xmlns:mc="m"><mc:Choice><w:txbxContent><w:p><w:r><w:t>框里的字</w:t></w:r></w:p></w:txbxContent></mc:Choice>'
            "<mc:Fallback><w:txbxContent><w:p><w:r><w:t>框里的字</w:t></w:r></w:p></w:txbxContent></mc:Fallback></mc:AlternateContent></w:r></w:p>"
            '<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr><w:sdtContent>'
            f"{p('目录里的')}</w:sdtContent></w:sdt>")
    notes = ('<w:footnote w:type="separator" w:id="0"><w:p><w:r><w:t>——</w:t></w:r></w:p></w:footnote>'
             '<w:footnote w:id="2"><w:p><w:r><w:t>指全天值班。</w:t></w:r></w:p></w:footnote>')
    assert loaded(tmp_path, "a.docx", word(body, footnotes=notes)).text.splitlines() == ["一、值班加上", "（注1）指全天值班。", "框里的字"]


def test_tables_of_word_keep_their_heads(tmp_path: Path) -> None:
    def cell(text: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(text)}</w:tc>"

    rows = (f'<w:tr>{cell("值班表", """<w:gridSpan w:val="3"/>""")}</w:tr><w:tr>{cell("日期")}{cell("带班")}{cell("电话")}</w:tr>'
            f'<w:tr>{cell("除夕", """<w:vMerge w:val="restart"/>""")}{cell("张三")}{cell("1001")}</w:tr>'
            f'<w:tr>{cell("", "<w:vMerge/>")}{cell("李四")}{cell("1002")}</w:tr>')
    document = loaded(tmp_path, "a.docx", word(p("一、安排") + f"<w:tbl>{rows}</w:tbl>" + p("二、要求")))
    assert document.text.splitlines() == ["一、安排", "值班表", "日期：除夕；带班：张三；电话：1001", "日期：除夕；带班：李四；电话：1002", "二、要求"]


def test_numerals_as_word_writes_them() -> None:
    assert [chinese(n) for n in (0, 1, 10, 12, 20, 101, 110, 115, 1001, 9999)] == [
        "零", "一", "十", "十二", "二十", "一百零一", "一百一十", "一百一十五", "一千零一", "九千九百九十九"]
    styles = ("chineseLegalSimplified", "upperRoman", "lowerLetter", "decimalFullWidth", "ideographTraditional", "decimalZero", "unknown")
    assert [formatted(4, style) for style in styles] == ["肆", "IV", "d", "４", "丁", "04", "4"]


# ---------------------------------------------------------------- pages

def test_tables_columns_and_the_order_of_reading_in_pdf(tmp_path: Path) -> None:
    story = [f"{sign}、" + "各单位要严格执行值班制度，" * 9 + f"这是第{sign}段。" for sign in "一二三四五六"]
    columns = html_of(story).replace("<body>", '<body style="columns:2;column-gap:3em;font-size:11pt;line-height:18pt"><h1 style="column-span:all">关于值班的通知</h1>')
    long = [TABLE[0], *([f"人员{n}", "办公室", f"0431-{n:08}"] for n in range(60))]
    three = printed([columns, html_of(["一、值班安排见下表。"], TABLE) + "<p>二、认真落实。</p>", html_of(["一、名单"], long)], heads=False)
    first = loaded(tmp_path, "a.pdf", three[0])
    assert first.text.splitlines() == ["关于值班的通知", *story]
    second = loaded(tmp_path, "b.pdf", three[1])
    assert second.text.splitlines() == ["一、值班安排见下表。", "姓名：张三；科室：办公室；电话：0431-88900001",
                                        "姓名：李四；科室：值班室；电话：0431-88900002", "二、认真落实。"]
    third = loaded(tmp_path, "c.pdf", three[2])
    assert len(third.pages) > 1 and third.text.splitlines()[1:] == [f"姓名：人员{n}；科室：办公室；电话：0431-{n:08}" for n in range(60)]
    assert page_of(third, third.text.index("人员0")) == 1 and page_of(third, third.text.index("人员59")) == len(third.pages)


def test_a_scanned_file_is_reported_with_what_to_do_and_read_where_ocr_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pypdfium2

    with pypdfium2.PdfDocument(printed([html_of(["关于值班的通知", "一、实行24小时值班。", "二、值班电话0431-88900001。"])])[0]) as pdf:
        picture = pdf[0].render(scale=2).to_pil().convert("L")
    out = io.BytesIO()
    picture.save(out, "PDF", resolution=144)
    found = loaded(tmp_path, "a.pdf", out.getvalue())
    assert [compact(line) for line in found.text.splitlines()][-2:] == ["一、实行24小时值班。", "二、值班电话0431-88900001。"] and found.pages == (0,)
    with_ocr = abilities()
    monkeypatch.setattr(ocr, "installed", lambda: False)
    with pytest.raises(Scanned, match="扫描件") as caught:
        load(tmp_path / "a.pdf", "a.pdf")
    assert "wenju[ocr]" in caught.value.hint and abilities() != with_ocr


# ---------------------------------------------------------------- xlsx, csv

def test_rows_of_a_workbook_are_sentences(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "值班表"
    for row in (["2023年春节值班表"], ["日期", "姓名", "出勤率", "备注"], [dt.date(2023, 1, 21), "张三", 0.985, "带班"],
                [dt.date(2023, 1, 22), "李四", 1, 3.0], ["隐", "藏", 0, "行"], [None, "王五", 0.5, None]):
        sheet.append(row)
    sheet.merge_cells("A1:D1")
    sheet.merge_cells("A4:A6")
    sheet["A4"].value = dt.datetime(2023, 1, 22, 8, 30)
    for cell in sheet["C"]:
        cell.number_format = "0.0%"
    sheet["A3"].number_format = 'yyyy"年"m"月"d"日"'
    sheet.row_dimensions[5].hidden = True
    other = book.create_sheet("电话")
    other.append(["单位", "电话"])
    other.append(["办公室", "0431-88900001"])
    book.create_sheet("不给看").sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)
    document = loaded(tmp_path, "a.xlsx", out.getvalue())
    assert document.text.splitlines() == [
        "值班表", "2023年春节值班表", "日期：2023年1月21日；姓名：张三；出勤率：98.5%；备注：带班",
        "日期：2023年1月22日 08:30；姓名：李四；出勤率：100.0%；备注：3", "日期：2023年1月22日 08:30；姓名：王五；出勤率：50.0%",
        "电话", "单位：办公室；电话：0431-88900001"]


@pytest.mark.parametrize(("mark", "encoding"), [(",", "utf-8-sig"), ("\t", "gb18030"), (";", "utf-16")])
def test_csv_of_any_kind(tmp_path: Path, mark: str, encoding: str) -> None:
    text = f"姓名{mark}备注\r\n张三{mark}\"值班{mark}带班\"\r\n"
    document = loaded(tmp_path, "a.csv", text.encode(encoding))
    assert document.text == f"姓名：张三；备注：值班{mark}带班".replace("\t", " ")


# ---------------------------------------------------------------- LibreOffice

@calc
def test_xls_et_and_ods_are_read_through_libreoffice(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["2023年春节值班表", None, None], ["姓名", "出勤率", "日期"], ["张三", 0.985, dt.date(2023, 1, 21)], ["李四", 1, None]):
        sheet.append(row)
    sheet.merge_cells("A1:C1")
    sheet["B3"].number_format = sheet["B4"].number_format = "0.0%"
    out = io.BytesIO()
    book.save(out)
    wanted = ["2023年春节值班表", "姓名：张三；出勤率：98.5%；日期：2023年1月21日", "姓名：李四；出勤率：100.0%"]
    for suffix, target in ((".xls", "xls:MS Excel 97"), (".ods", "ods")):
        data = converted(tmp_path, out.getvalue(), ".xlsx", target)
        assert loaded(tmp_path, f"a{suffix}", data).text.splitlines() == wanted, suffix
    assert loaded(tmp_path, "a.et", (tmp_path / "a.xls").read_bytes()).text.splitlines() == wanted
    assert loaded(tmp_path, "renamed.xls", out.getvalue()).text.splitlines() == wanted, "an xlsx called xls needs no conversion"
    with pytest.raises(DocumentError, match=r"转换不了|没有正文"):
        loaded(tmp_path, "broken.xls", (tmp_path / "a.xls").read_bytes()[:600] + bytes(3000))


def test_what_a_package_is_does_not_depend_on_its_content(tmp_path: Path) -> None:
    """Compressed bytes may hold any letters: "xl/" inside a picture makes no workbook."""
    data = ofd_of(["关于值班的通知", "一、按时值班。"])
    (tmp_path / "a.ofd").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.ofd", "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("Doc_0/Res/a.jpg", b"\xff\xd8 word/ xl/ PK\x03\x04")
    assert load(tmp_path / "a.ofd", "a.ofd")[0].meta.title == "关于值班的通知"


@soffice
def test_doc_wps_rtf_and_odt_are_read_through_libreoffice(tmp_path: Path) -> None:
    paragraphs = ["关于值班的通知", "一、总体要求", "（一）落实责任。", "（二）按时报告。", "二、联系方式"]
    original = docx_of(paragraphs, automatic=True, table=TABLE)
    wanted = [*paragraphs, "姓名：张三；科室：办公室；电话：0431-88900001", "姓名：李四；科室：值班室；电话：0431-88900002"]
    for suffix, target in ((".doc", "doc:MS Word 97"), (".rtf", "rtf"), (".odt", "odt")):
        written = docx_of(paragraphs, table=TABLE) if suffix == ".rtf" else original  # LibreOffice writes 、 of numbers as ? in rtf
        data = converted(tmp_path, written, ".docx", target)
        assert loaded(tmp_path, f"a{suffix}", data).text.splitlines() == wanted, suffix
    doc = (tmp_path / "a.doc").read_bytes()
    assert loaded(tmp_path, "a.wps", doc).text.splitlines() == wanted
    assert loaded(tmp_path, "renamed.doc", original).text.splitlines() == wanted, "a docx called doc needs no conversion"
    with pytest.raises(DocumentError, match=r"转换不了|没有正文"):
        loaded(tmp_path, "broken.doc", doc[:600] + bytes(3000))


_LISTED = r"""{\rtf1\ansi\ansicpg936\deff0{\fonttbl{\f0\fnil\fcharset134 SimSun;}}
{\*\listtable{\list\listtemplateid1{\listlevel\levelnfc39\levelfollow2\levelstartat1{\leveltext LEVEL;}{\levelnumbers\'01;}}\listid1}}
{\*\listoverridetable{\listoverride\listid1\listoverridecount0\ls1}}
\pard\f0 \u36890?\u30693?\par\pard\ls1\ilvl0 \'d7\'dc\'d4\'f2\par\pard\ls1\ilvl0 \'b8\'bd\'d4\'f2\par}"""
"""通知, then two paragraphs with automatic numbers, in the two ways in which Word and WPS write 、 into the pattern of a list."""


@soffice
@pytest.mark.parametrize("pattern", [r"\'02\'00\'a1\'a2", r"\'02\'00\u12289?"])
def test_automatic_numbers_of_rtf(tmp_path: Path, pattern: str) -> None:
    assert loaded(tmp_path, "a.rtf", _LISTED.replace("LEVEL", pattern)).text.splitlines() == ["通知", "一、总则", "二、附则"]


def test_without_libreoffice_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DocumentError, match="LibreOffice") as caught:
        loaded(tmp_path, "a.rtf", r"{\rtf1 x}")
    assert "apt-get install libreoffice-writer-nogui" in caught.value.hint
    with pytest.raises(DocumentError, match="LibreOffice") as caught:
        loaded(tmp_path, "a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert "apt-get install libreoffice-calc-nogui" in caught.value.hint
