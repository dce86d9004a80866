"""From a question to ranked passages: dense and lexical candidates, slots, late interaction, one linear score."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rag import scope
from rag.index import Index
from rag.protocols import Embedder, Encoded
from rag.query import Query
from rag.reranking import best_matches, late_interaction, weakest_fifth
from rag.schema import Hit, Span, Trace
from rag.scope import Slot
from rag.text import bigrams, normalise, words

POOL = 60
"""Candidates taken from each first-stage ranking."""
FEATURES = ("late", "weakest", "coverage", "bigrams", "words", "dense", "document")
# Fitted by `python -m eval.fit` on development data (see eval/README.md).
_WEIGHTS = {
    "zh": np.array([10.0, 2.0, 3.0, 2.0, 0.5, 2.0, 1.5], np.float32),
    "other": np.array([10.0, 2.0, 0.0, 0.0, 0.0, 4.0, 0.0], np.float32),
}


@dataclass(frozen=True, slots=True)
class Found:
    """What a question found. `hits` are admitted by every slot; `leads` are the best of the others.

    features: float32 [hits, len(FEATURES)]. unmet: slots that no passage of the index meets.
    """

    query: Query
    encoded: Encoded
    hits: tuple[Hit, ...]
    features: np.ndarray
    leads: tuple[Hit, ...]
    unmet: tuple[Slot, ...]
    timings_ms: dict[str, float]


class Retriever:
    """Searches one generation."""

    def __init__(self, index: Index, embedder: Embedder) -> None:
        self.index, self.embedder = index, embedder
        self._places = {id: scope.places_of(entry.meta) for id, entry in index.metas.items()}
        self._order = list(index.metas)
        self._normal = lru_cache(maxsize=20_000)(self._normalised)

    def retrieve(self, query: Query, k: int = 10) -> Found:
        """The k best passages for the question."""
        clock = _Clock()
        encoded = self.embedder.embed_query(query.text)
        clock.lap("embed")
        slots = list(scope.slots(query))
        rankings, document_scores = self._first_stage(query, encoded, slots)
        rows = np.unique(np.concatenate([r for r, _ in rankings.values()]))
        clock.lap("search")
        features, best = self._features(query, encoded, rows, rankings, document_scores)
        scores = features @ _WEIGHTS[query.language]
        order = np.lexsort((rows, -scores))
        clock.lap("rerank")
        admitted, others = self._admitted(query, slots, rows, order)
        unmet = tuple(s for s in slots if not admitted and not self._anyone_meets(s, query, rows))
        hits = tuple(self._hit(rows, i, n, scores, features, rankings) for n, i in enumerate(admitted[:k], 1))
        leads = tuple(self._hit(rows, i, n, scores, features, rankings) for n, i in enumerate(others[:k], 1))
        clock.lap("select")
        return Found(query, encoded, hits, features[admitted[:k]], leads, unmet, clock.laps)

    # ------------------------------------------------------------ first stage

    def _first_stage(
        self, query: Query, encoded: Encoded, slots: list[Slot]
    ) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[str, float]]:
        """Rows and scores by ranking; and each document's lexical score as a share of the best possible."""
        index = self.index
        pairs, terms = bigrams(query.text), words(query.text)
        allowed = self._allowed(query, slots)
        rankings = {"dense": index.vectors.search(encoded.vector, POOL)}
        if query.language == "zh":
            rankings["bigrams"] = index.lexical.search(pairs, POOL, "bigrams")
            rankings["words"] = index.lexical.search(terms, POOL, "words")
        if allowed is not None and len(allowed):
            rankings["dense"] = _joined(rankings["dense"], index.vectors.search(encoded.vector, POOL, allowed))
            if query.language == "zh":
                more = index.lexical.search(pairs, POOL, "bigrams", allowed)
                rankings["bigrams"] = _joined(rankings["bigrams"], more)
        documents: dict[str, float] = {}
        if query.language == "zh" and pairs:
            found, scores = index.document_lexical.search(pairs, POOL, "bigrams")
            most = _most_possible(pairs, index.document_lexical)
            documents = {self._order[r]: float(s) / most for r, s in zip(found, scores, strict=True)}
        return rankings, documents

    def _allowed(self, query: Query, slots: list[Slot]) -> np.ndarray | None:
        """Rows of the documents that no slot excludes; None when the slots exclude nothing."""
        if not slots:
            return None
        verdicts = {id: self._verdicts(id, query, slots) for id in self._order}
        kept = [id for id, verdict in verdicts.items() if False not in verdict]
        return None if len(kept) == len(self._order) else self.index.rows_of(kept)

    def _verdicts(self, id: str, query: Query, slots: Sequence[Slot]) -> list[bool | None]:
        meta, places = self.index.metas[id].meta, self._places[id]
        return [scope.of_document(slot, query, meta, places) for slot in slots]

    # ------------------------------------------------------------ second stage

    def _features(
        self, query: Query, encoded: Encoded, rows: np.ndarray,
        rankings: dict[str, tuple[np.ndarray, np.ndarray]], documents: dict[str, float],
    ) -> tuple[np.ndarray, np.ndarray]:
        index = self.index
        best = best_matches(encoded.tokens, [index.tokens(int(r))[0] for r in rows])
        out = np.zeros((len(rows), len(FEATURES)), np.float32)
        out[:, 0], out[:, 1] = late_interaction(best), weakest_fifth(best)
        pairs, terms = bigrams(query.text), words(query.text)
        weight = {p: _idf(index.lexical, "bigrams", p) for p in set(pairs)}
        total = sum(weight.values()) or 1.0
        at = {int(r): i for i, r in enumerate(rows)}
        for name, column, most in (
            ("bigrams", 3, _most_possible(pairs, index.lexical)),
            ("words", 4, _most_possible(terms, index.lexical, "words")),
            ("dense", 5, 1.0),
        ):
            for row, score in zip(*rankings.get(name, ((), ())), strict=True):
                out[at[int(row)], column] = score / most
        missing = out[:, 5] == 0
        if missing.any():
            out[missing, 5] = [float(s) for s in index.vectors.score(encoded.vector, rows[missing])]
        for i, row in enumerate(rows):
            text = self._normal(int(row))
            out[i, 2] = sum(w for p, w in weight.items() if p in text) / total
            out[i, 6] = documents.get(index.passage(int(row)).document_id, 0.0)
        return out, best

    def _normalised(self, row: int) -> str:
        passage = self.index.passage(row)
        name = self.index.metas[passage.document_id].meta.title or ""
        return normalise("\n".join((name, *passage.section_path, passage.text)))

    def _admitted(
        self, query: Query, slots: list[Slot], rows: np.ndarray, order: np.ndarray
    ) -> tuple[list[int], list[int]]:
        """Positions in `rows`, best first: those every slot admits, and the rest."""
        if not slots:
            return [int(i) for i in order], []
        admitted, others = [], []
        for i in order:
            (admitted if self._admits(query, slots, int(rows[i])) else others).append(int(i))
        return admitted, others

    def _admits(self, query: Query, slots: list[Slot], row: int) -> bool:
        verdicts = self._verdicts(self.index.passage(row).document_id, query, slots)
        return all(v or scope.in_words(slot, self._normal(row)) or (v is None and slot.name not in _MUST_BE_SAID)
                   for v, slot in zip(verdicts, slots, strict=True))

    def _anyone_meets(self, slot: Slot, query: Query, rows: np.ndarray) -> bool:
        return any(self._admits(query, [slot], int(r)) for r in rows)

    def _hit(self, rows, i: int, rank: int, scores, features, rankings) -> Hit:  # noqa: ANN001
        row = int(rows[i])
        passage = self.index.passage(row)
        trace = []
        for name, (found, values) in rankings.items():
            place = np.flatnonzero(found == row)
            if len(place):
                trace.append(Trace(name, int(place[0]) + 1, round(float(values[place[0]]), 4)))
        late = features[:, 0]
        trace.append(Trace("late_interaction", int((late > late[i]).sum()) + 1, round(float(late[i]), 4)))
        trace.append(Trace("fused", rank, round(float(scores[i]), 4)))
        return Hit(row, passage, self.index.document(passage.document_id), round(float(scores[i]), 4), tuple(trace))

    # ------------------------------------------------------------ inside a passage

    def match_spans(self, encoded: Encoded, row: int, spans: Sequence[Span]) -> np.ndarray:
        """Best cosine of each question token within each span of the passage's text: float32 [spans, q]."""
        tokens, where = self.index.tokens(row)
        parts = [tokens[(where[:, 0] >= s.start) & (where[:, 0] < s.end)] for s in spans]
        return best_matches(encoded.tokens, parts)


_MUST_BE_SAID = frozenset({"文号", "标题", "节日"})
"""Slots for which a document that says nothing is not enough."""


def _joined(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Two rankings by the same score as one."""
    rows, at = np.unique(np.concatenate([first[0], second[0]]), return_index=True)
    scores = np.concatenate([first[1], second[1]])[at]
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order]


def _idf(lexical, field: str, token: str) -> float:  # noqa: ANN001
    """BM25's inverse document frequency (Robertson & Zaragoza 2009)."""
    n = lexical.document_frequency(field, token)
    return float(np.log1p((len(lexical) - n + 0.5) / (n + 0.5)))


def _most_possible(tokens: Sequence[str], lexical, field: str = "bigrams") -> float:  # noqa: ANN001
    """An upper bound of the BM25 score of a passage: every token at its saturation (k1 = 1.2)."""
    return 2.2 * sum(_idf(lexical, field, t) for t in tokens) or 1.0


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round((now - self._last) * 1000, 3)
        self._last = now
