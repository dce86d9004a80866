"""Must-include and must-exclude: what a right answer has to say, and what no answer may show; what its first line says."""

from collections.abc import Sequence

from eval.locate import kept


def must_include(answer: str, wanted: Sequence[str]) -> float:
    """Share of the wanted strings found in the answer, in kept characters; "甲|乙" is found when either is.

    wanted: not empty.
    """
    said = kept(answer)
    return sum(any(kept(either) in said for either in one.split("|")) for one in wanted) / len(wanted)


def must_exclude(answer: str, unwanted: Sequence[str]) -> float:
    """1 when none of the strings stands in the answer as it is shown, markup and all; case aside."""
    shown = answer.casefold()
    return float(not any(one.casefold() in shown for one in unwanted))


SAID = 0.7
"""Share of `says` from which a line says the answer."""
_FEW = 12
"""Character pairs below which a line counts as one of so many: a word of the answer does not say it."""


def says(line: str, answers: Sequence[str]) -> float:
    """The share in [0, 1] of character pairs that a line and an answer have in common, over the shorter of the two; of the
    answers the best counts (overlap coefficient, Szymkiewicz-Simpson, on kept characters). answers: not empty."""
    def pairs(of: str) -> set[str]:
        return {of[i : i + 2] for i in range(len(of) - 1)} or {of}

    own = kept(line)
    return max(1.0 if wanted in own else len(pairs(own) & pairs(wanted)) / min(max(len(pairs(own)), _FEW), len(pairs(wanted)))
               for wanted in map(kept, answers))


def first_line(answer: str, answers: Sequence[str], wanted: Sequence[str] = ()) -> float:
    """1 when the first line of an answer, without marks, says one of the answers or all the wanted strings; else 0.

    answers: not empty. wanted: see `must_include`.
    """
    line = answer.strip().partition("\n")[0]
    return float(says(line, answers) >= SAID or (len(wanted) > 0 and must_include(line, wanted) == 1))
