"""Overlap of an answer's text with a reference, counted in Chinese characters: token F1 and ROUGE-L.

A token is one Chinese character or one whole Latin word or number, as in the CMRC 2018 evaluation's
mixed segmentation (Cui et al., EMNLP 2019); punctuation is dropped.
"""

import re
from collections import Counter
from collections.abc import Sequence

from rag.text import HAN, normalise

_TOKEN = re.compile(rf"[{HAN}]|[a-z]+|\d+(?:[.:]\d+)*")


def tokens(text: str) -> list[str]:
    """The tokens of the normalised text."""
    return _TOKEN.findall(normalise(text))


def token_f1(said: Sequence[str], reference: Sequence[str]) -> float:
    """F1 = 2PR / (P + R) over the multisets of tokens (SQuAD: Rajpurkar et al., EMNLP 2016); 1 when both are empty."""
    if not said or not reference:
        return float(not said and not reference)
    return _f1(sum((Counter(said) & Counter(reference)).values()), len(said), len(reference))


def rouge_l(said: Sequence[str], reference: Sequence[str]) -> float:
    """ROUGE-L F1: P and R of the longest common subsequence (Lin, ACL workshop 2004); 1 when both are empty."""
    if not said or not reference:
        return float(not said and not reference)
    return _f1(longest_common_subsequence(said, reference), len(said), len(reference))


def longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Its length, by bit-parallel dynamic programming (Hyyrö 2004): one big integer holds a row of the table."""
    places: dict[str, int] = {}
    for at, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << at
    full = (1 << len(one)) - 1
    row = full
    for token in other:
        match = row & places.get(token, 0)
        row = ((row + match) | (row - match)) & full
    return len(one) - row.bit_count()


def _f1(common: int, said: int, reference: int) -> float:
    return 2 * common / (said + reference)
