"""Haystack: embedding and BM25 retrievers over an in-memory store, joined by reciprocal ranks."""

from collections.abc import Sequence
from itertools import chain

from eval.peers.base import DEPTH, POOL, SIZE, Model, Source, Stretch


class Haystack:
    """Its recursive splitter with Chinese sentence ends; BM25 over character pairs; titles embedded with the passages."""

    def __init__(self, model: Model) -> None:
        """Raises ModuleNotFoundError when haystack-ai or sentence-transformers-haystack is not installed."""
        import haystack
        from haystack.components.joiners import DocumentJoiner
        from haystack.components.preprocessors import RecursiveDocumentSplitter
        from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
        from haystack.document_stores.in_memory import InMemoryDocumentStore
        from haystack_integrations.components.embedders.sentence_transformers import (
            SentenceTransformersDocumentEmbedder,
            SentenceTransformersTextEmbedder,
        )

        self.name = f"Haystack {haystack.__version__}（混合）"
        self._document = haystack.Document
        self._splitter = RecursiveDocumentSplitter(
            split_length=SIZE, split_unit="char", separators=["\n\n", "\n", "。", "；", "，"]
        )
        self._embedder = SentenceTransformersDocumentEmbedder(
            model=str(model.folder), prefix=model.passage_prompt, meta_fields_to_embed=["title"], progress_bar=False
        )
        self._asker = SentenceTransformersTextEmbedder(
            model=str(model.folder), prefix=model.query_prompt, progress_bar=False
        )
        self._store = InMemoryDocumentStore(bm25_tokenization_regex=r"(?=(\w\w))", shared=False)
        self._dense = InMemoryEmbeddingRetriever(self._store, top_k=POOL)
        self._lexical = InMemoryBM25Retriever(self._store, top_k=POOL)
        self._joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=DEPTH)
        for part in (self._splitter, self._embedder, self._asker):
            part.warm_up()

    def index(self, sources: Sequence[Source]) -> Sequence[Stretch]:
        """See `Peer`."""
        whole = [self._document(content=s.text, meta={"source": s.name, "title": s.title}) for s in sources]
        # One document at a time: told of several, the splitter measures overlaps between them.
        cut = chain.from_iterable(self._splitter.run([d])["documents"] for d in whole)
        parts = [part for part in cut if part.content.strip()]
        self._store.write_documents(self._embedder.run(parts)["documents"])
        return [_stretch(p) for p in parts]

    def search(self, question: str) -> Sequence[Stretch]:
        """See `Peer`."""
        vector = self._asker.run(question)["embedding"]
        dense = self._dense.run(query_embedding=vector)["documents"]
        lexical = self._lexical.run(query=question)["documents"]
        return [_stretch(d) for d in self._joiner.run([dense, lexical])["documents"]]


def _stretch(document) -> Stretch:
    start = document.meta["split_idx_start"]
    return Stretch(document.meta["source"], start, start + len(document.content))
