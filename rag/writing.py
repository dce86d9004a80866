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
from rag.citations import exact_values
from rag.errors import GenerationError
from rag.generators.extractive import heading_of
from rag.generators.guard import Guard
from rag.query import Query
from rag.schema import Draft, Event, Evidence, Statement
from rag.text import bigrams, compact, readable
from rag.verification import SAID_ALREADY, SAYS_NOTHING, Checked, Source, Verifier
from rag.wording import canonical

_MARKER = re.compile(r"\s*[\[［【](?:资料|来源|编号)?\s*(\d{0,3}(?:\s*[,，、]\s*(?:资料|编号)?\d{1,3})*)\s*[\]］】]|(?:根据|依据|按照)?资料(\d{1,3})(?:[，,：:]|的?规定，?|显示，?)?")
_END = re.compile(rf"[。！？!?\n]+[”’」』）)]*(?:{_MARKER.pattern})*[。；]?")
_ENUMERATOR = re.compile(r"^\s*(?:[-*•·>#]+\s*|\d{1,2}[.、)）]\s*(?!\d))+")
_AS_NEAR = 0.95
"""A written sentence comes at least this share as near to the question as the documents' own words do."""
_MOST = 0.6
"""Share of the bigrams of a text that another one has which says the same."""
_UNENDED = 40
"""Characters of a text without an end below which it is not taken for a sentence that was cut off."""
_MANY = 1 / 3
"""Share of dropped sentences from which the reader is told."""
_EMPHASIS = re.compile(r"\*\*|__|`")


@dataclass(slots=True)
class Writing:
    """What a model has written so far. statements: what may be shown; checks: what became of each sentence.

    unsaid: what of the draft's own first line they do not say and do not say better: all of it while the model writes.
    failure: why the model did not finish, in Chinese. nothing: it said that the passages do not answer the question.
    """

    statements: list[Statement] = field(default_factory=list)
    checks: list[Checked] = field(default_factory=list)
    unsaid: tuple[Statement, ...] = ()
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
    Sentences replaced by the documents' own wait for one of the model's that holds: on their own they are a worse choice
    from the documents than the extractive one.
    """
    held: list[Statement] = []
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
                    held += [_statement(checked, shown)] if checked.text else []
                    if writing.statements or checked.outcome in ("kept", "recited"):
                        writing.statements += held
                        yield from held
                        held = []
    except GenerationError as error:
        writing.failure = error.message


def _statement(checked: Checked, shown: Sequence[int]) -> Statement:
    return Statement(checked.text.rstrip("。；;，,"), tuple(shown[n] for n in checked.sources))


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

    def speaks_to(text: str) -> bool:
        return any(_says(s, text) or _says(text, s) for s in said) or closeness(query.text, [text]) >= least

    yield Event("status", "语言模型正在写")
    with closing(write(writing, model, query.text, evidence, list(numbers), verifier, speaks_to)) as statements:
        for statement in statements:
            yield Event("delta", sentence(statement, numbers))
    text = "".join(s.text for s in writing.statements)
    if text and not writing.failure:
        near = closeness(query.text, [text])
        writing.unsaid = tuple(s for s in draft.point if not _says(text, s.text) and (
            _is_value(s, evidence) or closeness(query.text, [s.text]) > near))
    else:
        writing.unsaid = draft.point
    yield Event("status", writing.outcome)


def rewritten(draft: Draft, writing: Writing) -> Draft:
    """The draft with the written sentences before it, and of its own first line what they leave to be said."""
    return replace(draft, written=tuple(writing.statements), point=writing.unsaid,
                   remark="".join(filter(None, [draft.remark, _remark(writing)])))


def _says(text: str, other: str) -> bool:
    """Whether the text says what the other one does: most of its words, all its numbers."""
    pairs = set(bigrams(canonical(other)))
    return len(pairs & set(bigrams(canonical(text)))) >= _MOST * len(pairs) and exact_values(other) <= exact_values(text)


def _is_value(statement: Statement, evidence: Sequence[Evidence]) -> bool:
    """Whether the statement is the very value that was asked for, or a yes or no, rather than words of the evidence."""
    return all(statement.text not in (evidence[i].point, evidence[i].text) for i in statement.evidence)


def _remark(writing: Writing) -> str:
    """What a reader has to know of how the answer came about."""
    if writing.failure:
        return f"（{writing.failure}{'第一段没有写完。' if writing.statements else '答案由原文摘录而成。'}）"
    if writing.statements:
        said = [c for c in writing.checks if c.why not in (SAID_ALREADY, SAYS_NOTHING)]
        gone = sum(c.outcome == "dropped" for c in said)
        return f"（语言模型写的 {len(said)} 句中有 {gone} 句没有依据或与所问无关，已删去。）" if gone >= _MANY * len(said) else ""
    if writing.nothing:
        return "（语言模型认为这些原文没有直接回答问题，请对照原文判断。）"
    return "（语言模型写的句子与原文核对不上，答案由原文摘录而成。）"


def sources_of(evidence: Sequence[Evidence], shown: Sequence[int]) -> list[Source]:
    """What written sentences may rest on, in the order in which the answer numbers it: not on what speaks to a model."""
    out = []
    for item in (evidence[i] for i in shown):
        meta = item.document.meta
        frame = (meta.title, *meta.issuers, *item.section_path, meta.period, *meta.addressees)
        point = item.point if item.point in item.text else ""
        out.append(Source(prompts.without_orders(item.text), "\n".join(part for part in frame if part), point))
    return out


def _heading(item: Evidence) -> str:
    return readable(re.sub(r"\\(.)", r"\1", heading_of(item).replace("**", "")) + "".join(f"｜{p}" for p in item.section_path[-1:]))


# ---------------------------------------------------------------- a stream of text as sentences

def whole_sentences(pieces: Iterator[str]) -> Iterator[str]:
    """Sentences of a text that comes in pieces, each with the markers that follow it.

    A last part without an end was cut off and is left out, unless it is all there is and short, as a number is.
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
    if not any_ and 0 < len(text[at:].strip()) < _UNENDED:
        yield text[at:]


def without_markers(written: str) -> tuple[str, list[int]]:
    """A sentence without citation markers, list signs and emphasis; and the numbers that it cites."""
    cited = [int(n) for found in _MARKER.finditer(written) for n in re.findall(r"\d+", found.group())]
    bare = _EMPHASIS.sub("", _ENUMERATOR.sub("", _MARKER.sub("", written)))
    return readable("".join(c for c in bare if c.isprintable() or c.isspace()).strip()), cited
