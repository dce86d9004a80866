"""What is evaluated: anything that answers questions, injected by the caller."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from rag.schema import Answer, Hit, Passage, Retrieval


class Examined(Protocol):
    """An answer with the passages that were found for it, best first."""

    @property
    def answer(self) -> Answer: ...

    @property
    def hits(self) -> Sequence[Hit]: ...


class Entry(Protocol):
    """A document of the collection."""

    @property
    def id(self) -> str: ...

    @property
    def source(self) -> str: ...


class Asker(Protocol):
    """Implementations: `rag.pipeline.Pipeline`, `tests.eval_fakes.BigramAsker`."""

    def prepare(self, questions: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Tells of (question, history) that will be asked next, so that work can be shared; answers stay the same."""
        ...

    def examine(
        self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None, depth: int = 10
    ) -> Examined:
        """The answer, and the first `depth` hits. Raises `UsageError` for a question that cannot be asked."""
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

    def documents(self) -> Sequence[Entry]:
        """All documents."""
        ...

    def passages(self, source: str) -> Sequence[Passage]:
        """How the source was cut. Raises KeyError for an unknown source."""
        ...
