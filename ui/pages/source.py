"""The evidence beside an answer: for each citation its document, its section, and the quote marked in it."""

from collections.abc import Callable

from markupsafe import Markup

from rag.schema import Answer, Citation, Document, Span
from ui.api.shapes import facts_of, name_of
from ui.pages import reading
from ui.pages.escape import html, join

_AROUND = 1200
"""Characters shown on either side of a quote in a section too long to show whole."""
_LONGEST = 4000


def render(answer: Answer, turn: int, document_of: Callable[[str], Document]) -> Markup:
    """Hidden <article>s, one for each citation, that the script shows in the panel.

    document_of: may raise KeyError when the document has been withdrawn meanwhile; the quote is then shown alone.
    """
    known: dict[str, Document | None] = {}
    for citation in answer.citations:
        if citation.document_id not in known:
            try:
                known[citation.document_id] = document_of(citation.document_id)
            except KeyError:
                known[citation.document_id] = None
    cards = [_card(c, turn, len(answer.citations), known[c.document_id]) for c in answer.citations]
    return html('<div class="wj-sources" hidden>{cards}</div>', cards=join(cards))


def _card(citation: Citation, turn: int, count: int, document: Document | None) -> Markup:
    name = name_of(citation.title, citation.issuer, citation.document_number, citation.source)
    page = f"第 {citation.page} 页" if citation.page else None
    facts = facts_of(name, citation.issuer, citation.document_number, citation.issued_on, page)
    return html(
        '<article data-source="{turn}-{n}" data-place="{n} / {count}">'
        '<h2 tabindex="-1">{name}</h2><p class="wj-facts">{facts}</p>{path}'
        '<div class="wj-original" tabindex="0" role="region" aria-label="原文">{original}</div>'
        '<p class="wj-more"><a href="#document/{id}@{start}-{end}">查看全文</a></p></article>',
        turn=turn, n=citation.id, count=count,
        name=name, facts=join(html("<span>{fact}</span>", fact=fact) for fact in facts),
        path=path(citation.section_path), original=_original(citation, document),
        id=citation.document_id, start=citation.start, end=citation.end,
    )


def path(headings: tuple[str, ...]) -> Markup:
    """The headings from the outermost to the section's own; "" when there are none."""
    if not headings:
        return Markup()
    return html('<p class="wj-path">{steps}</p>', steps=join(html("<span>{h}</span>", h=h) for h in headings))


def _original(citation: Citation, document: Document | None) -> Markup:
    quote = Span(citation.start, citation.end)
    if document is None:
        return html("<p><mark>{quote}</mark></p><p>这份文件已被撤下，只能显示引文。</p>", quote=citation.quote)
    section = reading.innermost(document.sections, quote)
    whole = Span(section.start, section.end) if section else Span(0, len(document.text))
    if whole.end - whole.start <= _LONGEST:
        return reading.render(document, whole, quote)
    near = Span(max(whole.start, quote.start - _AROUND), min(whole.end, quote.end + _AROUND))
    more = html('<p class="wj-quiet">……</p>')
    return join([more if near.start > whole.start else Markup(), reading.render(document, near, quote),
                 more if near.end < whole.end else Markup()])
