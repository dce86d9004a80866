"""pdf with a text layer: characters and rules at their places, by PDFium. See `typeset` for what is made of them."""

import ctypes
import itertools
import math
import unicodedata
from collections.abc import Iterator
from contextlib import closing

import pypdfium2
import pypdfium2.raw as pdfium

from rag.errors import DocumentError, Scanned
from rag.loading.content import Content
from rag.loading.sheet import Glyph, Rule, Sheet
from rag.loading.typeset import typeset

SCANNED_HINT = "请安装文字识别（pip install 'wenju[ocr]'）后重新索引，或换用原始的 Word 文件。"
MOST_PAGES = 2000
_THIN = 2.5
_SHORT = 6.0
_MOST_SEGMENTS = 4000
_LEAST_TEXT = 10
"""Characters below which a page covered by a picture counts as scanned."""
_DRAWN = 60
"""Objects on a page without any text from which on its text is drawn as shapes, as some printers to PDF do."""
_MOST_STRANGE = 0.1

_Turn = tuple[int, float, float]
"""Rotation of a page in quarter turns, its width and height before it is turned."""


def read_pdf(data: bytes, name: str) -> Content:
    """The document in a PDF file, with its pages. Raises DocumentError, also for one that is only scanned."""
    sheets = read_sheets(data, name)
    pictures = sum(sheet.picture and len(sheet.glyphs) < _LEAST_TEXT for sheet in sheets)
    if 2 * pictures > len(sheets):
        raise Scanned(f"“{name}”是扫描件：{len(sheets)} 页中有 {pictures} 页只有图像，没有文字。", SCANNED_HINT)
    if not any(sheet.glyphs for sheet in sheets):
        raise DocumentError(f"“{name}”里没有文字。", "请检查文件内容。")
    strange = sum(unicodedata.category(g.text) in ("Co", "Cn", "Cc") or g.text == "\ufffd" for s in sheets for g in s.glyphs)
    if strange > _MOST_STRANGE * sum(len(sheet.glyphs) for sheet in sheets):
        raise DocumentError(f"“{name}”的文字层是乱码（字体没有附文字对照表）。", "请换用原始的 Word 文件，或做文字识别（OCR）后再试。")
    return typeset(sheets)


def read_sheets(data: bytes, name: str) -> list[Sheet]:
    """All pages. Raises DocumentError."""
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
            raise DocumentError(f"“{name}”设有密码。", "请去掉密码后再试。") from error
        raise DocumentError(f"“{name}”已损坏，或不是 PDF 文件。", "请用阅读器打开它，确认无误后另存再试。") from error
    with closing(document):
        if len(document) > MOST_PAGES:
            raise DocumentError(f"“{name}”有 {len(document)} 页，超过了 {MOST_PAGES} 页的上限。", "请拆分成几个文件后再试。")
        if not len(document):
            raise DocumentError(f"“{name}”里没有一页能读。", "文件可能已损坏，请用阅读器打开它，确认无误后另存再试。")
        return [_sheet(document, number) for number in range(len(document))]


def _sheet(document: pypdfium2.PdfDocument, number: int) -> Sheet:
    try:
        page = document[number]
    except pypdfium2.PdfiumError:  # a page that cannot be loaded is an empty one
        return Sheet(0, 0)
    with closing(page):
        width, height = page.get_size()
        quarter = page.get_rotation() // 90 % 4
        turn = (quarter, *((height, width) if quarter % 2 else (width, height)))
        left, bottom = page.get_cropbox(fallback_ok=True)[:2]
        sheet = Sheet(width, height)
        with closing(page.get_textpage()) as text:
            sheet.glyphs = list(_glyphs(text, turn, left, bottom))
        covered = 0.0
        for index in range(pdfium.FPDFPage_CountObjects(page)):
            item = pdfium.FPDFPage_GetObject(page, index)
            kind = pdfium.FPDFPageObj_GetType(item)
            if kind == pdfium.FPDF_PAGEOBJ_PATH:
                sheet.rules.extend(_rules(item, turn, left, bottom))
            elif kind in (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_FORM):
                x0, y0, x1, y1 = _bounds(item)
                covered += (x1 - x0) * (y1 - y0)
        drawn = not sheet.glyphs and pdfium.FPDFPage_CountObjects(page) >= _DRAWN
        sheet.picture = drawn or covered > 0.5 * width * height
        return sheet


def _turned(x: float, y: float, turn: _Turn) -> tuple[float, float]:
    """A point of PDF's space (y upwards) in the space of the page as it is read (y downwards)."""
    quarter, width, height = turn
    match quarter:
        case 1:
            return y, x
        case 2:
            return width - x, y
        case 3:
            return height - y, width - x
        case _:
            return x, height - y


# ---------------------------------------------------------------- characters

def _glyphs(text: pypdfium2.PdfTextPage, turn: _Turn, left: float, bottom: float) -> Iterator[Glyph]:
    box, matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
    lead, spaced = 0, False
    for index in range(text.count_chars()):
        code = pdfium.FPDFText_GetUnicode(text, index)
        if 0xD800 <= code < 0xDC00:
            lead = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((lead - 0xD800) << 10) + code - 0xDC00 if lead else 0xFFFD
        lead = 0
        char = chr(code)
        if code < 33 or char.isspace() or code in (0xAD, 0xFFFE, 0xFEFF, 0x200B):
            spaced = spaced or (char.isspace() and pdfium.FPDFText_IsGenerated(text, index) == 0)
            continue
        if not pdfium.FPDFText_GetLooseCharBox(text, index, ctypes.byref(box)) or not pdfium.FPDFText_GetMatrix(text, index, ctypes.byref(matrix)):
            continue
        across, up = _turned(matrix.a, matrix.b, (turn[0], 0, 0))
        if abs(up) > 0.2 * abs(across):
            continue  # a watermark or a note along the margin
        size = pdfium.FPDFText_GetFontSize(text, index) * math.hypot(matrix.c, matrix.d)
        x0, y0 = _turned(box.left - left, box.top - bottom, turn)
        x1, y1 = _turned(box.right - left, box.bottom - bottom, turn)
        if size > 0:
            yield Glyph(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), _plain(char), size, spaced)
        spaced = False


def _plain(char: str) -> str:
    """The ordinary character for a radical or ligature that some programs write in its place."""
    return unicodedata.normalize("NFKC", char) if "\u2e80" <= char <= "\u2fd5" or "\ufb00" <= char <= "\ufb06" else char


# ---------------------------------------------------------------- rules

def _bounds(item: object) -> tuple[float, float, float, float]:
    values = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(item, *map(ctypes.byref, values)):
        return 0, 0, 0, 0
    x0, y0, x1, y1 = (value.value for value in values)
    return x0, y0, x1, y1


def _rules(path: object, turn: _Turn, left: float, bottom: float) -> Iterator[Rule]:
    """The straight lines that a path draws: thin boxes as one line, else its horizontal and vertical segments."""
    x0, y0, x1, y1 = _bounds(path)
    if min(x1 - x0, y1 - y0) < _THIN:
        if max(x1 - x0, y1 - y0) >= _SHORT:
            yield _rule(_turned(x0 - left, y0 - bottom, turn), _turned(x1 - left, y1 - bottom, turn))
        return
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    if not pdfium.FPDFPath_GetDrawMode(path, ctypes.byref(fill), ctypes.byref(stroke)) or not stroke.value:
        return
    points = [(_turned(x - left, y - bottom, turn), kind) for x, y, kind in _segments(path)]
    for (start, _), (end, kind) in itertools.pairwise(points):
        flat = min(abs(start[0] - end[0]), abs(start[1] - end[1])) < 1
        if kind == pdfium.FPDF_SEGMENT_LINETO and flat and math.dist(start, end) >= _SHORT:
            yield _rule(start, end)


def _rule(start: tuple[float, float], end: tuple[float, float]) -> Rule:
    (x0, x1), (top, bottom) = sorted((start[0], end[0])), sorted((start[1], end[1]))
    if x1 - x0 >= bottom - top:
        middle = (top + bottom) / 2
        return Rule(x0, middle, x1, middle)
    middle = (x0 + x1) / 2
    return Rule(middle, top, middle, bottom)


def _segments(path: object) -> Iterator[tuple[float, float, int]]:
    """Corners of a path on the page; a closing segment leads back to where it began."""
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(path, ctypes.byref(matrix))
    x, y = ctypes.c_float(), ctypes.c_float()
    first: tuple[float, float] | None = None
    for index in range(min(pdfium.FPDFPath_CountSegments(path), _MOST_SEGMENTS)):
        segment = pdfium.FPDFPath_GetPathSegment(path, index)
        if not pdfium.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y)):
            continue
        at = (matrix.a * x.value + matrix.c * y.value + matrix.e, matrix.b * x.value + matrix.d * y.value + matrix.f)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            first = at
        yield *at, kind
        if pdfium.FPDFPathSegment_GetClose(segment) and first:
            yield *first, pdfium.FPDF_SEGMENT_LINETO
