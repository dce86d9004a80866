"""Plain dense retrieval: the cosine of question and passage, nothing else."""

from collections.abc import Sequence

import numpy as np

from eval.peers.base import DEPTH, Model, Source, Stretch, plain_cut


class Dense:
    """Every passage compared, exactly."""

    name = "稠密检索"

    def __init__(self, model: Model) -> None:
        self._embedder = model.embedder

    def index(self, sources: Sequence[Source]) -> Sequence[Stretch]:
        """See `Peer`."""
        self._stretches, texts = zip(*plain_cut(sources), strict=True)
        encoded = self._embedder.embed_passages(texts, [""] * len(texts))
        self._vectors = np.stack([e.vector for e in encoded])
        return self._stretches

    def search(self, question: str) -> Sequence[Stretch]:
        """See `Peer`."""
        scores = self._vectors @ self._embedder.embed_query(question).vector
        return [self._stretches[row] for row in np.argsort(-scores, kind="stable")[:DEPTH]]
