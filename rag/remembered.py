"""Embeddings of the last questions: kept, and computed ahead together."""

import threading
from collections.abc import Mapping, Sequence

from rag.protocols import Embedder, Encoded


class Embeddings:
    """What the last questions look like to the model: asked again, or prepared for, they cost nothing. Thread-safe."""

    KEPT = 512

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Encoded] = {}
        self._lock = threading.Lock()

    def of(self, text: str) -> Encoded:
        """The question's embedding."""
        with self._lock:
            if known := self._known.pop(text, None):
                self._known[text] = known  # the last to be dropped
                return known
        encoded = self._embedder.embed_query(text)
        self._keep({text: encoded})
        return encoded

    def fill(self, texts: Sequence[str]) -> None:
        """Computes those that are not known, together; of more than `KEPT` the last remain."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._keep(dict(zip(new, self._embedder.embed_queries(new), strict=True)))

    def _keep(self, encoded: Mapping[str, Encoded]) -> None:
        with self._lock:
            self._known |= encoded
            for text in list(self._known)[: -self.KEPT]:
                del self._known[text]
