"""Parts that compute instead of pretending: small, deterministic, and fit to stand for the real ones."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

import numpy as np

from rag.protocols import Encoded

DIMENSION = 64


@cache
def _direction(bigram: str) -> np.ndarray:
    """A unit vector drawn from the bigram's own digest: near-orthogonal to those of others."""
    seed = int.from_bytes(hashlib.sha256(bigram.encode("utf-8", "surrogatepass")).digest()[:8])
    drawn = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


def _tokens(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows float32 [n, 64] and spans int32 [n, 2] of the pairs of neighbouring characters, white space left out."""
    at = [i for i, char in enumerate(text) if not char.isspace()]
    spans = [(a, b + 1) for a, b in pairwise(at)] or [(i, i + 1) for i in at]
    rows = [_direction("".join(text[a:b].lower().split())) for a, b in spans]
    return np.array(rows, np.float32).reshape(-1, DIMENSION), np.array(spans, np.int32).reshape(-1, 2)


class HashEmbedder:
    """An `Embedder` whose cosine grows with the character pairs that two texts share."""

    name = "hash"
    digest = hashlib.sha256(b"hash").hexdigest()
    dimension = DIMENSION

    def embed_passages(self, texts: Sequence[str], contexts: Sequence[str]) -> Iterator[Encoded]:
        """See `Embedder`; the context counts towards the vector, its tokens are left out."""
        for text, context in zip(texts, contexts, strict=True):
            yield self._encoded(text, context)

    def embed_query(self, text: str) -> Encoded:
        """See `Embedder`."""
        return self._encoded(text, "")

    def embed_queries(self, texts: Sequence[str]) -> list[Encoded]:
        """See `Embedder`."""
        return [self._encoded(text, "") for text in texts]

    def _encoded(self, text: str, context: str) -> Encoded:
        rows, spans = _tokens(text)
        total = rows.sum(axis=0) + _tokens(context)[0].sum(axis=0)
        length = float(np.linalg.norm(total))
        vector = total / length if length > 1e-6 else _direction("")
        return Encoded(vector.astype(np.float32), rows, spans)


class BruteStore:
    """A `VectorStore` that compares with every row: the measure for the others. Equal scores: the lower row first."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = np.asarray(vectors, np.float32)

    def search(self, vector: np.ndarray, k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """See `VectorStore`."""
        rows = np.arange(len(self.vectors)) if allowed is None else np.asarray(allowed, np.int64)
        scores = self.vectors[rows] @ np.asarray(vector, np.float32)
        best = np.lexsort((rows, -scores))[:k]
        return rows[best].astype(np.int64), scores[best].astype(np.float32)
