"""The evidence beside an answer: for each citation its document, its section, and the quote marked in it."""

from collections.abc import Callable

from markupsafe import Markup

from rag.schema import Answer, Citation, Document, Span
from rag.text import compact
from rag.validity import Status
from ui.api.shapes import facts_of, name_of
from ui.pages import reading, words
from ui.pages.escape import html, join

_AROUND = 1200
"""Characters shown on either side of a quote in a section too long to show whole."""


def render(answer: Answer, turn: int, document_of: Callable[[str], Document], status_of: Callable[[str], Status]) -> Markup:
    """Hidden <article>s, one for each citation, that the script shows in the panel.

    document_of: may raise KeyError when the document has been withdrawn meanwhile; the quote is then shown alone.
    """
    known: dict[str, tuple[Document, Status] | None] = {}
    for id in dict.fromkeys(c.document_id for c in answer.citations):
        try:
            known[id] = document_of(id), status_of(id)
        except KeyError:
            known[id] = None
    cards = [_card(c, turn, len(answer.citations), *(known[c.document_id] or (None, None))) for c in answer.citations]
    return html('<div class="wj-sources" hidden>{cards}</div>', cards=join(cards))


def part(document: Document, within: Span, quote: Span | None) -> Markup:
    """A stretch of the document beside a quote, with the ways on from it: what `上一段` and `下一段` bring."""
    section = reading.innermost(document.sections, Span(within.start, within.start + 1))
    original = join([path(section.path if section else ()), _original(reading.render(document, within, quote))])
    return join([original, _leafing(document, within, quote)])


def badge(status: Status, linked: bool = True) -> Markup:
    """Whether a document is in force, when that is known, with the reason; `linked`: a way to where it says so."""
    if status.kind not in words.STATUS:
        return Markup()
    inside = html('<span class="wj-badge wj-{kind}" title="{reason}">{word}</span>', kind=status.kind, reason=status.reason,
                  word=words.show(words.STATUS[status.kind]))
    if not linked or status.document_id is None or status.start is None:
        return inside
    return html('<a href="#document/{id}@{start}-{end}">{inside}</a>', id=status.document_id, start=status.start, end=status.end, inside=inside)


def path(headings: tuple[str, ...]) -> Markup:
    """The headings from the outermost to the section's own; "" when there are none."""
    if not headings:
        return Markup()
    return html('<p class="wj-path">{steps}</p>', steps=join(html("<span>{h}</span>", h=h) for h in headings))


def _card(citation: Citation, turn: int, count: int, document: Document | None, status: Status | None) -> Markup:
    name = name_of(citation.title, citation.issuer, citation.document_number, citation.source)
    facts = [html("<span>{fact}</span>", fact=fact)
             for fact in facts_of(name, citation.issuer, citation.document_number, citation.issued_on)]
    if citation.page:
        facts.append(html("<span>{page}</span>", page=words.show(words.PAGE, page=citation.page)))
    inside, ways = _evidence(citation, document)
    return html(
        '<article data-source="{turn}-{n}" data-place="{n} / {count}" data-document="{id}" data-start="{start}" data-end="{end}">'
        '<h2 tabindex="-1" lang="zh-CN">{name}</h2><p class="wj-facts" lang="zh-CN">{badge}{facts}</p>'
        '<div class="wj-part">{inside}</div>{ways}</article>',
        turn=turn, n=citation.id, count=count, id=citation.document_id, start=citation.start, end=citation.end,
        name=name, badge=badge(status) if status else Markup(), facts=join(facts), inside=inside, ways=ways,
    )


def _evidence(citation: Citation, document: Document | None) -> tuple[Markup, Markup]:
    """The quote in its section, and the ways on; the quote alone when the document no longer says so."""
    quote = Span(citation.start, citation.end)
    if document is None or compact(document.text[quote.start : quote.end]) != compact(citation.quote):
        why = words.show(words.GONE if document is None else words.CHANGED)
        alone = html("<p><mark>{quote}</mark></p>", quote=citation.quote)
        return join([path(citation.section_path), _original(alone), html('<p class="wj-quiet">{why}</p>', why=why)]), Markup()
    whole = reading.around(document, quote)
    more = html('<p class="wj-quiet">……</p>')
    near = whole
    if whole.end - whole.start > reading.LONGEST:
        near = Span(max(whole.start, quote.start - _AROUND), min(whole.end, quote.end + _AROUND))
    text = join([more if near.start > whole.start else Markup(), reading.render(document, near, quote),
                 more if near.end < whole.end else Markup()])
    inside = join([path(citation.section_path), _original(text), _leafing(document, near, quote)])
    return inside, html(
        '<p class="wj-ways"><a href="#document/{id}@{start}-{end}">{whole}</a>{original}</p>',
        id=document.id, start=quote.start, end=quote.end, whole=words.show(words.WHOLE), original=original(document, citation.page),
    )


def original(document: Document, page: int | None) -> Markup:
    """The way to the file itself: a PDF opens at the page, counted from 1; anything else is downloaded."""
    if not document.source.lower().endswith(".pdf"):
        return html('<a href="./api/v1/documents/{id}/original" download data-original>{word}</a>', id=document.id, word=words.show(words.ORIGINAL))
    word = words.show(words.OPEN_AT, page=page) if page else words.show(words.OPEN)
    return html('<a href="./api/v1/documents/{id}/original?inline=true#page={page}" target="_blank" rel="noopener" data-original>{word}</a>',
                id=document.id, page=page or 1, word=word)


def _original(text: Markup) -> Markup:
    return html('<div class="wj-original" tabindex="0" role="region" lang="zh-CN" {label}>{text}</div>', label=words.named(words.TEXT), text=text)


def _leafing(document: Document, within: Span, quote: Span | None) -> Markup:
    """The buttons that lead to the stretches before and after, and back to the quote when it is out of sight."""
    back, on = reading.beside(document, within)
    away = quote is not None and not (within.start <= quote.start < within.end)
    home = html('<button type="button" data-part="">{home}</button>', home=words.show(words.TO_QUOTE)) if away else Markup()
    return html('<p class="wj-leaf">{back}{home}{on}</p>', back=_to(back, words.BACK_PART), home=home, on=_to(on, words.ON_PART))


def _to(stretch: Span | None, word: words.Word) -> Markup:
    if stretch is None:
        return html('<button type="button" disabled>{word}</button>', word=words.show(word))
    return html('<button type="button" data-part="{start}-{end}">{word}</button>', start=stretch.start, end=stretch.end, word=words.show(word))
