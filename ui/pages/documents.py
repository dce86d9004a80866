"""The documents page: the list, and one document with its section tree and full text."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from rag.schema import Document, Section, Span
from ui.api.shapes import DocumentEntry, facts_of, name_of
from ui.pages import reading
from ui.pages.escape import html, join

_SHOWN_HEADING = 40


def listing(entries: Sequence[DocumentEntry]) -> Markup:
    """The list of documents, each a link that opens it."""
    if not entries:
        return html('<section class="wj-card wj-none"><h3>还没有文件</h3><p>请管理员用 wenju index 加入文件。</p></section>')
    items = (
        html('<li><a href="#document/{id}"><span class="wj-name">{name}</span><span class="wj-facts">{facts}</span></a></li>',
             id=e.id, name=_name(e), facts=_facts(e))
        for e in entries
    )
    return html('<p class="wj-quiet" data-count>{count} 份文件</p><ul class="wj-list">{items}</ul>', count=len(entries), items=join(items))


def whole(document: Document, quote: Span | None = None) -> Markup:
    """One document: what it says of itself, its sections as a tree of links, its text with the quote marked."""
    tree = _tree(document.sections)
    return html(
        '<header><h2 tabindex="-1">{name}</h2><p class="wj-facts">{facts}</p>{addressees}</header>'
        '<div class="wj-reader">{tree}<div class="wj-original">{text}</div></div>',
        name=_name(document), facts=_facts(document), addressees=_addressees(document.meta.addressees),
        tree=html('<nav aria-label="章节"><h3>章节</h3>{tree}</nav>', tree=tree) if tree else Markup(),
        text=reading.render(document, Span(0, len(document.text)), quote, anchors=True),
    )


def _name(entry: DocumentEntry | Document) -> str:
    meta = entry.meta
    return name_of(meta.title, meta.issuer, meta.document_number, entry.source)


def _facts(entry: DocumentEntry | Document) -> Markup:
    meta = entry.meta
    facts = facts_of(_name(entry), meta.issuer, meta.document_number, meta.issued_on or meta.published_on)
    return join(html("<span>{fact}</span>", fact=fact) for fact in facts)


def _addressees(names: Iterable[str]) -> Markup:
    names = "、".join(names)
    return html('<p class="wj-quiet">主送：{names}</p>', names=names) if names else Markup()


def _tree(sections: Sequence[Section]) -> Markup:
    """Nested lists of links to the anchors `section-n`."""
    below: dict[int, list[int]] = {}
    for number, section in enumerate(sections):
        if section.path:
            below.setdefault(section.parent, []).append(number)

    def level(parent: int) -> Markup:
        items = [
            html('<li><a href="#section-{n}" data-section="{n}">{heading}</a>{inside}</li>',
                 n=n, heading=_heading(sections[n]), inside=level(n))
            for n in below.get(parent, ())
        ]
        return html("<ol>{items}</ol>", items=join(items)) if items else Markup()

    return level(-1)


def _heading(section: Section) -> str:
    heading = section.path[-1]
    return heading if len(heading) <= _SHOWN_HEADING else heading[:_SHOWN_HEADING] + "…"
