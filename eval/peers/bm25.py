"""Plain BM25 with tantivy: over jieba's words, or over pairs of characters."""

from collections.abc import Callable, Sequence
from pathlib import Path

from eval.peers.base import DEPTH, Source, Stretch, plain_cut
from rag.lexical import FIELDS, LexicalIndex, LexicalWriter


class Bm25:
    """BM25 over one kind of token."""

    def __init__(self, name: str, field: str, tokens: Callable[[str], list[str]], work: Path) -> None:
        """field: one of `rag.lexical.FIELDS`. tokens: makes them of a text. work: an existing folder for the index."""
        self.name, self._field, self._tokens, self._folder = name, field, tokens, work / f"bm25-{field}"

    def index(self, sources: Sequence[Source]) -> Sequence[Stretch]:
        """See `Peer`."""
        stretches: list[Stretch] = []
        writer = LexicalWriter(self._folder)
        for stretch, text in plain_cut(sources):
            stretches.append(stretch)
            writer.add(dict.fromkeys(FIELDS, "") | {self._field: " ".join(self._tokens(text))})
        writer.finish()
        self._stretches, self._index = stretches, LexicalIndex(self._folder)
        return stretches

    def search(self, question: str) -> Sequence[Stretch]:
        """See `Peer`."""
        rows, _ = self._index.search(self._tokens(question), DEPTH, self._field)
        return [self._stretches[row] for row in rows]
