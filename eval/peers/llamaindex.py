"""LlamaIndex: vector index and BM25 retriever, fused by reciprocal ranks."""

from collections.abc import Sequence

from eval.peers.base import DEPTH, POOL, SIZE, Model, Source, Stretch
from rag.text import words

_SENTENCE = "[^。！？!?；\n]*[。！？!?；\n]+|[^。！？!?；\n]+"
"""Every character is in one match: LlamaIndex finds its chunks in the original only if none is lost."""
_TITLE = 40
"""Room for the title, which LlamaIndex counts towards the size of a chunk."""


class LlamaIndex:
    """Its sentence splitter with Chinese sentence ends; BM25 over jieba's words; titles read with the passages."""

    def __init__(self, model: Model) -> None:
        """Raises ModuleNotFoundError when a llama-index package of the extra is not installed."""
        from llama_index.core import __version__
        from llama_index.core.node_parser import SentenceSplitter
        from llama_index.core.node_parser.text.utils import split_by_regex
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding
        from llama_index.retrievers.bm25 import BM25Retriever

        self.name = f"LlamaIndex {__version__}（混合）"
        self._bm25_retriever = BM25Retriever
        self._splitter = SentenceSplitter(
            chunk_size=SIZE + _TITLE, chunk_overlap=0, tokenizer=list, paragraph_separator="\n\n",
            chunking_tokenizer_fn=split_by_regex(_SENTENCE),
        )  # fmt: skip
        self._embedding = HuggingFaceEmbedding(
            model_name=str(model.folder), query_instruction=model.query_prompt, text_instruction=model.passage_prompt,
            embed_batch_size=32,
        )  # fmt: skip

    def index(self, sources: Sequence[Source]) -> Sequence[Stretch]:
        """See `Peer`."""
        import bm25s
        from llama_index.core import Document, VectorStoreIndex
        from llama_index.core.vector_stores.utils import node_to_metadata_dict

        whole = [
            Document(
                text=s.text, metadata={"source": s.name, "title": s.title}, text_template="{metadata_str}\n{content}",
                metadata_template="{value}", excluded_embed_metadata_keys=["source"],
                excluded_llm_metadata_keys=["source"],
            ) for s in sources
        ]  # fmt: skip
        nodes = self._splitter.get_nodes_from_documents(whole)
        vectors = VectorStoreIndex(nodes, embed_model=self._embedding)
        corpus = [node_to_metadata_dict(n) | {"node_id": n.node_id} for n in nodes]
        lexical = bm25s.BM25(corpus=corpus)
        lexical.index([words(n.get_content(metadata_mode="embed")) for n in nodes], show_progress=False)
        pool = min(POOL, len(nodes))
        bm25 = self._bm25_retriever(
            existing_bm25=lexical, similarity_top_k=pool, skip_stemming=True, token_pattern=r"(?u)\S+"
        )
        self._retriever = _fused(vectors.as_retriever(similarity_top_k=pool), bm25)
        return [_stretch(n) for n in nodes]

    def search(self, question: str) -> Sequence[Stretch]:
        """See `Peer`."""
        return [_stretch(found.node) for found in self._retriever.retrieve(question)]


def _fused(dense, bm25):
    """Both in one retriever. BM25 gets the question as jieba's words, the vectors get it as it is."""
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.llms import MockLLM
    from llama_index.core.retrievers import QueryFusionRetriever

    class Segmenting(BaseRetriever):
        def _retrieve(self, query_bundle):
            return bm25.retrieve(" ".join(words(query_bundle.query_str)))

    return QueryFusionRetriever(
        [dense, Segmenting()], llm=MockLLM(), num_queries=1, mode="reciprocal_rerank", similarity_top_k=DEPTH,
        use_async=False,
    )  # fmt: skip


def _stretch(node) -> Stretch:
    return Stretch(node.metadata["source"], node.start_char_idx, node.end_char_idx)
