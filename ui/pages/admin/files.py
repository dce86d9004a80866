"""Documents as administrators see them: uploading, the list with its actions, and one document's facts with corrections."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from markupsafe import Markup

from rag.loading import SUFFIXES
from rag.schema import Document, Span
from rag.text import normalise, readable
from rag.validity import Status
from ui.api.administration import PAGE, Administration
from ui.api.corrections import FIELDS, LISTS, Correction
from ui.api.library import Loose
from ui.api.shapes import DocumentEntry, facts_of, name_of
from ui.pages import words as common
from ui.pages.admin import words as w
from ui.pages.escape import html, join
from ui.pages.source import badge

_ATTRIBUTES = {"issuer": "issuers"}
_LONGEST_PROOF = 160


def listing(doing: Administration, find: str, page: int) -> Markup:
    """The part 文件: uploads above, documents below, the newest first."""
    pipeline = doing.service.pipeline
    wanted = [part for part in normalise(find).split() if part]
    entries = [e for e in pipeline.documents() if all(part in _sought(e) for part in wanted)]
    entries.sort(key=lambda e: e.meta.issued_on or e.meta.published_on or "", reverse=True)
    here = entries[(page - 1) * PAGE : page * PAGE]
    corrected = {id for file in doing.library.index.files if file.corrected for id in file.documents}
    rows = join(_row(entry, pipeline.status(entry.id), entry.id in corrected) for entry in here)
    table = html(
        '<div class="adm-scroll" tabindex="0" role="region" {label}><table class="adm-docs"><thead><tr><th>{name}</th><th>{issued}</th><th>{validity}</th>'
        '<th>{seen}</th><th>{actions}</th></tr></thead><tbody lang="zh-CN">{rows}</tbody></table></div>',
        label=common.named(w.DOCUMENTS), name=common.show(w.NAME), issued=common.show(w.ISSUED), validity=common.show(w.VALIDITY),
        seen=common.show(w.SEEN_BY), actions=common.show(w.ACTIONS), rows=rows,
    ) if here else html('<p class="wj-quiet">{none}</p>', none=common.show(w.NONE_FITS))
    return html(
        '{upload}{loose}<section class="adm-part"><h2>{heading} <small>{count}</small></h2><form class="adm-row" data-go="files" role="search">'
        '<input type="search" name="find" value="{find}" maxlength="200" {hint} {label}><button>{search}</button></form>{table}{pages}</section>',
        upload=_upload(pipeline.settings.max_file_mb), loose=_loose(doing.library.loose()), heading=common.show(w.DOCUMENTS),
        count=common.show(w.COUNT, count=len(entries)), find=find, hint=common.named(w.FIND, "placeholder"), label=common.named(w.FIND),
        search=common.show(w.SEARCH), table=table, pages=leaves("files", {"find": find}, page, page * PAGE < len(entries)),
    )


def leaves(pane: str, query: Mapping[str, str], page: int, more: bool) -> Markup:
    """The ways to the page before and the page after; nothing when all is on one."""
    def way(number: int, word: common.Word) -> Markup:
        given = urlencode({**{k: v for k, v in query.items() if v}, "page": number})
        return html('<a href="#{pane}?{given}">{word}</a>', pane=pane, given=given, word=common.show(word))

    if page == 1 and not more:
        return Markup()
    back, on = way(page - 1, w.NEWER) if page > 1 else Markup(), way(page + 1, w.OLDER) if more else Markup()
    return html('<p class="adm-row adm-leaves">{back}<span class="wj-quiet">{now}</span>{on}</p>', back=back, now=common.show(w.PAGE, page=page), on=on)


def one(doing: Administration, id: str) -> Markup:
    """The part of one document: what it says of itself and where, and what administrators have set instead."""
    pipeline = doing.service.pipeline
    document, status, set_here = pipeline.document(id), pipeline.status(id), doing.library.corrections(id)
    fields = join(_field(field, document, status, set_here.get(field)) for field in FIELDS)
    return html(
        '<p><a href="#files">‹ {back}</a></p><section class="adm-part"><h2 lang="zh-CN">{name}</h2>'
        '<p class="wj-quiet"><span lang="zh-CN">{source}</span></p><p class="wj-quiet">{note}</p>'
        '<form data-correct="{id}">{fields}<p class="adm-row"><button class="adm-go">{save}</button></p></form></section>',
        back=common.show(w.BACK), name=_name(document), source=document.source, note=common.show(w.CORRECT_NOTE), id=id, fields=fields,
        save=common.show(w.SAVE),
    )


# ---------------------------------------------------------------- the list

def _upload(most: int) -> Markup:
    kinds = "、".join(suffix[1:] for suffix in SUFFIXES)
    return html(
        '<section class="adm-part" aria-labelledby="adm-upload"><h2 id="adm-upload">{heading}</h2><div class="adm-drop" data-drop>'
        '<label>{drop} <span class="adm-pick">{choose}</span><input type="file" id="adm-files" multiple accept="{accept}" class="wj-hidden"></label>'
        '<p class="wj-quiet">{note}</p></div></section>',
        heading=common.show(w.UPLOAD), drop=common.show(w.DROP), choose=common.show(w.CHOOSE), accept=",".join(SUFFIXES),
        note=common.show(w.UPLOAD_NOTE, most=most, kinds=kinds),
    )


def _loose(found: Sequence[Loose]) -> Markup:
    if not found:
        return Markup()
    items = join(html(
        '<li><span lang="zh-CN"><b>{name}</b> <small>{reason}</small></span><span class="adm-row"><button type="button" data-act="restore" data-name="{name}" {bring_of}>{bring}</button>'
        '{discard}</span></li>', name=file.name, reason=file.reason or common.show(w.WITHDRAWN), bring=common.show(w.BRING_BACK),
        bring_of=common.named(w.BRING_BACK_OF, name=file.name), discard=_discard(file.name) if file.uploaded else Markup()) for file in found)
    return html('<section class="adm-part"><h2>{heading}</h2><p class="wj-quiet">{note}</p><ul class="adm-loose">{items}</ul></section>',
                heading=common.show(w.LOOSE), note=common.show(w.LOOSE_NOTE), items=items)


def _discard(name: str) -> Markup:
    return html('<button type="button" data-act="discard" data-name="{name}" {discard_of}>{discard}</button>', name=name,
                discard_of=common.named(w.DISCARD_OF, name=name), discard=common.show(w.DISCARD))


def _row(entry: DocumentEntry, status: Status, corrected: bool) -> Markup:
    meta, name = entry.meta, _name(entry)
    facts = "　".join(facts_of(name, meta.issuer, meta.document_number))
    return html(
        '<tr><td class="adm-name"><a href="./#document/{id}">{name}</a><small>{facts}</small><small>{source}{corrected}</small></td><td class="adm-day">{issued}</td>'
        '<td>{badge}</td><td>{groups}</td><td><span class="adm-acts"><a class="adm-act" href="#file/{id}" {correct_of}>{correct}</a>'
        '<button type="button" data-act="replace" data-id="{id}" {replace_of}>{replace}</button>'
        '<button type="button" data-act="out" data-id="{id}" data-name="{name}" {withdraw_of}>{withdraw}</button></span></td></tr>',
        id=entry.id, name=name, facts=facts, source=entry.source, issued=meta.issued_on or meta.published_on or "—",
        badge=badge(status, linked=False), groups="、".join(meta.groups) or common.show(w.EVERYBODY),
        corrected=html('　<span class="adm-by">{word}</span>', word=common.show(w.CORRECTED)) if corrected else Markup(),
        correct=common.show(w.CORRECT), correct_of=common.named(w.CORRECT_OF, name=name), replace=common.show(w.REPLACE),
        replace_of=common.named(w.REPLACE_OF, name=name), withdraw=common.show(w.WITHDRAW), withdraw_of=common.named(w.WITHDRAW_OF, name=name),
    )


def _name(entry: DocumentEntry | Document) -> str:
    meta = entry.meta
    return name_of(meta.title, meta.issuer, meta.document_number, entry.source)


def _sought(entry: DocumentEntry) -> str:
    meta = entry.meta
    return normalise(" ".join(x for x in (meta.title, meta.issuer, meta.document_number, entry.source, entry.id) if x))


# ---------------------------------------------------------------- one document

def _field(field: str, document: Document, status: Status, own: Correction | None) -> Markup:
    """A field: its label, what holds now and why, and the box for a correction."""
    shown = "" if own is None else own.value if isinstance(own.value, str) else "\n".join(own.value)
    hint = {"status": w.STATUS_NOTE, "groups": w.GROUPS_NOTE}.get(field)
    return html(
        '<div class="adm-field"><label for="adm-{field}">{label}</label>{box}<div class="adm-now">{now}{hint}</div></div>',
        field=field, label=common.show(w.FIELDS[field]), box=_box(field, shown), now=_present(field, document, status, own),
        hint=html('<p class="wj-quiet">{hint}</p>', hint=common.show(hint)) if hint else Markup(),
    )


def _box(field: str, shown: str) -> Markup:
    if field == "status":
        offered = {"": w.AS_COMPUTED, **{kind: word for kind, word in common.STATUS.items() if kind != "not_yet"}}
        options = join(html('<option value="{kind}"{on}>{word}</option>', kind=kind, word=word.zh, on=html(" selected") if kind == shown else Markup())
                       for kind, word in offered.items())  # fmt: skip
        return html('<select id="adm-status" name="status" lang="zh-CN">{options}</select>', options=options)
    if field in LISTS:
        return html('<textarea id="adm-{field}" name="{field}" rows="2" data-list>{shown}</textarea>', field=field, shown=shown)
    kind = "date" if field == "issued_on" else "text"
    return html('<input id="adm-{field}" name="{field}" type="{kind}" value="{shown}" maxlength="200">', field=field, kind=kind, shown=shown)


def _present(field: str, document: Document, status: Status, own: Correction | None) -> Markup:
    """What holds now; beneath it who set it, or the words of the document that say so."""
    if field == "status":
        value: str = f"{common.STATUS[status.kind].zh}：{status.reason}" if status.kind in common.STATUS else ""
    else:
        held = getattr(document.meta, _ATTRIBUTES.get(field, field))
        value = held if isinstance(held, str) else "、".join(held or ())
    said = html('<p>{now}<b lang="zh-CN">{value}</b></p>', now=common.show(w.NOW), value=value) if value else Markup()
    if own is not None:
        by = common.show(w.SET_BY, who=own.who, at=own.at[:16].replace("T", " ")) if own.at else common.show(w.SET_BY_HAND)
        return join([said, html('<p class="adm-by">{by}</p>', by=by)])
    proof = document.meta.proof.get(_ATTRIBUTES.get(field, field))
    if proof:
        return join([said, _proof(document, proof)])
    missing = html('<p class="wj-quiet">{none}</p>', none=common.show(w.NOT_FOUND))
    return said if value or field in ("status_reason", "groups") else missing


def _proof(document: Document, proof: Span) -> Markup:
    words = readable(document.text[proof.start : proof.end])
    short = words if len(words) <= _LONGEST_PROOF else words[:_LONGEST_PROOF] + "……"
    return html('<p class="wj-quiet">{label}<a href="./#document/{id}@{start}-{end}" lang="zh-CN" {prove}>{words}</a></p>', label=common.show(w.PROOF),
                id=document.id, start=proof.start, end=proof.end, prove=common.named(w.PROVE, "title"), words=short)
