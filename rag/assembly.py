"""A draft and its evidence as the answer that is shown: claims, numbered citations, or the reason why there is none."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from rag.citations import cite, emphasised, exact_values
from rag.generators.extractive import escaped
from rag.query import Query
from rag.schema import Answer, Claim, Draft, Evidence, Hit, Statement


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every answer carries, whatever it says: the question, how it was understood, who answers, over what."""

    question: str
    query: Query
    generator: str
    generation: str


def assembled(
    stamp: Stamp, draft: Draft, evidence: Sequence[Evidence], confidence: float, choices: tuple[str, ...] = ()
) -> Answer:
    """The draft with its evidence numbered in the order in which it is read. choices: questions to ask instead."""
    numbers = numbered(draft)
    claims = [Claim(s.text, tuple(numbers.setdefault(i, len(numbers) + 1) for i in s.evidence)) for s in draft.written]

    def marked(statement: Statement, own: Set[str] = frozenset()) -> str:
        ids = [numbers.setdefault(i, len(numbers) + 1) for i in statement.evidence]
        claims.append(Claim(statement.text, tuple(ids)))
        return emphasised(escaped(statement.text), own) + "".join(f"[{n}]" for n in ids)

    lines = ["".join(sentence(s, numbers) for s in draft.written),
             f"**要点：** {'；'.join(map(marked, draft.point))}。" if draft.point else ""]
    if draft.tabular:
        values = [exact_values(" ".join(s.text for s in block.statements)) for block in draft.blocks]
        rows = ["| 文件 | 怎么说（**加粗**的数字只此一份文件有） |" if any(values) else "| 文件 | 怎么说 |", "|---|---|"]
        for n, block in enumerate(draft.blocks):
            own = values[n].difference(*values[:n], *values[n + 1 :])
            rows.append(f"| {block.heading} | {' '.join(marked(s, own) for s in block.statements)} |")
        lines.append("\n".join(rows))
    else:
        lines += ["\n".join([block.heading, *(f"- {marked(s)}" for s in block.statements)]) for block in draft.blocks]
    lines.append(draft.remark)
    cited = [(n, evidence[i]) for i, n in numbers.items()]
    return _answer(
        stamp, "answered", "\n\n".join(x for x in lines if x), confidence=round(confidence, 4), claims=tuple(claims),
        citations=tuple(cite(n, item.document, item.span, item.section_path, item.score) for n, item in cited),
        choices=choices,
    )


def numbered(draft: Draft) -> dict[int, int]:
    """Index of each evidence → its number. Numbers follow the blocks, so that the first line's markers lead down to them."""
    cited = (i for block in draft.blocks for statement in block.statements for i in statement.evidence)
    return {i: n for n, i in enumerate(dict.fromkeys(cited), 1)}


def sentence(statement: Statement, numbers: Mapping[int, int]) -> str:
    """A written sentence as it is shown: its markers, then its end."""
    marks = "".join(f"[{numbers[i]}]" for i in statement.evidence)
    end = statement.text[-1] if statement.text.endswith(("！", "？")) else "。"
    return f"{escaped(statement.text.removesuffix(end))}{marks}{end}"


def asking_back(stamp: Stamp, reason: str, choices: tuple[str, ...]) -> Answer:
    """The questions that may have been meant."""
    lines = [f"- {escaped(choice)}" for choice in choices]
    return _answer(stamp, "clarify", "\n".join([f"{reason}您是想问：", *lines]), reason=reason, choices=choices)


def refused(stamp: Stamp, nearest: Sequence[Hit], confidence: float, reason: str) -> Answer:
    """Why there is no answer, and which documents come nearest."""
    leads = list(dict.fromkeys(f"《{escaped(hit.document.name)}》" for hit in nearest))[:3]
    near = f"最接近的是{'、'.join(leads)}，但没有直接说明所问的事。" if leads else ""
    return _answer(stamp, "no_evidence", f"没有找到依据：{reason}{near}", confidence=round(confidence, 4), reason=reason)


def _answer(stamp: Stamp, status: str, text: str, *, choices: tuple[str, ...] = (), **more) -> Answer:
    filled = {"claims": (), "citations": (), "confidence": 0.0, **more}
    return Answer(
        question=stamp.question, status=status, answer=text, generator=stamp.generator, generation=stamp.generation,
        interpreted=replace(stamp.query.interpreted(), choices=choices), timings_ms={}, **filled,
    )
