"""A part of an index: the documents that some people may see, as if there were no others.

Everything that searching and answering read comes from the visible documents alone. Passages are numbered anew, and the
lexical indexes are made again in memory, so that the weights of words (BM25's document frequencies and mean length), the
spelling vocabulary, counts and ties are those of an index that never held the rest: a hidden document changes nothing.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

import numpy as np

from rag.index.entries import DocumentEntry
from rag.index.generation import Index
from rag.schema import Document, Passage
from rag.stores.faiss import FaissStore
from rag.validity import Collection


class View:
    """The interface of `Index` over some of its documents. Read-only; safe to use from several threads."""

    def __init__(self, index: Index, ids: Set[str]) -> None:
        """ids: of the documents that are in view. Raises KeyError. Time and memory grow with their text (about 2 s for
        50,000 passages), so views are kept and shared."""
        self._index = index
        self.generation = index.generation
        self.embedder_name, self.embedder_digest, self.dimension = index.embedder_name, index.embedder_digest, index.dimension
        kept = [entry for entry in index.metas.values() if entry.id in ids]
        self._rows = index.rows_of(ids)
        self.metas: Mapping[str, DocumentEntry] = MappingProxyType({e.id: e for e in _renumbered(kept)})
        self._numbers = {id: n for n, id in enumerate(self.metas)}
        self.vectors = _Vectors(index.vectors, self._rows)
        self.lexical = index.lexical.subset(self._rows)
        self.document_lexical = index.document_lexical.subset([index.number_of(entry.id) for entry in kept])

    def __len__(self) -> int:
        """Number of passages in view."""
        return len(self._rows)

    def document(self, id: str) -> Document:
        """A document in view. Raises KeyError."""
        if id not in self.metas:
            raise KeyError(id)
        return self._index.document(id)

    def outlined(self, id: str) -> Document:
        """See `Index.outlined`. Raises KeyError for a document that is not in view."""
        if id not in self.metas:
            raise KeyError(id)
        return self._index.outlined(id)

    def text(self, id: str) -> str:
        """See `Index.text`. Raises KeyError for a document that is not in view."""
        if id not in self.metas:
            raise KeyError(id)
        return self._index.text(id)

    def whole(self, id: str) -> str:
        """See `Index.whole`. Raises KeyError for a document that is not in view."""
        if id not in self.metas:
            raise KeyError(id)
        return self._index.whole(id)

    def original(self, id: str) -> bytes:
        """See `Index.original`. Raises KeyError for a document that is not in view."""
        if id not in self.metas:
            raise KeyError(id)
        return self._index.original(id)

    def passage(self, row: int) -> Passage:
        """The passage of a row. Raises IndexError."""
        if row < 0:
            raise IndexError(row)
        return self._index.passage(self._rows[row])

    @cached_property
    def collection(self) -> Collection:
        """Which document in view speaks of which: what hidden ones repeal stays in force."""
        return Collection(self.metas.values())

    def number_of(self, id: str) -> int:
        """The row of a document in `document_lexical`. Raises KeyError."""
        return self._numbers[id]

    def rows_of(self, ids: Iterable[str]) -> np.ndarray:
        """Rows of all passages of these documents, sorted int64. Raises KeyError."""
        ranges = sorted((self.metas[id].rows for id in set(ids)), key=lambda r: r.start)
        return np.concatenate([np.empty(0, np.int64), *(np.arange(r.start, r.stop, dtype=np.int64) for r in ranges)])

    def tokens(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Index.tokens`."""
        return self._index.tokens(self._rows[row])

    def stored_tokens_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `Index.stored_tokens_of`."""
        return self._index.stored_tokens_of(self._rows[rows])


class _Vectors:
    """A `VectorStore` over some rows of another."""

    def __init__(self, store: FaissStore, rows: np.ndarray) -> None:
        self._store, self._rows = store, rows

    def search(self, vector: np.ndarray, k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """See `VectorStore`. Order and ties are kept: numbering anew never changes which of two rows is the lower."""
        found, scores = self._store.search(vector, k, self._rows if allowed is None else self._rows[allowed])
        return np.searchsorted(self._rows, found), scores

    def score(self, vector: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """See `FaissStore.score`."""
        return self._store.score(vector, self._rows[rows])


def _renumbered(entries: Iterable[DocumentEntry]) -> Iterable[DocumentEntry]:
    """The entries with their rows one after the other from 0."""
    start = 0
    for entry in entries:
        yield replace(entry, rows=range(start, start + len(entry.rows)))
        start += len(entry.rows)
