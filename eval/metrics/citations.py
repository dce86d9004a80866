"""Citations: validity, precision and recall.

Precision and recall follow ALCE (Gao et al., EMNLP 2023): the share of citations that support and the share of
what needs support that has it; "supports" is decided by overlap with gold spans instead of by a model, so that
it repeats. Validity is the invariant of DESIGN.md 5.2.
"""

from collections.abc import Callable, Sequence

from rag.schema import Citation
from rag.text import compact


def validity(citations: Sequence[Citation], text_of: Callable[[str], str]) -> float:
    """Share of citations whose quote equals the original's slice, white space aside; 0 when there are none."""
    def valid(citation: Citation) -> bool:
        try:
            text = text_of(citation.source)
        except KeyError:
            return False
        inside = 0 <= citation.start < citation.end <= len(text)
        return inside and compact(text[citation.start : citation.end]) == compact(citation.quote)

    return sum(map(valid, citations)) / len(citations) if citations else 0.0


def precision(touches: Sequence[Sequence[bool]]) -> float:
    """touches[c][t]: citation c overlaps target t. Share of citations that overlap any; 0 when there are none."""
    return sum(map(any, touches)) / len(touches) if touches else 0.0


def recall(touches: Sequence[Sequence[bool]], targets: int) -> float:
    """Share of the targets (at least one) that some citation overlaps."""
    return sum(any(row[t] for row in touches) for t in range(targets)) / targets
