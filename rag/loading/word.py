"""docx: paragraphs with the numbers Word shows, headings, tables, text boxes and footnotes; no headers and footers."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from rag.errors import DocumentError
from rag.loading.content import Building, Content
from rag.loading.layout import wrap_width
from rag.loading.package import Package
from rag.loading.tables import row_lines
from rag.loading.wordnumbers import Numbering, read_numbering
from rag.loading.wordstyles import Style, numbering_of, on, outline, read_styles, value

_LONGEST_CELL = 1500
_SPACE = re.compile(r"[^\S\n]+")
_SKIPPED = {"del", "moveFrom", "instrText", "delText", "Fallback", "pPr", "rPr", "sectPr", "footnoteRef", "annotationRef"}
_LONGEST_HEADING = 120


def read_docx(data: bytes, name: str) -> Content:
    """The document in a Word file. Raises DocumentError."""
    package = Package(data, name)
    main = _main_part(package)
    if main is None:
        raise DocumentError(f"“{name}”不是 Word 文件。", "请检查后缀是否写对，或用办公软件另存为 docx。")
    folder = main.rpartition("/")[0]

    def part(title: str) -> Element | None:
        path = f"{folder}/{title}.xml"
        return package.xml(path) if path in package else None

    reader = _Reader(read_styles(part("styles")), read_numbering(part("numbering")), _notes(part("footnotes"), part("endnotes")))
    body = package.xml(main).find("body")
    if body is not None:
        reader.read(body)
    built = reader.built
    width = wrap_width(built.lines)
    return built.content(built.joined(width), width is not None)


def _main_part(package: Package) -> str | None:
    if "_rels/.rels" in package:
        for link in package.xml("_rels/.rels").iter("Relationship"):
            target = link.get("Target", "").lstrip("/")
            if link.get("Type", "").endswith("/officeDocument") and target.endswith(".xml") and target in package:
                return target if package.xml(target).tag == "document" else None
    return "word/document.xml" if "word/document.xml" in package else None


def _notes(*parts: Element | None) -> dict[tuple[str, str], Element]:
    """(kind, id) → note, without the separator lines that Word keeps among them."""
    return {(note.tag, note.get("id", "")): note for part in parts if part is not None for note in part
            if note.tag in ("footnote", "endnote") and note.get("type", "normal") == "normal"}


class _Reader:
    """One pass over the body."""

    def __init__(self, styles: dict[str, Style], numbering: Numbering, notes: dict[tuple[str, str], Element]) -> None:
        self.built = Building()
        self._styles, self._numbering, self._notes = styles, numbering, notes
        self._waiting: list[tuple[str, str]] = []
        """Notes referred to whose text has not been given yet."""
        self._boxes: list[Element] = []
        self._noted = 0

    def read(self, container: Element) -> None:
        """Everything in a body, text box or content control."""
        for block in _flow(container):
            if block.tag == "tbl":
                self._table(block)
            else:
                self._paragraph(block)
            self._give_notes()
            while self._boxes:
                self.read(self._boxes.pop(0))

    # ------------------------------------------------------------ paragraphs

    def _paragraph(self, element: Element) -> None:
        style, properties = self._style_of(element), element.find("pPr")
        pieces = [piece.strip() for piece in self._numbered(element, style).split("\n")]
        if style.contents or style.hidden or not any(pieces):
            return
        level = (outline(properties) if properties is not None else 0) or style.level
        for at, piece in enumerate(piece for piece in pieces if piece):
            heading = bool(level) and len(piece) <= _LONGEST_HEADING
            self.built.add(piece, "heading" if heading else "text", level if heading else 0, indent=at == 0)

    def _numbered(self, element: Element, style: Style) -> str:
        """A paragraph's text after its number; "" when it has no text, though its number has then been counted."""
        number, text = self._number(element.find("pPr"), style), _SPACE.sub(" ", "".join(self._pieces(element)))
        return number + text.lstrip() if text.strip() else ""

    def _style_of(self, element: Element) -> Style:
        properties = element.find("pPr")
        own = value(properties, "pStyle") if properties is not None else None
        return self._styles.get(own or "", self._styles.get("", Style()))

    def _number(self, properties: Element | None, style: Style) -> str:
        stated = numbering_of(properties) if properties is not None else None
        list_id, level = stated or style.numbering or ("0", None)
        if list_id == "0":
            return ""
        if level is None:
            own = value(properties, "pStyle") if properties is not None else None
            inherited = style.numbering[1] if style.numbering else None
            level = self._numbering.level_of_style(list_id, own or "") if inherited is None else inherited
        return self._numbering.number(list_id, level)

    def _pieces(self, element: Element) -> Iterator[str]:
        """The visible text below an element. Notes and text boxes on the way are put aside."""
        for child in element:
            match child.tag:
                case "t":
                    yield child.text or ""
                case "tab" | "ptab":
                    yield " "
                case "br" | "cr":
                    yield "\n"
                case "noBreakHyphen":
                    yield "-"
                case "footnoteReference" | "endnoteReference":
                    self._waiting.append((child.tag.removesuffix("Reference"), child.get("id", "")))
                case "txbxContent":
                    self._boxes.append(child)
                case "r" if (marks := child.find("rPr")) is not None and on(marks, "vanish"):
                    continue
                case tag if tag not in _SKIPPED:
                    yield from self._pieces(child)

    # ------------------------------------------------------------ notes, tables

    def _give_notes(self) -> None:
        """The notes referred to so far, each a line below the paragraph or table that refers to it."""
        waiting, self._waiting = self._waiting, []
        for key in waiting:
            if (note := self._notes.get(key)) is not None and (text := self._cell(note)):
                self._noted += 1
                self.built.add(f"（注{self._noted}）{text}")

    def _table(self, table: Element) -> None:
        rows = [row for row in _inside(table, "tr") if row.find("trPr/del") is None]
        cells = [list(_inside(row, "tc")) for row in rows]
        if not rows or max(map(len, cells)) < 2 or any(_layout(cell) for row in cells for cell in row):
            for cell in (cell for row in cells for cell in row):
                self.read(cell)
            return
        heads = 0
        while heads < len(rows) - 1 and (marks := rows[heads].find("trPr")) is not None and on(marks, "tblHeader"):
            heads += 1
        for line in row_lines(self._grid(rows, cells), heads):
            self.built.add(line, "row")

    def _grid(self, rows: list[Element], cells: list[list[Element]]) -> list[list[str]]:
        """A cell's text in every place that it covers."""
        grid: list[list[str]] = []
        for row, own in zip(rows, cells, strict=True):
            properties = row.find("trPr")
            line = [""] * (_count(properties, "gridBefore") if properties is not None else 0)
            for cell in own:
                properties = cell.find("tcPr")
                text = self._cell(cell)
                if properties is not None and (merged := properties.find("vMerge")) is not None and merged.get("val") != "restart":
                    text = grid[-1][len(line)] if grid and len(line) < len(grid[-1]) else text
                line.extend([text] * (max(_count(properties, "gridSpan"), 1) if properties is not None else 1))
            grid.append(line)
        width = max(map(len, grid))
        return [line + [""] * (width - len(line)) for line in grid]

    def _cell(self, cell: Element) -> str:
        """The text of a cell or note in one line."""
        texts = (self._numbered(block, self._style_of(block)) for block in _flow(cell) if block.tag == "p")
        return " ".join(" ".join(texts).split())


def _flow(container: Element) -> Iterator[Element]:
    """Paragraphs and tables in order, without a generated table of contents."""
    for child in container:
        if child.tag in ("p", "tbl"):
            yield child
        elif child.tag == "sdt":
            gallery = child.find("sdtPr/docPartObj/docPartGallery")
            if gallery is None or "Contents" not in gallery.get("val", ""):
                yield from _flow(child)
        elif child.tag in ("sdtContent", "customXml", "smartTag", "ins", "moveTo"):
            yield from _flow(child)


def _inside(container: Element, tag: str) -> Iterator[Element]:
    """Rows of a table or cells of a row, those in content controls too."""
    for child in container:
        if child.tag == tag:
            yield child
        elif child.tag in ("sdt", "sdtContent", "customXml", "ins"):
            yield from _inside(child, tag)


def _layout(cell: Element) -> bool:
    """Whether a cell holds so much that its table only lays out the page."""
    return cell.find(".//tbl") is not None or sum(len(t.text or "") for t in cell.iter("t")) > _LONGEST_CELL


def _count(properties: Element, name: str) -> int:
    given = value(properties, name) or ""
    return min(int(given), 60) if given.isdecimal() else 0
