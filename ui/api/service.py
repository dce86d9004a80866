"""What all doors share: the pipeline, the threads that work, the feedback book, the counters.

Doors reach documents only through `ask`, `stream`, `search` and `read`, which take the asker and open what that person
may see: no door can forget to.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rag.config import Settings
from rag.schema import Answer, Document, Event, Retrieval
from rag.validity import Related, Status
from ui.api.audit import AuditLog, Entry
from ui.api.feedback import FeedbackBook
from ui.api.follower import Follower
from ui.api.identity import Asker
from ui.api.logs import REQUEST
from ui.api.shapes import DocumentEntry
from ui.api.workers import Workers

WAITING = 32
"""Questions that may wait for a thread; the next one is refused with 503."""
THREADS = 2
"""Answers computed at once; the libraries beneath use several cores for each."""
READERS, READERS_WAITING = 4, 64
"""Threads that read documents, which takes no computing."""

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

T = TypeVar("T")


class Pipeline(Protocol):
    """What the doors need of `rag.pipeline.Pipeline`. Implementations: that class, `tests.web_fakes.WebPipeline`."""

    settings: Settings

    @property
    def generation(self) -> str: ...

    def visible_to(self, groups: Iterable[str]) -> "Pipeline": ...

    def ask(
        self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None,
        generator: str | None = None,
    ) -> Answer: ...

    def stream(
        self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None,
        generator: str | None = None,
    ) -> Iterator[Event]: ...

    def search(self, query: str, k: int = 10, filters: Mapping[str, str] | None = None) -> Retrieval: ...

    def documents(self) -> Sequence[DocumentEntry]: ...

    def document(self, id: str) -> Document: ...

    def original(self, id: str) -> bytes: ...

    def status(self, id: str) -> Status: ...

    def related(self, id: str) -> Related: ...

    def examples(self) -> Sequence[str]: ...

    def published(self) -> str: ...

    def proving(self) -> Iterator[None]: ...

    def renewed(self, thorough: bool = False) -> "Pipeline": ...

    def trouble(self) -> str: ...


class Metrics:
    """Counters for /metrics, in a registry of their own so that one process can hold several services."""

    def __init__(self, workers: Workers, readers: Workers) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("wenju_requests", "HTTP requests.", ("route", "method", "status"), registry=registry)
        self.seconds = Histogram("wenju_request_seconds", "Time to the response's start.", ("route",), registry=registry)
        self.answers = Counter("wenju_answers", "Answers given.", ("door", "status"), registry=registry)
        self.feedback = Counter("wenju_feedback", "Feedback received.", ("rating",), registry=registry)
        self.stages = Histogram("wenju_stage_seconds", "Time of each stage of an answer or a search; waiting: for a thread.",
                                ("stage",), registry=registry, buckets=_BUCKETS)
        working = Gauge("wenju_working", "Calls that run or wait for a thread.", ("pool",), registry=registry)
        refused = Gauge("wenju_refused", "Calls refused so far, every waiting place being taken.", ("pool",), registry=registry)
        for pool, threads in (("answers", workers), ("documents", readers)):
            working.labels(pool).set_function(lambda threads=threads: threads.taken)
            refused.labels(pool).set_function(lambda threads=threads: threads.refused)

    def stage(self, name: str, seconds: float) -> None:
        """One stage of one call."""
        self.stages.labels(name).observe(seconds)


class Service:
    """The one object that routes and pages are built on.

    pipeline: answers the questions that come now. It is replaced as a whole when a new generation of the index has been
    published, so take it once a request: what began on one generation ends on it.
    audit: where questions are written down, if they are. closing: called when the server begins to stop.
    trouble: why questions cannot be answered now, "" when they can; the follower looks.
    """

    def __init__(
        self, pipeline: Pipeline, threads: int = THREADS, waiting: int = WAITING, audit: AuditLog | None = None
    ) -> None:
        self.pipeline = pipeline
        self.trouble = ""
        self.follower = Follower(self)
        self.workers, self.readers = Workers(threads, waiting), Workers(READERS, READERS_WAITING)
        self.feedback = FeedbackBook(pipeline.settings.home / "feedback.jsonl")
        self.metrics = Metrics(self.workers, self.readers)
        self.closing: list[Callable[[], None]] = []
        self.stopping = False
        self._audit = audit

    async def ask(
        self, asker: Asker, door: str, question: str, history: Sequence[str], filters: Mapping[str, str],
        generator: str | None = None,
    ) -> Answer:
        """An answer, computed off the event loop. Raises what the pipeline raises, AuditError, and Busy."""
        entry = Entry(asker.name, door, "ask", question, request=REQUEST.get())

        def work(seen: Pipeline) -> Answer:
            answer = seen.ask(question, history, filters or None, generator)
            self.note(_answered(entry, answer))
            return answer

        answer = await self.workers.run(self._on(self.workers, asker, work))
        self._count(door, answer)
        return answer

    async def stream(
        self, asker: Asker, door: str, question: str, history: Sequence[str], filters: Mapping[str, str],
        generator: str | None = None,
    ) -> AsyncIterator[Event]:
        """The events of an answer as they come. Raises as `ask` does, before the first event or between two."""
        entry = Entry(asker.name, door, "ask", question, request=REQUEST.get())
        work = self._on(self.workers, asker, lambda seen: self._noted(
            entry, seen.stream(question, history, filters or None, generator)))
        async for event in self.workers.stream(work):
            if event.answer:
                self._count(door, event.answer)
            yield event

    async def search(
        self, asker: Asker, door: str, query: str, k: int = 10, filters: Mapping[str, str] | None = None
    ) -> Retrieval:
        """Passages, as `ask` is computed. Raises as it does."""
        entry = Entry(asker.name, door, "search", query, "found", request=REQUEST.get())

        def work(seen: Pipeline) -> Retrieval:
            found = seen.search(query, k, filters or None)
            shown = tuple(dict.fromkeys(hit.document.id for hit in found.hits))
            self.note(replace(entry, documents=shown, generation=seen.generation))
            return found

        found = await self.workers.run(self._on(self.workers, asker, work))
        self._time(found.timings_ms)
        return found

    async def document(self, asker: Asker, door: str, id: str, what: Callable[[Pipeline, Document], T]) -> T:
        """What `what` makes of a document and of all the asker may see. Raises KeyError when there is none that the asker
        may see, AuditError, and Busy."""
        entry = Entry(asker.name, door, "read", "", "shown", (id,), request=REQUEST.get())

        def work(seen: Pipeline) -> T:
            made = what(seen, seen.document(id))
            self.note(replace(entry, generation=seen.generation))
            return made

        return await self.read(asker, work)

    async def read(self, asker: Asker, what: Callable[[Pipeline], T]) -> T:
        """What `what` makes of the documents the asker may see, in a thread. Raises what it raises, and Busy."""
        return await self.readers.run(self._on(self.readers, asker, what))

    def note(self, entry: Entry) -> None:
        """Writes an audit entry, where there is an audit log. Raises AuditError."""
        if self._audit:
            self._audit.add(entry)

    def begin_to_stop(self) -> None:
        """From now on the service is not ready; pages' idle connections are let go."""
        self.stopping = True
        for close in self.closing:
            close()

    def close(self) -> None:
        """Lets running calls end and drops the waiting ones."""
        self.follower.stop()
        self.workers.close()
        self.readers.close()

    def _on(self, pool: Workers, asker: Asker, work: Callable[[Pipeline], T]) -> Callable[[], T]:
        """`work` on what the asker may see, to be called in a thread; how long it waited for one is measured."""
        submitted = time.perf_counter()

        def started() -> T:
            if pool is self.workers:
                self.metrics.stage("waiting", time.perf_counter() - submitted)
            return work(self.pipeline.visible_to(asker.groups))

        return started

    def _noted(self, entry: Entry, events: Iterator[Event]) -> Iterator[Event]:
        """The same events; whoever has seen text of an answer is in the audit log, whole answer or not."""
        seen_text = noted = False
        try:
            for event in events:
                if event.answer:
                    self.note(_answered(entry, event.answer))
                    noted = True
                seen_text = seen_text or event.kind == "delta"
                yield event
        finally:
            if seen_text and not noted:
                self.note(entry)

    def _count(self, door: str, answer: Answer) -> None:
        self.metrics.answers.labels(door, answer.status).inc()
        self._time(answer.timings_ms)

    def _time(self, timings_ms: Mapping[str, float]) -> None:
        for stage, spent in timings_ms.items():
            self.metrics.stage(stage, spent / 1000)


def _answered(entry: Entry, answer: Answer) -> Entry:
    cited = tuple(dict.fromkeys(citation.document_id for citation in answer.citations))
    spent = answer.timings_ms.get("total", 0.0)
    return replace(entry, status=answer.status, documents=cited, generation=answer.generation, ms=round(spent, 1))
