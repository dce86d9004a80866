"""The fixed parts of the page: header, history, welcome, composer's filters, the empty source panel, the empty documents view."""

from collections.abc import Sequence

from markupsafe import Markup

from ui.api.shapes import DocumentEntry
from ui.pages import words
from ui.pages.escape import html, join

_ISSUERS = 300
"""Offices offered in the filter; with more, the box still takes any name."""

HEADER = html(
    '<a class="wj-skip" href="#ask" data-skip>{skip}</a>'
    '<header class="wj-head"><button type="button" class="wj-menu" data-history aria-expanded="false" aria-controls="wj-history" {menu}>☰</button>'
    '<h1><a class="wj-brand" href="#ask"><span class="wj-seal" aria-hidden="true">据</span><b>{brand}</b><small>{motto}</small></a></h1>'
    '<nav {pages}><a href="#ask" data-view-link="ask">{ask}</a><a href="#documents" data-view-link="documents">{documents}</a><a href="./eval">{evaluation}</a><a href="./admin">{admin}</a></nav>'
    '<span class="wj-tools"><span class="wj-person" data-person hidden><span data-name></span><button type="button" data-leave>{leave}</button></span>'
    '<button type="button" data-language {language}><span class="wj-zh" lang="en">EN</span><span class="wj-en" lang="zh-CN">中</span></button>'
    '<button type="button" data-theme-switch {theme}><span aria-hidden="true">◐</span></button></span></header>'
    '<div id="wj-say" class="wj-hidden" role="status" aria-live="polite"></div><div id="wj-words" hidden data-words="{script}"></div>',
    skip=words.show(words.SKIP), menu=words.named(words.HISTORY), brand=words.show(words.BRAND), motto=words.show(words.MOTTO),
    pages=words.named(words.PAGES), ask=words.show(words.ASK), documents=words.show(words.DOCUMENTS), evaluation=words.show(words.EVALUATION), admin=words.show(words.ADMIN),
    leave=words.show(words.LEAVE), language=words.named(words.LANGUAGE), theme=words.named(words.THEME), script=words.for_script(),
)

WELCOME = html('<div class="wj-welcome"><h2>{title}</h2><p>{more}</p></div>',
               title=words.show(words.WELCOME), more=words.show(words.WELCOME_MORE))

HISTORY = html(
    '<nav id="wj-history" {label}><button type="button" class="wj-newtalk" data-new>＋ {new}</button>'
    '<input id="wj-find" type="search" autocomplete="off" {find} {find_label}><div id="wj-talks"></div>'
    '<p class="wj-quiet wj-note">{note} <button type="button" class="wj-link" data-forget-all>{forget}</button></p></nav>',
    label=words.named(words.HISTORY), new=words.show(words.NEW_TALK), find=words.named(words.FIND_TALK, "placeholder"),
    find_label=words.named(words.FIND_TALK), note=words.show(words.HISTORY_NOTE), forget=words.show(words.FORGET_ALL),
)

PANEL = html(
    '<section id="wj-panel" {label} data-empty><div class="wj-bar"><h2>{source}</h2><span data-place></span>'
    '<button type="button" data-step="-1" {back_about}>{back}</button><button type="button" data-step="1" {on_about}>{on}</button>'
    '<button type="button" data-close {close}>✕</button></div><div class="wj-sheet"><p class="wj-quiet">{none}</p></div></section>',
    label=words.named(words.SOURCE), source=words.show(words.SOURCE), back_about=words.named(words.BACK_QUOTE_ABOUT),
    back=words.show(words.BACK_QUOTE), on_about=words.named(words.ON_QUOTE_ABOUT), on=words.show(words.ON_QUOTE),
    close=words.named(words.CLOSE), none=words.show(words.SOURCE_NONE),
)

DOCUMENTS = html(
    '<div class="wj-files"><section class="wj-index" {list}><div id="wj-list"><p class="wj-quiet">{loading}</p></div></section>'
    '<section id="wj-document" {reader} tabindex="0"><p class="wj-quiet">{pick}</p></section></div>',
    list=words.named(words.LIST), loading=words.show(words.LOADING), reader=words.named(words.READER), pick=words.show(words.PICK),
)


def offers(examples: Sequence[str]) -> Markup:
    """Questions to begin with; nothing when there are none."""
    if not examples:
        return Markup()
    return html('<p class="wj-quiet">{label}</p><ul class="wj-examples" lang="zh-CN">{items}</ul>',
                label=words.show(words.EXAMPLES), items=join(question(text) for text in examples))


def following(questions: Sequence[str]) -> Markup:
    """Questions one may go on to ask."""
    if not questions:
        return Markup()
    return html('<section class="wj-follow"><h3>{label}</h3><ul lang="zh-CN">{items}</ul></section>',
                label=words.show(words.FOLLOW), items=join(question(text) for text in questions))


def question(text: str) -> Markup:
    """A question that is asked with one click, as a list item."""
    return html('<li><button type="button" class="wj-ask" data-ask="{text}">{text}</button></li>', text=text)


def narrowing(entries: Sequence[DocumentEntry], administers: bool = False) -> Markup:
    """The filters of the composer: office, year and kind, as far as the documents have them.

    administers: whether an administrator reads: then the style sheet shows the way to their page."""
    issuers = sorted({name for e in entries for name in e.meta.issuers})[:_ISSUERS]
    years = sorted({str(year) for e in entries for year in e.meta.years}, reverse=True)
    kinds = sorted({e.meta.kind for e in entries if e.meta.kind})
    names = html('<datalist id="wj-issuers">{options}</datalist>', options=join(html('<option value="{n}"></option>', n=n) for n in issuers))
    return html(
        '<details class="wj-narrow"{admin}><summary>{narrow}<span data-narrowed></span></summary><div class="wj-fields">'
        '<label>{issuer}<input data-filter="issuer" list="wj-issuers" autocomplete="off" maxlength="60" {any}></label>{year}{kind}{names}'
        '<label class="wj-check"><input type="checkbox" data-filter="in_force" value="现行有效">{in_force}</label>'
        '<button type="button" class="wj-link" data-clear>{clear}</button></div></details>',
        narrow=words.show(words.NARROW), issuer=words.show(words.FILTERS["issuer"]), any=words.named(words.ANY, "placeholder"),
        year=choice("year", years), kind=choice("kind", kinds), names=names, clear=words.show(words.CLEAR),
        in_force=words.show(words.IN_FORCE), admin=html(" data-admin") if administers else Markup(),
    )


def choice(name: str, values: Sequence[str]) -> Markup:
    """A drop-down of one filter, nothing chosen."""
    options = join(html('<option value="{v}">{v}</option>', v=value) for value in values)
    return html('<label>{label}<select data-filter="{name}"><option value="">—</option>{options}</select></label>',
                label=words.show(words.FILTERS[name]), name=name, options=options)
