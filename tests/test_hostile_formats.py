"""Hostile files by class: every format cut, filled, renamed, flipped; and what each format can be made to do.

Each gives documents or a typed error in Chinese with a hint, in 20 s and 512 MB of a process of its own, and the next file
is read as ever. Changed copies of real files ("mutants") are drawn; `make torture` draws 100,000.
"""

import random
import resource
import time
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from office_files import docx_of, ofd_of, zipped
from test_hostile_files import GOOD, HOSTILE, _good, looped, many_pages, pdf
from torture import amount, figure

from rag.errors import DocumentError
from rag.loading import load, ocr

LINES = ("关于做好值班工作的通知", "各科室：", "一、值班要求", "落实二十四小时值班制度。", "二、联系方式", "电话：0839-3301097。", "某市办公室", "2023年1月10日")
SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>'
BOOK = ('<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="一" sheetId="1" r:id="rId1"/></sheets></workbook>')
LINKS = ('<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
         'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="{target}"/></Relationships>')


def workbook(rows: str, target: str = "worksheets/sheet1.xml", **more: str) -> bytes:
    """An xlsx of one sheet with these rows."""
    return zipped({"xl/workbook.xml": BOOK, "xl/_rels/workbook.xml.rels": LINKS.format(target=target),
                   "xl/worksheets/sheet1.xml": SHEET.format(rows=rows), **{name.replace("_", "/") + ".xml": data for name, data in more.items()}})


def text_pdf(content: bytes, more: str = "", resources: str = "") -> bytes:
    """A PDF of one page with this content stream."""
    return pdf([f"<< /Type /Catalog /Pages 2 0 R {more} >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F 5 0 R >> {resources} >> /Contents 4 0 R >>",
                b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content), "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"])


def whole() -> dict[str, bytes]:
    """One good file of each format that is read without LibreOffice."""
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="inlineStr"><is><t>{line}</t></is></c><c r="B{n}" t="inlineStr"><is><t>值</t></is></c></row>'
                   for n, line in enumerate(LINES, 1))
    page = "".join(f"<p>{line}</p>" for line in LINES)
    return {
        ".txt": "\n".join(LINES).encode(), ".md": "\n\n".join(f"# {line}" for line in LINES).encode(),
        ".html": f"<html><head><meta charset=utf-8><title>{LINES[0]}</title></head><body><div>{page}</div></body></html>".encode(),
        ".csv": "\n".join(f"{line},值" for line in LINES).encode("gb18030"), ".docx": docx_of(LINES), ".xlsx": workbook(rows),
        ".ofd": ofd_of(LINES), ".pdf": text_pdf(b"BT /F 12 Tf 50 700 Td (Notice on duty during the festival) Tj 0 -20 Td (Telephone 0839-3301097) Tj ET"),
        ".zip": zipped({"一.txt": GOOD, "二/二.docx": docx_of(LINES)}),
    }


WHOLE = whole()
Made = Iterator[tuple[str, bytes]]


def cut_short() -> Made:
    for suffix, data in WHOLE.items():
        for share in (0.02, 0.3, 0.7, 0.98):
            yield f"{share}{suffix}", data[: int(len(data) * share)]


def under_another_name() -> Made:
    for suffix, data in WHOLE.items():
        for other in WHOLE:
            if other != suffix and not {suffix, other} <= {".txt", ".md", ".csv", ".html"}:
                yield f"{suffix[1:]} as{other}", data


def filled_with_nothing() -> Made:
    for suffix in WHOLE:
        for name, data in (("empty", b""), ("zeros", bytes(100_000)), ("blank", b" \n" * 50_000), ("ff", b"\xff" * 100_000)):
            yield f"{name}{suffix}", data


def noise() -> Made:
    draw = random.Random(3)
    for suffix, data in WHOLE.items():
        yield f"random{suffix}", draw.randbytes(50_000)
        yield f"head and noise{suffix}", data[:64] + draw.randbytes(50_000)


def nested_deep() -> Made:
    for suffix, part in ((".docx", "word/document.xml"), (".xlsx", "xl/worksheets/sheet1.xml"), (".ofd", "OFD.xml")):
        xml = "<a>" * 50_000 + "</a>" * 50_000
        yield f"xml{suffix}", zipped({"xl/workbook.xml": BOOK, "xl/_rels/workbook.xml.rels": LINKS.format(target="worksheets/sheet1.xml"), part: xml})
    for tag in ("table><tr><td", "ul><li", "b", "font", "blockquote", "svg", "form"):
        yield f"{tag[:3]}.html", (f"<{tag}>" * 20_000 + "值班").encode()
    yield "brackets.md", ("[" * 50_000 + "（" * 50_000 + "> " * 50_000).encode()


def too_many_of_something() -> Made:
    yield "columns.csv", (",".join(["值班"] * 200_000) + "\n一,二\n").encode()
    yield "rows.csv", ("值班,电话\n" + "张三,1\n" * 300_000).encode()
    yield "one cell.csv", ('"' + "值班" * 2_000_000).encode()
    yield "quotes.csv", ('"' * 1_000_001).encode()
    yield "far cell.xlsx", workbook('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>' * 3)
    yield "beyond.xlsx", workbook('<row r="99999999999999999999"><c r="ZZZZZZZZ999999999999"><v>1</v></c></row>')
    yield "strings.xlsx", workbook('<row r="1"><c r="A1" t="s"><v>999999999</v></c></row>', xl_sharedStrings="<sst><si><t>一</t></si></sst>")
    yield "attributes.html", ("<p " + " ".join(f"a{n}=1" for n in range(200_000)) + ">值班").encode()
    yield "one tag.html", ("<p title='" + "x" * 8_000_000 + "'>值班").encode()
    yield "one line.txt", ("值班" * 3_000_000).encode()
    yield "lines.txt", ("一、\n" * 300_000).encode()
    yield "members.zip", zipped({f"{n}/一.txt": "值" for n in range(2001)})


def loops_and_lies() -> Made:
    yield "itself.xlsx", workbook("", target="../workbook.xml")
    yield "outside.xlsx", workbook("", target="../../../../etc/passwd")
    yield "elsewhere.xlsx", workbook("", target="http://203.0.113.7/x")
    yield "pages.pdf", looped()
    yield "form in itself.pdf", text_pdf(b"/X Do", resources="/XObject << /X 6 0 R >>")[:-1]
    yield "negative.pdf", many_pages(1).replace(b"/Count 1", b"/Count -1")
    yield "box.pdf", many_pages(1).replace(b"[0 0 595 842]", b"[-9e30 -9e30 9e30 9e30]")
    yield "no end.pdf", many_pages(1).replace(b"%%EOF", b"").replace(b"startxref", b"startxxxx")
    same = BytesIO()
    with zipfile.ZipFile(same, "w") as archive:
        for _ in range(3):
            archive.writestr("一.txt", GOOD)
    yield "same name.zip", same.getvalue()
    yield "overlap.zip", zipped({"a.txt": GOOD, "b.txt": GOOD}).replace(b"b.txt", b"a.txt")
    yield "itself.ofd", zipped({"OFD.xml": "<OFD><DocBody><DocRoot>OFD.xml</DocRoot></DocBody></OFD>"})


def what_a_program_would_do() -> Made:
    for action in ("/S /JavaScript /JS (app.alert(1))", "/S /Launch /F (/bin/sh)", "/S /URI /URI (http://203.0.113.7/)", "/S /GoToR /F (//203.0.113.7/x)"):
        yield f"{action[4:8]}.pdf", text_pdf(b"", more=f"/OpenAction << {action} >>")
    yield "embedded.pdf", text_pdf(b"", more="/Names << /EmbeddedFiles << /Names [(a.exe) << /EF << /F 4 0 R >> >>] >> >>")
    yield "xfa.pdf", text_pdf(b"", more="/AcroForm << /XFA [(template) 4 0 R] >>")
    yield "macro.docx", zipped({"word/vbaProject.bin": b"\xd0\xcf\x11\xe0" + bytes(500), "word/document.xml": "<document><body/></document>"})
    yield "link.docx", zipped({"word/document.xml": '<w:document xmlns:w="x"><w:body><w:altChunk/></w:body></w:document>'})
    yield "script.html", b"<script>while(1);</script><iframe src=file:///etc/passwd><object data=//203.0.113.7>"
    yield "formula.xlsx", workbook('<row r="1"><c r="A1"><f>WEBSERVICE("http://203.0.113.7/")</f></c></row>')


def odd_encodings() -> Made:
    text = "\n".join(LINES)
    yield "utf-7.txt", text.encode("utf-7")
    yield "utf-32.txt", text.encode("utf-32")
    yield "surrogates.txt", text.encode("utf-16-le").replace("值".encode("utf-16-le"), b"\x00\xd8")
    yield "overlong.txt", b"\xc0\xaf\xe0\x80\xaf\xf8\x88\x80\x80\x80" * 1000
    yield "half.txt", text.encode("gb18030")[:-1] + b"\x81"
    yield "marks.txt", ("\ufeff" * 1000 + "\u202e\u2066\u200b" * 1000).encode()
    yield "stacked.txt", ("值" + "\u0301" * 100_000).encode()
    yield "lying.html", b'<meta charset="utf-7">+ADw-script+AD4-' + text.encode("big5", "ignore")
    yield "iso.html", b'<meta charset="iso-2022-cn">\x1b$)A\x0e1_' * 100


CLASSES: tuple[Callable[[], Made], ...] = (
    cut_short, under_another_name, filled_with_nothing, noise, nested_deep, too_many_of_something, loops_and_lies, what_a_program_would_do, odd_encodings)


@pytest.fixture(autouse=True)
def without_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in test_hostile_files.py."""
    monkeypatch.setattr(ocr, "installed", lambda: False)


def read(folder: Path, name: str, data: bytes) -> str:
    """What came of a file: "read" or "refused"; anything else than a typed error goes up."""
    path = folder / name
    path.write_bytes(data)
    began = time.process_time()
    try:
        found = load(path, name)
        assert found and all(document.text.strip() for document in found)
        said = "read"
    except DocumentError as error:
        assert error.message.endswith("。") and any("\u4e00" <= c <= "\u9fff" for c in error.message) and error.hint, error
        assert "Traceback" not in str(error) and str(folder) not in str(error)
        said = "refused"
    assert time.process_time() - began < 20, f"{name}: the reading process is held to 20 s; so is what this one does with it"
    path.unlink()
    return said


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_class_of_hostile_files(kind: Callable[[], Made], tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = dict(kind())
    outcome = {name: read(tmp_path, name, data) for name, data in made.items()}
    assert "refused" in outcome.values()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 512 << 10, "this process stayed small"
    assert load(_good(tmp_path), "good.docx")[0].text.startswith("关于值班"), "the next file is read as ever"


def test_a_blank_page_at_the_end_is_a_page(tmp_path: Path) -> None:
    """Fuzzing found that such files were taken for broken ones."""
    text = b"BT /F 12 Tf 50 700 Td (Notice on duty during the festival) Tj ET"
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F 5 0 R >> >>"
    data = pdf(["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 3 /Kids [3 0 R 6 0 R 7 0 R] >>", f"{page} /Contents 4 0 R >>",
                b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text), "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
                f"{page} >>", f"{page} >>"])
    (tmp_path / "a.pdf").write_bytes(data)
    (document,) = load(tmp_path / "a.pdf", "a.pdf")
    assert document.text == "Notice on duty during the festival" and document.pages == (0, 34, 34)


def test_that_were_a_hundred_files_in_fifteen_classes() -> None:
    """Those of test_hostile_files.py are of eight more: archives' bombs, paths, nesting and keys, entities, scans, locked, wrong kinds."""
    count = len(HOSTILE) + sum(len(dict(kind())) for kind in CLASSES)
    figure(f"hostile files: {count} in {len(CLASSES) + 8} classes")
    assert count >= 100 and len(CLASSES) + 8 >= 15


def mutated(draw: random.Random, data: bytes) -> bytes:
    """One to eight changes: bits, bytes, pieces doubled, lost, moved, or written over by another file's."""
    out = bytearray(data)
    for _ in range(draw.randint(1, 8)):
        at, length = draw.randrange(len(out)), draw.randint(1, 64)
        match draw.randrange(6):
            case 0:
                out[at] ^= 1 << draw.randrange(8)
            case 1:
                out[at : at + length] = draw.randbytes(len(out[at : at + length]))
            case 2:
                out[at:at] = out[at : at + length] * draw.randint(1, 20)
            case 3:
                del out[at : at + length]
            case 4:
                other = WHOLE[draw.choice(list(WHOLE))]
                start = draw.randrange(len(other))
                out[at:at] = other[start : start + length]
            case _:
                out[at : at + 4] = draw.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\x80"))
        out = out or bytearray(b"x")
    return bytes(out)


def repacked(draw: random.Random, data: bytes) -> bytes:
    """A change inside a member of a zip, which its checksum would hide otherwise."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice(list(parts))
    return zipped({**parts, name: mutated(draw, parts[name] or b"x")})


def test_mutants_of_every_format(tmp_path: Path) -> None:
    draw, count, outcomes = random.Random(53), amount(300, 100_000), {"read": 0, "refused": 0}
    suffixes = list(WHOLE)
    for number in range(count):
        suffix = suffixes[number % len(suffixes)]
        packed = suffix in (".docx", ".xlsx", ".ofd", ".zip") and draw.random() < 0.7
        data = repacked(draw, WHOLE[suffix]) if packed else mutated(draw, WHOLE[suffix])
        outcomes[read(tmp_path, f"{number}{suffix}", data)] += 1
    assert min(outcomes.values()) > count // 20
    figure(f"mutants: {count}, {outcomes}, no other error, none past its time")
