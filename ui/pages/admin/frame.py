"""The page itself, and the addresses of its parts."""

import datetime as dt
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from ui.api.admin import Find, Kind, carried_out
from ui.api.administration import PROGRESS, Administration
from ui.pages import words as common
from ui.pages.admin import figures, files, records, work
from ui.pages.admin import words as w
from ui.pages.escape import html, join


def router(doing: Administration, versioned: Callable[[str], str]) -> APIRouter:
    """The routes. versioned: the address of a static file, relative to the top."""
    api = APIRouter(include_in_schema=False, default_response_class=HTMLResponse, dependencies=[Depends(doing.enter)])
    page = _page(versioned, doing.service.pipeline.settings.max_file_mb * 2**20)

    async def shown(make: Callable[[], Markup]) -> HTMLResponse:
        return HTMLResponse(await carried_out(make), headers={"Cache-Control": "no-store"})

    @api.get("/admin", summary="打开管理页")
    async def whole() -> HTMLResponse:
        return HTMLResponse(page)

    @api.get("/page/admin/job", summary=PROGRESS)
    async def job() -> HTMLResponse:
        return await shown(lambda: work.job(doing.jobs.now))

    @api.get("/page/admin/files", summary="看文件列表")
    async def listing(find: Find = "", page: Annotated[int, Query(ge=1, le=100_000)] = 1) -> HTMLResponse:
        return await shown(lambda: files.listing(doing, find, page))

    @api.get("/page/admin/file/{id}", summary="看文件信息")
    async def one(id: str) -> HTMLResponse:
        if id not in doing.library.index.metas:
            raise HTTPException(404, "没有这份文件，它可能已被撤下。")
        return await shown(lambda: files.one(doing, id))

    @api.get("/page/admin/index", summary="看索引状况")
    async def index() -> HTMLResponse:
        return await shown(lambda: work.health(doing.health()))

    @api.get("/page/admin/feedback", summary="看反馈")
    async def feedback() -> HTMLResponse:
        return await shown(lambda: records.feedback(doing.complaints()))

    @api.get("/page/admin/audit", summary="看审计记录")
    async def audit(
        find: Find = "", kind: Kind = "", since: dt.date | str = "", until: dt.date | str = "",
        page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    ) -> HTMLResponse:
        asked = records.Asked(find, kind, _day(since), _day(until))
        return await shown(lambda: records.audit(asked, doing.audit(asked.find, asked.kind, asked.since, asked.until, page)))

    @api.get("/page/admin/usage", summary="看用量")
    async def usage(days: Annotated[int, Query(ge=1, le=366)] = 30) -> HTMLResponse:
        return await shown(lambda: figures.usage(doing.usage(days), days))

    return api


def _day(value: dt.date | str) -> dt.date | None:
    """A form sends "" for a day that was not chosen."""
    return value if isinstance(value, dt.date) else None


def _page(versioned: Callable[[str], str], most: int) -> Markup:
    """Everything that stays while the parts come and go. most: bytes of a file.

    `gradio-container`: page.css writes its rules for that frame."""
    tabs = join(html('<a href="#{name}" data-pane="{name}">{word}</a>', name=name, word=common.show(word)) for name, word in w.PANES.items())
    return html(
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="./page/icon.png">'
        '<link rel="stylesheet" href="{css}"><link rel="stylesheet" href="{own_css}"><script defer src="{base}"></script>'
        '<script defer src="{script}"></script></head><body class="adm"><div class="gradio-container"><div id="wj-top" data-admin>'
        '<a class="wj-skip" href="#adm-pane" data-skip>{skip}</a><header class="wj-head"><a class="wj-brand" href="./">'
        '<span class="wj-seal" aria-hidden="true">据</span><b>{brand}</b></a><nav {pages}><a href="./#ask">{ask}</a>'
        '<a href="./#documents">{documents}</a><a href="./eval">{evaluation}</a><a href="./admin" aria-current="page">{admin}</a></nav>'
        '<span class="wj-tools"><button type="button" data-language {language}><span class="wj-zh" lang="en">EN</span>'
        '<span class="wj-en" lang="zh-CN">中</span></button><button type="button" data-theme-switch {theme}>'
        '<span aria-hidden="true">◐</span></button></span></header></div><main class="adm-main"><h1 class="wj-hidden">{admin}</h1>'
        '<nav class="adm-tabs" {parts}>{tabs}</nav><div id="adm-note" role="status" aria-live="polite"></div>'
        '<ul id="adm-taken" aria-live="polite"></ul><div id="adm-job"></div><div id="adm-pane" tabindex="-1"><p class="wj-quiet">{loading}</p></div></main>{ways}{discard}'
        '<input type="file" id="adm-version" data-most="{most}" class="wj-hidden" tabindex="-1" aria-hidden="true">'
        '<div id="wj-say" class="wj-hidden" role="status" aria-live="polite"></div>'
        '<div id="wj-words" hidden data-words="{words}"></div></div></body></html>',
        title=w.TITLE, css=versioned("page.css"), own_css=versioned("admin.css"), base=versioned("base.js"), script=versioned("admin.js"),
        skip=common.show(w.SKIP), brand=common.show(common.BRAND), pages=common.named(common.PAGES), ask=common.show(common.ASK),
        documents=common.show(common.DOCUMENTS), evaluation=common.show(common.EVALUATION), admin=common.show(common.ADMIN),
        language=common.named(common.LANGUAGE), theme=common.named(common.THEME), parts=common.named(w.PARTS), tabs=tabs,
        loading=common.show(w.LOADING), ways=_ways(), discard=_discard(), most=most, words=common.for_script(w.SCRIPT),
    )


def _ways() -> Markup:
    """The question before a document is taken out: in which of the two ways."""
    def way(value: str, word: common.Word, note: common.Word, on: Markup) -> Markup:
        return html('<label class="adm-way"><input type="radio" name="way" value="{value}"{on}><span><b>{word}</b><small>{note}</small></span></label>',
                    value=value, on=on, word=common.show(word), note=common.show(note))

    return html(
        '<dialog id="adm-out" aria-labelledby="adm-out-title"><form method="dialog"><h2 id="adm-out-title">{title}</h2>'
        '<p data-name lang="zh-CN"></p><fieldset><legend class="wj-hidden">{ways}</legend>{withdraw}{purge}</fieldset>'
        '<p class="adm-row"><button value="go" class="adm-go">{go}</button><button value="">{cancel}</button></p></form></dialog>',
        title=common.show(w.SURE), ways=common.show(w.WAYS),
        withdraw=way("withdraw", w.JUST_WITHDRAW, w.JUST_WITHDRAW_NOTE, html(" checked")), purge=way("purge", w.PURGE, w.PURGE_NOTE, Markup()),
        go=common.show(w.GO_ON), cancel=common.show(w.CANCEL),
    )


def _discard() -> Markup:
    return html(
        '<dialog id="adm-discard" aria-labelledby="adm-discard-title"><form method="dialog"><h2 id="adm-discard-title">{title}</h2>'
        '<p data-name lang="zh-CN"></p><p class="adm-row"><button value="go" class="adm-go">{go}</button><button value="">{cancel}</button></p></form></dialog>',
        title=common.show(w.SURE_DISCARD), go=common.show(w.DISCARD), cancel=common.show(w.CANCEL),
    )
