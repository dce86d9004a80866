"""Exactness: every number of a claim stands in the quotes it cites (DESIGN.md 5.2)."""

import re
import unicodedata
from collections.abc import Sequence

from rag.schema import Citation, Claim
from rag.text import NUMERAL, number

_ARABIC = re.compile(r"\d+(?:\.\d+)?")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_CHINESE = re.compile(rf"[{NUMERAL}万亿]+")


def numbers(text: str, chinese: bool = True) -> set[str]:
    """The numbers of a text as plain decimals without leading zeros; `chinese`: those in Chinese numerals too."""
    text = _GROUPED.sub("", unicodedata.normalize("NFKC", text))
    found = {n.lstrip("0") or "0" for n in _ARABIC.findall(text)}
    if chinese:
        found |= {str(n) for run in _CHINESE.findall(text) if (n := number(run)) is not None}
    return found


def exactness(claims: Sequence[Claim], citations: Sequence[Citation]) -> float:
    """Share of claims that cite something and whose Arabic numbers all occur in their quotes; 0 without claims."""
    quotes = {c.id: c.quote for c in citations}

    def exact(claim: Claim) -> bool:
        cited = [quotes[i] for i in claim.citations if i in quotes]
        return bool(cited) and numbers(claim.text, chinese=False) <= numbers("\n".join(cited))

    return sum(map(exact, claims)) / len(claims) if claims else 0.0
