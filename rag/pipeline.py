"""The whole: question in, checked answer out. The composition root: the only file that names concrete adapters."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from rag import prompts
from rag.answering import answering_first, sides_of
from rag.asking import DEPTH, Asking
from rag.composing import Composer
from rag.config import Settings
from rag.errors import EngineError, ModelError, QuestionError, UsageError, WenjuError
from rag.fitted import FEATURES
from rag.generators.guard import Guard
from rag.index import Engine, Index, Part, PartReport, Progress, Report, View, Watcher, fill_part, refresh, withdraw
from rag.protocols import Embedder
from rag.retrieval import Retriever
from rag.schema import Answer, Document, Event, Hit, Passage, Retrieval, to_json
from rag.suggestions import examples
from rag.validity import STALE, Related, Status, clock, status_of

_VIEWS = 32
"""Views of one generation that are kept; each holds a lexical index of its own in memory."""
_ALIVE = 2.0
"""Seconds within which the vector server gives a sign of life."""


@dataclass(frozen=True, slots=True)
class Examined:
    """An answer with the passages that were found for it, best first."""

    answer: Answer
    hits: tuple[Hit, ...]


class Pipeline:
    """Answers questions over one generation of the index. Thread-safe: nothing but caches changes after opening."""

    def __init__(self, settings: Settings, index: Index | View, embedder: Embedder, model: Guard | None = None) -> None:
        """model: writes the answers, unless a question asks for the extractive one."""
        self.settings, self.index, self.embedder, self.model = settings, index, embedder, model
        self.retriever = Retriever(index, embedder, lambda: self._stale(clock(settings)))
        self._stale = lru_cache(maxsize=2)(self._stale_on)
        self.asking, self._composer = Asking(settings, self.retriever), Composer(settings, self.retriever, embedder)
        self._groups = frozenset(group for entry in index.metas.values() for group in entry.meta.groups)
        self._views: dict[frozenset[str], Pipeline] = {}
        self._viewing = threading.Lock()

    @classmethod
    def open(cls, settings: Settings) -> "Pipeline":
        """The pipeline over the current generation. Raises IndexMissing, IndexDamaged, EngineError, ModelError."""
        from rag.embedding import SentenceEmbedder

        index = opened(settings)
        return cls(settings, index, SentenceEmbedder.load(settings), guarded(settings))

    @property
    def generation(self) -> str:
        """Id of the generation that answers."""
        return self.index.generation

    def visible_to(self, groups: Iterable[str]) -> "Pipeline":
        """The pipeline over the documents that a member of these groups may see, as if there were no others.

        Documents without groups are everybody's. Every method of the result keeps to that view. Views are shared by
        all to whom the same groups of documents are open, and the `_VIEWS` last made are kept.
        """
        member = self._groups.intersection(groups)
        if member == self._groups:
            return self
        if (view := self._views.get(member)) is None:
            with self._viewing:
                view = self._views.get(member) or self._view_of(member)
        return view

    def _view_of(self, member: frozenset[str]) -> "Pipeline":
        ids = {id for id, e in self.index.metas.items() if not e.meta.groups or member.intersection(e.meta.groups)}
        view = Pipeline(self.settings, View(self.index, ids), self.embedder, self.model)
        if len(self._views) >= _VIEWS:
            del self._views[next(iter(self._views))]
        self._views[member] = view
        return view

    def published(self) -> str:
        """Id of the generation that is current on disk now, "" when that cannot be told. Cheap."""
        return Index.published(self.settings.index)

    def proving(self) -> Iterator[None]:
        """Reads, a piece at each step, what opening the index took on trust. Raises IndexDamaged. See `Index.proving`."""
        return self.index.proving() if isinstance(self.index, Index) else iter(())

    def renewed(self, thorough: bool = False) -> "Pipeline":
        """A pipeline over the generation that is current now, with the same embedder; this one when there is none.

        thorough: see `Index.open`. Raises IndexDamaged, IndexMissing, EngineError, and ModelError when the index was built with
        another model.
        """
        index = opened(self.settings, thorough)
        if index.digest == self.index.digest:
            return self
        if index.embedder_digest != self.embedder.digest:
            raise ModelError(f"索引改用了向量模型 {index.embedder_name}。", "请重新启动服务。")
        renewed = Pipeline(self.settings, index, self.embedder, self.model)
        renewed.warm()
        return renewed

    def warm(self) -> None:
        """Asks what the documents answer, so that dictionaries, weights and pages of the index are there for the first person
        who asks: without it their answer takes a second and more. A language model is not asked."""
        with suppress(WenjuError):
            self.ask(next(iter(self.examples(1)), "值班电话是多少？"), generator="extractive")

    def trouble(self) -> str:
        """Why no question can be answered now, in Chinese; "" when all that is needed is there."""
        engine = engine_of(self.settings)
        try:
            if engine:
                engine.milvus.ping(_ALIVE)
        except EngineError as error:
            return error.message
        return ""

    # ------------------------------------------------------------ the three questions one can ask

    def ask(
        self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None,
        generator: str | None = None,
    ) -> Answer:
        """An answer in which every claim is cited, or the reason why there is none.

        history: earlier questions of the conversation, oldest first. filters: see `scope.filtered`. generator: the one
        of the settings or "extractive"; None: that of the settings. Raises QuestionError and UsageError.
        """
        *_, last = self.stream(question, history, filters, generator)
        assert last.answer is not None
        return last.answer

    def stream(
        self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None,
        generator: str | None = None,
    ) -> Iterator[Event]:
        """The same answer step by step: what is being done, the text, the answer. The pieces of text make up its text."""
        began, model, said = time.perf_counter(), self._writer(generator), ""
        yield Event("status", "理解问题")
        found = self.asking.found(question, history, filters, model=model)
        yield Event("status", f"检索到 {len(found.hits)} 段")
        for event in self._composer.answering(question, found, model):
            if event.answer:
                answer = event.answer
                break
            said += event.text if event.kind == "delta" else ""
            yield event
        yield Event("status", f"核对 {len(answer.citations)} 处引文")
        answer = replace(answer, timings_ms={**found.timings_ms, "total": round((time.perf_counter() - began) * 1000, 3)})
        for line in answer.answer.removeprefix(said).splitlines(keepends=True):
            yield Event("delta", line)
        yield Event("answer", answer=answer)

    def search(self, query: str, k: int = 10, filters: Mapping[str, str] | None = None) -> Retrieval:
        """The k best passages with the trace of every stage; nothing is refused."""
        found = self.asking.found(query, (), filters, k)
        return Retrieval(query, answering_first(found, self.retriever, k), found.timings_ms)

    def examine(
        self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None, depth: int = 10
    ) -> Examined:
        """What `ask` answers, and the `depth` best passages it had to choose from, searched for once.

        Raises QuestionError.
        """
        began = time.perf_counter()
        found = self.asking.found(question, history, filters, max(depth, DEPTH), self.model)
        *_, last = self._composer.answering(question, found.first(DEPTH), self.model)
        total = round((time.perf_counter() - began) * 1000, 3)
        answer = replace(last.answer, timings_ms={**found.timings_ms, "total": total})
        return Examined(answer, answering_first(found, self.retriever, depth))

    def prepare(self, questions: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Tells of (question, history) that will be asked next: what can be computed together is. Answers stay the same.

        At most `remembered.Embeddings.KEPT` at a time are of use.
        """
        texts = []
        for question, history in questions:
            with suppress(QuestionError):  # it will be told when it is asked
                query = self.asking.understood(question, history)
                texts += [part.text for part in (query, query.written_out(), *sides_of(query)) if part]
        self.retriever.prepare(texts)

    def explain(
        self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None
    ) -> Mapping[str, object]:
        """Why the answer is what it is: what was understood, the gate's figure, every hit's stages and features, and what
        became of each sentence that the language model, if there is one, writes when asked once more."""
        found = self.asking.found(question, history, filters)
        chosen = self._composer.selected(found)
        return {
            "interpreted": to_json(found.query.interpreted()), "form": found.query.form,
            "confidence": round(chosen.confidence, 4), "min_confidence": self.settings.min_confidence,
            "reason": chosen.reason, "unmet": [slot.value for slot in found.unmet],
            "written": [to_json(checked) for checked in self._composer.checks(found.query, chosen, self.model)],
            "hits": [
                {"source": hit.document.source, "section_path": hit.passage.section_path, "trace": to_json(hit.trace),
                 "features": dict(zip(FEATURES, (round(float(x), 3) for x in values), strict=True))}
                for hit, values in zip(found.hits, found.features, strict=True)
            ],
        }

    def _writer(self, generator: str | None) -> Guard | None:
        """The model that a question is to be answered by. Raises UsageError for one that is not set up."""
        allowed = dict.fromkeys(("extractive", self.settings.generator))
        if generator is not None and generator not in allowed:
            raise UsageError(f"这里不能用“{generator}”写答案。", f"可用：{'、'.join(allowed)}。")
        return None if generator == "extractive" else self.model

    # ------------------------------------------------------------ documents

    def documents(self) -> Sequence:
        """Entries of all documents, in order of their sources."""
        return tuple(self.index.metas.values())

    def document(self, id: str) -> Document:
        """One document, whole. Raises KeyError."""
        return self.index.document(id)

    def original(self, id: str) -> bytes:
        """The file a document was read from, as it was indexed. Raises KeyError, and FileNotFoundError when it is no longer so."""
        return self.index.original(id)

    def status(self, id: str) -> Status:
        """Whether a document is in force today. Raises KeyError."""
        return status_of(self.index.metas[id], clock(self.settings), self.index.collection)

    def related(self, id: str) -> Related:
        """What the other documents have to do with one. Raises KeyError."""
        links = self.index.collection
        return Related(links.links_from(id), links.links_to(id), links.namesakes(id), self.retriever.series_of(id))

    def examples(self, most: int = 4) -> Sequence[str]:
        """Questions that the documents answer, made of their headings; the newest documents first, one each."""
        return examples(self.index, most)

    def text_of(self, source: str) -> str:
        """The text that offsets into `source` refer to. Raises KeyError."""
        for entry in self.index.metas.values():
            if source in (entry.source, *entry.also_at):
                return self.index.document(entry.id).text
        raise KeyError(source)

    def passages(self, source: str) -> Sequence[Passage]:
        """How a document was cut. Raises KeyError for an unknown source."""
        entry = next((e for e in self.index.metas.values() if source in (e.source, *e.also_at)), None)
        if entry is None:
            raise KeyError(source)
        return [self.index.passage(row) for row in entry.rows]

    def describe(self) -> Mapping[str, str]:
        """What decides the answers, for the record of an evaluation run."""
        return {"generation": self.index.generation, "embedder": self.index.embedder_name,
                "embedder_digest": self.index.embedder_digest, "generator": self.settings.generator,
                "min_confidence": str(self.settings.min_confidence), "store": self.settings.store,
                "query_prompt": self.settings.query_prompt or "", "max_question": str(self.settings.max_question),
                "today": clock(self.settings), **self._writes()}

    def _writes(self) -> Mapping[str, str]:
        """What decides the answers when a language model writes them."""
        if self.model is None:
            return {}
        named = {"transformers": Path(self.settings.transformers_model).name, "openai": self.settings.openai_model}
        return {"generator_model": named.get(self.model.name, ""), "generator_digest": self.model.digest,
                "prompt": prompts.VERSION, "generator_tokens": str(self.settings.generator_tokens),
                "generator_seconds": str(self.settings.generator_seconds)}

    def _stale_on(self, today: str) -> frozenset[str]:
        """Ids of the documents that are no longer in force on that day."""
        return frozenset(id for id, entry in self.index.metas.items()
                         if status_of(entry, today, self.index.collection).kind in STALE)


@lru_cache(maxsize=8)
def engine_of(settings: Settings) -> Engine | None:
    """The server that searches the index, None when this process does. Connects when it is first needed."""
    if settings.store == "faiss":
        return None
    from rag.stores.milvus import Milvus

    return Engine(Milvus.of(settings), settings.index)


def opened(settings: Settings, thorough: bool = False) -> Index:
    """The current generation, with whatever searches it. Raises IndexMissing, IndexDamaged, EngineError."""
    index, engine = Index.open(settings.index, thorough), engine_of(settings)
    return engine.attach(index) if engine else index


def guarded(settings: Settings) -> Guard | None:
    """The language model that the settings name, within its bounds; None for the extractive generator. Raises ModelError."""
    match settings.generator:
        case "transformers":
            from rag.generators.transformers import LocalModel

            model = LocalModel.load(settings)
        case "openai":
            from rag.generators.openai import Endpoint

            model = Endpoint(settings)
        case _:
            return None
    at_once = 1 if settings.generator == "transformers" else settings.generator_at_once  # two would share the same cores
    return Guard(model, settings.generator_seconds, settings.generator_tokens, at_once)


def build_index(
    settings: Settings, paths: Sequence[Path], remove: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None, embedder: Embedder | None = None,
) -> Report:
    """Brings the index up to date with files and folders. See `index.refresh`."""
    from rag.loading.overrides import completed
    from rag.passages import cut

    if embedder is None and remove and not paths:
        return withdraw(settings.index, remove, engine=engine_of(settings))
    return refresh(settings.index, paths, _loader(settings), cut, embedder or _embedder(settings), progress, remove,
                   recipe=_reading_recipe(), complete=completed, engine=engine_of(settings))


def build_part(
    settings: Settings, paths: Sequence[Path], part: Part, progress: Callable[[Progress], None] | None = None,
    embedder: Embedder | None = None,
) -> PartReport:
    """Embeds one part of the files for the index that another process will publish. See `index.fill_part`.

    Raises UsageError unless a server holds the vectors.
    """
    from rag.loading.overrides import completed
    from rag.passages import cut

    if (engine := engine_of(settings)) is None:
        raise UsageError("几台机器分着编入，要用 Milvus 汇总。", "请先设置 store = \"milvus\" 和 milvus.uri。")
    return fill_part(settings.index, paths, part, _loader(settings), cut, embedder or _embedder(settings), engine, progress,
                     recipe=_reading_recipe(), complete=completed)


def watch_index(
    settings: Settings, paths: Sequence[Path], stopped: threading.Event,
    progress: Callable[[Progress], None] | None = None, embedder: Embedder | None = None, seconds: float = 1.0,
) -> Iterator[Report | WenjuError]:
    """Keeps the index up to date with files and folders until `stopped`: one report, or what went wrong, each time.

    seconds: between two looks. A refresh that fails is tried again at the next look.
    """
    embedder = embedder or _embedder(settings)
    watcher = Watcher(paths, settings.index, stopped, seconds)
    while watcher.changed():
        try:
            yield build_index(settings, paths, (), progress, embedder)
        except UsageError:
            raise
        except WenjuError as error:
            watcher.retry()
            yield error


def _embedder(settings: Settings) -> Embedder:
    from rag.embedding import SentenceEmbedder

    return SentenceEmbedder.load(settings)


def _loader(settings: Settings) -> Callable[[Path, str], list[Document]]:
    """Reads files of a bearable size."""
    from rag.loading import load

    return lambda path, source: load(path, source, settings.max_file_mb * 2**20)


def _reading_recipe() -> str:
    """Digest of all that decides how files are read: after an upgrade, documents are read again, and only then."""
    from rag.loading import abilities

    digest = hashlib.sha256(abilities().encode())
    here = Path(__file__).parent
    for file in sorted([*(here / "loading").glob("*.py"), here / "passages.py", here / "text.py", here / "index" / "builder.py"]):
        digest.update(file.read_bytes())
    return digest.hexdigest()
