"""What one may go on to ask after an answer: neighbouring sections of the cited documents, turned into questions.

A suggestion is asked in silence first, and offered only when it is answered from the very document it was made of.
"""

from collections.abc import Collection, Iterator, Mapping

from rag.schema import Answer, Document, Section
from ui.api.identity import Asker
from ui.api.service import Pipeline, Service

MOST = 3
_DOCUMENTS = 2
"""Cited documents that are looked at, the most cited first."""
_TRIED = 6
_TOPIC = range(4, 19)
"""Lengths of a heading, in characters, that make a readable question."""
_NAME = 26
"""The longest name of a document that a question is still readable with."""


async def questions(
    service: Service, asker: Asker, answer: Answer, filters: Mapping[str, str], asked: Collection[str]
) -> list[str]:
    """Up to `MOST` questions that the asker's documents answer under the same filters, none of them in `asked`."""
    kept = {name: value for name, value in filters.items() if value}
    candidates = await service.read(asker, lambda seen: list(_candidates(seen, answer))[:_TRIED])
    out: list[str] = []
    for question, document_id in candidates:
        if len(out) == MOST:
            break
        if question not in asked:
            given = await service.read(asker, lambda seen, q=question: seen.ask(q, (), kept, "extractive"))
            if given.status == "answered" and document_id in {c.document_id for c in given.citations}:
                out.append(question)
    return out


def _candidates(seen: Pipeline, answer: Answer) -> Iterator[tuple[str, str]]:
    """Questions with the document each is about, those of the documents in turn."""
    cited = [c.document_id for c in answer.citations]
    best = sorted(dict.fromkeys(cited), key=cited.count, reverse=True)[:_DOCUMENTS]
    rows = [[(question, id) for question in _of_document(seen.document(id), answer)] for id in best]
    for n in range(max(map(len, rows), default=0)):
        yield from (row[n] for row in rows if n < len(row))


def _of_document(document: Document, answer: Answer) -> Iterator[str]:
    """Questions about sections beside the cited ones: the nearest first, those that follow before those that precede."""
    if not (name := _name(document)):
        return
    cited = [c.start for c in answer.citations if c.document_id == document.id]
    at = [n for n, s in enumerate(document.sections) if any(s.start <= start < s.end for start in cited)]
    near = sorted((n for n in range(len(document.sections)) if n not in at),
                  key=lambda n: min(((n - m) if n > m else (m - n) + 0.5 for m in at), default=0))
    for n in near:
        if topic := _topic(document.sections[n]):
            yield f"{name}对{topic}有哪些要求？"


def _topic(section: Section) -> str:
    """What a section is about, by its heading; "" when that does not say."""
    if section.kind != "part" or not section.path:
        return ""
    topic = section.path[-1].removeprefix(section.label).strip(" 　：:。.、")
    return topic if len(topic) in _TOPIC and topic.isalnum() and not topic.startswith("第") else ""


def _name(document: Document) -> str:
    meta = document.meta
    if meta.title and len(meta.title) <= _NAME:
        return f"《{meta.title}》"
    return meta.issuers[0] if meta.issuers and len(meta.issuers[0]) <= _NAME else ""
