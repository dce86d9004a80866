"""Blocks: a document as a list of logical paragraphs, the common ground of every format."""

import re
from dataclasses import dataclass
from typing import Literal

from rag.loading.numbering import mark, plain
from rag.schema import Span
from rag.text import readable

Kind = Literal["text", "heading", "row", "furniture"]

ENDS = "。！？!?…"
"""Characters that end a sentence."""
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_CLOSERS = "”’」』》）)】〕］]\"'"


@dataclass(frozen=True, slots=True)
class Block:
    """One logical paragraph, title line, table row or piece of page furniture.

    start, end: where it lies in the document's text. text: its readable form (broken lines joined).
    level: depth of a heading that the format itself marks (md `##`, html `h2`), 0 for none.
    loose: an empty line or a change of layout stands before it.
    """

    start: int
    end: int
    text: str
    kind: Kind = "text"
    level: int = 0
    loose: bool = False

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)

    @property
    def content(self) -> bool:
        """Whether it belongs to the document and not to the page around it."""
        return self.kind != "furniture"


def block(text: str, start: int, end: int, **details: object) -> Block:
    """The block of `text[start:end]`, trimmed of white space."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    piece = piece.strip()
    return Block(start, start + len(piece), _reading(piece), **details)  # type: ignore[arg-type]


def _reading(piece: str) -> str:
    """The readable form, but for one blank kept after a number: "第二章 规划" is a heading, "第二章规定" a citation; so may
    "1 总则" be one, but not "1总则".

    Markdown's emphasis at the beginning goes, so that "**一、总则**" is read as a heading.
    """
    if piece.startswith("**"):
        piece = _BOLD.sub(r"\1", piece, count=1)
    opening = mark(piece) or plain(piece)
    if opening and piece[opening.end : opening.end + 1].isspace():
        return f"{readable(piece[: opening.end])} {readable(piece[opening.end :].lstrip())}".rstrip()
    return readable(piece)


def finished(text: str) -> bool:
    """Whether a line ends as a sentence, a list item or an introduction ends."""
    bare = text.rstrip().rstrip(_CLOSERS)
    return bool(bare) and bare[-1] in ENDS + "；;：:."


def running(text: str) -> bool:
    """Whether a line is running text, not a title, heading, name or date."""
    return bool(re.search(r"[。！？；]", text)) or (len(text) >= 30 and bool(re.search("[，,]", text)))
