"""A document's text for reading on a screen: paragraphs rejoined, a quote marked, sections given anchors.

Only white space is changed. Scanned newspapers and pasted web pages break lines inside sentences; such
breaks are taken back where a full line ends without any closing mark.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rag.schema import Document, Section, Span
from rag.text import readable
from ui.pages.escape import html, join

_CLOSING = "。！？!?；;：:）)】〕》>」』”\"…|"
_INDENT = ("　", "  ", "\t")
_CUT = 80
"""Columns (a Chinese character takes two) from which a line of unwrapped text is taken to have been cut by mistake."""
_SLACK = 4
"""Columns by which the lines of a wrapped text differ."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Ranges of lines that read as one; each range has no white space at its ends."""

    lines: tuple[Span, ...]

    @property
    def start(self) -> int:
        """Where it begins in the text."""
        return self.lines[0].start


def paragraphs(document: Document, within: Span) -> list[Paragraph]:
    """The paragraphs of a range of the document, in the order of the text."""
    text = document.text
    lines = list(_lines(text, within))
    full = _full(text, lines)
    proofs = [at for proof in document.meta.proof.values() for at in (proof.start, proof.end)]
    starts = {_settled(text, s.start) for s in (*document.sections, *document.body)} | set(proofs)
    out: list[list[Span]] = []
    for line in lines:
        last = out[-1][-1] if out else None
        if last and _continues(text, last, line, full, starts):
            out[-1].append(line)
        else:
            out.append([line])
    return [Paragraph(tuple(group)) for group in out]


def _lines(text: str, within: Span) -> Iterator[Span]:
    at = within.start
    for raw in text[within.start : within.end].splitlines(keepends=True):
        body = raw.strip()
        if body:
            begin = at + raw.index(body[0])
            yield Span(begin, begin + len(body))
        at += len(raw)


def _columns(text: str, line: Span) -> int:
    """Width on a grid where a Chinese character takes two columns."""
    return sum(2 if ord(char) > 0x2E7F else 1 for char in text[line.start : line.end])


def _full(text: str, lines: Sequence[Span]) -> int:
    """Columns from which a line counts as full: near the common width where the text was wrapped, else `_CUT`."""
    widths = sorted(_columns(text, line) for line in lines)
    common = widths[len(widths) // 2] if widths else 0
    wrapped = len(widths) > 4 and widths[len(widths) * 9 // 10] <= common + _SLACK < _CUT
    return common - _SLACK if wrapped else _CUT


def _settled(text: str, at: int) -> int:
    """The first character from `at` on that is not white space."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _continues(text: str, last: Span, line: Span, full: int, starts: set[int]) -> bool:
    """Whether a sentence runs on from one line to the next."""
    if line.start in starts or last.end in starts or _columns(text, last) < full:
        return False
    between = text[last.end : line.start].splitlines()
    return text[last.end - 1] not in _CLOSING and not (between and between[-1].startswith(_INDENT))


LONGEST = 4000
"""Characters of a stretch shown at once."""


def stretches(document: Document) -> list[Span]:
    """The whole text in pieces to leaf through: cut where a section begins, and again where that leaves too much."""
    length = len(document.text)
    starts = sorted({0, *(_settled(document.text, s.start) for s in document.sections)} - {length})
    out: list[Span] = []
    for start, end in itertools.pairwise([*starts, length]):
        while start < end:
            cut = end if end - start <= LONGEST else document.text.rfind("\n", start + 1, start + LONGEST) + 1 or start + LONGEST
            if document.text[start:cut].strip():
                out.append(Span(start, cut))
            start = cut
    return out


def around(document: Document, place: Span) -> Span:
    """The innermost section that holds the place, else the stretches it lies in."""
    if section := innermost(document.sections, place):
        return Span(section.start, section.end)
    holding = [s for s in stretches(document) if s.start < place.end and place.start < s.end]
    return Span(min(holding[0].start, place.start), max(holding[-1].end, place.end)) if holding else place


def beside(document: Document, within: Span) -> tuple[Span | None, Span | None]:
    """The stretches before and after a range."""
    before = after = None
    for stretch in stretches(document):
        if stretch.start < within.start:
            before = Span(stretch.start, min(stretch.end, within.start))
        if after is None and stretch.end > within.end:
            after = Span(max(stretch.start, within.end), stretch.end)
    return before, after


def innermost(sections: Iterable[Section], place: Span) -> Section | None:
    """The smallest section that holds the place."""
    holding = [s for s in sections if s.start <= place.start and place.end <= s.end]
    return min(holding, key=lambda s: s.end - s.start, default=None)


def render(document: Document, within: Span, quote: Span | None = None, anchors: bool = False) -> Markup:
    """The range as <p> elements, the quote in <mark>; with `anchors`, section n begins at id `section-n`.

    Text outside the document's body (page furniture) is marked as such.
    """
    places: dict[int, list[int]] = {}
    if anchors:
        for number, section in enumerate(document.sections):
            places.setdefault(_settled(document.text, section.start), []).append(number)
    out = []
    for paragraph in paragraphs(document, within):
        pieces = join(_pieces(document.text, paragraph, quote, places))
        outside = document.body and not any(b.start <= paragraph.start < b.end for b in document.body)
        out.append(html('<p class="{kind}">{pieces}</p>', kind="wj-outside" if outside else "wj-text", pieces=pieces))
    return join(out)


def _pieces(text: str, paragraph: Paragraph, quote: Span | None, places: dict[int, list[int]]) -> Iterator[Markup]:
    before = ""
    for line in paragraph.lines:
        cuts = {line.start, line.end} | {at for at in places if line.start < at < line.end}
        if quote:
            cuts |= {at for at in (quote.start, quote.end) if line.start < at < line.end}
        bounds = sorted(cuts)
        for start, end in itertools.pairwise(bounds):
            for number in places.get(start, ()):
                yield html('<span id="section-{n}" class="wj-anchor"></span>', n=number)
            piece = text[start:end]
            glue = readable(f"{before} {piece[0]}")[1:-1] if before and start == line.start else ""
            marked = quote and quote.start <= start and end <= quote.end
            yield html("{glue}<mark>{piece}</mark>" if marked else "{glue}{piece}", glue=glue, piece=piece)
            before = piece[-1]
