"""Pages of fixed layout to a document: running heads out, columns in order, broken lines joined, tables as rows."""

import re
from collections import Counter
from collections.abc import Sequence

from rag.loading.blocks import finished
from rag.loading.columns import ordered, settle
from rag.loading.content import Building, Content
from rag.loading.dates import is_date_line
from rag.loading.numbering import mark
from rag.loading.ruled import tables
from rag.loading.sheet import Piece, Row, Sheet, below, beside, rows
from rag.loading.tables import heads_of, row_lines
from rag.text import HAN_CHARACTER

_EDGE = 0.13
"""Share of a page's height at its top and bottom in which running heads and page numbers stand."""
_PAGE_NUMBER = re.compile(
    r"[-—–－_~·.•\s]*(?:第\s*)?(?:\d{1,4}|[ivxlIVXLⅠ-Ⅻ]{1,6})\s*(?:页)?(?:\s*[/／,，、]?\s*(?:共|of)?\s*\d{1,4}\s*页?)?[-—–－_~·.•\s]*|page\s*\d+.{0,10}", re.I)
_LONGEST_WORD = 12
_ENTRY = re.compile(r"(?:[.．·…]\s?){6,}\s*\d{0,4}\s*$|^目\s*[录次]$")
"""A line of a table of contents: a heading, dots, its page; or what stands above them."""
_LABELLED = re.compile(r"(?:[\u4e00-\u9fff]\s?){2,8}(?:[（(][\u4e00-\u9fff]{1,4}[)）])?\s?[:：]")


def typeset(sheets: Sequence[Sheet]) -> Content:
    """The document on these pages."""
    grids, lines = [], []
    for sheet in sheets:
        found, rest = tables(sheet)
        grids.append(found)
        lines.append(rows(rest))
    _drop_running(sheets, lines)
    pages = [ordered(_with(found, own)) for found, own in zip(grids, lines, strict=True)]
    settle(pages)
    for number, page in enumerate(pages):
        for line in page:
            line.page = number
    writer = _Writer(len(sheets))
    for page in pages:
        for line in page:
            writer.take(line)
    return writer.finish()


def _with(found: Sequence[Piece], lines: Sequence[Row]) -> list[Row]:
    """Tables among the rows, each as a row of its own."""
    return sorted([*([table] for table in found), *lines], key=lambda row: min(p.top for p in row))


# ---------------------------------------------------------------- running heads

def _drop_running(sheets: Sequence[Sheet], pages: list[list[Row]]) -> None:
    """Removes page numbers, and lines that stand at the same place at the edge of several pages."""
    edges = [[row for row in page if _edge(sheet, row)] for sheet, page in zip(sheets, pages, strict=True)]
    seen = Counter(key for page in edges for key in {_key(row) for row in page})
    for page, own in zip(pages, edges, strict=True):
        gone = {id(row) for row in own if seen[_key(row)] > 1 or _PAGE_NUMBER.fullmatch(beside(row).text.strip())}
        page[:] = [row for row in page if id(row) not in gone]


def _edge(sheet: Sheet, row: Row) -> bool:
    return row[0].bottom <= _EDGE * sheet.height or row[0].top >= (1 - _EDGE) * sheet.height


def _key(row: Row) -> tuple[str, int]:
    """What makes two lines on different pages the same: their words, numbers aside, and their height."""
    return re.sub(r"[\d\s]+", "#", beside(row).text), round(row[0].top / 4)


# ---------------------------------------------------------------- paragraphs

class _Writer:
    """Joins lines to paragraphs and writes them, keeping count of the pages."""

    def __init__(self, pages: int) -> None:
        self._built = Building()
        self._pages = pages
        self._group: list[Piece] = []
        self._grid: list[list[str]] = []
        self._heads: list[list[str]] = []
        """The column heads of the last table, for the next page, where it may go on."""
        self._last: Piece | None = None

    def take(self, line: Piece) -> None:
        """The next line or table."""
        if line.grid is not None:
            self._close()
            self._table(line)
        elif self._group and _continues(self._group, line):
            self._group.append(line)
        else:
            self._close()
            self._group.append(line)
        self._last = line

    def finish(self) -> Content:
        """The document."""
        self._close()
        while len(self._built.pages) < self._pages:
            self._built.page()
        return self._built.content(self._built.blocks())

    def _turn(self, page: int, within: int = 0) -> None:
        """Notes where the pages up to this one begin."""
        while len(self._built.pages) <= page:
            self._built.page(within)

    def _close(self) -> None:
        if not self._group:
            return
        text = ""
        for line in self._group:
            piece = line.text.strip()
            text = below(text + " " * line.spaced, piece) if text else piece
            self._turn(line.page, len(text) - len(piece))
        if text:
            self._built.add(text, gap=_apart(self._last, self._group[0]))
        self._group = []

    def _table(self, table: Piece) -> None:
        grid = table.grid or []
        self._turn(table.page)
        last = self._last
        goes_on = last is not None and last.grid is not None and last.page == table.page - 1 and abs(last.x0 - table.x0) < 4 \
            and abs(last.x1 - table.x1) < 4 and bool(self._heads) and len(self._heads[0]) == len(grid[0])
        if goes_on:
            grid = [*self._heads, *(grid[len(self._heads) :] if grid[: len(self._heads)] == self._heads else grid)]
        else:
            self._heads = heads_of(grid)
        for line in row_lines(grid, len(self._heads)):
            self._built.add(line, "row")


def _apart(last: Piece | None, line: Piece) -> bool:
    return last is not None and last.page == line.page and line.top - last.bottom > 1.2 * line.size


def _continues(group: Sequence[Piece], line: Piece) -> bool:
    """Whether a line goes on with the paragraph begun by `group`."""
    last, em = group[-1], line.size
    if abs(last.size - em) > 0.15 * max(last.size, em) or is_date_line(line.text) or last.left == last.right:
        return False
    if last.right - last.x1 > _needed(line) or _ENTRY.search(last.text) or _ENTRY.search(line.text):
        return False
    if _LABELLED.match(group[0].text) and _LABELLED.match(line.text):
        return False  # a cover sheet: 采购人：… above 代理机构：…
    if line.page == last.page and line.top - last.top > 1.35 * (line.pitch or em):
        return False
    indent = line.x0 - line.left
    if indent < 0.8 * em:
        flush = group[0].x0 - group[0].left < 0.8 * em
        return not (flush and (mark(line.text) or finished(last.text)))
    if abs(line.x0 - last.x0) < 0.3 * em and not finished(last.text) and not mark(line.text):
        return True  # the text stands further in than something else on the page does
    hanging = line.x0 - group[0].x0 > 0.5 * em and (len(group) == 1 or abs(line.x0 - last.x0) < 0.5 * em)
    return hanging and not finished(last.text) and not mark(line.text) and abs(line.right - line.x1 - indent) > em


def _needed(line: Piece) -> float:
    """The room that the first word of a line would have taken at the end of the line before.

    A line may surely be broken between two Chinese characters; quotes, brackets, letters and numbers cling together.
    """
    text = line.text[:_LONGEST_WORD]
    end = next((at for at in range(1, len(text)) if HAN_CHARACTER.match(text[at - 1]) and HAN_CHARACTER.match(text[at])), len(text))
    return line.size * max(0.8 + sum(0.6 if char.isascii() else 1 for char in text[:end]), 2.2)
