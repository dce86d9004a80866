"""What other documents have to do with one: what it repeals, amends, answers or passes on and what does so to it, other
editions, the same notice of other years. Each relation stands with the words that state it."""

from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup

from rag.schema import Document, Span
from rag.text import readable
from rag.validity import Link, Related
from ui.api.shapes import facts_of, name_of
from ui.pages import words
from ui.pages.escape import html, join

_SHOWN = 20
"""Documents of one kind that are named; how many more there are is said."""
_WORDS = 90
"""Characters shown of the words that state a relation; a link leads to them."""


def render(document: Document, related: Related, document_of: Callable[[str], Document]) -> Markup:
    """The relatives as a list that folds; "" when there are none.

    document_of: gives the document of an id, of those that the reader may see.
    """
    rows = [_row(word, _of_kind(related.states, kind), lambda link: _states(document, link, document_of))
            for kind, word in words.STATES.items()]
    rows += [_row(word, _of_kind(related.stated, kind), lambda link: _stated(document_of(link.source), link))
             for kind, word in words.STATED.items()]
    rows.append(_row(words.SERIES, list(related.series.items()), lambda item: _of_year(*item, document, document_of)))
    others = [id for id in related.namesakes if id not in related.series.values()]
    rows.append(_row(words.NAMESAKES, others, lambda id: html("<p>{link}</p>", link=_link(document_of(id)))))
    if not any(rows):
        return Markup()
    return html('<details class="wj-about wj-relatives" open><summary>{title}</summary><dl>{rows}</dl></details>',
                title=words.show(words.RELATIVES), rows=join(rows))


def _of_kind(links: Iterable[Link], kind: str) -> list[Link]:
    return [link for link in links if link.relation.kind == kind]


def _row(word: words.Word, items: Sequence, show: Callable[..., Markup]) -> Markup:
    if not items:
        return Markup()
    shown = join(show(item) for item in items[:_SHOWN])
    left = len(items) - _SHOWN
    more = html('<p class="wj-quiet">{more}</p>', more=words.show(words.MORE, count=left)) if left > 0 else Markup()
    return html('<dt>{word}</dt><dd lang="zh-CN">{shown}{more}</dd>', word=words.show(word), shown=shown, more=more)


def _states(document: Document, link: Link, document_of: Callable[[str], Document]) -> Markup:
    """A document that this one names: links to it (or all its editions), or its name when it is not on file."""
    called = name_of(link.relation.title, None, link.relation.number, "")
    number = link.relation.number if link.relation.title else None
    named = html("{called}{number}", called=called, number=f"（{number}）" if number else "")
    targets = [document_of(id) for id in link.targets]
    there = join(html("<p>{link}</p>", link=_link(target)) for target in targets) if targets else html(
        '<p>{named} <span class="wj-quiet">{absent}</span></p>', named=named, absent=words.show(words.NOT_HERE))
    return join([there, _said(document, link.relation.span)])


def _stated(source: Document, link: Link) -> Markup:
    """A document that names this one."""
    return join([html("<p>{link}</p>", link=_link(source)), _said(source, link.relation.span)])


def _of_year(year: int, id: str, document: Document, document_of: Callable[[str], Document]) -> Markup:
    if id == document.id:
        return html('<p><b>{year}</b> <span class="wj-quiet">{this}</span></p>', year=year, this=words.show(words.THIS))
    return html('<p><b>{year}</b> {link}</p>', year=year, link=_link(document_of(id)))


def _link(document: Document) -> Markup:
    meta = document.meta
    name = name_of(meta.title, meta.issuer, meta.document_number, document.source)
    facts = "，".join(facts_of(name, meta.document_number, meta.issued_on or meta.published_on))
    return html('<a href="#document/{id}">{name}</a>{facts}', id=document.id, name=name, facts=f"（{facts}）" if facts else "")


def _said(document: Document, span: Span) -> Markup:
    """The words that state a relation, as a link to where they stand."""
    text = readable(document.text[span.start : span.end])
    shown = text if len(text) <= _WORDS else text[:_WORDS] + "……"
    return html('<p class="wj-said"><a href="#document/{id}@{start}-{end}" {about}>“{shown}”</a></p>',
                id=document.id, start=span.start, end=span.end, about=words.named(words.PROVE, "title"), shown=shown)
