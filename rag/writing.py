"""A draft rewritten by a language model: over the same evidence, every sentence checked before anybody sees it.

The model's sentences take the place of the first line; the documents' own sentences stay beneath. Whatever the model
does, what is left without it is the extractive answer, and a closing remark says so.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from rag import prompts
from rag.assembly import numbered, sentence
from rag.errors import GenerationError
from rag.generators.extractive import heading_of
from rag.generators.guard import Guard
from rag.query import Query
from rag.schema import Draft, Event, Evidence, Statement
from rag.text import compact, readable
from rag.verification import SAID_ALREADY, Checked, Source, Verifier

_MARKER = re.compile(r"\s*[\[［【](?:资料|来源|编号)?\s*(\d{0,3}(?:\s*[,，、]\s*(?:资料|编号)?\d{1,3})*)\s*[\]］】]|(?:根据|依据|按照)?资料(\d{1,3})(?:[，,：:]|的?规定，?|显示，?)?")
_END = re.compile(rf"[。！？!?\n]+[”’」』）)]*(?:{_MARKER.pattern})*[。；]?")
_ENUMERATOR = re.compile(r"^\s*(?:[-*•·>#]+\s*|\d{1,2}[.、)）]\s*(?!\d))+")
_AS_NEAR = 0.95
"""A written sentence comes at least this share as near to the question as the documents' own words do."""
_MANY = 1 / 3
"""Share of dropped sentences from which the reader is told."""
_EMPHASIS = re.compile(r"\*\*|__|`")


@dataclass(slots=True)
class Writing:
    """What a model has written so far. statements: what may be shown; checks: what became of each sentence.

    failure: why the model did not finish, in Chinese. nothing: it said that the passages do not answer the question.
    """

    statements: list[Statement] = field(default_factory=list)
    checks: list[Checked] = field(default_factory=list)
    failure: str = ""
    nothing: bool = False

    @property
    def outcome(self) -> str:
        """What became of the sentences, in one line for the trace."""
        names = {"kept": "采用", "recited": "改引", "replaced": "换成原文", "dropped": "删去"}
        counts = [f"{name} {n}" for kind, name in names.items() if (n := sum(c.outcome == kind for c in self.checks))]
        return f"语言模型写了 {len(self.checks)} 句：{'，'.join(counts)}" if counts else self.failure or "语言模型没有写出答案"


def write(
    writing: Writing, model: Guard, question: str, evidence: Sequence[Evidence], shown: Sequence[int], verifier: Verifier,
    speaks_to: Callable[[str], bool],
) -> Iterator[Statement]:
    """The sentences that hold, each as soon as it is checked; all else goes into `writing`.

    shown: indexes into the evidence in the order in which the answer numbers it; so are the passages of the prompt, and
    the verifier's sources. speaks_to: whether a sentence is about what is asked; a model likes to copy what is not.
    """
    passages = [prompts.Quoted(_heading(evidence[i]), evidence[i].text) for i in shown]
    try:
        with closing(model.write(prompts.answering(question, passages))) as pieces:
            for written in whole_sentences(pieces):
                text, cited = without_markers(written)
                if compact(text).rstrip("。") == prompts.NOTHING:
                    writing.nothing = True
                elif text:
                    checked = verifier.check(text, [n - 1 for n in cited])
                    if checked.text and not speaks_to(checked.text):
                        checked = replace(checked, text="", sources=(), outcome="dropped", why="没有说到所问的事")
                    writing.checks.append(checked)
                    if checked.text:
                        statement = Statement(checked.text.rstrip("。；;，,"), tuple(shown[n] for n in checked.sources))
                        writing.statements.append(statement)
                        yield statement
    except GenerationError as error:
        writing.failure = error.message


def composed(
    writing: Writing, model: Guard, query: Query, draft: Draft, evidence: Sequence[Evidence],
    idf: Callable[[str], float], closeness: Callable[[str, Sequence[str]], float],
) -> Iterator[Event]:
    """What is to be told while the model writes; at the end `rewritten(draft, writing)` begins with the text that was told.

    idf, closeness: see `Verifier`.
    """
    numbers = numbered(draft)
    verifier = Verifier(sources_of(evidence, list(numbers)), idf, closeness)
    said = [s.text for s in draft.point] or [evidence[i].point for i in list(numbers)[:1]]
    least = _AS_NEAR * max(closeness(query.text, [text]) for text in said)
    yield Event("status", "语言模型正在写")
    with closing(write(writing, model, query.text, evidence, list(numbers), verifier,
                       lambda text: closeness(query.text, [text]) >= least)) as statements:
        for statement in statements:
            yield Event("delta", sentence(statement, numbers))
    yield Event("status", writing.outcome)


def rewritten(draft: Draft, writing: Writing) -> Draft:
    """The draft with the written sentences before it. Its own first line stays where the model did not finish."""
    done = bool(writing.statements) and not writing.failure
    return replace(
        draft, written=tuple(writing.statements), point=() if done else draft.point,
        remark="".join(filter(None, [draft.remark, _remark(writing)])),
    )


def _remark(writing: Writing) -> str:
    """What a reader has to know of how the answer came about."""
    if writing.failure:
        return f"（{writing.failure}{'第一段没有写完。' if writing.statements else '答案由原文摘录而成。'}）"
    if writing.statements:
        said = [c for c in writing.checks if c.why != SAID_ALREADY]
        gone = sum(c.outcome == "dropped" for c in said)
        return f"（语言模型写的 {len(said)} 句中有 {gone} 句没有依据或与所问无关，已删去。）" if gone >= _MANY * len(said) else ""
    if writing.nothing:
        return "（语言模型认为这些原文没有直接回答问题，请对照原文判断。）"
    return "（语言模型写的内容在原文中找不到依据，答案由原文摘录而成。）"


def sources_of(evidence: Sequence[Evidence], shown: Sequence[int]) -> list[Source]:
    """What written sentences may rest on, in the order in which the answer numbers it: not on what speaks to a model."""
    out = []
    for item in (evidence[i] for i in shown):
        meta = item.document.meta
        frame = (meta.title, *meta.issuers, *item.section_path, meta.period, *meta.addressees)
        out.append(Source(prompts.without_orders(item.text), "\n".join(part for part in frame if part)))
    return out


def _heading(item: Evidence) -> str:
    return readable(re.sub(r"\\(.)", r"\1", heading_of(item).replace("**", "")) + "".join(f"｜{p}" for p in item.section_path[-1:]))


# ---------------------------------------------------------------- a stream of text as sentences

def whole_sentences(pieces: Iterator[str]) -> Iterator[str]:
    """Sentences of a text that comes in pieces, each with the markers that follow it.

    A last part without an end is left out, unless it is all there is: it was cut off.
    """
    text, any_ = "", False
    for piece in pieces:
        text += piece
        at = 0
        for found in _END.finditer(text):
            ends = found.end() < len(text) and text[found.end()] not in "[［【。； \n"
            if ends and text.count("“", at, found.end()) <= text.count("”", at, found.end()):
                yield text[at : found.end()]
                at, any_ = found.end(), True
        text = text[at:]
    at = 0
    for found in _END.finditer(text):
        yield text[at : found.end()]
        at, any_ = found.end(), True
    if not any_ and text[at:].strip():
        yield text[at:]


def without_markers(written: str) -> tuple[str, list[int]]:
    """A sentence without citation markers, list signs and emphasis; and the numbers that it cites."""
    cited = [int(n) for found in _MARKER.finditer(written) for n in re.findall(r"\d+", found.group())]
    bare = _EMPHASIS.sub("", _ENUMERATOR.sub("", _MARKER.sub("", written)))
    return readable("".join(c for c in bare if c.isprintable() or c.isspace()).strip()), cited
