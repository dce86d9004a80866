"""A Word file with real footnotes, written as the few parts of an Office Open XML package that it needs (ECMA-376).

Texts reach the XML through one function that escapes them and drops what XML 1.0 cannot hold; nothing in the file is a
field, a link or a macro, and nothing in it names another host.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from xml.sax.saxutils import escape

from rag.schema import Answer
from ui.api import exports, prose

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PARTS = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_TYPES = (
    f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="{_PARTS}.document.main+xml"/>'
    f'<Override PartName="/word/styles.xml" ContentType="{_PARTS}.styles+xml"/><Override PartName="/word/footnotes.xml" ContentType="{_PARTS}.footnotes+xml"/></Types>'
)
_ROOT = f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>'
_LINKS = (
    f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/styles" Target="styles.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/footnotes" Target="footnotes.xml"/></Relationships>'
)
_FONTS = '<w:rFonts w:ascii="Times New Roman" w:hAnsi="Times New Roman" w:eastAsia="{east}" w:cs="Times New Roman"/>'


def _style(name: str, shown: str, paragraph: str = "", run: str = "", kind: str = "paragraph", more: str = "") -> str:
    return (f'<w:style w:type="{kind}" w:styleId="{name}"{more}><w:name w:val="{shown}"/>'
            + (f"<w:pPr>{paragraph}</w:pPr>" if paragraph else "") + (f"<w:rPr>{run}</w:rPr>" if run else "") + "</w:style>")


_STYLES = (
    f'{_HEAD}<w:styles {_W}><w:docDefaults><w:rPrDefault><w:rPr>{_FONTS.format(east="仿宋")}<w:sz w:val="28"/><w:szCs w:val="28"/>'
    '<w:lang w:val="en-US" w:eastAsia="zh-CN"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr><w:spacing w:line="480" w:lineRule="exact"/></w:pPr></w:pPrDefault></w:docDefaults>'
    + _style("Normal", "Normal", more=' w:default="1"')
    + _style("Heading1", "heading 1", '<w:keepNext/><w:spacing w:after="240" w:line="560" w:lineRule="exact"/><w:outlineLvl w:val="0"/>', _FONTS.format(east="黑体") + '<w:b/><w:sz w:val="36"/>')
    + _style("Heading2", "heading 2", '<w:keepNext/><w:spacing w:before="200"/><w:outlineLvl w:val="1"/>', _FONTS.format(east="楷体") + "<w:b/>")
    + _style("Item", "List Paragraph", '<w:ind w:left="420" w:hanging="420"/>')
    + _style("FootnoteText", "footnote text", '<w:spacing w:line="320" w:lineRule="exact"/>', '<w:sz w:val="20"/>')
    + _style("FootnoteReference", "footnote reference", "", '<w:vertAlign w:val="superscript"/>', "character")
    + "</w:styles>"
)


def as_docx(question: str, answer: Answer) -> bytes:
    """The answer under its question; every marker is a footnote that tells the document, its 文号, section and quote.

    A citation marked twice is two footnotes, as Word numbers them by place.
    """
    notes: list[int] = []
    body = [_paragraph(_run(question), "Heading1")]
    for part in prose.parts(answer.answer):
        body += _part(part, notes)
    told = {c.id: exports.told(c) for c in answer.citations}
    page = ('<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1440" w:right="1587" w:bottom="1440" w:left="1587" '
            'w:header="851" w:footer="992" w:gutter="0"/></w:sectPr>')
    files = {
        "[Content_Types].xml": _TYPES, "_rels/.rels": _ROOT, "word/_rels/document.xml.rels": _LINKS, "word/styles.xml": _STYLES,
        "word/document.xml": f"{_HEAD}<w:document {_W}><w:body>{''.join(body)}{page}</w:body></w:document>",
        "word/footnotes.xml": f"{_HEAD}<w:footnotes {_W}>{''.join(_notes([told.get(n, '') for n in notes]))}</w:footnotes>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in files.items():
            package.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _part(part: prose.Part, notes: list[int]) -> Iterator[str]:
    match part.kind:
        case "table":
            yield _table(part, notes)
            yield _paragraph("")
        case "bullets":
            for line in part.lines:
                yield _paragraph(_run("•　") + _line(line, notes), "Item")
        case kind:
            yield _paragraph(_line(part.lines[0], notes), "Heading2" if kind == "heading" else "Normal")


def _table(part: prose.Part, notes: list[int]) -> str:
    columns = len(part.rows[0])
    width = 8732 // columns
    sides = "".join(f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="808080"/>' for side in ("top", "left", "bottom", "right", "insideH", "insideV"))
    head = (f'<w:tblPr><w:tblW w:w="{width * columns}" w:type="dxa"/><w:tblBorders>{sides}</w:tblBorders><w:tblLayout w:type="fixed"/></w:tblPr>'
            f'<w:tblGrid>{"".join(f"""<w:gridCol w:w="{width}"/>""" for _ in range(columns))}</w:tblGrid>')
    rows = []
    for number, row in enumerate(part.rows):
        cells = (f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>{_paragraph(_line(cell, notes, number == 0))}</w:tc>' for cell in row)
        rows.append(f"<w:tr>{'<w:trPr><w:tblHeader/></w:trPr>' if number == 0 else ''}{''.join(cells)}</w:tr>")
    return f"<w:tbl>{head}{''.join(rows)}</w:tbl>"


def _line(line: prose.Line, notes: list[int], bold: bool = False) -> str:
    out = []
    for piece in line:
        if piece.cite is None:
            out.append(_run(piece.text, bold or piece.bold))
        else:
            notes.append(piece.cite)
            out.append(f'<w:r><w:rPr><w:rStyle w:val="FootnoteReference"/></w:rPr><w:footnoteReference w:id="{len(notes)}"/></w:r>')
    return "".join(out)


def _notes(texts: list[str]) -> Iterator[str]:
    for number, kind in ((-1, "separator"), (0, "continuationSeparator")):
        yield f'<w:footnote w:type="{kind}" w:id="{number}"><w:p><w:r><w:{kind}/></w:r></w:p></w:footnote>'
    for number, text in enumerate(texts, 1):
        mark = '<w:r><w:rPr><w:rStyle w:val="FootnoteReference"/></w:rPr><w:footnoteRef/></w:r>'
        yield f'<w:footnote w:id="{number}">{_paragraph(mark + _run(" " + text), "FootnoteText")}</w:footnote>'


def _paragraph(inside: str, style: str = "Normal") -> str:
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{inside}</w:p>'


def _run(text: str, bold: bool = False) -> str:
    properties = "<w:rPr><w:b/></w:rPr>" if bold else ""
    return f'<w:r>{properties}<w:t xml:space="preserve">{escape(_NOT_XML.sub("", text))}</w:t></w:r>'
