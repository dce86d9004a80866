"""Whole lists and named sections: all of 一要…十要… when a list is asked for, 第七条 when 第七条 is."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rag import points
from rag.catalogue import the_document
from rag.evidence import quoted
from rag.generators.extractive import COLONS
from rag.query import Query
from rag.retrieval import Found, Retriever
from rag.schema import Document, Evidence, Section, Span
from rag.text import NUMERAL, number, sentences
from rag.values import asked_for

LONGEST_LIST = 40
"""Items; a longer enumeration (the articles of a law) is not an answer."""
_WHOLE_ITEM = 90
"""Characters up to which an item is quoted whole; of a longer one its first sentence."""
_LONGEST_LEADING = 600
"""Characters of an item that leads to items of its own, which are quoted with it; no longer items make a list."""
_STEP = 60
"""Characters of the longest item of a list that fills a whole document: the steps of a guide, not the parts of a notice."""
_ASKED_WELL = 0.66
"""A list whose lead, with the document's name, says this much of what is asked is the one, wherever the best passage stands,"""
_SAYS_MORE = 0.1
"""if the lead says at least this much that the name does not."""
_ASKED_COUNT = re.compile(
    rf"([{NUMERAL}]+|\d+)\s*(?:大|个|条|项|点|类)?(?:项|条|点|块|部分|方面|类|要求|措施|任务|工作|举措|原则|件|步|要)(?!以上|以下|内)"
)
_PARTS = re.compile(r"(哪几|几|哪些)(个|大)?(块|部分|方面|点|条|项)|主要(内容|讲|说)|(讲|说|包括|分)了?(哪些|什么|几)|“一要”|一要.{0,6}十要|[哪几]+个?“?要(?:[？?。”]|$)")
_ARTICLE = re.compile("第.{1,8}[编章节条]")
_KINDS = (("流程", "程序", "步骤", "环节", "手续"), ("材料", "资料", "证件"), ("条件", "情形"), ("渠道", "途径", "方式"), ("对象", "范围"))
"""What lists are of, by words that say the same."""
_NOT = re.compile("停止|终止|不得|不予|不能|不可|不应|禁止|取消|撤销|不享受|不适用|不符合")
_NOT_ASKED = re.compile("不|停|终止|禁|取消|撤销|无效|没|除外|别")
_STEP_LABEL = re.compile(r"第\S{1,2}步|步骤")
_HOW = re.compile(r"怎么|如何|怎样|流程|步骤|程序|手续|操作")
_NAME = 16
"""Characters of the longest first sentence that is but the name of an item."""
_WANTS = re.compile(r"[哪几]+个?“?要(?:[？?。”]|$)|一要")


def named_sections(found: Found, retriever: Retriever) -> list[Evidence]:
    """The text of the sections the question names ("第七条", "第三部分"), in the documents it names."""
    query = found.query
    if not query.labels:
        return []
    out: list[Evidence] = []
    for document in _documents(found, retriever):
        for wanted, unit in query.labels:
            for section in _labelled(document, wanted, unit, query.listed)[:1]:
                out.extend(_whole(found, retriever, document, section))
    return out


def parts_of(found: Found, retriever: Retriever) -> list[Evidence]:
    """The parts of the one document that the question is about, when it asks for them ("九个部分各是什么"); else empty."""
    counts = _counts(found.query)
    whole = the_document(found, retriever) if counts or _PARTS.search(found.query.text) else None
    if whole is None or _WANTS.search(found.query.text):
        return []
    for parent, items in _enumerations(whole):
        if parent is None and (len(items) in counts or not counts):
            return _quoted(found, retriever, whole, items, 1.0, with_lead=False)
    return []


def whole_list(found: Found, retriever: Retriever) -> list[Evidence]:
    """Every item of the enumeration the question asks for, in order; empty when none fits."""
    query, counts = found.query, _counts(found.query)
    if not counts and query.form != "list" and not _PARTS.search(query.text) and "哪些人" not in query.text:
        return []
    best: tuple[float, Document, list[Section]] | None = None
    whole = the_document(found, retriever) if counts or _PARTS.search(query.text) else None
    for document in [whole] if whole else _documents(found, retriever):
        for parent, items in _enumerations(document):
            if _WANTS.search(query.text) and "要" not in items[0].label:
                continue
            worth = _fits(found, retriever, document, parent, items, counts)
            if worth and (best is None or worth > best[0]):
                best = worth, document, items
    if best is None:
        return []
    worth, document, items = best
    return _quoted(found, retriever, document, items, (found.hits[0].score if found.hits else 0.0) + worth)


def _counts(query: Query) -> set[int]:
    """How many items the question speaks of."""
    return {n for m in _ASKED_COUNT.finditer(query.text) if (n := number(m.group(1))) and n > 1}


def completed(found: Found, retriever: Retriever, evidence: Sequence[Evidence]) -> list[Evidence]:
    """The evidence, and after a sentence that leads to a list ("应当符合下列条件：") all items of the list."""
    out = list(evidence)
    if asked_for(found.query) is not None:
        return out  # one of the items has the value: the others are of other matters
    for item in evidence:
        if not item.text.endswith(COLONS) or any(o is not item and _overlap(o, item) for o in evidence):
            continue
        items = _following(item.document, item.span.end)
        known = [e for e in out if e.document.id == item.document.id]
        out += [e for e in _quoted(found, retriever, item.document, items, item.score, with_lead=False)
                if not any(_overlap(e, k) for k in known)]
    return out


def _overlap(one: Evidence, other: Evidence) -> bool:
    same = one.document.id == other.document.id
    return same and one.span.start < other.span.end and other.span.start < one.span.end


def _following(document: Document, end: int) -> list[Section]:
    """The numbered siblings that begin where a lead ends."""
    for _, items in _enumerations(document):
        if items[0].start >= end and not document.text[end : items[0].start].strip():
            return items
    return []


def _quoted(
    found: Found, retriever: Retriever, document: Document, items: Sequence[Section], worth: float, with_lead: bool = True
) -> list[Evidence]:
    """Every item in order, after the sentence that leads to them; with their names, where they have one, as points."""
    out = []
    lead = _lead_of(document, items[0]) if with_lead and items else None
    if lead and document.text[lead.start : lead.end].endswith(COLONS):
        out.append(quoted(found, retriever, document, lead, items[0].path[:-1], worth + 0.001))
    for n, item in enumerate(items):
        evidence = quoted(found, retriever, document, _shortened(document, item), item.path[:-1], worth - 0.001 * n)
        name = item.path[-1].rstrip("。；;，, ")
        out.append(replace(evidence, point=name if name != item.label else points.name(evidence.text)))
    return out


def _documents(found: Found, retriever: Retriever) -> list[Document]:
    """Documents the slots single out, else those of the best hits."""
    named = retriever.admitted_documents(found.query)
    ids = list(dict.fromkeys(hit.document.id for hit in found.hits[:3]))
    if named:
        ids = [id for id in ids if id in named] or named[:3]
    return [retriever.index.document(id) for id in ids[:3]]


def _labelled(document: Document, wanted: int, unit: str, listed: tuple[str, ...] | None) -> list[Section]:
    """Sections with this number; those that write the unit themselves before those that merely count.

    listed: path of the section whose items are meant, None when it is open.
    """
    same = [s for s in document.sections if _value(s) == wanted]
    if listed is not None and (meant := [s for s in same if s.path[:-1] == listed]):
        return meant
    written = [s for s in same if unit in s.label]
    if written or unit in ("编", "章", "节"):
        return written
    if unit in ("部分", "个方面"):
        return [s for s in same if s.level == 1]
    return sorted(same, key=lambda s: (not s.label[:1].isdigit(), s.level))


def _value(section: Section) -> int | None:
    found = re.search(rf"[{NUMERAL}]+|\d+", section.label)
    return number(found.group()) if found else None


def _whole(found: Found, retriever: Retriever, document: Document, section: Section) -> list[Evidence]:
    """The section's own text in one piece, or by its children when it has many."""
    children = [s for s in document.sections if s.parent >= 0 and document.sections[s.parent] is section]
    if section.end - section.start <= 1500 or not children:
        end = min(section.end, section.start + 3000)
        return [quoted(found, retriever, document, _trim(document, section.start, end), section.path, 1.0)]
    return [quoted(found, retriever, document, _shortened(document, c), c.path, 1.0 - 0.001 * n) for n, c in enumerate(children)]


def _enumerations(document: Document) -> Iterable[tuple[Section | None, list[Section]]]:
    """Runs of at least two numbered siblings, with the section they stand in."""
    by_parent: dict[int, list[Section]] = {}
    for section in document.sections:
        if section.kind == "part" and section.label:
            by_parent.setdefault(section.parent, []).append(section)
    for parent, items in by_parent.items():
        for run in _restarts(items):
            if 2 <= len(run) <= LONGEST_LIST:
                yield (document.sections[parent] if parent >= 0 else None), run


def _restarts(items: Sequence[Section]) -> Iterable[list[Section]]:
    """Siblings cut where the numbering starts again at one."""
    run: list[Section] = []
    for item in items:
        if run and _value(item) == 1:
            yield run
            run = []
        run.append(item)
    if run:
        yield run


def _fits(
    found: Found, retriever: Retriever, document: Document, parent: Section | None, items: Sequence[Section], counts: set[int]
) -> float:
    """How well an enumeration answers: 0 when it does not."""
    hits = [h for h in found.hits[:6] if h.document.id == document.id
            and any(i.start <= h.passage.start < i.end for i in items)]
    lead = _lead_of(document, items[0])
    heading = (parent.path[-1] if parent and parent.path else document.name) + (document.text[lead.start : lead.end] if lead else "")
    about = retriever.share(found, document.id, heading)
    if counts:
        return 2 * about + 0.1 * len(hits) if len(items) in counts and (about >= 0.3 or hits) else 0.0
    if _STEP_LABEL.match(items[0].label) and _HOW.search(found.query.text):
        return 1 + about if hits else 0.0
    longest = max(i.end - i.start for i in items[:-1])
    if not _PARTS.search(found.query.text) and (longest > (_LONGEST_LEADING if parent else _STEP) or _ARTICLE.match(items[0].label)):
        return 0.0  # "哪些要求" about a whole document is answered by passages, not by its table of contents
    inside = len({next(n for n, i in enumerate(items) if i.start <= h.passage.start < i.end) for h in hits})
    best = found.hits[0] if found.hits else None
    begin = lead.start if lead else items[0].start
    here = best and best.document.id == document.id and begin <= best.passage.end and best.passage.start < items[-1].end
    if _lacks_noun(found.query.text, heading) or (_NOT.search(heading) and not _NOT_ASKED.search(found.query.text)):
        return 0.0  # the steps of an application are not its conditions, nor what ends it what begins it
    named, whole = (retriever.share(found, document.id, document.name + text) for text in ("", heading))
    asked = whole >= _ASKED_WELL and whole - named >= _SAYS_MORE
    if not (asked or (here and about >= 0.6) or (inside >= 2 and about >= 0.35)):
        return 0.0
    return about + whole - named + 0.2 * inside + asked


def _lacks_noun(question: str, heading: str) -> bool:
    """Whether the question names a kind of list that the heading does not."""
    asked = [group for group in _KINDS if any(noun in question for noun in group)]
    return bool(asked) and not any(noun in heading for group in asked for noun in group)


def _lead_of(document: Document, first: Section) -> Span | None:
    """The sentence before a list: within its section, ending where the first item begins."""
    parent = document.sections[first.parent].start if first.parent >= 0 else 0
    base = max(parent - 1, 0)  # with the mark that ends what stands before the section
    before = document.text[base : first.start].rstrip()
    start, end = base + max(before.rfind(mark) for mark in "。；\n") + 1, base + len(before)
    return _trim(document, start, end) if parent <= start < end else None


def _shortened(document: Document, item: Section) -> Span:
    """The item whole when it is short or leads to items of its own, else its first sentence."""
    span = _trim(document, item.start, item.end)
    if span.end - span.start <= _WHOLE_ITEM:
        return span
    text = document.text[span.start : span.end].replace("\n", " ")
    first, *more = sentences(text)
    leads = text[first.start : first.end].endswith(COLONS) or any(
        s.parent >= 0 and document.sections[s.parent] is item for s in document.sections)
    if leads and len(text) <= _LONGEST_LEADING:
        return span
    says = more[0] if more and first.end - first.start <= _NAME else first  # "（一）申请。" is a name
    return Span(span.start + first.start, span.start + says.end)


def _trim(document: Document, start: int, end: int) -> Span:
    text = document.text[start:end]
    return Span(start + len(text) - len(text.lstrip()), start + len(text.rstrip()))
