"""The documents page: the list, and one document with what it says of itself, its section tree and its full text."""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from markupsafe import Markup

from rag.schema import Document, Section, Span
from rag.validity import Status
from ui.api.shapes import DocumentEntry, facts_of, name_of
from ui.pages import reading, shell, words
from ui.pages.escape import html, join
from ui.pages.source import badge, original

_SHOWN_HEADING = 40


def listing(entries: Sequence[DocumentEntry], status_of: Callable[[str], Status]) -> Markup:
    """The list of documents, each a link that opens it, beneath a search box and the filters."""
    if not entries:
        return html('<section class="wj-card wj-none"><h3>{none}</h3><p>{hint}</p></section>',
                    none=words.show(words.NO_DOCUMENTS), hint=words.show(words.NO_DOCUMENTS_HINT))
    newest = sorted(entries, key=lambda e: e.meta.issued_on or e.meta.published_on or str(max(e.meta.years, default="")), reverse=True)
    issuers = sorted({name for e in entries for name in e.meta.issuers})
    years = sorted({str(year) for e in entries for year in e.meta.years}, reverse=True)
    kinds = sorted({e.meta.kind for e in entries if e.meta.kind})
    offered = join(shell.choice(name, values) for name, values in (("issuer", issuers), ("year", years), ("kind", kinds)) if len(values) > 1)
    return html(
        '<input id="wj-filter" type="search" autocomplete="off" {hint} {label}><div class="wj-fields">{offered}</div>'
        '<p class="wj-quiet" data-count aria-live="polite">{count}</p><ul class="wj-list" lang="zh-CN">{items}</ul>',
        hint=words.named(words.FIND_DOCUMENT, "placeholder"), label=words.named(words.FIND_DOCUMENT), offered=offered,
        count=words.show(words.COUNT, count=len(entries)), items=join(_line(entry, status_of(entry.id)) for entry in newest),
    )


def whole(document: Document, status: Status, relatives: Markup, quote: Span | None = None) -> Markup:
    """One document: what it says of itself, its relatives, its sections as a tree of links, its text with the quote marked."""
    tree = _tree(document.sections)
    side = html('<nav class="wj-tree" {label}><h3>{heading}</h3><div lang="zh-CN">{tree}</div></nav>',
                label=words.named(words.SECTIONS), heading=words.show(words.SECTIONS), tree=tree) if tree else Markup()
    return html(
        '<p class="wj-back"><a href="#documents">‹ {back}</a></p><header><h2 tabindex="-1" lang="zh-CN">{name}</h2>'
        '<p class="wj-facts" lang="zh-CN">{badge}{facts}</p>'
        '<p class="wj-ways">{original}</p></header>'
        '<div class="wj-reader"><div class="wj-aside">{about}{relatives}{side}</div><div class="wj-original" lang="zh-CN">{text}</div></div>',
        back=words.show(words.BACK_TO_LIST), name=_name(document), badge=badge(status), facts=_facts(document),
        original=original(document, bisect_right(document.pages, quote.start) if quote else None), about=_about(document, status),
        relatives=relatives, side=side,
        text=reading.render(document, Span(0, len(document.text)), quote, anchors=True),
    )


def _line(entry: DocumentEntry, status: Status) -> Markup:
    meta = entry.meta
    return html(
        '<li data-issuer="{issuer}" data-year="{year}" data-kind="{kind}"><a href="#document/{id}"><span class="wj-name">{name}</span>'
        '<span class="wj-facts">{badge}{facts}</span></a></li>',
        issuer="、".join(meta.issuers), year="、".join(map(str, meta.years)), kind=meta.kind or "",
        id=entry.id, name=_name(entry), badge=badge(status, linked=False), facts=_facts(entry),
    )


def _name(entry: DocumentEntry | Document) -> str:
    meta = entry.meta
    return name_of(meta.title, meta.issuer, meta.document_number, entry.source)


def _facts(entry: DocumentEntry | Document) -> Markup:
    meta = entry.meta
    facts = facts_of(_name(entry), meta.issuer, meta.document_number, meta.issued_on or meta.published_on)
    return join(html("<span>{fact}</span>", fact=fact) for fact in facts)


def _about(document: Document, status: Status) -> Markup:
    """Each thing the document says of itself, with a link to the words that say it where they are known; why it is in force."""
    rows = []
    for field, word in words.FIELDS.items():
        value = getattr(document.meta, field)
        if not value:
            continue
        proof = document.meta.proof.get(field)
        link = html('<a href="#document/{id}@{start}-{end}" {label}>{value}</a>', id=document.id, start=proof.start, end=proof.end,
                    label=words.named(words.PROVE, "title"), value=_value(value)) if proof else html("{value}", value=_value(value))
        rows.append(html('<dt>{word}</dt><dd lang="zh-CN">{link}</dd>', word=words.show(word), link=link))
    if status.kind in words.STATUS:
        rows.append(html('<dt>{word}</dt><dd lang="zh-CN">{badge} {reason}</dd>', word=words.show(words.VALIDITY), badge=badge(status), reason=status.reason))
    if not rows:
        return Markup()
    return html('<details class="wj-about" open><summary>{about}</summary><dl>{rows}</dl></details>', about=words.show(words.ABOUT), rows=join(rows))


def _value(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else "、".join(value)


def _tree(sections: Sequence[Section]) -> Markup:
    """Nested lists of links to the anchors `section-n`; what lies in a section without a name hangs one level higher."""
    below: dict[int, list[int]] = {}
    for number, section in enumerate(sections):
        if section.path:
            parent = section.parent
            while parent >= 0 and not sections[parent].path:
                parent = sections[parent].parent
            below.setdefault(parent, []).append(number)

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
