"""What a format's reader hands on, and the text it builds while reading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rag.loading.blocks import Block, Kind, block
from rag.loading.furniture import is_furniture
from rag.loading.layout import Line, paragraphs
from rag.schema import Span

Given = Mapping[str, tuple[str, Span]]
_T = TypeVar("_T")
_KINDS = ("text", "heading", "row", "furniture")


@dataclass(frozen=True, slots=True)
class Content:
    """A document before its structure is known.

    text: what offsets refer to. blocks: all of it, in order. wrapped: its lines had been broken at a fixed width.
    given: what the format states of the document itself. pages: where each page starts in `text`.
    """

    text: str
    blocks: list[Block]
    wrapped: bool = False
    given: Given = field(default_factory=dict)
    pages: tuple[int, ...] = ()


class Building:
    """The text of a document under construction, one line for each paragraph, title line or table row."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.pages: list[int] = []
        self.given: dict[str, tuple[str, Span]] = {}
        self.size = 0
        self._pieces: list[str] = []

    def add(self, text: str, kind: Kind = "text", level: int = 0, indent: bool = False, gap: bool = False) -> int:
        """Appends a line; returns where it starts. See `layout.Line` for the details."""
        start = self.size
        kind = "furniture" if kind == "text" and is_furniture(text) else kind
        self.lines.append(Line(start, start + len(text), text, gap, indent, kind, level))
        self._pieces.append(text)
        self.size += len(text) + 1
        return start

    def page(self, within: int = 0) -> None:
        """A page begins here. within: so many characters of the next line still stand on the page before."""
        self.pages.append(self.size + within)

    @property
    def text(self) -> str:
        """All lines so far."""
        return "\n".join(self._pieces)

    def blocks(self) -> list[Block]:
        """Each line as a block of its own."""
        text = self.text
        return [block(text, x.start, x.end, kind=x.kind, level=x.level, loose=x.gap) for x in self.lines]

    def joined(self, width: int | None) -> list[Block]:
        """Lines that were broken inside a paragraph as one block, as in plain text. width: see `layout.wrap_width`."""
        return paragraphs(self.text, self.lines, width)

    def content(self, blocks: list[Block], wrapped: bool = False) -> Content:
        """The finished document."""
        text = self.text
        pages = tuple(min(page, len(text)) for page in self.pages)  # blank ones at the end begin where the text ends
        return Content(text, blocks, wrapped, self.given, pages)


# ---------------------------------------------------------------- JSON, from a process that is not trusted

def content_to_json(content: Content) -> dict[str, Any]:
    """Plain lists and dicts."""
    return {
        "text": content.text, "wrapped": content.wrapped, "pages": content.pages,
        "blocks": [[b.start, b.end, b.text, b.kind, b.level, b.loose] for b in content.blocks],
        "given": {name: [value, span.start, span.end] for name, (value, span) in content.given.items()},
    }


def content_from_json(value: Any) -> Content:
    """The reverse of `content_to_json`. Raises ValueError, KeyError or TypeError unless all of it holds together."""
    text = _typed(value["text"], str)
    blocks = [_block(entry, text) for entry in value["blocks"]]
    given = {_typed(name, str): (_typed(stated, str), _span(start, end, text))
             for name, (stated, start, end) in value["given"].items()}
    pages = tuple(_typed(page, int) for page in value["pages"])
    if list(pages) != sorted(pages) or any(not 0 <= page <= len(text) for page in pages):
        raise ValueError("pages out of order")
    return Content(text, blocks, _typed(value["wrapped"], bool), given, pages)


def _block(entry: Sequence[Any], text: str) -> Block:
    start, end, reading, kind, level, loose = entry
    span = _span(start, end, text)
    if kind not in _KINDS:
        raise ValueError("unknown kind of block")
    return Block(span.start, span.end, _typed(reading, str), kind, _typed(level, int), _typed(loose, bool))


def _span(start: Any, end: Any, text: str) -> Span:
    if not 0 <= _typed(start, int) <= _typed(end, int) <= len(text):
        raise ValueError("span outside the text")
    return Span(start, end)


def _typed(value: Any, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} expected")
    return value
