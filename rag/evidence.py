"""From passages to evidence: which sentences of the hits speak to the question."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rag import gate, points, relevance
from rag.citations import original_span, shown
from rag.fitted import FEATURES
from rag.premises import of_another_year
from rag.query import Query
from rag.retrieval import Found, Retriever
from rag.schema import Document, Evidence, Hit, Span
from rag.text import NUMERAL, clauses, compact, sentences
from rag.values import asked_for, has_value, section_asked, thing_asked

LEANING = ("对此", "上述", "其中", "此外", "同时", "据此", "为此", "以上", "前款", "该", "其", "这", "但", "并", "否则", "逾期")
"""A sentence that begins so leans on the one before it."""
_COVERAGE = FEATURES.index("coverage")
_FURNITURE = re.compile(r"^\s*(?:发布(?:日期|时间)|(?:信息|文章)?来源|浏览(?:次数|量)|阅读(?:次数|量)|字体|字号|索引号|打印)\s*[:：].*$", re.M)
"""Lines that a web page puts around a notice: they say nothing of its matter."""
_AS_MUCH = 0.8
"""Share of what the best hit says that a passage with the value has to say to be heard before it."""
_LONGEST_NAME = 16
_DAY = re.compile(rf"[\d{NUMERAL}]{{4}}年[\d{NUMERAL}]{{1,2}}月(?:[\dXx某*{NUMERAL}]{{1,3}}[日号])?")
_DATED = re.compile("时间|日期|期限|截止|[：:]$")
"""How a line ends after which a bare date is no signature's."""
_AROUND_TITLE = 6
"""Characters of a line that is but a title: 《》, 附件1, (试行)."""
_LONGEST_ITEM = 110
"""Characters of sentences that stay together in a list; a longer sentence stands alone."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much evidence an answer holds. Chosen on development data (eval/README.md)."""

    documents: int = 4
    per_document: int = 3
    margin: float = 4.0
    """A passage of the best document this much below the best passage (in units of the fused score) is left out."""
    sure: float = 0.5
    """Another document is heard when the gate is this sure of its passage alone."""
    heading_share: float = 0.5
    """A section whose heading says this much of what is asked is quoted whole."""


DEFAULT = Limits()


def gather(found: Found, retriever: Retriever, limits: Limits = DEFAULT) -> list[Evidence]:
    """Evidence for the question, best first."""
    told = (e for hit, nth in heard(found, retriever, limits) for e in _of_hit(found, retriever, hit, nth, limits)
            if not of_another_year(found.query, hit.document, e.span))
    return sorted(told, key=lambda e: -e.score)


def heard(found: Found, retriever: Retriever, limits: Limits = DEFAULT) -> Iterator[tuple[Hit, int]]:
    """The hits that have a say in the answer, each with the number of its document's hits before it."""
    if not found.hits:
        return
    top = found.hits[0]
    counts: dict[str, int] = {}
    known: dict[tuple[str, ...], str] = {}
    for n in _with_values_first(found):
        hit = found.hits[n]
        id = hit.document.id
        if not top.score - hit.score <= limits.margin:
            continue
        heard_of = id == top.document.id or id in counts
        if not heard_of and gate.confidence(found.query, found.evident[n : n + 1], len(retriever.index)) < limits.sure:
            continue
        again = _publication(hit.document)
        if again and known.setdefault(again, id) != id:
            continue  # the same notice from another page
        if counts.get(id, 0) >= limits.per_document or (id not in counts and len(counts) >= limits.documents):
            continue
        yield hit, counts.get(id, 0)
        counts[id] = counts.get(id, 0) + 1


def _with_values_first(found: Found) -> list[int]:
    """Positions of the hits in the order in which they are heard: when a value is asked for and the best hit has none,
    those of its document that have one and say no less of what is asked come first."""
    order = list(range(len(found.hits)))
    top, said = found.hits[0], found.evident[:, _COVERAGE]
    valued = [has_value(found.query, _FURNITURE.sub("", hit.passage.text)) for hit in found.hits]
    if asked_for(found.query) is None or valued[0]:
        return order
    first = [n for n in order if valued[n] and found.hits[n].document.id == top.document.id and said[n] >= _AS_MUCH * said[0]]
    return first + [n for n in order if n not in first]


def _publication(document: Document) -> tuple[str, ...] | None:
    """What two files of one notice have in common; None when the document does not say enough."""
    meta = document.meta
    said = meta.title, meta.document_number or meta.issued_on
    return tuple(compact(part) for part in said if part) if all(said) else None


def _of_hit(found: Found, retriever: Retriever, hit: Hit, nth: int, limits: Limits) -> list[Evidence]:
    """nth: passages of the document that were heard before."""
    text, spans = hit.passage.text, telling(found.query, hit)
    if not spans:
        return []
    late, share = retriever.worth(found, hit, spans)
    worth = relevance.worth(late, share)
    titled = heading_asks(found, retriever, hit, limits)
    texts = [text[s.start : s.end] for s in spans]
    keep = relevance.kept(found.query, relevance.features(found.query, texts, late, share, nth, titled))
    if _wants_all(found.query) and titled:
        keep[:] = True
    for i in range(1, len(spans)):
        if keep[i] and text.startswith(LEANING, spans[i].start):
            keep[i - 1] = True
    if _is_heading(hit, text[spans[0].start : spans[0].end]) and keep[1:].any():
        keep[0] = False
    return [
        _evidence(found, retriever, hit, Span(spans[i].start, spans[j - 1].end), float(worth[i:j].max()))
        for i, j in _runs(keep, _breaks(found.query, text, spans))
    ]


def telling(query: Query, hit: Hit) -> list[Span]:
    """The sentences of a hit that may tell something; of its matter, unless the document itself is asked about."""
    spans = list(sentences(hit.passage.text))
    return spans if query.form == "metadata" else [s for s in spans if not _is_frame(hit, s)]


def _is_frame(hit: Hit, sentence: Span) -> bool:
    """Whether the sentence is but the document's title or a part of it, its number, addressees or signature, or of a web page."""
    text, title = hit.passage.text, compact(hit.document.meta.title or "")
    said = compact(text[sentence.start : sentence.end])
    if said in title or (title and title in said and len(said) <= len(title) + _AROUND_TITLE):
        return True
    if _FURNITURE.match(text, sentence.start, sentence.end):
        return True
    if _DAY.fullmatch(said) and not _DATED.search(text[: sentence.start].rstrip().rpartition("\n")[2]):
        return True
    where = original_span(hit.document, hit.passage, sentence)
    return any(span.start <= where.start and where.end <= span.end for span in hit.document.meta.proof.values())


def _wants_all(query: Query) -> bool:
    return query.form in ("list", "general", "compare", "definition")


def heading_asks(found: Found, retriever: Retriever, hit: Hit, limits: Limits = DEFAULT) -> bool:
    """Whether the heading of the passage's section says what is asked."""
    path = hit.passage.section_path
    return bool(path) and retriever.share(found, hit.document.id, path[-1]) >= limits.heading_share


def _is_heading(hit: Hit, sentence: str) -> bool:
    path = hit.passage.section_path
    return bool(path) and compact(sentence).rstrip("。：:") == compact(path[-1]).rstrip("。：:")


def _breaks(query: Query, text: str, spans: Sequence[Span]) -> list[bool]:
    """After which sentences a quote ends: at the end of a paragraph, and in a list when it would get long."""
    out, length = [], 0
    for one, other in pairwise(spans):
        length += one.end - one.start
        ends = "\n" in text[one.end : other.start]
        ends = ends or (_wants_all(query) and length + other.end - other.start > _LONGEST_ITEM)
        out.append(ends)
        length = 0 if ends else length
    return out


def _runs(keep: np.ndarray, breaks: Sequence[bool]) -> list[tuple[int, int]]:
    """Stretches of neighbouring True values as (first, past the last), cut at breaks.

    breaks[i]: whether to cut between i and i + 1.
    """
    out: list[tuple[int, int]] = []
    for i in np.flatnonzero(keep).tolist():
        if out and out[-1][1] == i and not breaks[i - 1]:
            out[-1] = out[-1][0], i + 1
        else:
            out.append((i, i + 1))
    return out


def _evidence(found: Found, retriever: Retriever, hit: Hit, span: Span, worth: float) -> Evidence:
    where = original_span(hit.document, hit.passage, span)
    return quoted(found, retriever, hit.document, where, hit.passage.section_path, hit.score + worth)


def quoted(
    found: Found, retriever: Retriever, document: Document, span: Span, path: tuple[str, ...], score: float
) -> Evidence:
    """The evidence of a span of the document, joined for reading and with its point."""
    text, query = shown(document, span), found.query
    parts = clauses(text)
    point, worth = points.best(query, text, parts, *retriever.said(found, document.id, parts))
    named, thing = f"{_named_by(document, span)}\n{text}", thing_asked(query)
    section, heading = section_asked(query), path[-1] if path else ""
    said = retriever.share(found, document.id, point) + bool(thing and thing in named) + bool(section and section in heading)
    return Evidence(document, path, span, text, point, said, worth, round(score, 4))


def _named_by(document: Document, span: Span) -> str:
    """The short line just before the words, which says what they are of ("（一）租金标准"); "" when there is none."""
    line = document.text[max(0, span.start - 2 * _LONGEST_NAME) : span.start].rstrip().rpartition("\n")[2]
    return line if len(line) <= _LONGEST_NAME and "。" not in line else ""
