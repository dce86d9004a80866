"""A clause held against a stretch of its source: what it says otherwise, word by word (`rag.wording`)."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from rag.text import bigrams
from rag.wording import ENDS, Token, tokens, unit_of

STRICT = frozenset({"number", "most", "least", "forbidden", "not", "allowed", "before", "after", "hour", "every", "stance"})
"""What a sentence may only say where its source says it."""
_OPPOSED = frozenset({"forbidden", "not", "allowed", "demanded", "more", "less"})
_KEPT = frozenset({"most", "least", "forbidden", "not", "before", "after"})
"""What a sentence may not leave out of a clause that it repeats."""
_FUNCTION = frozenset("的了是在和与及对要等并按照为将应把被从向由于以其各该本此这那即均都也还就而且或地得所之则")
"""Characters that say nothing by themselves."""
_SAYING = re.compile(r"根据|按照|要求|规定|明确|指出|提出|强调|表示|其中|同时|此外|另外|以及|并且|应做到|做到|通知|文件|资料|方面")


def matter(text: str) -> list[str]:
    """Bigrams of a canonical text that have to be found in its source: without the words that `conflict` compares one by
    one, and without those that only say who says it."""
    kept = "".join(" " if t.kind not in ("", "number", "latin") else t.form for t in tokens(_SAYING.sub(" ", text)))
    return [pair for pair in bigrams(kept) if len(pair) > 1 or pair.isdecimal()]


def conflict(row: Sequence[Token], stretch: Sequence[Token], known: str) -> str:
    """What the clause says otherwise than the stretch, token by token; "" when nothing.

    known: what names the clause may bring in.
    """
    steps = SequenceMatcher(None, row, stretch, autojunk=False).get_opcodes()
    for n, (step, a, b, c, d) in enumerate(steps):
        if step == "equal":
            # a "不" or "以上" that merely happens to stand somewhere in both, nothing beside it in common
            if b - a == 1 < len(row) and row[a].kind in _KEPT:
                return "限定、肯定或否定与原文不同"
            continue
        inside = 0 < n < len(steps) - 1
        left, right = _same_clause(stretch[c:d])
        lost = [*(left if n else ()), *(right if n < len(steps) - 1 else ())]
        if why := _added(row[a:b], lost, known):
            return why
        if any(t.kind in _KEPT for t in lost) and len(steps) > 1:
            return "少了原文的限定或否定"
        if inside and b < len(row) and row[b].kind == "number" and any(
                t.kind == "number" and unit_of(t) == unit_of(row[b]) for t in left):
            return f"{row[b].form}不是原文这里的数"
    return next(filter(None, (_exchanged(*group) for group in _exchanges(row, stretch, steps))), "")


def _exchanges(
    row: Sequence[Token], stretch: Sequence[Token], steps: Sequence[tuple[str, int, int, int, int]]
) -> Iterator[tuple[list[Token], list[Token], bool, bool]]:
    """Where clause and source differ: the words of each, and whether words that both have stand before and after.

    A lone character that both have does not part two such places: "人" is in 人员 and in 老年人.
    """
    said, own, before = list[Token](), list[Token](), False
    for step, a, b, c, d in steps:
        if step != "equal":
            said += row[a:b]
            own += stretch[c:d]
        elif b - a > 1 or row[a].kind:
            yield said, own, before, True
            said, own, before = [], [], True
    yield said, own, before, False


def _exchanged(said: Sequence[Token], own: Sequence[Token], before: bool, after: bool) -> str:
    """What is wrong with words of the clause that stand in the place of words of the source. See `_exchanges`."""
    if before and after and any(t.form in ENDS for t in own):
        return "把原文的两处连成了一句"
    left, right = _same_clause(own)
    beside = own if before and after else left if before else right if after else ()
    return f"原文这里是“{''.join(t.form for t in beside)}”" if _says_something(said) and _says_something(beside) else ""


def _says_something(words: Sequence[Token]) -> bool:
    plain = "".join(t.form if not t.kind else " " for t in words)
    return any(char.isalnum() and char not in _FUNCTION for char in _SAYING.sub("", plain))


def _added(said: Sequence[Token], own: Sequence[Token], known: str) -> str:
    """What is wrong with words of the clause that stand where the source has others, or none."""
    kinds = {t.kind for t in own}
    for token in said:
        if token.kind in STRICT:
            return f"原文这里没有“{token.form}”" if token.form else "限定、肯定或否定与原文不同"
        if token.kind in _OPPOSED and kinds & _OPPOSED - {token.kind}:
            return "肯定、否定或增减与原文不同"
        if token.kind in ("name", "latin") and ((token.kind in kinds and token.kind == "name") or token.form not in known):
            return f"原文这里不是“{token.form}”"
    return ""


def _same_clause(gap: Sequence[Token]) -> tuple[Sequence[Token], Sequence[Token]]:
    """What of a gap belongs to the clause before it and to the clause after it; whole clauses between are left out."""
    cuts = [i for i, t in enumerate(gap) if t.form in ENDS]
    return (gap[: cuts[0]], gap[cuts[-1] + 1 :]) if cuts else (gap, gap)
