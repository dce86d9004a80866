"""Right year and right issuer: nothing is cited from another year's or another office's document.

Whether a question is judged depends on its words alone, never on the system's output, so two runs are
compared on the same questions.
"""

from collections.abc import Sequence

from eval.slots import names, years
from rag.schema import Citation


def right_year(question: str, citations: Sequence[Citation], gold: Sequence[bool]) -> float | None:
    """1 when every citation is from a gold document or one of a year asked; 0 when any is not or nothing was cited.

    A document's years are those of its title, else that of its date. gold[c]: citation c is from a gold document.
    None: the question names no year.
    """
    if not (asked := years(question)):
        return None
    right = [known or bool(_years(c) & asked) for c, known in zip(citations, gold, strict=True)]
    return float(bool(right) and all(right))


def right_issuer(question: str, citations: Sequence[Citation], gold: Sequence[bool]) -> float | None:
    """1 when every citation is from a gold document or one whose issuer or title has a name asked, else 0.

    None: the question names no place or office.
    """
    if not (asked := names(question)):
        return None
    right = [known or any(n in _named(c) for n in asked) for c, known in zip(citations, gold, strict=True)]
    return float(bool(right) and all(right))


def _named(citation: Citation) -> str:
    return f"{citation.issuer or ''} {citation.title or ''}"


def _years(citation: Citation) -> set[int]:
    return years(citation.title or "") or ({int(citation.issued_on[:4])} if citation.issued_on else set())
