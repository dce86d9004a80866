"""Questions about documents rather than in them: who issued it and when, which documents speak of a thing, how many."""

import re
from dataclasses import dataclass

from rag import scope
from rag.citations import original_span
from rag.evidence import quoted
from rag.retrieval import Found, Retriever
from rag.schema import Document, Evidence, Span
from rag.text import NUMERAL, compact, normalise, sentences

# What may be asked of a document: the field of its metadata, and how people ask for it.
_FIELDS = (
    ("basis", "制发依据", re.compile(r"(根据|依据|按照)(的是|了)?(哪|什么)[^，。？]{0,6}(文件|通知|规定|要求|方案|意见|发|印|制)|(发文|制定|制发|印发)(的)?依据")),
    ("document_number", "文号", re.compile(r"文号|发文字号|字号|(?:几|多少)号(?:文|令)|document number", re.I)),
    ("addressees", "主送机关", re.compile(r"主送|(发|印发|下发|送)给(谁|哪)|发到(哪|谁)|收文")),
    ("issued_on", "成文日期", re.compile(
        r"(什么时候|何时|哪天|哪一天|几月|哪年|日期|时间|几号)[^，。？]{0,4}(发|印|下发|出台|成文|落款|签|批复|答复)|成文日期|发文日期|落款日期|落款时间|(?:when|what (?:date|day))\b[^.?]*\b(?:issue|publish|release|sign|date)(?:e?d)?\b|date at the end|date of the notice|(?:文件|通知|办法|规定|规划|方案|意见|条例|公告)是(?:哪一?年|什么时候|何时)的", re.I)),
    ("published_on", "发布日期", re.compile(r"发布日期|发布时间|(什么时候|何时|哪天)发布")),
    ("issuers", "发文机关", re.compile(
        r"(谁|哪(?:个|些|[两三几]个?)?(单位|部门|机关)|什么(单位|部门|机关))[^，。？]{0,8}(发|印|出台|制定|下发)|发文机关|发文单位|落款(单位|是谁)|who issued", re.I)),
    ("effective_on", "施行日期", re.compile(r"(什么时候|何时|哪天|哪一天|几时|几月)[^，。？]{0,5}(施行|实施|执行|生效)|(施行|实施|生效)的?(日期|时间)")),
    ("expires_on", "有效期", re.compile(r"有效期|什么时候(到期|失效)|何时(到期|失效)|(到期|失效)的?(日期|时间)")),
    ("title", "标题", re.compile(r"标题|题目|全称|叫什么名|\d号是(?:什么|哪个|哪份|一份什么)(?:文件|通知|文)?[？?]?$")),
)
_ABOUT_DOCUMENT = re.compile(
    r"开始|从|起|施行|实施|执行|生效|有效期|到期|失效|多久|多长|几年|办法|规定|文号|发文|字号|主送|根据|依据|按照|上级|哪两|两份|印发|下发|发布|成文|落款|日期|时间|哪天|什么时候|何时|什么|哪个|哪些|哪|谁|单位|机关|部门|标题|题目|全称|批复|答复|"
    rf"[{NUMERAL}\d]+个?大?(?:部分|方面|块|点|条|项)|各|分别|都|"
    r"这份|那份|该|此|份|文件|通知|公告|意见|的|是|发|给|由|几月几[日号]|有关工作|工作|期间|做好|关于|多少|部署|提出|要求|方面|部分|一共|总共|内容|主要|包括|几|大|块|分|年|和|[？?，。\s]"
)
_COLLECTION = re.compile(
    r"(现有|库里|库中|所有|全部|目前)?(的)?(哪些|哪几|几|多少|有没有)(份|个|篇)?(文件|通知|公文|文章|材料|单位|地方|稿子)?|文件|通知|公文|"
    r"(里|中)?(都)?(提到|提及|涉及|写到|讲到|说到|谈到|出现|要求|规定|关于)了?(过)?|(一共|总共|共)(有)?(几|多少)(份|篇|个)?|列出|列举|发过|发了|"
    r"[的了吗有都？?，。、\s]"
)


_INTRODUCTION = 1500
"""Characters before the first numbered part that are looked at."""
_CANDIDATES = 4
"""Documents whose names are tried, the best first."""
_OPENING = 200
"""Characters that say what a document without a title is about."""
_NAMES_SHARE = 0.8
"""Share of the question's remaining characters that the document's name must have: people shorten names."""


@dataclass(frozen=True, slots=True)
class Catalogued:
    """Evidence for a question about documents, or the reason why there is none."""

    evidence: tuple[Evidence, ...]
    reason: str = ""


def of_metadata(found: Found, retriever: Retriever) -> Catalogued | None:
    """Title, issuer, number, date or addressees of one document; None when the question is about something else."""
    fields = [(field, name) for field, name, asked in _FIELDS if asked.search(found.query.text)]
    if not fields:
        return None
    document = the_document(found, retriever)
    if document is None:
        return None
    proof = dict(document.meta.proof)
    if "basis" in dict(fields) and (span := _basis(document)):
        proof["basis"] = span
    missing = [name for field, name in fields if field not in proof]
    evidence = [
        quoted(found, retriever, document, proof[field], ("文件信息",), 1.0 - 0.01 * n)
        for n, (field, _) in enumerate(fields) if field in proof
    ]
    if not evidence:
        return Catalogued((), f"《{document.name}》没有写明{'、'.join(missing)}。")
    return Catalogued(tuple(evidence))


def _basis(document: Document) -> Span | None:
    """The sentence of the introduction that names the documents this one is based on."""
    first = next((s.start for s in document.sections if s.kind == "part" and s.label), len(document.text))
    opening = document.text[:min(first, _INTRODUCTION)]
    for span in sentences(opening.replace("\n", " ")):
        if re.search(r"(?:根据|依据|按照|遵照|贯彻|落实)[^。]*《", compact(opening[span.start : span.end])):
            return span
    return None


def the_document(found: Found, retriever: Retriever) -> Document | None:
    """The one document that the question is about as a whole: what the question says besides asking fits its name."""
    named = retriever.admitted_documents(found.query)
    tops = list(dict.fromkeys(hit.document.id for hit in found.hits))
    candidates = dict.fromkeys([*(id for id in tops if id in named), *named, *tops])
    left = [c for c in _ABOUT_DOCUMENT.sub("", normalise(found.query.text)) if c.isdigit() or (c.isalnum() and not c.isascii())]
    for id in list(candidates)[:_CANDIDATES]:
        meta = retriever.index.metas[id].meta
        called = meta.title or retriever.index.document(id).text[:_OPENING]
        name = normalise("".join((called, *meta.issuers, meta.document_number or "", meta.kind or "",
                                  *(str(y) for y in meta.years), *meta.festivals, meta.issued_on or "")))
        if sum(c in name for c in left) >= _NAMES_SHARE * len(left):
            return retriever.index.document(id)
    return None


def of_collection(found: Found, retriever: Retriever) -> Catalogued:
    """Every document that the slots admit and that speaks of the topic, each with one sentence; complete and counted."""
    query = found.query
    topic = _topic(query.text, found)
    slotted = any(True for _ in scope.slots(query))
    named = retriever.admitted_documents(query) if slotted else list(retriever.index.metas)
    out: list[Evidence] = []
    for id in named:
        document = retriever.index.document(id)
        span, path = _saying(retriever, document, topic)
        if span:
            out.append(quoted(found, retriever, document, span, path, 1.0))
    return Catalogued(tuple(sorted(out, key=lambda e: e.document.meta.issued_on or "", reverse=True)))


def _topic(text: str, found: Found) -> str:
    """What the documents should speak of: the words in quotation marks, else what is left of the question."""
    if marked := re.search(r"[“\"「]([^”\"」]{2,40})[”\"」]", text):
        return marked.group(1)
    for slot in scope.slots(found.query):
        spans = scope.mentions(slot, text)
        text = "".join(c for i, c in enumerate(text) if not any(a <= i < b for a, b in spans))
    return _COLLECTION.sub("", text)


def _saying(retriever: Retriever, document: Document, topic: str) -> tuple[Span | None, tuple[str, ...]]:
    """The first sentence of the document that says the topic; the place of its name when there is no topic."""
    if not topic:
        proof = document.meta.proof
        span = next((proof[f] for f in ("title", "document_number", "issuers") if f in proof), None)
        return span or (document.body[0] if document.body else None), ("文件信息",)
    wanted = compact(normalise(topic))
    for row in retriever.index.metas[document.id].rows:
        passage = retriever.index.passage(row)
        for span in sentences(passage.text):
            if wanted in compact(normalise(passage.text[span.start : span.end])):
                return original_span(document, passage, span), passage.section_path
    return None, ()
