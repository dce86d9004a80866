"""Reading order: rows of pieces to lines, one column after the other, each line knowing its column's margins."""

import itertools
from collections.abc import Sequence

from rag.loading.sheet import Piece, Row, beside

_LEAST_ROWS = 4
"""So many rows must have text on both sides of a gutter."""
_LEAST_TEXT = 7
"""So many characters a column's lines must have on average."""
_GUTTER = 0.9
_FEW = 5

_Gap = tuple[float, float]


def ordered(rows: Sequence[Row]) -> list[Piece]:
    """The lines of a page in reading order."""
    out: list[Piece] = []
    plain: list[Piece] = []
    at = 0
    while at < len(rows):
        end, gap = _run(rows, at)
        if gap is None:
            plain.append(beside(rows[at]) if all(p.grid is None for p in rows[at]) else rows[at][0])
            out.extend(_others(rows[at]))
            at += 1
            continue
        out.extend(_margined(plain))
        plain = []
        middle = (gap[0] + gap[1]) / 2
        for left in (True, False):
            side = [[p for p in row if (p.x0 < middle) == left] for row in rows[at:end]]
            out.extend(ordered([row for row in side if row]))
        at = end
    return [*out, *_margined(plain)]


def _others(row: Row) -> list[Piece]:
    """Tables beside a table: what cannot be joined to one line."""
    return row[1:] if any(p.grid is not None for p in row) else []


def _run(rows: Sequence[Row], first: int) -> tuple[int, _Gap | None]:
    """The longest stretch of rows from `first` on that one gutter runs through, and the gutter."""
    if len(rows[first]) < 2:
        return first, None
    gaps = [(a.x1, b.x0) for a, b in zip(rows[first], rows[first][1:], strict=False)]
    best: _Gap | None = None
    at = first
    while at < len(rows):
        kept = [free for gap in gaps for free in _free(gap, rows[at])]
        if not kept:
            break
        gaps, best = kept, max(kept, key=lambda gap: gap[1] - gap[0])
        at += 1
    if best is None:
        return first, None
    middle = (best[0] + best[1]) / 2
    both = [row for row in rows[first:at] if row[0].x0 < middle < row[-1].x0]
    sides = [[p for row in both for p in row if p.grid is None and (p.x0 < middle) == left] for left in (True, False)]
    texts = all(side and sum(len(p.text) for p in side) >= _LEAST_TEXT * len(side) for side in sides)
    return (at, best) if len(both) >= _LEAST_ROWS and texts else (first, None)


def _free(gap: _Gap, row: Row) -> list[_Gap]:
    """What a row leaves of a gap, where it is still wide enough for a gutter."""
    parts = [gap]
    for piece in row:
        parts = [part for begin, end in parts for part in ((begin, min(end, piece.x0)), (max(begin, piece.x1), end)) if part[1] > part[0]]
    least = _GUTTER * min(piece.size for piece in row)
    return [part for part in dict.fromkeys(parts) if part[1] - part[0] >= least]


def _margined(lines: list[Piece]) -> list[Piece]:
    """Lines of one column with its margins; those of a column of few lines are settled later (`settle`)."""
    texts = [line for line in lines if line.grid is None]
    if texts:
        left, right = _margin([line.x0 for line in texts], texts[0].size), -_margin([-line.x1 for line in texts], texts[0].size)
        steps = sorted(b.top - a.top for a, b in itertools.pairwise(texts))
        pitch = steps[len(steps) // 2] if steps else 0.0
        for line in lines:
            line.left, line.right, line.pitch = left, right, pitch
            line.few = len(texts) <= _FEW
    return lines


def _margin(places: Sequence[float], size: float) -> float:
    """The outermost place where several lines begin; single lines may hang out over it."""
    ranked = sorted(places)
    several = max(2, len(ranked) // 6)
    return next((at for at, other in zip(ranked, ranked[several - 1 :], strict=False) if other - at < size), ranked[0])


def settle(pages: Sequence[Sequence[Piece]]) -> None:
    """Gives lines in columns of few lines the margins of a wider column around them, from their own or a near page."""
    columns = [dict.fromkeys((x.left, x.right, x.pitch) for x in page if not x.few and x.right > x.left) for page in pages]
    wide = [column for page in columns for column in page]
    for page, own in zip(pages, columns, strict=True):
        for line in (line for line in page if line.few):
            around = [column for column in own or wide if column[0] - 2 <= line.x0 and line.x1 <= column[1] + 2]
            if around:
                line.left, line.right, line.pitch = max(around, key=lambda column: column[1] - column[0])
