"""The default generator: the documents' own sentences, ordered and headed, nothing rephrased.

Deterministic: the same question and evidence give the same draft.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np

from rag import points
from rag.query import Query
from rag.schema import Block, Document, Draft, Evidence, Metadata, Statement
from rag.text import bigrams
from rag.values import asked_for, has_value, single_value
from rag.verdicts import verdict

Listing = Literal["documents", "items", "sides"]
COLONS = ("：", ":")
"""A sentence that ends so leads on to what follows it."""
_LEADS_ON = re.compile(r"如下[：:。]?$|[：:]$")
_LONGEST_NAME = 30
_LONGEST_LEAD = 80
MOST_POINTS = 12
"""Items named in the first line of a list."""
_PLAIN = 0.35
"""Share of what is asked that a clause has to say before its yes or no is that of the question."""
_AS_GOOD = {"list": 0.6, "general": 0.6}
_ALL_BUT = 0.2
"""How much less an earlier point of the document may do than the best one, by form and otherwise: the main rule comes first."""
_BEHIND = 2.2
"""How much less another document's point may do as the first line than the best one before it."""
_APART = 300
"""Characters between one item of a list and the next, of which only the first sentence is quoted."""
_LONGEST_ITEMS = 300
"""Characters of the items' names in a first line."""
_SAID_ENOUGH = 0.5
"""Share of the best clause's worth that the clause of a value must have."""
NEAR = 1.5
"""Documents whose best evidence scores within this of each other answer equally well: the newest comes first."""


def compose(
    query: Query, evidence: Sequence[Evidence], listing: Listing | None = None, remark: str = "",
    marks: Mapping[str, str] = MappingProxyType({}),
) -> Draft:
    """A draft from evidence given best first.

    listing: the evidence is complete, of documents or of the items of a list, or of sides to be compared.
    marks: what has to be said of a document (已被废止), by its id.
    """
    value = None if listing else _value(query, evidence)
    kept = [i for i, item in enumerate(evidence) if not value or i in value.evidence or has_value(query, item.text)]
    order = _documents(evidence, kept)
    blocks = tuple(
        Block(heading_of(evidence[group[0]], marks.get(evidence[group[0]].document.id, "")),
              tuple(Statement(evidence[i].text, (i,)) for i in sorted(group, key=lambda i: _place(evidence[i]))))
        for group in order
    )
    match listing:
        case "documents":
            return Draft((), blocks, remark or f"以上共 {len(order)} 份文件。")
        case "items":
            own = sorted(order[0], key=lambda i: _place(evidence[i])) if len(order[0]) > 1 else []
            leads = own and evidence[own[0]].text.endswith(COLONS)
            lead = evidence[own[0]].text.rstrip("：:") if leads else ""
            if leads and max(len(evidence[i].point) for i in own[1:]) > _LONGEST_NAME:
                # the items are no names: the sentence that leads to them says what they are
                point = [Statement(lead if len(lead) <= _LONGEST_LEAD else evidence[own[0]].point, (own[0],))]
            else:
                point = [Statement(evidence[i].point, (i,)) for i in own[bool(leads):][:MOST_POINTS]]
        case _:
            point = [value] if value else _point(query, [evidence[i] for i in kept], kept)
    remark = remark or _remark([evidence[group[0]].document for group in order], query)
    return Draft(tuple(point), blocks, remark, tabular=listing == "sides" and len(blocks) > 1)


def _place(item: Evidence) -> tuple[int, int]:
    return item.span.start, item.span.end


def _documents(evidence: Sequence[Evidence], kept: Sequence[int]) -> list[list[int]]:
    """Indexes of the kept evidence by document: the best-answering first, among near equals the newest."""
    by_document: dict[str, list[int]] = {}
    for i in kept:
        by_document.setdefault(evidence[i].document.id, []).append(i)
    groups = list(by_document.values())
    best = max((evidence[i].score for i in kept), default=1.0)

    def rank(group: list[int]) -> tuple[float, str, int]:
        steps = round((best - max(evidence[i].score for i in group)) / NEAR)
        meta = evidence[group[0]].document.meta
        date = meta.issued_on or str(max(meta.years, default=""))
        return steps, "".join(chr(0x10FFFF - ord(c)) for c in date), group[0]

    return sorted(groups, key=rank)


def heading_of(evidence: Evidence, mark: str = "") -> str:
    """Who says it, and in which document: "**兰州市民政局**（兰民发〔2021〕239号，2021-12-31）". mark: said at the end."""
    document, meta = evidence.document, evidence.document.meta
    here = evidence.section_path[:1]
    article = next((s.path[0] for s in document.sections if here and s.kind == "article" and s.path == here), None)
    who = meta.issuer or meta.title or article or document.name
    about = [f"《{escaped(_short(meta))}》" if meta.title and meta.issuer else "", meta.document_number or "", meta.issued_on or "",
             f"**{mark}**" if mark else ""]
    inside = "，".join(x if x.startswith(("《", "**")) else escaped(x) for x in about if x)
    return f"**{escaped(who)}**" + (f"（{inside}）" if inside else "")


def _short(meta: Metadata) -> str:
    """The title without the issuers it begins with, who are named already."""
    title = meta.title or ""
    for issuer in meta.issuers:
        title = title.removeprefix(issuer).lstrip()
    return title or meta.title or ""


def escaped(text: str) -> str:
    """Document text inside Markdown: nothing in it is markup, and no bracketed number of its own is a citation mark."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)


# ---------------------------------------------------------------- the first line

def _value(query: Query, evidence: Sequence[Evidence]) -> Statement | None:
    """The value first, when the best document's best evidence holds exactly one of the kind that is asked for."""
    mine = [i for i, item in enumerate(evidence[:3]) if item.document.id == evidence[0].document.id]
    most = max((item.said for item in evidence if item.document.id == evidence[0].document.id), default=0.0)
    for i in mine:
        if evidence[i].said < _SAID_ENOUGH * most:
            continue
        for text in (evidence[i].point, evidence[i].text):
            if value := single_value(query, text):
                return Statement(value, (i,))
    return None


def _point(query: Query, evidence: Sequence[Evidence], numbers: Sequence[int]) -> list[Statement]:
    """Up to three points of different documents, near-equal ones said once with all their sources.

    A point that is a plain yes or no says so first. numbers: what each evidence is called in the draft.
    """
    said: list[tuple[str, set[str], list[int]]] = []
    standing, most = points.standing(evidence), -np.inf
    for document in dict.fromkeys(item.document.id for item in evidence):
        mine = [i for i, item in enumerate(evidence) if item.document.id == document]
        mine = [i for i in mine if has_value(query, evidence[i].point)] or mine
        if asked_for(query) is not None:  # "…安排通知如下：" answers nothing
            mine = [i for i in mine if not _LEADS_ON.search(evidence[i].text)] or mine
        best = max(standing[i] for i in mine)
        i = min((i for i in mine if standing[i] >= best - _AS_GOOD.get(query.form, _ALL_BUT)), key=lambda i: _place(evidence[i]))
        if said and standing[i] < most - _BEHIND:
            continue
        most = max(most, standing[i])
        pairs = set(bigrams(evidence[i].point))
        for _text, known, sources in said:
            if len(pairs & known) >= 0.6 * min(len(pairs), len(known)):
                sources.append(numbers[i])
                break
        else:
            if not said and (items := _items_after(evidence, i)):
                return [Statement(evidence[j].point, (numbers[j],)) for j in items]
            if len(said) < 3:
                plain = evidence[i].said >= _PLAIN and query.form == "yesno" and verdict(query.text, evidence[i].point)
                said.append((f"{plain}：{evidence[i].point}" if plain else evidence[i].point, pairs, [numbers[i]]))
    return [Statement(text, (sources[0],)) for text, _, sources in said]


def _items_after(evidence: Sequence[Evidence], lead: int) -> list[int]:
    """The evidence that a sentence ("应当符合下列条件：") leads to, in order, when their names are short enough for a first line."""
    if not evidence[lead].text.endswith(COLONS):
        return []
    items, end = [], evidence[lead].span.end
    for i in sorted(range(len(evidence)), key=lambda i: _place(evidence[i])):
        item = evidence[i]
        if item.document.id == evidence[lead].document.id and 0 <= item.span.start - end <= _APART and points.labelled(item.text):
            items.append(i)
            end = item.span.end
    fits = 1 < len(items) <= MOST_POINTS and sum(len(evidence[i].point) for i in items) <= _LONGEST_ITEMS
    return items if fits else []


def _remark(documents: Sequence[Document], query: Query) -> str:
    """A warning where documents of different years or offices stand side by side."""
    metas: list[Metadata] = [d.meta for d in documents]
    if len({m.issuers for m in metas if m.issuers}) > 1 and len({m.years for m in metas if m.years}) > 1:
        return "各文件适用的年份和地区不同，请以本单位对应的文件为准。"
    if not query.years and len({m.years for m in metas if m.years}) > 1:
        return "以上文件分属不同年份，请以对应年份的文件为准。"
    return ""
