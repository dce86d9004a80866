"""xlsx and csv: each row a sentence that keeps its column heads ("姓名：张三；电话：…")."""

import csv
import datetime as dt
import io
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from rag.errors import DocumentError
from rag.loading.content import Building, Content
from rag.loading.decode import decode
from rag.loading.package import Package
from rag.loading.tables import row_lines

_MOST_CELLS = 1_000_000
_WIDEST, _LONGEST_FIELD = 2000, 1 << 20
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_PLAIN_NAME = re.compile(r"(?:sheet|工作表|表)\s?\d*", re.I)
_SPACE = re.compile(r"\s+")
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
"""Numbers of the formats built into Excel that show dates and times."""
_PERCENT_FORMATS = {9: 0, 10: 2}

Grid = list[list[str]]


def read_csv(data: bytes, name: str) -> Content:
    """The rows of a text file of values. Raises DocumentError."""
    text = decode(data, name)
    csv.field_size_limit(_LONGEST_FIELD)
    lines = text[:4096].splitlines()[:20]
    mark = max(",\t;|，", key=lambda c: (sum(c in line for line in lines), sum(line.count(c) for line in lines)))
    try:
        rows = [[_SPACE.sub(" ", cell).strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark)]
    except csv.Error as error:
        raise DocumentError(f"“{name}”不是写得正确的 csv 文件。", "请用表格软件打开它，另存为 xlsx 再试。") from error
    built = Building()
    _write(built, [row for row in rows if any(row)])
    return built.content(built.blocks())


def read_xlsx(data: bytes, name: str) -> Content:
    """The visible sheets of a workbook, one after the other. Raises DocumentError."""
    package = Package(data, name)
    if "xl/workbook.xml" not in package:
        raise DocumentError(f"“{name}”不是 Excel 文件。", "请检查后缀是否写对，或用表格软件另存为 xlsx。")
    book, built = package.xml("xl/workbook.xml"), Building()
    parts = {link.get("Id", ""): link.get("Target", "") for link in package.xml("xl/_rels/workbook.xml.rels")}
    properties = book.find("workbookPr")
    values = _Values(_strings(package), _formats(package), properties is not None and properties.get("date1904") in ("1", "true"))
    shown = [sheet for sheet in book.iter("sheet") if sheet.get("state", "visible") == "visible"]
    for sheet in shown:
        target = parts.get(sheet.get("id", ""), "")
        part = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))
        if part not in package or (root := package.xml(part)).tag != "worksheet":
            continue  # a sheet that is a chart
        grid = _grid(root, values)
        title = sheet.get("name", "").strip()
        if grid and len(shown) > 1 and title and not _PLAIN_NAME.fullmatch(title):
            built.add(title, "heading", 2)
        _write(built, grid)
    return built.content(built.blocks())


def _write(built: Building, grid: Grid) -> None:
    """Lines that stand alone at the top are the table's title, the rest is rows."""
    width = max((len(row) for row in grid), default=0)
    grid = [row + [""] * (width - len(row)) for row in grid]
    at = 0
    while at < len(grid) and len({cell for cell in grid[at] if cell}) == 1 and width > 1:
        built.add(next(cell for cell in grid[at] if cell))
        at += 1
    for line in row_lines(grid[at:]):
        built.add(line, "row")


# ---------------------------------------------------------------- workbooks

@dataclass(slots=True)
class _Values:
    """What cells refer to: shared strings, and for each cell style whether it shows a date or a percentage."""

    strings: list[str] = field(default_factory=list)
    formats: list[str | int] = field(default_factory=list)
    since_1904: bool = False

    def shown(self, cell: Element) -> str:
        """The value of a cell as people see it."""
        kind, value = cell.get("t", "n"), cell.findtext("v") or ""
        match kind:
            case "s":
                return self.strings[int(value)] if value.isdecimal() and int(value) < len(self.strings) else ""
            case "inlineStr":
                return _text(cell.find("is"))
            case "b":
                return "是" if value == "1" else "否"
            case "e":
                return ""
            case "n" if value:
                return self._number(value, cell.get("s", ""))
        return value

    def _number(self, value: str, style: str) -> str:
        try:
            number = float(value)
        except ValueError:
            return value
        way = self.formats[int(style)] if style.isdecimal() and int(style) < len(self.formats) else ""
        if way == "date":
            return self._date(number)
        if isinstance(way, int):
            return f"{number * 100:.{way}f}%"
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.12g}"

    def _date(self, days: float) -> str:
        try:
            moment = dt.datetime(1904, 1, 1) if self.since_1904 else dt.datetime(1899, 12, 30)
            moment += dt.timedelta(seconds=round(days * 86400))
        except OverflowError:
            return f"{days:g}"
        clock = f"{moment:%H:%M}" + (f":{moment:%S}" if moment.second else "")
        if 0 <= days < 1:
            return clock
        return f"{moment.year}年{moment.month}月{moment.day}日" + (f" {clock}" if days % 1 else "")


def _text(element: Element | None) -> str:
    """Rich text without its phonetic guide."""
    if element is None:
        return ""
    pieces = [run.findtext("t") or "" if run.tag == "r" else run.text or "" for run in element if run.tag in ("r", "t")]
    return _SPACE.sub(" ", "".join(pieces)).strip()


def _strings(package: Package) -> list[str]:
    part = "xl/sharedStrings.xml"
    return [_text(entry) for entry in package.xml(part).findall("si")] if part in package else []


def _formats(package: Package) -> list[str | int]:
    """For each cell style "date", the decimals of a percentage, or ""."""
    if "xl/styles.xml" not in package:
        return []
    styles = package.xml("xl/styles.xml")
    codes = {entry.get("numFmtId", ""): entry.get("formatCode", "") for entry in styles.iter("numFmt")}
    used = styles.find("cellXfs")
    return [_way(entry.get("numFmtId", "0"), codes) for entry in (used if used is not None else ())]


def _way(number: str, codes: dict[str, str]) -> str | int:
    if number not in codes:
        own = int(number) if number.isdecimal() else 0
        return "date" if own in _DATE_FORMATS else _PERCENT_FORMATS.get(own, "")
    code = _QUOTED.sub("", codes[number].partition(";")[0])
    if "%" in code:
        return len(code.partition(".")[2].partition("%")[0])
    return "date" if re.search("[ymdhs年月日]", code, re.I) and "general" not in code.lower() else ""


def _grid(sheet: Element, values: _Values) -> Grid:
    """The cells of a sheet without its empty rows and hidden ones; a merged cell's text in every place it covers."""
    cells: dict[tuple[int, int], str] = {}
    hidden: set[int] = set()
    line = 0
    for row in sheet.iterfind("sheetData/row"):
        line = int(row.get("r", "0")) if row.get("r", "").isdecimal() else line + 1
        if row.get("hidden") in ("1", "true"):
            hidden.add(line)
        column = 0
        for cell in row.iterfind("c"):
            found = _REFERENCE.fullmatch(cell.get("r", ""))
            column = _column(found[1]) if found else column + 1
            if column <= _WIDEST and (text := _SPACE.sub(" ", values.shown(cell)).strip()):
                cells[line, column] = text
        if len(cells) > _MOST_CELLS:
            raise DocumentError(f"表格超过 {_MOST_CELLS // 10_000} 万格。", "请拆分文件后再试。")
    used = sorted({line for line, _ in cells} - hidden)
    known = set(used)
    for (top, left), (bottom, right) in _merged(sheet):
        if text := cells.get((top, left)):
            for at in (line for line in range(top, bottom + 1) if line in known):
                for column in range(left, right + 1):
                    cells.setdefault((at, column), text)
    columns = sorted({column for line, column in cells if line in known})
    return [[cells.get((line, column), "") for column in columns] for line in used]


def _merged(sheet: Element) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for entry in sheet.iterfind("mergeCells/mergeCell"):
        ends = [_REFERENCE.fullmatch(end) for end in entry.get("ref", "").split(":")]
        if len(ends) == 2 and ends[0] and ends[1]:
            (top, left), (bottom, right) = ((int(end[2]), _column(end[1])) for end in ends if end)
            if right - left < _WIDEST and bottom - top < _MOST_CELLS:
                yield (top, left), (bottom, right)


def _column(letters: str) -> int:
    out = 0
    for letter in letters:
        out = out * 26 + ord(letter) - 64
    return out
