"""Right year and right issuer: nothing is cited from another year's or another office's document.

Whether a question is judged depends on its words alone, never on the system's output, so two runs are
compared on the same questions.
"""

from collections.abc import Sequence

from eval.sets import EvalItem, same_source
from eval.slots import names, years
from rag.schema import Citation


def right_year(item: EvalItem, citations: Sequence[Citation]) -> float | None:
    """1 when every citation is from a gold document or one of a year asked; 0 when any is not or nothing was cited.

    A document's years are those of its title, else that of its date. None: the question names no year.
    """
    if not (asked := years(item.question)):
        return None
    return float(bool(citations) and all(_gold(item, c) or bool(_years(c) & asked) for c in citations))


def right_issuer(item: EvalItem, citations: Sequence[Citation]) -> float | None:
    """1 when every citation is from a gold document or one whose issuer or title has a name asked, else 0.

    None: the question names no place or office.
    """
    if not (asked := names(item.question)):
        return None
    return float(bool(citations) and all(
        _gold(item, c) or any(n in f"{c.issuer or ''} {c.title or ''}" for n in asked) for c in citations
    ))  # fmt: skip


def _gold(item: EvalItem, citation: Citation) -> bool:
    return any(same_source(g.source, citation.source) for g in item.gold)


def _years(citation: Citation) -> set[int]:
    return years(citation.title or "") or ({int(citation.issued_on[:4])} if citation.issued_on else set())
