"""Tables drawn with rules: cells found by the lines around them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence

from rag.loading.sheet import Glyph, Piece, Sheet, text_of

_NEAR = 3.0
"""Points within which ends of rules meet."""
_MOST_CELLS = 20_000
_MOST_RULES = 1500
_LONGEST_CELL = 1500

_Line = tuple[float, float, float]
"""Place across, begin and end along: (y, x0, x1) of a horizontal rule, (x, top, bottom) of a vertical one."""


def tables(sheet: Sheet) -> tuple[list[Piece], list[Glyph]]:
    """The tables of a page, and the characters outside them."""
    across = _merged((r.top, r.x0, r.x1) for r in sheet.rules if r.top == r.bottom)
    down = _merged((r.x0, r.top, r.bottom) for r in sheet.rules if r.top != r.bottom)
    if len(across) + len(down) > _MOST_RULES:
        return [], sheet.glyphs
    out: list[Piece] = []
    rest = sheet.glyphs
    for group_across, group_down in _groups(across, down):
        ys, xs = sorted({h[0] for h in group_across}), sorted({v[0] for v in group_down})
        if len(xs) < 3 or len(ys) < 2 or len(xs) * len(ys) > _MOST_CELLS:
            continue
        inside = [g for g in rest if xs[0] <= (g.x0 + g.x1) / 2 <= xs[-1] and ys[0] <= (g.top + g.bottom) / 2 <= ys[-1]]
        grid = _grid(xs, ys, group_across, group_down, inside)
        if not inside or any(len(cell) > _LONGEST_CELL for line in grid for cell in line):
            continue
        held = set(map(id, inside))
        rest = [g for g in rest if id(g) not in held]
        out.append(Piece(xs[0], ys[0], xs[-1], ys[-1], "", inside[0].size, grid))
    return out, rest


def _merged(lines: Iterable[_Line]) -> list[_Line]:
    """Rules that continue or double each other as one, their places across made equal."""
    out: list[_Line] = []
    for at, begin, end in sorted(lines):
        at = out[-1][0] if out and at - out[-1][0] < _NEAR else at
        out.append((at, begin, end))
    joined: list[_Line] = []
    for at, begin, end in sorted(out):
        if joined and joined[-1][0] == at and begin - joined[-1][2] < _NEAR:
            joined[-1] = (at, joined[-1][1], max(joined[-1][2], end))
        else:
            joined.append((at, begin, end))
    return joined


def _groups(across: Sequence[_Line], down: Sequence[_Line]) -> list[tuple[list[_Line], list[_Line]]]:
    """Rules that cross or touch, directly or through others."""
    parent = list(range(len(across) + len(down)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for i, (y, x0, x1) in enumerate(across):
        for j, (x, top, bottom) in enumerate(down, len(across)):
            if x0 - _NEAR <= x <= x1 + _NEAR and top - _NEAR <= y <= bottom + _NEAR:
                parent[root(i)] = root(j)
    groups: dict[int, tuple[list[_Line], list[_Line]]] = defaultdict(lambda: ([], []))
    for i, line in enumerate(across):
        groups[root(i)][0].append(line)
    for j, line in enumerate(down, len(across)):
        groups[root(j)][1].append(line)
    return sorted(groups.values(), key=lambda g: min((h[0] for h in g[0]), default=0.0))


def _grid(xs: list[float], ys: list[float], across: Sequence[_Line], down: Sequence[_Line], inside: Sequence[Glyph]) -> list[list[str]]:
    """The text of each cell; one that covers several places stands in each of them."""
    wide, tall = len(xs) - 1, len(ys) - 1
    owner = list(range(wide * tall))

    def root(at: int) -> int:
        while owner[at] != at:
            owner[at] = owner[owner[at]]
            at = owner[at]
        return at

    for r in range(tall):
        for c in range(wide):
            if c + 1 < wide and not _drawn(down, xs[c + 1], (ys[r] + ys[r + 1]) / 2):
                owner[root(r * wide + c + 1)] = root(r * wide + c)
            if r + 1 < tall and not _drawn(across, ys[r + 1], (xs[c] + xs[c + 1]) / 2):
                owner[root((r + 1) * wide + c)] = root(r * wide + c)
    held: dict[int, list[Glyph]] = defaultdict(list)
    for glyph in inside:
        r = min(bisect_right(ys, (glyph.top + glyph.bottom) / 2) - 1, tall - 1)
        c = min(bisect_right(xs, (glyph.x0 + glyph.x1) / 2) - 1, wide - 1)
        held[root(r * wide + c)].append(glyph)
    texts = {at: text_of(glyphs) for at, glyphs in held.items()}
    return [[texts.get(root(r * wide + c), "") for c in range(wide)] for r in range(tall)]


def _drawn(lines: Sequence[_Line], at: float, along: float) -> bool:
    return any(place == at and begin <= along <= end for place, begin, end in lines)
