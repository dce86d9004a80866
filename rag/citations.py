"""From a sentence of a passage to a citation that resolves, and the check that it does.

Two checks, both used on every answer before it leaves and again by `wenju verify`:
the *invariant* (the original's slice equals the quote, white space aside) and the *exactness guard*
(every number, date, telephone number and 文号 of a claim stands in one of its quotes).
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Set

from rag.schema import Answer, Citation, Document, Passage, Span
from rag.text import NUMERAL, compact, number, readable

_RUN = re.compile(r"\S+")
MARKER = re.compile(r"(?<!\\)\[(\d{1,3})\]")
"""A citation mark in an answer; a bracketed number of the document itself is written \\[n]."""


def original_span(document: Document, passage: Passage, span: Span) -> Span:
    """Where `span` of `passage.text` stands in `document.text`.

    Both texts are equal once white space is removed, so positions correspond by counting the rest.
    """
    first = len(compact(passage.text[: span.start]))
    last = first + len(compact(passage.text[span.start : span.end])) - 1
    start, seen = passage.start, 0
    for run in _RUN.finditer(document.text, passage.start, passage.end):
        length = run.end() - run.start()
        if seen <= first < seen + length:
            start = run.start() + first - seen
        if seen <= last < seen + length:
            return Span(start, run.start() + last - seen + 1)
        seen += length
    raise ValueError("span lies outside its passage")


def page_of(document: Document, offset: int) -> int | None:
    """1-based page on which `offset` stands; None for formats without pages."""
    return bisect_right(document.pages, offset) or None if document.pages else None


_ARTICLE = re.compile(rf"第[{NUMERAL}]+[编章节条](?=\s)")


def shown(document: Document, span: Span) -> str:
    """The words of the span joined for reading; the blank that parts 第七条 from its text stays, a heading gets one."""
    text = document.text[span.start : span.end].strip()
    label = _ARTICLE.match(text)
    end = label.end() if label else _heading_end(document, span.start, text)
    return f"{readable(text[:end])} {readable(text[end:])}" if end else readable(text)


def _heading_end(document: Document, start: int, text: str) -> int:
    """Where the heading ends that the text, which begins at `start`, begins with on lines of its own; 0 when with none."""
    at = bisect_left(document.sections, start, key=lambda section: section.start)
    if at == len(document.sections) or document.sections[at].start != start or not document.sections[at].path:
        return 0
    heading, length = compact(document.sections[at].path[-1]), 0
    for line in text.splitlines(keepends=True):
        length += len(line)
        if len(found := compact(text[:length])) >= len(heading):
            return length if found == heading and length < len(text) else 0
    return 0


def cite(identifier: int, document: Document, span: Span, section_path: tuple[str, ...], score: float) -> Citation:
    """The citation of `document.text[span]`, its quote joined for reading."""
    meta = document.meta
    return Citation(
        id=identifier, document_id=document.id, source=document.source, title=meta.title, issuer=meta.issuer,
        document_number=meta.document_number, issued_on=meta.issued_on, section_path=section_path,
        quote=shown(document, span), start=span.start, end=span.end,
        page=page_of(document, span.start), score=round(float(score), 4),
    )


# ---------------------------------------------------------------- exactness

_DIGITS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?![\d])%?|\d+(?:[.:/-]\d+)*%?")
_HAN_NUMBER = re.compile(rf"(?<![{NUMERAL}])[{NUMERAL}]{{2,}}(?![{NUMERAL}])|[{NUMERAL}](?=[年月日号天个名人次项条元万亿%份])")
_LABEL = re.compile(r"(?<=\d)\.[ \t]+(?=\d)")
"""Between the label of an item and a number that it begins with: "2. 5月6日" has no 2.5."""


def exact_values(text: str) -> set[str]:
    """Numbers, dates, telephone numbers, percentages and the like in `text`, in comparable form.

    Full width becomes half width; Chinese numerals of two or more characters, or before a unit, become Arabic.
    """
    text = compact(_LABEL.sub("、", unicodedata.normalize("NFKC", text.replace("，", "、"))))
    values = {m.group().replace(",", "") for m in _DIGITS.finditer(text)}
    values |= {str(n) for m in _HAN_NUMBER.finditer(text) if (n := number(m.group())) is not None}
    return values


def unsupported_values(claim: str, quotes: list[str]) -> set[str]:
    """Values of the claim that no quote contains; empty when the claim is exact."""
    known: set[str] = set()
    for quote in quotes:
        known |= exact_values(quote)
    return exact_values(claim) - known


def emphasised(text: str, values: Set[str]) -> str:
    """Markdown `text` with the numbers that are among `values` (see `exact_values`) in bold."""
    def bold(found: re.Match[str]) -> str:
        number, percent = found.group().removesuffix("%"), "%" * found.group().endswith("%")
        return f"**{number}**{percent}" if found.group().replace(",", "") in values else found.group()

    return _DIGITS.sub(bold, text)


# ---------------------------------------------------------------- the check of a whole answer

def problems(answer: Answer, text_of: Callable[[str], str | None]) -> list[str]:
    """What is wrong with the answer, in Chinese; empty when every invariant of DESIGN.md 5.2 holds.

    text_of: document id → the text that offsets refer to, None when the document is unknown.
    """
    found: list[str] = []
    known = {c.id: c for c in answer.citations}
    if [c.id for c in answer.citations] != list(range(1, len(answer.citations) + 1)):
        found.append("引文编号不连续")
    for citation in answer.citations:
        text = text_of(citation.document_id)
        if text is None:
            found.append(f"引文 [{citation.id}]：没有文件 {citation.document_id}")
        elif not 0 <= citation.start < citation.end <= len(text):
            found.append(f"引文 [{citation.id}]：位置 {citation.start}–{citation.end} 超出原文")
        elif compact(text[citation.start : citation.end]) != compact(citation.quote):
            found.append(f"引文 [{citation.id}]：与原文不一致")
    for claim in answer.claims:
        unknown = [n for n in claim.citations if n not in known]
        if not claim.citations or unknown:
            found.append(f"“{claim.text[:20]}”：没有可用的引文")
            continue
        if missing := unsupported_values(claim.text, [known[n].quote for n in claim.citations]):
            found.append(f"“{claim.text[:20]}”：引文中没有 {'、'.join(sorted(missing))}")
    if answer.status == "answered":
        marked = {int(n) for n in MARKER.findall(answer.answer)}
        if not answer.claims or not marked:
            found.append("答案没有引文")
        elif marked - known.keys():
            found.append("答案中的引文编号不存在")
    elif not answer.reason:
        found.append("没有说明原因")
    return found
