"""The default generator: the documents' own sentences, ordered and headed, nothing rephrased.

Deterministic: the same question and evidence give the same draft.
"""

import re
from collections.abc import Sequence
from itertools import groupby

from rag.query import Query
from rag.schema import Block, Document, Draft, Evidence, Metadata, Statement
from rag.text import bigrams
from rag.values import single_value

NEAR = 1.5
"""Documents whose best evidence scores within this of each other answer equally well: the newest comes first."""


def compose(query: Query, evidence: Sequence[Evidence], counted: bool = False, remark: str = "") -> Draft:
    """A draft from evidence given best first. counted: it is a complete list of documents, one evidence each."""
    order = _documents(evidence)
    if counted:
        return Draft((), tuple(
            Block(heading_of(evidence[g[0]]), tuple(Statement(evidence[i].text, (i,)) for i in g)) for g in order
        ), remark or f"以上共 {len(order)} 份文件。")
    point = _value(query, evidence) or tuple(_point(evidence))
    blocks = tuple(
        Block(heading_of(evidence[group[0]]),
              tuple(Statement(evidence[i].text, (i,)) for i in sorted(group, key=lambda i: _place(evidence[i]))))
        for group in order
    )
    return Draft(point, blocks, remark or _remark([evidence[group[0]].document for group in order], query))


def _place(item: Evidence) -> tuple[int, int]:
    return item.span.start, item.span.end


def _documents(evidence: Sequence[Evidence]) -> list[list[int]]:
    """Indexes of the evidence by document: the best-answering first, among near equals the newest."""
    by_document: dict[str, list[int]] = {}
    for i, item in enumerate(evidence):
        by_document.setdefault(item.document.id, []).append(i)
    groups = list(by_document.values())
    best = max((item.score for item in evidence), default=1.0)

    def rank(group: list[int]) -> tuple[float, str, int]:
        steps = round((best - max(evidence[i].score for i in group)) / NEAR)
        meta = evidence[group[0]].document.meta
        date = meta.issued_on or str(max(meta.years, default=""))
        return steps, "".join(chr(0x10FFFF - ord(c)) for c in date), group[0]

    return sorted(groups, key=rank)


def heading_of(evidence: Evidence) -> str:
    """Who says it, and in which document: "**兰州市民政局**（兰民发〔2021〕239号，2021-12-31）"."""
    document, meta = evidence.document, evidence.document.meta
    here = evidence.section_path[:1]
    article = next((s.path[0] for s in document.sections if here and s.kind == "article" and s.path == here), None)
    who = meta.issuer or meta.title or article or document.name
    about = [f"《{escaped(meta.title)}》" if meta.title and meta.issuer else "", meta.document_number or "", meta.issued_on or ""]
    inside = "，".join(escaped(x) if not x.startswith("《") else x for x in about if x)
    return f"**{escaped(who)}**" + (f"（{inside}）" if inside else "")


def escaped(text: str) -> str:
    """Document text inside Markdown: nothing in it is markup, and no bracketed number of its own is a citation mark."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)


# ---------------------------------------------------------------- the first line

def _value(query: Query, evidence: Sequence[Evidence]) -> tuple[Statement, ...]:
    """The value first, when the best evidence holds exactly one of the kind that is asked for."""
    for i, item in enumerate(evidence[:3]):
        for text in (item.point, item.text) if item.document.id == evidence[0].document.id else ():
            if value := single_value(query, text):
                return (Statement(value, (i,)),)
    return ()


def _point(evidence: Sequence[Evidence]) -> list[Statement]:
    """Up to three clauses that meet the question best, near-equal ones said once with all their sources."""
    said: list[tuple[str, set[str], list[int]]] = []
    for _, group in groupby(range(len(evidence)), key=lambda i: evidence[i].document.id):
        i = next(group)
        clause = evidence[i].point
        pairs = set(bigrams(clause))
        for _text, known, sources in said:
            if len(pairs & known) >= 0.6 * min(len(pairs), len(known)):
                sources.append(i)
                break
        else:
            if len(said) < 3:
                said.append((clause, pairs, [i]))
    return [Statement(text, (sources[0],)) for text, _, sources in said]


def _remark(documents: Sequence[Document], query: Query) -> str:
    """A warning where documents of different years or offices stand side by side."""
    metas: list[Metadata] = [d.meta for d in documents]
    if len({m.issuers for m in metas if m.issuers}) > 1 and len({m.years for m in metas if m.years}) > 1:
        return "各文件适用的年份和地区不同，请以本单位对应的文件为准。"
    if not query.years and len({m.years for m in metas if m.years}) > 1:
        return "以上文件分属不同年份，请以对应年份的文件为准。"
    return ""
