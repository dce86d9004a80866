"""What is evaluated: anything that answers questions, injected by the caller."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from rag.schema import Answer, Retrieval


class Asker(Protocol):
    """Implementations: `rag.pipeline.Pipeline`, `tests.eval_fakes.BigramAsker`."""

    def ask(self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None) -> Answer:
        """The answer. Raises `UsageError` for a question that cannot be asked."""
        ...

    def search(self, query: str, k: int = 10, filters: Mapping[str, str] | None = None) -> Retrieval:
        """The first `k` hits, best first."""
        ...

    def describe(self) -> Mapping[str, str]:
        """All of its own that decides an answer: generation, digests of weights and settings."""
        ...

    def text_of(self, source: str) -> str:
        """The text that offsets of this source refer to. Raises KeyError for an unknown source."""
        ...
