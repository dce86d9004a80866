"""Must-include and must-exclude: what a right answer has to say, and what no answer may show."""

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
