"""Scanned pdf, where the extra `ocr` is installed: pages drawn, lines recognised by RapidOCR, then laid out as text.

The package ships its models; nothing is downloaded.
"""

import importlib.util
from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING

from rag.errors import DocumentError
from rag.loading.content import Content
from rag.loading.sheet import Glyph, Sheet
from rag.loading.typeset import typeset

if TYPE_CHECKING:
    import numpy as np
    import pypdfium2

MEMORY = 4 << 30
SECONDS = 900
"""For one file: some four seconds a page on one core."""
_MOST_PAGES = 200
_SCALE = 150 / 72
"""Pixels a point: 150 dots an inch."""
_LONGEST = 2400
_SURE = 0.6
_DARK = 128
"""Brightness, of 255, below which a pixel is ink."""

_Box = tuple[float, float, float, float]


def installed() -> bool:
    """Whether scanned files can be read here."""
    return importlib.util.find_spec("rapidocr") is not None


def read_scanned(data: bytes, name: str) -> Content:
    """The document that the pictures of a PDF file show. Raises DocumentError."""
    import pypdfium2
    from rapidocr import RapidOCR

    with closing(pypdfium2.PdfDocument(data)) as document:
        if len(document) > _MOST_PAGES:
            raise DocumentError(f"扫描件“{name}”有 {len(document)} 页，文字识别最多 {_MOST_PAGES} 页。", "请拆分成几个文件后再试。")
        engine = RapidOCR(params={"Global.log_level": "critical", "Global.use_cls": False})
        sheets = [_sheet(engine, document[number]) for number in range(len(document))]
    if not any(sheet.glyphs for sheet in sheets):
        raise DocumentError(f"扫描件“{name}”里没有认出文字。", "请检查扫描是否清楚，或换用原始的 Word 文件。")
    return typeset(sheets)


def _sheet(engine: object, page: "pypdfium2.PdfPage") -> Sheet:
    with closing(page):
        width, height = page.get_size()
        scale = min(_SCALE, _LONGEST / max(width, height, 1))
        picture = page.render(scale=scale).to_numpy()
    found = engine(picture, use_det=True, use_rec=True)  # type: ignore[operator]  # it keeps what the call before said
    sheet = Sheet(width, height, picture=True)
    if found.boxes is None:
        return sheet
    lines = [(_around(box.tolist()), text.strip()) for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
             if text.strip() and score >= _SURE]
    lines = [_widened(engine, picture, box, text, [other for other, _ in lines]) for box, text in lines]
    places = [(*(side / scale for side in box), text) for box, text in lines]
    sizes = [(x1 - x0) / sum(map(_width, text)) for x0, _, x1, _, text in places]
    usual = median(sizes) if sizes else 0.0
    for (x0, top, _, bottom, text), size in zip(places, sizes, strict=True):
        sheet.glyphs.extend(_glyphs(text, x0, top, bottom, size, usual if abs(size - usual) < 0.2 * usual else size))
    return sheet


def _around(corners: list[list[float]]) -> _Box:
    across, down = [x for x, _ in corners], [y for _, y in corners]
    return min(across), min(down), max(across), max(down)


def _widened(engine: object, picture: "np.ndarray", box: _Box, text: str, others: list[_Box]) -> tuple[_Box, str]:
    """A line with what stands to its left: thin characters such as 一、 escape the finder of lines."""
    x0, top, x1, bottom = (int(side) for side in box)
    tall = bottom - top
    left = max([0, x0 - 3 * tall, *(int(other[2]) for other in others if other[1] < bottom and other[3] > top and other[2] <= x0)])
    ink = (picture[max(top, 0) : bottom, left:x0].min(axis=2) < _DARK).any(axis=0).nonzero()[0].tolist()
    start = x0
    for column in reversed(ink):
        if start - (left + column) > 1.2 * tall:
            break
        start = left + column
    if x0 - start < 0.25 * tall:
        return box, text
    start = max(start - tall // 5, 0)
    found = engine(picture[max(top, 0) : bottom, start:x1], use_det=False, use_cls=False)  # type: ignore[operator]
    again = found.txts[0].strip() if found.txts and found.scores[0] >= _SURE else ""
    return ((start, top, x1, bottom), again) if again.endswith(text[-4:]) and len(again) > len(text) else (box, text)


def _glyphs(text: str, x0: float, top: float, bottom: float, step: float, size: float) -> list[Glyph]:
    """The characters of a line, spread evenly over its box. step: the width of a Chinese character in it."""
    out: list[Glyph] = []
    spaced = False
    for char in text:
        x1 = x0 + step * _width(char)
        if not char.isspace():
            out.append(Glyph(x0, top, x1, bottom, char, size, spaced))
        spaced, x0 = char.isspace(), x1
    return out


def _width(char: str) -> float:
    return 1.0 if ord(char) > 0x2E7F or char in "“”‘’…—" else 0.5
