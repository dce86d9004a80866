"""An answer to take away: as text, as Markdown, as a Word file with footnotes. Each with every citation in full."""

from rag.citations import MARKER
from rag.schema import Answer, Citation
from ui.api import prose
from ui.api.shapes import facts_of, name_of, references


def as_text(question: str, answer: Answer) -> str:
    """Question, answer and citations as plain text."""
    return "\n\n".join(x for x in (question, prose.plain_text(answer.answer), references(answer.citations)) if x)


def as_markdown(question: str, answer: Answer) -> str:
    """The same as Markdown, the citations as footnotes. The texts of documents come escaped from the answer, or are here."""
    body = MARKER.sub(r"[^\1]", answer.answer)
    notes = "\n".join(f"[^{c.id}]: {_escaped(told(c))}" for c in answer.citations)
    return "\n\n".join(x for x in (f"# {_escaped(question)}", body, notes) if x)


def told(citation: Citation) -> str:
    """A citation as a footnote says it: 《title》，issuer，文号，date，section，page：“quote”."""
    called = name_of(citation.title, citation.issuer, citation.document_number, citation.source)
    page = f"第 {citation.page} 页" if citation.page else None
    section = " › ".join(citation.section_path) or None
    facts = facts_of(called, citation.issuer, citation.document_number, citation.issued_on)
    return f"{'，'.join(x for x in (called, *facts, section, page) if x)}：“{citation.quote}”"


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in text.replace("\n", " "))
