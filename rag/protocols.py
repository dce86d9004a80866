"""The agreements between steps and adapters: only where two real implementations exist."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text seen by the embedder in one forward pass.

    vector: float32 [dimension], unit length.
    tokens: float32 [n, dimension], one unit row for each token of the text proper (no prefix, no context, no special tokens).
    spans: int32 [n, 2], where each token lies in the text, in code points.
    """

    vector: np.ndarray
    tokens: np.ndarray
    spans: np.ndarray


class Embedder(Protocol):
    """Turns texts into vectors. Implementations: `embedding.SentenceEmbedder`, `tests.fakes.HashEmbedder`."""

    name: str
    digest: str
    """SHA-256 over the weights and tokenizer that were loaded."""
    dimension: int

    def embed_passages(self, texts: Sequence[str], contexts: Sequence[str]) -> Iterator[Encoded]:
        """One `Encoded` for each text, in order. `contexts[i]` (title and headings, may be "") is read before the text."""
        ...

    def embed_query(self, text: str) -> Encoded:
        """The question, with the model's query prefix."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> list[Encoded]:
        """What `embed_query` gives for each text, computed together."""
        ...


class VectorStore(Protocol):
    """Nearest passages by inner product. Implementations: `stores.faiss.FaissStore`, `stores.milvus.MilvusStore`,
    `tests.fakes.BruteStore`. What each must do: tests/test_store_contract.py.

    Raises EngineError when a server that does the work is away.
    """

    def search(self, vector: np.ndarray, k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows int64 [≤k] and scores float32 [≤k], best first; only rows in `allowed` (sorted int64) if given."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation with a language model."""

    role: Literal["system", "user"]
    content: str


class AnswerGenerator(Protocol):
    """A language model. Implementations: `generators.transformers.LocalModel`, `generators.openai.Endpoint`.

    Safe to call from several threads.
    """

    name: str
    """What answers name as their generator."""
    digest: str
    """SHA-256 over the files the model was loaded from, "" for one that is elsewhere."""

    def write(self, messages: Sequence[Message], deadline: float) -> Iterator[str]:
        """Pieces of the text that follows, as they come. Closing the iterator stops the model.

        deadline: of `time.monotonic()`; nothing is waited for beyond it. Raises GenerationError.
        """
        ...
