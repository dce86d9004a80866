"""What all doors share: the pipeline, the threads that work, the feedback book, the counters.

Doors reach documents only through `ask`, `stream`, `search` and `read`, which take the asker and open what that person
may see: no door can forget to.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rag.config import Settings
from rag.schema import Answer, Document, Event, Retrieval
from ui.api.feedback import FeedbackBook
from ui.api.follower import Follower
from ui.api.identity import Asker
from ui.api.shapes import DocumentEntry
from ui.api.workers import Workers

WAITING = 32
"""Questions that may wait for a thread; the next one is refused with 503."""
THREADS = 2
"""Answers computed at once; the libraries beneath use several cores for each."""
READERS, READERS_WAITING = 4, 64
"""Threads that read documents, which takes no computing."""

T = TypeVar("T")


class Pipeline(Protocol):
    """What the doors need of `rag.pipeline.Pipeline`. Implementations: that class, `tests.web_fakes.WebPipeline`."""

    settings: Settings

    @property
    def generation(self) -> str: ...

    def visible_to(self, groups: Iterable[str]) -> "Pipeline": ...

    def ask(self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None) -> Answer: ...

    def stream(
        self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None
    ) -> Iterator[Event]: ...

    def search(self, query: str, k: int = 10, filters: Mapping[str, str] | None = None) -> Retrieval: ...

    def documents(self) -> Sequence[DocumentEntry]: ...

    def document(self, id: str) -> Document: ...

    def original(self, id: str) -> bytes: ...

    def examples(self) -> Sequence[str]: ...

    def published(self) -> str: ...

    def renewed(self) -> "Pipeline": ...


class Metrics:
    """Counters for /metrics, in a registry of their own so that one process can hold several services."""

    def __init__(self, workers: Workers) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("wenju_requests", "HTTP requests.", ("route", "method", "status"), registry=self.registry)
        self.seconds = Histogram("wenju_request_seconds", "Time to the response's start.", ("route",), registry=self.registry)
        self.answers = Counter("wenju_answers", "Answers given.", ("door", "status"), registry=self.registry)
        self.feedback = Counter("wenju_feedback", "Feedback received.", ("rating",), registry=self.registry)
        working = Gauge("wenju_working", "Calls that run or wait for a thread.", registry=self.registry)
        working.set_function(lambda: workers.taken)


class Service:
    """The one object that routes and pages are built on.

    pipeline: answers the questions that come now. It is replaced as a whole when a new generation of the index has been
    published, so take it once a request: what began on one generation ends on it.
    """

    def __init__(self, pipeline: Pipeline, threads: int = THREADS, waiting: int = WAITING) -> None:
        self.pipeline = pipeline
        self.follower = Follower(self)
        self.workers, self.readers = Workers(threads, waiting), Workers(READERS, READERS_WAITING)
        self.feedback = FeedbackBook(pipeline.settings.home / "feedback.jsonl")
        self.metrics = Metrics(self.workers)

    async def ask(
        self, asker: Asker, door: str, question: str, history: Sequence[str], filters: Mapping[str, str]
    ) -> Answer:
        """An answer, computed off the event loop. Raises what the pipeline raises, and Busy."""
        answer = await self.workers.run(lambda: self._seen(asker).ask(question, history, filters or None))
        self.metrics.answers.labels(door, answer.status).inc()
        return answer

    async def stream(
        self, asker: Asker, door: str, question: str, history: Sequence[str], filters: Mapping[str, str]
    ) -> AsyncIterator[Event]:
        """The events of an answer as they come. Raises as `ask` does, before the first event or between two."""
        async for event in self.workers.stream(lambda: self._seen(asker).stream(question, history, filters or None)):
            if event.answer:
                self.metrics.answers.labels(door, event.answer.status).inc()
            yield event

    async def search(self, asker: Asker, query: str, k: int = 10, filters: Mapping[str, str] | None = None) -> Retrieval:
        """Passages, as `ask` is computed. Raises as it does."""
        return await self.workers.run(lambda: self._seen(asker).search(query, k, filters or None))

    async def read(self, asker: Asker, what: Callable[[Pipeline], T]) -> T:
        """What `what` makes of the documents the asker may see, in a thread. Raises what it raises, and Busy."""
        return await self.readers.run(lambda: what(self._seen(asker)))

    def close(self) -> None:
        """Lets running calls end and drops the waiting ones."""
        self.follower.stop()
        self.workers.close()
        self.readers.close()

    def _seen(self, asker: Asker) -> Pipeline:
        return self.pipeline.visible_to(asker.groups)
