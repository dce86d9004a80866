"""ofd (GB/T 33190): a zip of XML that places text on pages. See `typeset` for what is made of it."""

import posixpath
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from rag.errors import DocumentError
from rag.loading.content import Content
from rag.loading.package import Package
from rag.loading.sheet import Glyph, Rule, Sheet
from rag.loading.typeset import typeset
from rag.text import HAN_CHARACTER

_POINT = 72 / 25.4
"""Points in a millimetre, OFD's unit."""
_MOST_PAGES = 2000
_MOST_REPEATS = 10_000
_DEEPEST = 20
_A4 = (0.0, 0.0, 210.0, 297.0)
_SHORT = 2.0

_Matrix = tuple[float, float, float, float, float, float]
_PLAIN: _Matrix = (1, 0, 0, 1, 0, 0)


def read_ofd(data: bytes, name: str) -> Content:
    """The document in an OFD file, with its pages. Raises DocumentError, also for one of pictures only."""
    package = Package(data, name)
    if "Encryptions.xml" in package:
        raise DocumentError(f"“{name}”设有密码。", "请去掉密码后再试。")
    sheets = [sheet for root in package.xml("OFD.xml").iter("DocRoot") for sheet in _sheets(package, _inside("", root.text or ""))]
    if not any(sheet.glyphs for sheet in sheets):
        if any(sheet.picture for sheet in sheets):
            raise DocumentError(f"“{name}”是扫描件：只有图像，没有文字。", "请转换成 PDF 并做文字识别（OCR）再加入，或换用原始的 Word 文件。")
        raise DocumentError(f"“{name}”里没有文字。", "请检查文件内容。")
    return typeset(sheets)


def _inside(base: str, location: str) -> str:
    """A part that another part names: from the root of the package, or from the other's folder."""
    location = location.strip()
    return posixpath.normpath(location.lstrip("/") if location.startswith("/") else posixpath.join(posixpath.dirname(base), location))


def _sheets(package: Package, root: str) -> Iterator[Sheet]:
    document = package.xml(root)
    area = document.find("CommonData/PageArea/PhysicalBox")
    usual = _numbers(area.text if area is not None else "", 4) or _A4
    templates = {t.get("ID", ""): _inside(root, t.get("BaseLoc", "")) for t in document.iter("TemplatePage")}
    pages = document.findall("Pages/Page")
    if len(pages) > _MOST_PAGES:
        raise DocumentError(f"“{package.name}”有 {len(pages)} 页，超过了 {_MOST_PAGES} 页的上限。", "请拆分成几个文件后再试。")
    for entry in pages:
        page = package.xml(_inside(root, entry.get("BaseLoc", "")))
        box = page.find("Area/PhysicalBox")
        left, top, width, height = (_numbers(box.text, 4) if box is not None else None) or usual
        sheet = Sheet(width * _POINT, height * _POINT)
        for used in page.findall("Template"):
            if (part := templates.get(used.get("TemplateID", ""))) and part in package:
                _place(package.xml(part), sheet, left, top)
        _place(page, sheet, left, top)
        yield sheet


def _place(page: Element, sheet: Sheet, left: float, top: float) -> None:
    """Puts what a page (or template) holds on the sheet."""
    covered = 0.0
    for layer in page.findall("Content/Layer"):
        for item in _objects(layer, 0):
            boundary = _numbers(item.get("Boundary"), 4)
            if boundary is None:
                continue
            x, y = boundary[0] - left, boundary[1] - top
            matrix = _numbers(item.get("CTM"), 6) or _PLAIN
            if item.tag == "TextObject":
                sheet.glyphs.extend(_glyphs(item, x, y, matrix))
            elif item.tag == "PathObject":
                sheet.rules.extend(_rules(item, x, y, matrix))
            else:
                covered += boundary[2] * boundary[3] * _POINT**2
    sheet.picture = sheet.picture or covered > 0.5 * sheet.width * sheet.height


def _objects(container: Element, depth: int) -> Iterator[Element]:
    for item in container:
        if item.tag in ("TextObject", "PathObject", "ImageObject"):
            yield item
        elif item.tag == "PageBlock" and depth < _DEEPEST:
            yield from _objects(item, depth + 1)


def _numbers(text: str | None, count: int) -> tuple[float, ...] | None:
    """So many numbers parted by blanks; None for anything else."""
    try:
        values = tuple(float(value) for value in (text or "").split())
    except ValueError:
        return None
    return values if len(values) == count else None


# ---------------------------------------------------------------- text

def _glyphs(item: Element, x: float, y: float, matrix: _Matrix) -> Iterator[Glyph]:
    a, b, c, d, e, f = matrix
    if abs(b) > 0.2 * abs(a):
        return  # a watermark or a note along the margin
    given = _numbers(item.get("Size"), 1)
    size = given[0] if given else 4.0
    for code in item.findall("TextCode"):
        start = _numbers(f"{code.get('X', '0')} {code.get('Y', '0')}", 2) or (0.0, 0.0)
        text = "".join((code.text or "").splitlines())
        steps, drops = _deltas(code.get("DeltaX"), len(text)), _deltas(code.get("DeltaY"), len(text))
        at, base = start
        spaced = False
        for index, char in enumerate(text):
            step = steps[index] if index < len(steps) else 0.0
            wide = size if HAN_CHARACTER.match(char) or ord(char) > 0x2E7F else size * 0.5
            if not char.isspace():
                left, low = x + a * at + c * base + e, y + b * at + d * base + f
                high, across = size * abs(d), min(wide, step or wide) * abs(a)
                yield Glyph(left * _POINT, (low - 0.88 * high) * _POINT, (left + across) * _POINT, (low + 0.12 * high) * _POINT,
                            char, high * _POINT, spaced)
            spaced = char.isspace()
            at += step or (0.0 if index < len(drops) and drops[index] else wide)
            base += drops[index] if index < len(drops) else 0.0


def _deltas(given: str | None, most: int) -> list[float]:
    """Distances to the next character; "g 3 1.5" stands for 1.5 three times."""
    out: list[float] = []
    words = (given or "").split()
    at = 0
    try:
        while at < len(words) and len(out) < most:
            if words[at] == "g":
                out.extend([float(words[at + 2])] * min(int(words[at + 1]), most, _MOST_REPEATS))
                at += 3
            else:
                out.append(float(words[at]))
                at += 1
    except (ValueError, IndexError):
        return out
    return out


# ---------------------------------------------------------------- rules

def _rules(item: Element, x: float, y: float, matrix: _Matrix) -> Iterator[Rule]:
    """The horizontal and vertical lines that a path draws."""
    drawn = item.find("AbbreviatedData")
    words = ((drawn.text if drawn is not None else "") or "").split()
    a, b, c, d, e, f = matrix
    at = first = (0.0, 0.0)
    index = 0
    while index < len(words):
        word = words[index]
        pair = _numbers(" ".join(words[index + 1 : index + 3]), 2)
        if word in ("S", "M") and pair:
            at = first = (x + a * pair[0] + c * pair[1] + e, y + b * pair[0] + d * pair[1] + f)
        elif word in ("L", "C"):
            to = (x + a * pair[0] + c * pair[1] + e, y + b * pair[0] + d * pair[1] + f) if word == "L" and pair else first
            across, down = abs(to[0] - at[0]), abs(to[1] - at[1])
            if min(across, down) < 0.5 and max(across, down) >= _SHORT:
                yield _rule(at, to, across >= down)
            at = to
        index += 3 if word in ("S", "M", "L") else 1


def _rule(start: tuple[float, float], end: tuple[float, float], flat: bool) -> Rule:
    (x0, x1), (top, bottom) = sorted((start[0] * _POINT, end[0] * _POINT)), sorted((start[1] * _POINT, end[1] * _POINT))
    return Rule(x0, top, x1, top) if flat else Rule(x0, top, x0, bottom)
