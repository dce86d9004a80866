"""A clause held against a stretch of its source: what it says otherwise, word by word (`rag.wording`)."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from rag.text import bigrams
from rag.wording import ENDS, Token, tokens, unit_of

STRICT = frozenset({"number", "most", "least", "forbidden", "not", "before", "after", "hour", "every"})
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
        if why := _exchanged(row[a:b], stretch[c:d], *(steps[i][2] - steps[i][1] if 0 <= i < len(steps) else 0 for i in (n - 1, n + 1))):
            return why
        if inside and b < len(row) and row[b].kind == "number" and any(
                t.kind == "number" and unit_of(t) == unit_of(row[b]) for t in left):
            return f"{row[b].form}不是原文这里的数"
    return ""


def _exchanged(said: Sequence[Token], own: Sequence[Token], before: int, after: int) -> str:
    """What is wrong with words of the clause that stand in the place of words of the source.

    before, after: how many tokens next to them the clause and its source share; a lone character that happens to stand there
    does not yet make it the same place.
    """
    if before > 1 and after and any(t.form in ENDS for t in own):
        return "把原文的两处连成了一句"
    left, right = _same_clause(own)
    beside = left if before > 1 else right if after > 1 and not before else ()
    if before > 1 and after:
        beside = own
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
