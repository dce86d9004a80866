"""A page as the formats with fixed layout give it: characters and rules at their places, and lines made of them.

Coordinates are in points, y downwards from the top of the page.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rag.text import HAN_CHARACTER

_SPLIT = 1.2
"""Characters' widths of white space that part two pieces of a line (columns, cells)."""
_BLANK, _HAN_BLANK = 0.22, 0.28
"""The least width of a blank between Latin and between other characters."""
_WORD = re.compile(r"[A-Za-z0-9.,;:!?%)(\]\[/'\"&-]")


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character. size: of its font, in points. spaced: a blank was written before it."""

    x0: float
    top: float
    x1: float
    bottom: float
    text: str
    size: float
    spaced: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight line; it is horizontal when `top` equals `bottom`, else vertical."""

    x0: float
    top: float
    x1: float
    bottom: float


@dataclass(slots=True)
class Sheet:
    """One page. picture: whether images cover most of it."""

    width: float
    height: float
    glyphs: list[Glyph] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    picture: bool = False


@dataclass(slots=True)
class Piece:
    """A line of text, or the part of it within one column; or a whole table (`grid`).

    left, right: the margins of the column it stands in; pitch: the usual distance from the top of one of its lines to
    the top of the next. All three are known once the page has been put in order.
    few: that column has so few lines that its margins may be those of its longest line only. spaced: a blank stands before
    its text, perhaps at the end of the line above.
    """

    x0: float
    top: float
    x1: float
    bottom: float
    text: str
    size: float
    grid: list[list[str]] | None = None
    page: int = 0
    left: float = 0.0
    right: float = 0.0
    pitch: float = 0.0
    few: bool = False
    spaced: bool = False


Row = list[Piece]
"""Pieces side by side, from left to right."""


def rows(glyphs: Iterable[Glyph]) -> list[Row]:
    """Characters as rows of pieces, from top to bottom."""
    lines: list[list[Glyph]] = []
    middle = size = 0.0
    for glyph in sorted(glyphs, key=lambda g: g.top + g.bottom):
        own = (glyph.top + glyph.bottom) / 2
        if lines and own - middle < 0.45 * max(size, glyph.size):
            lines[-1].append(glyph)
            if glyph.size > size:
                middle, size = own, glyph.size
        else:
            lines.append([glyph])
            middle, size = own, glyph.size
    return [_pieces(sorted(line, key=lambda g: g.x0)) for line in lines]


def _pieces(line: Sequence[Glyph]) -> Row:
    out: Row = []
    group: list[Glyph] = []
    for glyph in line:
        if group and glyph.text == group[-1].text and glyph.x0 - group[-1].x0 < 0.2 * glyph.size:
            continue  # printed twice, to look bold
        if group and glyph.x0 - group[-1].x1 > _SPLIT * max(glyph.size, group[-1].size):
            out.append(_piece(group))
            group = []
        group.append(glyph)
    return [*out, _piece(group)]


def _piece(group: Sequence[Glyph]) -> Piece:
    text = group[0].text
    gaps = sorted(glyph.x0 - last.x1 for last, glyph in itertools.pairwise(group))
    usual = max(gaps[len(gaps) // 2], 0.0) if gaps else 0.0  # justified text is spread
    for last, glyph in itertools.pairwise(group):
        gap = glyph.x0 - last.x1 - usual
        latin = not HAN_CHARACTER.match(last.text) and not HAN_CHARACTER.match(glyph.text)
        text += " " * (glyph.spaced or gap > (_BLANK if latin else _HAN_BLANK) * glyph.size) + glyph.text
    sizes = sorted(g.size for g in group)
    return Piece(group[0].x0, min(g.top for g in group), max(g.x1 for g in group), max(g.bottom for g in group),
                 text, sizes[len(sizes) // 2], spaced=group[0].spaced)


def beside(row: Sequence[Piece]) -> Piece:
    """A row as one piece."""
    return row[0] if len(row) == 1 else Piece(
        row[0].x0, min(p.top for p in row), max(p.x1 for p in row), max(p.bottom for p in row),
        " ".join(p.text for p in row), max(row, key=lambda p: len(p.text)).size, spaced=row[0].spaced)


def below(first: str, second: str) -> str:
    """Two lines of one paragraph as one: a blank between Latin words only."""
    return first + (" " if _WORD.match(first[-1:]) and _WORD.match(second[:1]) else "") + second


def text_of(glyphs: Iterable[Glyph]) -> str:
    """The text of a small area, such as a table's cell."""
    out = ""
    for row in rows(glyphs):
        line = beside(row).text.strip()
        out = below(out, line) if out else line
    return out
