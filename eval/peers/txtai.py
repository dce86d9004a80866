"""txtai: hybrid of dense vectors and BM25, its tokenizer set to character pairs, its ordinary choice for Chinese."""

from collections.abc import Sequence

from eval.peers.base import DEPTH, Model, Source, Stretch, plain_cut


class Txtai:
    """`txtai.Embeddings` with dense and sparse scores, equal weights. txtai has no Chinese splitter: the plain cut."""

    def __init__(self, model: Model) -> None:
        """Raises ModuleNotFoundError when txtai is not installed."""
        from importlib.metadata import version

        import txtai

        self.name = f"txtai {version('txtai')}（混合）"
        self._embeddings = txtai.Embeddings(
            path=str(model.folder),
            instructions={"query": model.query_prompt, "data": model.passage_prompt},
            hybrid=True,
            scoring={"method": "bm25", "terms": True, "normalize": True, "tokenizer": {"ngrams": {"ngrams": 2}}},
        )

    def index(self, sources: Sequence[Source]) -> Sequence[Stretch]:
        """See `Peer`."""
        self._stretches, texts = zip(*plain_cut(sources), strict=True)
        self._embeddings.index(enumerate(texts))
        return self._stretches

    def search(self, question: str) -> Sequence[Stretch]:
        """See `Peer`."""
        return [self._stretches[row] for row, _ in self._embeddings.search(question, DEPTH)]
