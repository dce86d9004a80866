"""Wenju itself, as `wenju index` and `wenju search` do it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eval.peers.base import DEPTH, Model, Source, Stretch
from rag import __version__
from rag.config import Settings
from rag.index import Index
from rag.pipeline import Pipeline, build_index


class Wenju:
    """Reads the documents from their folder: its indexing time includes reading, writing and syncing files."""

    def __init__(self, settings: Settings, model: Model, docs: Path, work: Path) -> None:
        """work: an empty folder for the index."""
        self.name = f"文据 {__version__}"
        self._settings, self._embedder, self._docs = replace(settings, home=work, store="faiss"), model.embedder, docs

    def index(self, sources: Sequence[Source] = ()) -> Sequence[Stretch]:
        """See `Peer`; `sources` is not needed."""
        build_index(self._settings, [self._docs], embedder=self._embedder)
        self.pipeline = Pipeline(self._settings, Index.open(self._settings.index), self._embedder)
        index, entries = self.pipeline.index, self.pipeline.documents()
        passages = ((entry.source, index.passage(row)) for entry in entries for row in entry.rows)
        return [Stretch(source, p.start, p.end) for source, p in passages]

    def search(self, question: str) -> Sequence[Stretch]:
        """See `Peer`."""
        hits = self.pipeline.search(question, DEPTH).hits
        return [Stretch(h.document.source, h.passage.start, h.passage.end) for h in hits]

    def sources(self) -> Sequence[Source]:
        """The documents that were read, for the others."""
        entries = self.pipeline.documents()
        return [Source(e.source, self.pipeline.document(e.id).text) for e in entries]
