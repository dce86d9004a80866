"""Which evidence answers the question: by the form it has, then by the gate."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rag import gate, scope
from rag.catalogue import Catalogued, of_collection, of_metadata
from rag.checks import shortcoming, unexplained, vague
from rag.enumerations import completed, named_sections, parts_of, whole_list
from rag.evidence import Limits, gather
from rag.generators.extractive import Listing
from rag.places import misplaced
from rag.query import Query
from rag.retrieval import Found, Retriever
from rag.schema import Evidence, Hit, Trace

_PERIOD = re.compile(r"\d{4}年?(?:\d{1,2}月)?(?:\d{1,2}[日号])?\s*(?:至|到|-|—|~|～|起)+\s*(?:19|20)\d{2}")
"""From one year to another: one stretch of time, not two to be set side by side."""
_TRIED = 4
"""Years or documents that are offered."""
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
    choices: tuple[str, ...] = ()
    """Without evidence: the questions that may be meant. With evidence: what else could have been asked."""
    assumption: str = ""


def select(found: Found, retriever: Retriever, threshold: float) -> Selection:
    """The evidence for a question that has been searched for. threshold: least confidence of an answer."""
    query = found.query
    ranked = gate.confidence(query, found.evident, len(retriever.index))
    if query.orders:
        return Selection((), 0.0, "这不是关于文件的问题。")
    if vague(query) and len(retriever.index.metas) > 1 and (choices := _named(found)):
        return Selection((), 0.0, "问题没有说明问的是哪件事、哪份文件。", choices=choices)
    if query.places and (wrong := misplaced(query.text)):  # a person may have lifted them
        return Selection((), 0.0, f"{wrong[1]}不在{wrong[0]}，请核对问题里的地名。")
    if found.unmet:
        return Selection((), ranked, _unmet(found))
    if query.form == "collection" and (listed := of_collection(found, retriever)).evidence:
        return Selection(listed.evidence, _SURE, listing="documents")
    if read := read_off(found, retriever):
        return Selection(read.evidence, _SURE if read.evidence else ranked, read.reason)
    if parts := parts_of(found, retriever):
        return Selection(tuple(parts), _SURE, listing="items")
    if len(sides := list(sides_of(query))) > 1:
        return _side_by_side(sides, retriever, threshold)
    if ranked < threshold:
        return Selection((), ranked, _weak(found, retriever))
    if newest := _newest(found, retriever, threshold):
        return newest
    if query.form == "compare":
        evidence = gather(found, retriever, Limits(documents=6, per_document=2))
        if reason := unexplained(query, evidence):
            return Selection((), min(ranked, threshold / 2), reason)
        return Selection(tuple(evidence), ranked, listing="sides")
    evidence = completed(found, retriever, gather(found, retriever))
    if not evidence:
        return Selection((), min(ranked, threshold / 2), "现有文件讲的是别的年份。" if query.years else _weak(found, retriever))
    if listed := whole_list(found, retriever):
        own = listed[0].document.id
        evidence = listed + [e for e in evidence if e.document.id != own]
    if reason := (unexplained(query, listed) if listed else shortcoming(query, evidence)):
        reason = _weak(found, retriever) if _best_is_stale(found, retriever) else reason
        return Selection((), min(ranked, threshold / 2), reason)
    return Selection(tuple(evidence), ranked, listing="items" if listed else None)


def read_off(found: Found, retriever: Retriever) -> Catalogued | None:
    """What metadata or numbering answers, without ranking; None when neither is asked for."""
    query = found.query
    if query.form in ("metadata", "when", "who") and (about := of_metadata(found, retriever)):
        return about
    sections = named_sections(found, retriever) if query.labels else ()
    return Catalogued(tuple(sections)) if sections else None


def answering_first(found: Found, retriever: Retriever, k: int) -> tuple[Hit, ...]:
    """The k best hits; before what was ranked, the passages that hold what metadata or numbering answers."""
    read = None if found.unmet else read_off(found, retriever)
    items = read.evidence if read else () if found.unmet else parts_of(found, retriever)
    ranked = found.hits + found.leads if items or len(found.hits) < k else found.hits
    held: dict[int, Hit] = {}
    for item in items:
        for row in retriever.index.metas[item.document.id].rows:
            passage = retriever.index.passage(row)
            if passage.start <= item.span.start < passage.end:
                trace = next((hit.trace for hit in ranked if hit.row == row), ())
                held[row] = Hit(row, passage, item.document, item.score, (*trace, Trace("named", len(held) + 1, item.score)))
    return (*held.values(), *(hit for hit in ranked if hit.row not in held))[:k]


def _newest(found: Found, retriever: Retriever, threshold: float) -> Selection | None:
    """The answer of the newest of a notice issued year after year, the other years named.

    None when the question says a year or a document, or the best hit's document stands alone.
    """
    query = found.query
    if query.years or query.titles or query.numbers or query.within:
        return None
    series = retriever.series_of(found.hits[0].document.id)
    for year, id in list(series.items())[:_TRIED]:
        chosen = select(retriever.retrieve(replace(query, years=(year,))), retriever, threshold)
        if any(item.document.id == id for item in chosen.evidence):
            rest = [y for y in series if y != year]
            said = "、".join(f"{y}年" for y in rest[:_TRIED])
            others = said if len(rest) <= _TRIED else f"{said}等{len(rest)}个年份"
            return replace(
                chosen, assumption=f"没有指明年份，按最新的{year}年作答",
                remark=f"同类文件还有{others}的，需要时请在问题中写明年份。",
                choices=tuple(f"{y}年{query.text}" for y in rest[:_TRIED]),
            )
    return None


def _named(found: Found) -> tuple[str, ...]:
    """The question asked of each of the documents it comes nearest to."""
    text = re.sub(r"(?:这|那|该|此)[份个篇]?(?:文件|通知|公文|公告|文章|材料)的?", "", found.query.text)
    titles = dict.fromkeys(hit.document.meta.title for hit in found.hits + found.leads if hit.document.meta.title)
    return tuple(f"《{title}》{text}" for title in titles)[:_TRIED]


def sides_of(query: Query) -> Iterator[Query]:
    """One question for each office, place or year that the question sets side by side."""
    slots = list(scope.slots(query))
    for group, field in (("单位", "who"), ("年份", "years")):
        alternatives = [s for s in slots if s.group == group]
        if len(alternatives) < 2 or (field == "years" and _PERIOD.search(query.text)):
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
    return Selection(tuple(evidence), best, remark=remark, listing="sides")


def _unmet(found: Found) -> str:
    said = "、".join(f"“{s.value}”" for s in found.unmet)
    return f"现有文件中没有{said}的相关内容。"


def _weak(found: Found, retriever: Retriever) -> str:
    if _best_is_stale(found, retriever):
        return f"讲到这件事的《{found.leads[0].document.name}》已不再有效；要看它怎么说，请在问题中写明它的名称。"
    if not found.hits and found.leads:
        return "现有文件讲的是别的年份、地区、节日或单位。"
    return "现有文件没有写到所问的内容。"


def _best_is_stale(found: Found, retriever: Retriever) -> bool:
    """Whether the first lead is no longer in force and says more of what is asked than all that is."""
    if not found.leads or not retriever.is_stale(found.leads[0].document.id):
        return False
    return not found.hits or found.leads[0].score > found.hits[0].score
