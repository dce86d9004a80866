"""A small pipeline that computes, for tests of the service and the page: no index, no weights, no network.

It reads a folder of text files, takes lines numbered 一、二、… as sections, ranks sentences by shared
character bigrams, and answers with the best ones, each cited to its exact place.
"""

import hashlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rag.config import Settings
from rag.errors import EngineError, QuestionError, UsageError
from rag.schema import (
    Answer,
    Citation,
    Claim,
    Document,
    Event,
    Hit,
    Interpreted,
    Metadata,
    Passage,
    Retrieval,
    Section,
    Span,
    Trace,
)
from rag.text import bigrams, readable, sentences
from rag.validity import Related, Status

EXAMPLE = "春节期间值班要求是什么？"
_PART = re.compile(r"^[ 　]*([一二三四五六七八九十]+、)([^。\n]*)", re.M)
_NUMBER = re.compile(r"^\S{2,8}〔\d{4}〕\d+号", re.M)
_TITLE = re.compile(r"^\s*(\S.{0,40}?关于.{0,40}?的通知)", re.M)
_DATE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日\s*$", re.M)


def read(path: Path, source: str) -> Document:
    """One file as a Document."""
    raw = path.read_bytes()
    text = raw.decode("utf-8")
    starts = [(m.start(1), readable(m.group(1) + m.group(2))) for m in _PART.finditer(text)]
    ends = [start for start, _ in starts[1:]] + [len(text)] * bool(starts)
    sections = tuple(Section((h,), h[:2], 1, s, e) for (s, h), e in zip(starts, ends, strict=True))
    title, number, date = _TITLE.search(text), _NUMBER.search(text), _DATE.search(text)
    meta = Metadata(
        title=title.group(1) if title else None, document_number=number.group() if number else None,
        issued_on="{:0>4}-{:0>2}-{:0>2}".format(*date.groups()) if date else None,
    )
    digest = hashlib.sha256(raw).hexdigest()
    return Document(digest[:16], source, digest, text, meta, sections)


@dataclass
class WebPipeline:
    """The interface of `rag.pipeline.Pipeline` over a folder."""

    settings: Settings
    folder: Path
    delay: float = 0.0
    """Seconds between two events of a stream, so that tests can see and stop an answer that grows."""
    failing: Exception | None = None
    """Raised by every question."""
    generation: str = "fake-1"
    _documents: dict[str, Document] = field(init=False)

    def __post_init__(self) -> None:
        found = [read(path, f"{self.folder.name}/{path.name}") for path in sorted(self.folder.glob("*.txt"))]
        self._documents = {document.id: document for document in found}

    def visible_to(self, groups: Iterable[str]) -> "WebPipeline":
        return self

    def documents(self) -> Sequence[Document]:
        return tuple(self._documents.values())

    def document(self, id: str) -> Document:
        return self._documents[id]

    def original(self, id: str) -> bytes:
        return (self.folder.parent / self._documents[id].source).read_bytes()

    def examples(self) -> Sequence[str]:
        return (EXAMPLE, "值班室电话是多少？", "消防安全大检查什么时候做？")

    def status(self, id: str) -> Status:
        return Status("unknown", f"{self._documents[id].source} 没有写明有效期。")

    def related(self, id: str) -> Related:
        return Related()

    def published(self) -> str:
        return self.generation

    def proving(self) -> Iterator[None]:
        return iter(())

    def renewed(self, thorough: bool = False) -> "WebPipeline":
        return self

    def trouble(self) -> str:
        return self.failing.message if isinstance(self.failing, EngineError) else ""

    def search(self, query: str, k: int = 10, filters: Mapping[str, str] | None = None) -> Retrieval:
        self._check(query)
        asked = set(bigrams(query))
        found: list[tuple[float, Document, Span, str]] = []
        for document in self._documents.values():
            for span in sentences(document.text):
                shared = len(asked & set(bigrams(document.text[span.start : span.end]))) / max(1, len(asked))
                if shared and (not filters or "issuer" not in filters or filters["issuer"] in document.text):
                    found.append((shared, document, span, readable(document.text[span.start : span.end])))
        found.sort(key=lambda f: (-f[0], f[1].source, f[2].start))
        hits = [
            Hit(row, Passage(d.id, -1, self._path(d, s), s.start, s.end, text), d, score, (Trace("bigrams", row + 1, score),))
            for row, (score, d, s, text) in enumerate(found[:k])
        ]
        return Retrieval(query, tuple(hits), {"bigrams": 0.0})

    def ask(self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None,
            generator: str | None = None) -> Answer:
        *_, last = self.stream(question, history, filters)
        return last.answer

    def stream(self, question: str, history: Sequence[str] = (), filters: Mapping[str, str] | None = None,
               generator: str | None = None) -> Iterator[Event]:
        self._check(question)
        if generator not in (None, "extractive"):
            raise UsageError(f"这里不能用“{generator}”写答案。", "可用：extractive。")
        yield from self._waited(Event("status", "理解问题"))
        hits = [hit for hit in self.search(question, 6, filters).hits if hit.score >= 0.3]
        yield from self._waited(Event("status", f"检索到 {len(hits)} 段"))
        answer = self._answer(question, history, filters or {}, hits)
        yield from self._waited(Event("status", f"核对 {len(answer.citations)} 处引文"))
        for line in answer.answer.splitlines(keepends=True):
            yield from self._waited(Event("delta", line))
        yield Event("answer", answer=answer)

    def _waited(self, event: Event) -> Iterator[Event]:
        yield event
        time.sleep(self.delay)

    def _check(self, question: str) -> None:
        if self.failing:
            raise self.failing
        if len(question.strip()) < 2:
            raise QuestionError("问题太短，看不出想问什么。", "请写成一句完整的话。")
        if len(question) > self.settings.max_question:
            raise QuestionError(f"问题太长（{len(question)} 字）。", "请把问题缩短到一两句话。")

    def _understood(self, question: str, filters: Mapping[str, str]) -> dict[str, str]:
        said = {"year": year[0] if (year := re.findall(r"(\d{4})年", question)) else "", "festival": "春节" if "春节" in question else ""}
        return {name: value for name, value in {**said, **filters}.items() if value}

    def _path(self, document: Document, span: Span) -> tuple[str, ...]:
        return next((s.path for s in document.sections if s.start <= span.start and span.end <= s.end), ())

    def _answer(self, question: str, history: Sequence[str], filters: Mapping[str, str], hits: Sequence[Hit]) -> Answer:
        citations = tuple(
            Citation(n, h.document.id, h.document.source, h.document.meta.title, None, h.document.meta.document_number,
                     h.document.meta.issued_on, h.passage.section_path, h.passage.text, h.passage.start, h.passage.end, None, h.score)
            for n, h in enumerate(hits, 1)
        )
        def safe(text: str) -> str:
            return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)

        blocks: dict[str, list[str]] = {}
        for c in citations:
            blocks.setdefault(f"**{safe(c.title or c.document_number or c.source)}**", []).append(f"- {safe(c.quote)}[{c.id}]")
        text = "\n\n".join("\n".join([head, *lines]) for head, lines in blocks.items())
        choices = ("2022年春节期间值班要求是什么？", "2023年春节期间值班要求是什么？") if "哪一份" in question else ()
        if "分别" in question and citations:
            rows = "\n".join(f"| {safe(c.title or c.source)} | {safe(c.quote)}[{c.id}] |" for c in citations)
            text = f"| 文件 | 怎么说 |\n|---|---|\n{rows}"
        elif choices:
            text = "\n".join(["问的是哪一份？", *(f"- {choice}" for choice in choices)])
        elif citations:
            text = f"**要点：** {safe(citations[0].quote[:30])}……[1]\n\n{text}"
        return Answer(
            question, "clarify" if choices else "answered" if citations else "no_evidence", text or "没有找到依据：现有文件没有写到所问的内容。",
            () if choices else tuple(Claim(c.quote, (c.id,)) for c in citations), () if choices else citations, 0.9 if citations else 0.1, "extractive", self.generation,
            Interpreted(question, self._understood(question, filters), tuple(f"接着“{h}”来问" for h in history[-1:]), choices), {"total": 12.5},
            "要先知道问的是哪一份。" if choices else None if citations else "现有文件没有写到所问的内容。",
        )
