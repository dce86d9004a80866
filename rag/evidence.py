"""From passages to evidence: which sentences of the hits speak to the question, whole lists where a list is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.citations import original_span
from rag.protocols import Encoded
from rag.query import Query
from rag.retrieval import Found, Retriever
from rag.schema import Document, Evidence, Hit, Passage, Section, Span
from rag.text import bigrams, normalise, readable, sentences

LEANING = ("对此", "上述", "其中", "此外", "同时", "据此", "为此", "以上", "前款", "该", "其", "这", "但", "并", "否则", "逾期")
_ASKS_FOR_ALL = ("list", "definition", "collection", "compare", "general")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much evidence an answer holds. Fitted on development data (eval/README.md)."""

    documents: int = 4
    per_document: int = 3
    passage_margin: float = 2.0
    """A passage this much below the best (in units of the fused score) is left out."""
    sentence_share: float = 0.82
    """A sentence stays when it meets the question at least this share as well as its passage's best."""


def gather(found: Found, retriever: Retriever, limits: Limits = Limits()) -> list[Evidence]:  # noqa: B008 - frozen
    """Evidence for the question, best first."""
    if not found.hits:
        return []
    best = found.hits[0].score
    counts: dict[str, int] = {}
    out: list[Evidence] = []
    for hit in found.hits:
        id = hit.document.id
        if best - hit.score > limits.passage_margin or (id not in counts and len(counts) >= limits.documents):
            continue
        if counts.get(id, 0) >= limits.per_document:
            continue
        counts[id] = counts.get(id, 0) + 1
        out.extend(_of_hit(found, retriever, hit, limits))
    return _distinct(out)


def _of_hit(found: Found, retriever: Retriever, hit: Hit, limits: Limits) -> list[Evidence]:
    spans = list(sentences(hit.passage.text))
    if not spans:
        return []
    worth = _worth(found.encoded, found.query, retriever, hit, spans)
    keep = worth >= worth.max() * limits.sentence_share
    for i in range(1, len(spans)):
        if keep[i] and hit.passage.text.startswith(LEANING, spans[i].start):
            keep[i - 1] = True
    out, i = [], 0
    while i < len(spans):
        j = i
        while j < len(spans) and keep[j]:
            j += 1
        if j > i:
            out.append(_evidence(hit.document, hit.passage, Span(spans[i].start, spans[j - 1].end),
                                 hit.score + float(worth[i:j].max())))
        i = max(j, i + 1)
    return out


def _worth(encoded: Encoded, query: Query, retriever: Retriever, hit: Hit, spans: Sequence[Span]) -> np.ndarray:
    """How well each sentence meets the question: late interaction, and the share of its bigrams that the sentence has."""
    late = retriever.match_spans(encoded, hit.row, spans).mean(axis=1)
    asked = set(bigrams(query.text))
    if not asked or query.language != "zh":
        return late
    text = [normalise(hit.passage.text[s.start : s.end]) for s in spans]
    share = np.array([sum(p in t for p in asked) / len(asked) for t in text], np.float32)
    return late + 0.5 * share


def _evidence(document: Document, passage: Passage, span: Span, score: float) -> Evidence:
    where = original_span(document, passage, span)
    return Evidence(document, passage, where, readable(document.text[where.start : where.end]), round(score, 4))


def _distinct(evidence: list[Evidence]) -> list[Evidence]:
    """Without overlaps inside a document and repeats of the same words across documents."""
    kept: list[Evidence] = []
    for item in sorted(evidence, key=lambda e: -e.score):
        clash = any(item.document.id == k.document.id and item.span.start < k.span.end and k.span.start < item.span.end for k in kept)
        if not clash:
            kept.append(item)
    return kept
