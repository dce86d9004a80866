"""Must-include: whether the answer says the strings that a right answer has to say."""

from collections.abc import Sequence

from eval.locate import kept


def must_include(answer: str, wanted: Sequence[str]) -> float:
    """Share of the wanted strings found in the answer, in kept characters; "甲|乙" is found when either is.

    wanted: not empty.
    """
    said = kept(answer)
    return sum(any(kept(either) in said for either in one.split("|")) for one in wanted) / len(wanted)
