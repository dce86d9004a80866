"""Which evidence answers the question: by the form it has, then by the gate."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rag import gate, scope
from rag.catalogue import of_collection, of_metadata
from rag.checks import shortcoming
from rag.enumerations import named_sections, whole_list
from rag.evidence import Limits, gather
from rag.generators.extractive import Listing
from rag.query import Query
from rag.retrieval import Found, Retriever
from rag.schema import Evidence

_SURE = 0.95
"""Confidence of what is read off metadata or numbering rather than ranked."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Evidence best first, or the reason why there is none. `listing`: it is complete, of documents or of items."""

    evidence: tuple[Evidence, ...]
    confidence: float
    reason: str = ""
    remark: str = ""
    listing: Listing | None = None


def select(found: Found, retriever: Retriever, threshold: float) -> Selection:
    """The evidence for a question that has been searched for. threshold: least confidence of an answer."""
    query = found.query
    ranked = gate.confidence(query, found.evident, len(retriever.index))
    if found.unmet:
        return Selection((), ranked, _unmet(found))
    if query.form == "collection" and (listed := of_collection(found, retriever)).evidence:
        return Selection(listed.evidence, _SURE, listing="documents")
    if query.form in ("metadata", "when", "who") and (about := of_metadata(found, retriever)):
        return Selection(about.evidence, _SURE if about.evidence else ranked, about.reason)
    if query.labels and (sections := named_sections(found, retriever)):
        return Selection(tuple(sections), _SURE)
    if len(sides := list(_sides(query))) > 1:
        return _side_by_side(sides, retriever, threshold)
    if ranked < threshold:
        return Selection((), ranked, _weak(found))
    evidence = gather(found, retriever)
    if listed := whole_list(found, retriever):
        own = listed[0].document.id
        evidence = listed + [e for e in evidence if e.document.id != own]
    if reason := shortcoming(query, evidence):
        return Selection((), min(ranked, threshold / 2), reason)
    return Selection(tuple(evidence), ranked, listing="items" if listed else None)


def _sides(query: Query) -> Iterator[Query]:
    """One question for each office, place or year that the question sets side by side."""
    slots = list(scope.slots(query))
    for group, field in (("单位", "who"), ("年份", "years")):
        alternatives = [s for s in slots if s.group == group]
        if len(alternatives) < 2:
            continue
        for slot in alternatives:
            text = query.text
            for other in alternatives:
                if other is not slot:
                    for start, end in reversed(scope.mentions(other, text)):
                        text = text[:start] + text[end:]
            if field == "years":
                yield replace(query, text=text, years=(int(slot.value[:4]),))
            elif slot.name == "单位":
                yield replace(query, text=text, offices=(slot.value,), places=())
            else:
                yield replace(query, text=text, offices=(), places=(slot.value,))
        return


def _side_by_side(sides: list[Query], retriever: Retriever, threshold: float) -> Selection:
    evidence: list[Evidence] = []
    missing: list[str] = []
    best = 0.0
    for side in sides:
        found = retriever.retrieve(side)
        confidence = gate.confidence(side, found.evident, len(retriever.index))
        best = max(best, confidence)
        mine = gather(found, retriever, Limits(documents=2, per_document=2)) if confidence >= threshold else []
        known = {(e.document.id, e.span) for e in evidence}
        evidence += [e for e in mine if (e.document.id, e.span) not in known]
        if not mine:
            missing.append("、".join((*side.offices, *side.places, *(f"{y}年" for y in side.years))))
    remark = f"没有找到{'、'.join(missing)}的相关内容。" if missing else ""
    if not evidence:
        return Selection((), best, "现有文件没有写到所问的内容。")
    return Selection(tuple(evidence), best, remark=remark)


def _unmet(found: Found) -> str:
    said = "、".join(f"“{s.value}”" for s in found.unmet)
    return f"现有文件中没有{said}的相关内容。"


def _weak(found: Found) -> str:
    if not found.hits and found.leads:
        return "现有文件讲的是别的年份、地区、节日或单位。"
    return "现有文件没有写到所问的内容。"
