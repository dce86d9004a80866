"""Files of every format, made from paragraphs: what the tests of formats read."""

import html
import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

soffice = pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice absent")
_soffice = shutil.which("soffice")
calc = pytest.mark.skipif(_soffice is None or not (Path(_soffice).resolve().parent / "libsclo.so").exists(), reason="LibreOffice Calc absent")

Grid = Sequence[Sequence[str]]
_LISTS = (
    ("一、", re.compile(r"[一二三四五六七八九十]{1,3}、"), "chineseCountingThousand", "%1、"),
    ("（一）", re.compile(r"（[一二三四五六七八九十]{1,3}）"), "chineseCountingThousand", "（%2）"),
    ("1.", re.compile(r"\d{1,2}[.．]"), "decimal", "%3."),
)


def zipped(parts: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of these parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


# ---------------------------------------------------------------- docx, html

def docx_of(paragraphs: Sequence[str], automatic: bool = False, table: Grid = ()) -> bytes:
    """A Word file. automatic: 一、（一）1. become automatic numbers, so that the text does not contain them."""
    document = docx.Document()
    document.styles["Normal"].font.name = "Noto Serif CJK SC"
    document.sections[0].header.paragraphs[0].text = "页眉不属于正文"
    document.sections[0].footer.paragraphs[0].text = "第1页"
    if automatic:
        _define_list(document)
    for text in paragraphs:
        level = next((at for at, (_, rule, *_) in enumerate(_LISTS) if rule.match(text)), None) if automatic else None
        if level is None:
            document.add_paragraph(text)
            continue
        paragraph = document.add_paragraph(_LISTS[level][1].sub("", text, count=1))
        numbering = parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/><w:numId w:val="77"/></w:numPr>')
        paragraph._p.get_or_add_pPr().append(numbering)
    if table:
        grid = document.add_table(len(table), len(table[0]), style="Table Grid")
        for row, cells in zip(grid.rows, table, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _define_list(document: "docx.document.Document") -> None:
    levels = "".join(
        f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{style}"/><w:suff w:val="nothing"/><w:lvlText w:val="{pattern}"/></w:lvl>'
        for at, (_, _, style, pattern) in enumerate(_LISTS))
    root = document.part.numbering_part.element
    abstract = f'<w:abstractNum {nsdecls("w")} w:abstractNumId="77"><w:multiLevelType w:val="multilevel"/>{levels}</w:abstractNum>'
    root.insert(0, parse_xml(abstract))
    root.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="77"><w:abstractNumId w:val="77"/></w:num>'))


def html_of(paragraphs: Sequence[str], table: Grid = ()) -> str:
    """A bare page, laid out as an official document is: two characters' indent, justified."""
    rows = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in table)
    return ('<meta charset="utf-8"><style>body{font:16pt/30pt "Noto Serif CJK SC";text-align:justify}p{margin:0;text-indent:2em}'
            "table{border-collapse:collapse}td{border:1px solid;font-size:12pt}</style><body>"
            + "".join(f"<p>{html.escape(text)}</p>" for text in paragraphs) + (f"<table>{rows}</table>" if rows else ""))


# ---------------------------------------------------------------- through other programs

def converted(folder: Path, data: bytes, suffix: str, target: str) -> bytes:
    """What LibreOffice makes of a file. target: a suffix, or suffix and filter ("doc:MS Word 97")."""
    (folder / f"made{suffix}").write_bytes(data)
    subprocess.run(["soffice", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless", "--convert-to", target,
                    "--outdir", str(folder), str(folder / f"made{suffix}")], check=True, capture_output=True, timeout=120)
    return (folder / f"made.{target.partition(':')[0]}").read_bytes()


def printed(pages: Sequence[str], heads: bool = True) -> list[bytes]:
    """Pages of HTML as PDF files, printed by Chromium, with page numbers and running heads if wanted."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        out = []
        for content in pages:
            page = browser.new_page()
            page.set_content(content)
            out.append(page.pdf(
                format="A4", display_header_footer=heads, margin={"top": "35mm", "bottom": "35mm", "left": "28mm", "right": "26mm"},
                header_template='<div style="font-size:9px;width:100%;text-align:center">内部资料 注意保存</div>',
                footer_template='<div style="font-size:9px;width:100%;text-align:center">— <span class="pageNumber"></span> —</div>'))
        browser.close()
    return out


# ---------------------------------------------------------------- ofd

_NS = 'xmlns:ofd="http://www.ofdspec.org/2016"'
_LINE, _PAGE_LINES, _SIZE = 28, 22, 5.64
"""Characters in a line and lines on a page, as GB/T 9704 has them; type size in millimetres."""


def ofd_of(paragraphs: Sequence[str]) -> bytes:
    """An OFD file: paragraphs indented by two characters and broken at 28, pages of 22 lines, page numbers below."""
    lines: list[tuple[int, str]] = []
    for text in paragraphs:
        indent, line = 2, ""
        for word in re.findall(r"[0-9A-Za-z:.-]+|.", text):
            if indent + sum(map(_width, line + word)) > _LINE:
                lines.append((indent, line))
                indent, line = 0, ""
            line += word
        lines.append((indent, line))
    pages = [lines[at : at + _PAGE_LINES] for at in range(0, len(lines), _PAGE_LINES)]
    parts = {
        "OFD.xml": f'<ofd:OFD {_NS} Version="1.0" DocType="OFD"><ofd:DocBody><ofd:DocInfo><ofd:DocID>1</ofd:DocID></ofd:DocInfo>'
                   "<ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>",
        "Doc_0/Document.xml": f'<ofd:Document {_NS}><ofd:CommonData><ofd:MaxUnitID>9</ofd:MaxUnitID><ofd:PageArea>'
                              "<ofd:PhysicalBox>0 0 210 297</ofd:PhysicalBox></ofd:PageArea></ofd:CommonData><ofd:Pages>"
                              + "".join(f'<ofd:Page ID="{n + 1}" BaseLoc="Pages/Page_{n}/Content.xml"/>' for n in range(len(pages)))
                              + "</ofd:Pages></ofd:Document>",
    }
    for number, page in enumerate(pages):
        objects = [_ofd_text(28 + indent * _SIZE, 37 + row * 10, text) for row, (indent, text) in enumerate(page)]
        objects.append(_ofd_text(100, 272, f"— {number + 1} —", 4.2))
        parts[f"Doc_0/Pages/Page_{number}/Content.xml"] = (
            f'<ofd:Page {_NS}><ofd:Content><ofd:Layer ID="{1000 + number}">{"".join(objects)}</ofd:Layer></ofd:Content></ofd:Page>')
    return zipped(parts)


def _width(char: str) -> float:
    return 1 if ord(char) > 0x2E7F or char in "“”‘’…—" else 0.5


def _ofd_text(x: float, y: float, text: str, size: float = _SIZE) -> str:
    widths = " ".join(f"{size * _width(c):.2f}" for c in text[:-1])
    return (f'<ofd:TextObject ID="1" Boundary="{x:.2f} {y:.2f} 160 {size * 1.3:.2f}" Font="1" Size="{size}">'
            f'<ofd:TextCode X="0" Y="{size * 0.9:.2f}" DeltaX="{widths}">{html.escape(text)}</ofd:TextCode></ofd:TextObject>')
