"""Plain text to blocks: which line breaks end a paragraph, and which blanks of one long line do.

Three kinds of text arrive: one line for a paragraph; lines broken at a fixed width (newspaper columns,
terminal output), where even an empty line may stand inside a sentence; and whole documents in one
line, where blanks stand for the lost line breaks.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.loading.blocks import Block, Kind, block, finished, running
from rag.loading.dates import DATE, is_date_line
from rag.loading.furniture import is_furniture
from rag.loading.numbering import mark

_LINE = re.compile(r"[^\n\r\f\v\x1c-\x1e\x85\u2028\u2029]+")
_BLANKS = re.compile(r"\s+")
_LOST = re.compile(r"(?:\?\?|\ufffd{1,4}|[□■]{2})\s*(?=[\u4e00-\u9fff（(\d《“])")
"""What became of the two wide blanks before a paragraph where a program did not know them."""
TITLE_END = re.compile(
    r"(?:通知|意见|办法|决定|公告|通告|方案|规定|细则|条例|措施|批复|函|纪要|报告|规划|制度|指引|指南)(?:[（(].{0,20}[)）])?$")
BYLINE = re.compile(r"(?:^|[。！？”\s])[^，。！？：\s]{0,12}(?:记者|通讯员)[\s：:]*[\u4e00-\u9fff]{2,4}(?:[\s、]+[\u4e00-\u9fff]{2,4}){0,8}$")
"""A newspaper's "XX日报记者 张三 李四" at the end of a line."""

_DAY = re.compile(r"\d{1,4}\s?[年月日]")
_LETTER_BEFORE, _LETTER = re.compile(r"(?:^|\s)[\u4e00-\u9fff]$"), re.compile(r"[\u4e00-\u9fff](?:\s|$)")
_CUT_DATE = re.compile(r"(?<=\D)\d{4}年(?:\d{1,2}(?:月\d{0,2})?)?$")
_EDITOR = re.compile(r"(?<=\S)[\[（(【]?(?:责任编辑|网络编辑|责编)\s?[:：].{2,30}$")
_TITLED = re.compile(r"[^\s，。；]{6,60}\s+[^\s][^\n]{0,200}[。；]")
_FLAT_LINE = 150
_FULL = 0.8
_SHARE = 0.5
_FEWEST = 5
_ROOM = 4
"""Columns that a line which ends with its sentence may fall short of the width and still be a broken one."""
_LEAST_SHARE, _BEYOND = 0.25, 0.02
"""Fewer lines may be full where hardly any is longer: many short paragraphs broken at one width."""


class _Widths(dict[str, int]):
    """Columns of each character, found out when it is first met."""

    def __missing__(self, char: str) -> int:
        self[char] = 2 if unicodedata.east_asian_width(char) in "WFA" else 1
        return self[char]


_WIDTHS = _Widths()


@dataclass(frozen=True, slots=True)
class Line:
    """One line (or piece of a flat line) without surrounding white space."""

    start: int
    end: int
    text: str
    gap: bool
    """An empty line stands before it."""
    indent: bool
    kind: Kind = "text"
    level: int = 0

    @property
    def width(self) -> int:
        """Columns on a fixed-width screen: a Chinese character takes two."""
        return sum(map(_WIDTHS.__getitem__, self.text))


def lines(text: str) -> list[Line]:
    """The non-empty lines; a line that holds a whole document is cut at the blanks that were line breaks."""
    out: list[Line] = []
    last = 0
    for found in _LINE.finditer(text):
        raw = found[0]
        bare = raw.strip()
        if not bare:
            continue
        gap = text.count("\n", last, found.start()) + text.count("\r", last, found.start()) >= 2
        gap = gap and bool(re.search(r"\n\s*\n|\r\s*\r", text[last : found.start()]))
        last = found.end()
        start = found.start() + len(raw) - len(raw.lstrip())
        lost = _LOST.match(bare)
        if lost:
            start, bare = start + lost.end(), bare[lost.end() :]
        indent = raw[:1] == "\u3000" or raw[:4].isspace() or raw[:1] == "\t" or lost is not None
        editor = _EDITOR.search(bare, max(len(bare) - 50, 0))
        stop = editor.start() if editor else len(bare)
        for begin, end in (*_pieces(bare[:stop], not out), *([(stop, len(bare))] if editor else [])):
            piece = bare[begin:end]
            kind: Kind = "furniture" if is_furniture(piece) else "text"
            inner = (begin > 0 and bare[begin - 1] == "\u3000") or bare[max(begin - 2, 0) : begin] == "  "
            out.append(Line(start + begin, start + end, piece, gap and begin == 0, inner if begin else indent, kind))
    return out


def _pieces(line: str, first: bool) -> Iterator[tuple[int, int]]:
    """Where a flat line's paragraphs lie; the whole line when it is an ordinary one.

    first: it is the first of the document, where a title and a blank may stand before the text.
    """
    flat = len(line) >= _FLAT_LINE and re.search(r"[。：；:！？]\s", line)
    if not flat and not (first and _TITLED.match(line)):
        yield 0, len(line)
        return
    start = 0
    for found in _BLANKS.finditer(line):
        if _breaks(line, start, found):
            yield start, found.start()
            start = found.end()
    yield start, len(line)


def _breaks(line: str, start: int, blanks: re.Match[str]) -> bool:
    """Whether these blanks of a flat line stand for a line break."""
    before, after = line[blanks.start() - 1], line[blanks.end() : blanks.end() + 40]
    if before in "，、,（(《“" or (_LETTER_BEFORE.search(line[max(blanks.start() - 2, 0) : blanks.start()]) and _LETTER.match(after)):
        return False
    head = line[start : blanks.start()] if blanks.start() - start <= 60 else ""
    if len(head) == 1:
        return False
    if blanks.start() - start <= 160 and TITLE_END.search(line[max(start, blanks.start() - 24) : blanks.start()]):
        return not re.search("[。；]", line[start : blanks.start()])
    opening = mark(line[start : start + 12])
    if opening and start + opening.end >= blanks.start():
        return False
    if "\u3000" in blanks[0] or mark(after) or DATE.match(after) or (len(blanks[0]) > 1 and head):
        return True
    if before in "。！？；：:!?”）)】":
        return True
    if any(head.count(a) > head.count(b) for a, b in ("“”", "《》", "（）")):
        return False
    if (after[:1].isascii() and not (_DAY.match(after) and len(head) >= 6)) or before.isascii():
        return False
    return bool(head) and not re.search(r"[。；]|[，,].*[，,]", head)


# ---------------------------------------------------------------- broken lines

def wrap_width(found: Sequence[Line]) -> int | None:
    """The width at which lines were broken, None when a line is a paragraph."""
    widths = [line.width for line in found if line.kind == "text"]
    if len(widths) < _FEWEST:
        return None
    counts = Counter(widths)
    best = max(counts, key=lambda w: (sum(counts[w - d] for d in range(5)), w))
    full = [line for line in found if best - 4 <= line.width <= best]
    many = len(full) >= _SHARE * len(widths) and len(widths) >= 8
    edge = len(full) >= 3 and len(full) >= _LEAST_SHARE * len(widths) and sum(w > best for w in widths) <= _BEYOND * len(widths)
    enough = (many or edge) and 20 <= best <= 160
    open_ended = sum(not finished(line.text) for line in full) >= 0.6 * len(full)
    prose = sum(bool(re.search("[，,。]", line.text)) for line in full) >= 0.3 * len(full)
    return best if enough and open_ended and prose else None


def paragraphs(text: str, found: Sequence[Line], width: int | None) -> list[Block]:
    """Blocks: lines joined to the paragraphs they were."""
    out: list[Block] = []
    group: list[Line] = []
    for line in found:
        if group and not _continues(group, line, width):
            out.append(_joined(text, group))
            group = []
        group.append(line)
    if group:
        out.append(_joined(text, group))
    return out


def _joined(text: str, group: Sequence[Line]) -> Block:
    first = group[0]
    return block(text, first.start, group[-1].end, kind=first.kind, level=first.level, loose=first.gap)


def _continues(group: Sequence[Line], line: Line, width: int | None) -> bool:
    """Whether `line` goes on with the paragraph that `group` has begun."""
    last = group[-1]
    if last.kind != "text" or line.kind != "text" or BYLINE.search(last.text):
        return False
    if last.text[-1] in "，、,（(《“" or line.text[0] in "，、。；：！？）》”,;" or _inside_date(last.text, line.text):
        return True
    if mark(line.text):
        return False
    full = width is not None and last.width >= _FULL * width
    if width is not None and full and not line.gap and not line.indent:
        return last.width >= width - _ROOM or not finished(last.text)
    if finished(last.text) or line.indent or is_date_line(line.text):
        return False
    if full:
        return True
    if width is not None:
        return False
    if TITLE_END.search(last.text) or (mark(group[0].text) and not re.search("[。；]", last.text)):
        return False
    return running(last.text) and (bool(re.search("[。；]", last.text)) or bool(re.search("[，,。]|如下[:：]$", line.text)))


def _inside_date(text: str, after: str) -> bool:
    """Whether a date begins at the end of one line and ends in the next: no paragraph ends there."""
    begun = _CUT_DATE.search(text[-16:])
    whole = DATE.match(begun[0] + after[:8]) if begun else None
    return begun is not None and whole is not None and whole.end() > len(begun[0])
