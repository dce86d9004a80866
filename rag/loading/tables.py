"""Tables as sentences: each row one line that keeps its column heads ("标准：740元；范围：全市")."""

import re
from collections.abc import Sequence
from itertools import pairwise

Grid = Sequence[Sequence[str]]
"""Cells of a table, row by row; a merged cell's text stands in each place it covers."""

_VALUE = re.compile(r"^[\d,.%％\-+/()（）年月日:：~～至 元人户平米]*$")
_LABEL = re.compile(r"[^：:]{1,12}[：:]")
_LONGEST_HEAD = 30


def row_lines(grid: Grid, heads: int = 0) -> list[str]:
    """A table's rows as lines.

    heads: how many rows at the top are column heads, when the format says so; 0 lets the words decide. A row that is
    one merged cell stays a plain line (a caption); a row of labels and values ("文号：", "…") becomes pairs.
    """
    out: list[str] = []
    rows = [[cell.strip() for cell in row] for row in grid]
    at = _captions(rows)
    out.extend(row[0] for row in rows[:at] if row[0])
    heads = heads or _guessed(rows, at)
    names = _names(rows[at : at + heads])
    for row in rows[at + heads :]:
        if line := _line(row, names):
            out.append(line)
    return out


def heads_of(grid: Grid) -> list[list[str]]:
    """The rows that are column heads, as their words tell."""
    rows = [[cell.strip() for cell in row] for row in grid]
    at = _captions(rows)
    return rows[at : at + _guessed(rows, at)]


def _captions(rows: Sequence[Sequence[str]]) -> int:
    """How many rows at the top are one merged cell."""
    return next((at for at, row in enumerate(rows) if len(set(row)) != 1 or len(row) < 2), len(rows))


def _guessed(rows: Sequence[Sequence[str]], at: int) -> int:
    """How many rows from `at` on are column heads."""
    if at >= len(rows) or not _looks_like_heads(rows, at):
        return 0
    heads = 1
    while at + heads < len(rows) - 1 and _merged(rows[at]) and heads < 3 and _continues_heads(rows, at + heads):
        heads += 1
    return heads


def _looks_like_heads(rows: Sequence[Sequence[str]], at: int) -> bool:
    row = rows[at]
    if len(row) < 2 or at + 1 >= len(rows) or any(_LABEL.fullmatch(cell) for cell in row):
        return False
    filled = [cell for cell in row if cell]
    return len(filled) >= max(2, len(row) - 1) and all(len(c) <= _LONGEST_HEAD and not _VALUE.match(c) for c in filled)


def _merged(row: Sequence[str]) -> bool:
    return any(a == b for a, b in pairwise(row))


def _continues_heads(rows: Sequence[Sequence[str]], at: int) -> bool:
    """Whether a second row of heads stands below merged ones: the places not merged across are merged down."""
    above, row = rows[at - 1], rows[at]
    return any(a == b for a, b in zip(above, row, strict=False)) and not any(_VALUE.match(c) for c in row if c)


def _names(heads: Sequence[Sequence[str]]) -> list[str]:
    if not heads:
        return []
    out = []
    for column in zip(*heads, strict=False):
        out.append("-".join(dict.fromkeys(c for c in column if c)))
    return out


def _line(row: Sequence[str], names: Sequence[str]) -> str:
    if names and len(set(row)) > 1:
        pairs = [(names[i] if i < len(names) else "", cell) for i, cell in enumerate(row) if cell]
        return "；".join(f"{name}：{cell}" if name else cell for name, cell in dict.fromkeys(pairs))
    cells = list(dict.fromkeys(cell for cell in row if cell))
    if any(_LABEL.fullmatch(cell) for cell in cells):
        return "；".join(_paired(cells))
    return "　".join(cells)


def _paired(cells: Sequence[str]) -> list[str]:
    out: list[str] = []
    for cell in cells:
        if out and _LABEL.fullmatch(out[-1]) and not _LABEL.fullmatch(cell):
            out[-1] += cell
        else:
            out.append(cell)
    return out
