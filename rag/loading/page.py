"""An HTML page as a flat list of lines and the containers they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from rag.loading.tables import row_lines

_DROPPED = {"script", "style", "noscript", "template", "iframe", "nav", "footer", "form", "button", "input", "select", "svg",
            "canvas", "object", "embed", "video", "audio", "textarea", "option", "head", "-comment", "_comment"}
_BLOCKS = {"p", "div", "td", "th", "tr", "table", "tbody", "article", "section", "main", "body", "center", "li", "ul", "ol", "dl", "dt", "dd",
           "h1", "h2", "h3", "h4", "h5", "h6", "header", "aside", "blockquote", "pre", "br", "hr", "caption", "fieldset", "figure"}
_CONTAINERS = {"div", "td", "article", "section", "main", "body", "center", "form"}
_HIDDEN = re.compile(r"display\s*:\s*none", re.I)
_SPACE = re.compile(r"[\s\u00a0\u200b\ufeff]+")
_FILE = re.compile(r"\.(?:docx?|xlsx?|pptx?|pdf|wps|et|ofd|zip|rar|7z|txt|csv|jpe?g|png)(?:[?#].*)?$", re.I)
_PROSE = re.compile("[。；，：]")


@dataclass(slots=True)
class PageLine:
    """A line of the page: level 1-6 in a heading, `linked` how many of its characters are links."""

    text: str
    level: int = 0
    linked: int = 0
    row: bool = False
    file: bool = False
    """It is the name of a file to download."""

    @property
    def prose(self) -> int:
        """Characters that count as running text."""
        return len(self.text) - self.linked if self.row or _PROSE.search(self.text) else 0


@dataclass(slots=True)
class Page:
    """lines: all of them; containers: (first line, line after the last), inner ones before outer ones."""

    lines: list[PageLine] = field(default_factory=list)
    containers: list[tuple[int, int]] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    """Contents of the meta tags, names in lower case."""
    title: str = ""

    def content(self) -> tuple[int, int]:
        """The smallest container that holds nearly all running text of the page."""
        sums = [0]
        for line in self.lines:
            sums.append(sums[-1] + line.prose)
        enough = 0.75 * sums[-1]
        held = [(last - first, index) for index, (first, last) in enumerate(self.containers) if sums[last] - sums[first] >= enough]
        return self.containers[min(held)[1]] if held else (0, len(self.lines))


def read_page(html: str) -> Page:
    """Lines and containers of a page."""
    tree = LexborHTMLParser(html)
    page = Page()
    for node in tree.css("meta"):
        name = node.attributes.get("name") or node.attributes.get("property")
        if name and (content := node.attributes.get("content")):
            page.named.setdefault(name.lower(), _SPACE.sub(" ", content).strip())
    title = tree.css_first("title")
    page.title = _SPACE.sub(" ", title.text()).strip() if title else ""
    if tree.body is not None:
        _Walk(page).walk(tree.body)
    return page


class _Walk:
    """One pass over the tree, without recursion: nesting may be thousands deep."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pieces: list[str] = []
        self.linked = 0
        self.levels: list[int] = []
        self.links = 0
        self.file = False

    def walk(self, root: LexborNode) -> None:
        opened: list[int] = []
        for node, entering in _events(root):
            tag = node.tag
            if isinstance(entering, tuple):
                self._flush()
                self.page.lines.extend(PageLine(line, row=True) for line in row_lines(*entering))
            elif tag == "-text":
                self._text(node.text_content or "")
            elif entering:
                self._enter(node, tag, opened)
            else:
                self._leave(tag, opened)
        self._flush()

    def _text(self, raw: str) -> None:
        self.pieces.append(raw)
        if self.links:
            self.linked += len(_SPACE.sub("", raw))

    def _enter(self, node: LexborNode, tag: str, opened: list[int]) -> None:
        if tag in _BLOCKS:
            self._flush()
        if tag in _CONTAINERS:
            opened.append(len(self.page.lines))
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.levels.append(int(tag[1]))
        if tag == "a":
            self.links += 1
            self.file = self.file or bool(_FILE.search(node.attributes.get("href") or ""))

    def _leave(self, tag: str, opened: list[int]) -> None:
        if tag in _BLOCKS:
            self._flush()
        if tag in _CONTAINERS and opened:
            self.page.containers.append((opened.pop(), len(self.page.lines)))
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6") and self.levels:
            self.levels.pop()
        if tag == "a":
            self.links = max(self.links - 1, 0)

    def _flush(self) -> None:
        text = _SPACE.sub(" ", "".join(self.pieces)).strip()
        if text:
            self.page.lines.append(PageLine(text, self.levels[-1] if self.levels else 0, min(self.linked, len(text)), file=self.file))
        self.pieces.clear()
        self.linked = 0
        self.file = False


def _events(root: LexborNode) -> Iterator[tuple[LexborNode, bool | _Grid]]:
    """Nodes in document order with True on entering and False on leaving an element, or a data table's grid.

    Nothing from inside dropped or hidden elements and data tables.
    """
    node: LexborNode | None = root
    depth = 0
    while node is not None:
        descend = False
        if node.tag == "-text":
            yield node, True
        elif node.tag not in _DROPPED and not _HIDDEN.search(node.attributes.get("style") or ""):
            if node.tag == "table" and (grid := _data_grid(node)):
                yield node, grid
            else:
                yield node, True
                descend = node.child is not None
                if not descend:
                    yield node, False
        following = node.child if descend else None
        depth += descend
        while following is None:
            if depth == 0:
                return
            following = node.next
            if following is None:
                node = node.parent
                depth -= 1
                if node is None:
                    return
                yield node, False
        node = following


# ---------------------------------------------------------------- tables

_Grid = tuple[list[list[str]], int]


def _data_grid(table: LexborNode) -> _Grid | None:
    """Cells and number of head rows of a table of data; None for one that only lays out the page."""
    if any(n.tag == "table" and n.mem_id != table.mem_id for n in table.traverse()):
        return None
    rows = table.css("tr")
    if not rows:
        return None
    cells = [[c for c in row.iter() if c.tag in ("td", "th")] for row in rows]
    if max(map(len, cells)) < 2:
        return None
    texts = [[_cell_text(c) for c in row] for row in cells]
    if any(len(t) > 1500 for row in texts for t in row) or any(c.css_first("h1") is not None for row in cells for c in row):
        return None
    heads = 0
    while heads < len(cells) - 1 and cells[heads] and all(c.tag == "th" for c in cells[heads]):
        heads += 1
    return _spread(cells, texts), heads


def _cell_text(cell: LexborNode) -> str:
    pieces = ((n.text_content or "") if n.tag == "-text" else " " if n.tag in _BLOCKS else ""
              for n in cell.traverse(include_text=True) if n.tag not in _DROPPED)
    return _SPACE.sub(" ", "".join(pieces)).strip()


def _spread(cells: list[list[LexborNode]], texts: list[list[str]]) -> list[list[str]]:
    """A grid in which merged cells fill every place they cover."""
    grid: list[list[str]] = []
    below: dict[int, tuple[int, str]] = {}
    for row, words in zip(cells, texts, strict=True):
        line: list[str] = []
        for cell, text in zip(row, words, strict=True):
            _fill(line, below)
            wide, tall = _count(cell, "colspan"), _count(cell, "rowspan")
            for _ in range(wide):
                if tall > 1:
                    below[len(line)] = (tall - 1, text)
                line.append(text)
        _fill(line, below)
        grid.append(line)
    width = max(map(len, grid))
    return [line + [""] * (width - len(line)) for line in grid]


def _fill(line: list[str], below: dict[int, tuple[int, str]]) -> None:
    while len(line) in below:
        left, text = below.pop(len(line))
        if left > 1:
            below[len(line)] = (left - 1, text)
        line.append(text)


def _count(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name) or "1"
    return min(max(int(value), 1), 40) if value.isdecimal() else 1
