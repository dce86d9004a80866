"""The first stage: candidates by vectors and by words, with their scores. BM25 over the best score possible."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

import numpy as np

from rag.index import Index
from rag.protocols import Encoded
from rag.query import Query

POOL = 60
"""Candidates taken from each ranking."""


class Candidates:
    """Searches one generation's vectors and words."""

    def __init__(self, index: Index) -> None:
        self._index, self._order = index, list(index.metas)
        self.rarity = lru_cache(maxsize=50_000)(partial(_idf, index.lexical))
        """Inverse document frequency by field ("bigrams", "words") and token."""

    def ranked(
        self, query: Query, encoded: Encoded, tokens: Mapping[str, Sequence[str]], allowed: np.ndarray | None
    ) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[str, float]]:
        """Rows and scores by ranking; and each document's lexical score as a share of the best possible.

        tokens: the question's "bigrams" and "words". allowed: int64 rows of the passages that the slots allow, None without slots.
        """
        index, pairs = self._index, tokens["bigrams"]
        rankings = {"dense": index.vectors.search(encoded.vector, POOL)}
        if query.language == "zh":
            rankings |= {field: index.lexical.search(tokens[field], POOL, field) for field in ("bigrams", "words")}
        if allowed is not None and len(allowed):
            rankings["dense"] = _joined(rankings["dense"], index.vectors.search(encoded.vector, POOL, allowed))
            if query.language == "zh":
                more = index.lexical.search(pairs, POOL, "bigrams", allowed)
                rankings["bigrams"] = _joined(rankings["bigrams"], more)
        documents: dict[str, float] = {}
        if query.language == "zh" and pairs:
            found, scores = index.document_lexical.search(pairs, POOL, "bigrams")
            most = _most_possible(pairs, partial(_idf, index.document_lexical, "bigrams"))
            documents = {self._order[r]: float(s) / most for r, s in zip(found, scores, strict=True)}
        return rankings, documents

    def score(
        self, out: np.ndarray, encoded: Encoded, tokens: Mapping[str, Sequence[str]], rows: np.ndarray,
        rankings: Mapping[str, tuple[np.ndarray, np.ndarray]],
    ) -> None:
        """Fills the columns bigrams, words and dense of features, float64 [rows, len(FEATURES)]."""
        for name, column in (("bigrams", 3), ("words", 4)):
            found, scores = rankings.get(name, (np.empty(0, np.int64), np.empty(0, np.float32)))
            most = _most_possible(tokens[name], partial(self.rarity, name))
            out[np.searchsorted(rows, found), column] = scores / most
        out[:, 5] = self._index.vectors.score(encoded.vector, rows)


def _joined(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Two rankings by the same score as one."""
    rows, at = np.unique(np.concatenate([first[0], second[0]]), return_index=True)
    scores = np.concatenate([first[1], second[1]])[at]
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order]


def _idf(lexical, field: str, token: str) -> float:
    """BM25's inverse document frequency (Robertson & Zaragoza 2009)."""
    n = lexical.document_frequency(field, token)
    return float(np.log1p((len(lexical) - n + 0.5) / (n + 0.5)))


def _most_possible(tokens: Sequence[str], idf: Callable[[str], float]) -> float:
    """An upper bound of the BM25 score of a passage: every token at its saturation (k1 = 1.2)."""
    return 2.2 * sum(map(idf, tokens)) or 1.0
