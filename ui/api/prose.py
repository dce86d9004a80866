"""An answer's Markdown taken apart: paragraphs, bullets, tables; in them plain text, bold text and [n] markers. Nothing else.

The text of documents arrives inside answers with its own marks escaped, so whatever is not one of these is plain text.
Pages, exports and copies are all built from this one reading.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

_INLINE = re.compile(r"\\(?P<escaped>[\\`*_\[\]<>#|])|(?P<bold>\*\*)|\[(?P<cite>\d{1,4})\]")
_BULLET = re.compile(r"\s*[-•]\s+")
_CELL = re.compile(r"((?:\\.|[^|\\])*)\|")
_RULE = re.compile(r"\|?\s*:?-{3,}:?\s*(?:\|\s*:?-{3,}:?\s*)*\|?")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text, or a marker: then `cite` is its number and `text` is empty."""

    text: str
    bold: bool = False
    cite: int | None = None


Line = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph, a heading (one line that bullets follow), a list of bullets (one line each), or a table.

    lines: of all but tables. rows: a table's cells, its head first, all rows equally long.
    """

    kind: Literal["paragraph", "heading", "bullets", "table"]
    lines: tuple[Line, ...] = ()
    rows: tuple[tuple[Line, ...], ...] = ()


def parts(text: str) -> Iterator[Part]:
    """The answer's parts in order."""
    lines = [line for line in text.splitlines() if line.strip()]
    at = 0
    while at < len(lines):
        cells = _table_length(lines, at)
        bullets = next((n for n, line in enumerate(lines[at:]) if not _BULLET.match(line)), len(lines) - at)
        taken = lines[at : at + (cells or bullets or 1)]
        if cells:
            yield Part("table", rows=_rows(taken))
        elif bullets:
            yield Part("bullets", tuple(pieces(_BULLET.sub("", line, count=1)) for line in taken))
        else:
            heads = at + 1 < len(lines) and _BULLET.match(lines[at + 1])
            yield Part("heading" if heads else "paragraph", (pieces(taken[0]),))
        at += len(taken)


def pieces(line: str) -> Line:
    """One line's runs of text and markers."""
    out: list[Piece] = []
    bold, done = False, 0

    def put(text: str) -> None:
        if text and out and out[-1].cite is None and out[-1].bold == bold:
            out[-1] = Piece(out[-1].text + text, bold)
        elif text:
            out.append(Piece(text, bold))

    for found in _INLINE.finditer(line):
        put(line[done : found.start()])
        done = found.end()
        if found["bold"]:
            bold = not bold
        elif found["escaped"]:
            put(found["escaped"])
        else:
            out.append(Piece("", bold, int(found["cite"])))
    put(line[done:])
    return tuple(out)


def plain(line: Sequence[Piece]) -> str:
    """A line as plain text, markers as [n]."""
    return "".join(f"[{piece.cite}]" if piece.cite is not None else piece.text for piece in line)


def plain_text(text: str) -> str:
    """The whole answer as plain text; a table's row becomes one line, with the names of its columns."""
    out: list[str] = []
    for part in parts(text):
        match part.kind:
            case "table":
                head, *body = [[plain(cell) for cell in row] for row in part.rows]
                block = ["；".join([row[0], *(f"{name}：{cell}" for name, cell in zip(head[1:], row[1:], strict=True))]) for row in body]
                out.append("\n".join(block))
            case "bullets":
                block = "\n".join(f"- {plain(line)}" for line in part.lines)
                out[-1:] = [f"{out[-1]}\n{block}"] if out else [block]
            case _:
                out.append(plain(part.lines[0]))
    return "\n\n".join(out)


def _table_length(lines: list[str], at: int) -> int:
    """How many lines from `at` on are a table: a row with bars, a rule, more rows. 0 when there is none."""
    if not (lines[at].strip().startswith("|") and at + 1 < len(lines) and _RULE.fullmatch(lines[at + 1].strip())):
        return 0
    end = at + 2
    while end < len(lines) and lines[end].strip().startswith("|"):
        end += 1
    return end - at


def _rows(lines: list[str]) -> tuple[tuple[Line, ...], ...]:
    bare = [line.strip().removeprefix("|") for line in (lines[0], *lines[2:])]
    cells = [[pieces(cell.strip()) for cell in _CELL.findall(line)] or [()] for line in bare]
    return tuple(tuple((row + [()] * len(cells[0]))[: len(cells[0])]) for row in cells)
