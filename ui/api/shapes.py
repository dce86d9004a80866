"""The JSON and text shapes that several doors share (DESIGN.md 5.1 to 5.3). Nothing here is web-specific."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from rag.schema import Answer, Citation, Document, Metadata, Retrieval, to_json
from rag.validity import Link, Related, Status


class DocumentEntry(Protocol):
    """One line of a document list: what `Pipeline.documents()` gives."""

    id: str
    source: str
    meta: Metadata


def search_json(found: Retrieval) -> dict[str, Any]:
    """`wenju search --json` and `POST /api/v1/search`."""
    hits = [
        {
            "rank": rank, "document_id": hit.document.id, "source": hit.document.source,
            "section_path": list(hit.passage.section_path), "text": hit.passage.text,
            "start": hit.passage.start, "end": hit.passage.end, "score": hit.score, "trace": to_json(hit.trace),
        }
        for rank, hit in enumerate(found.hits, 1)
    ]
    return {"query": found.query, "hits": hits, "timings_ms": to_json(found.timings_ms)}


def entry_json(entry: DocumentEntry | Document, status: Status) -> dict[str, Any]:
    """One document of `wenju docs --json` and `GET /api/v1/documents`, with its status today."""
    meta = entry.meta
    return {
        "id": entry.id, "source": entry.source, "title": meta.title, "issuer": meta.issuer,
        "document_number": meta.document_number, "issued_on": meta.issued_on,
        "addressees": list(meta.addressees), "status": status.kind,
    }


def documents_json(entries: Iterable[DocumentEntry], status_of: Callable[[str], Status]) -> dict[str, Any]:
    """The document list. status_of: the status today of a document's id."""
    return {"documents": [entry_json(entry, status_of(entry.id)) for entry in entries]}


def document_json(document: Document, status: Status, related: Related) -> dict[str, Any]:
    """One document whole: what it says of itself, its sections and the text that offsets refer to; and its relatives."""
    sections = [{"path": list(s.path), "start": s.start, "end": s.end} for s in document.sections]
    metadata = {name: value for name, value in to_json(document.meta).items() if name != "groups"}  # who else may see it
    relatives = {"validity": validity_json(document, status, related.states, related.stated),
                 "namesakes": list(related.namesakes), "series": {str(year): id for year, id in related.series.items()}}
    return entry_json(document, status) | {"metadata": metadata, "sections": sections, "text": document.text} | relatives


def validity_json(
    entry: DocumentEntry | Document, status: Status, states: Iterable[Link], stated: Iterable[Link]
) -> dict[str, Any]:
    """Why a document has its status, the days and period it names, and its relations in both directions."""
    relations = [{**to_json(link.relation), "document_ids": list(link.targets)} for link in states]
    related = [{"kind": link.relation.kind, "document_id": link.source, "span": to_json(link.relation.span)}
               for link in stated]
    meta = entry.meta
    return {**to_json(status), "period": meta.period, "effective_on": meta.effective_on, "expires_on": meta.expires_on,
            "relations": relations, "related_by": related}


def name_of(title: str | None, issuer: str | None, document_number: str | None, source: str) -> str:
    """What people call a document: 《title》, else issuer and 文号, else the file's name."""
    if title:
        return f"《{title}》"
    return " ".join(x for x in (issuer, document_number) if x) or source.rsplit("/", 1)[-1]


def facts_of(name: str, *facts: str | None) -> list[str]:
    """The facts that are known and that the name does not say already."""
    return [fact for fact in facts if fact and fact not in name]


def citation_line(citation: Citation) -> str:
    """One citation as a line of text: `[1] 《…》（issuer，文号，date）section：“quote”`."""
    called = name_of(citation.title, citation.issuer, citation.document_number, citation.source)
    page = f"第 {citation.page} 页" if citation.page else None
    facts = facts_of(called, citation.issuer, citation.document_number, citation.issued_on, page)
    told = f"（{'，'.join(facts)}）" if facts else ""
    section = " › ".join(citation.section_path)
    return f"[{citation.id}] {called}{told}{section}：“{citation.quote}”"


def references(citations: Sequence[Citation]) -> str:
    """All citations as text, "" when there are none."""
    return "\n".join(["依据：", *map(citation_line, citations)]) if citations else ""


def with_references(answer: Answer) -> str:
    """The answer as text with its citations beneath: for copying and for doors that carry text only."""
    return "\n\n".join(x for x in (answer.answer, references(answer.citations)) if x)
