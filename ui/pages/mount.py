"""Puts the pages into the service: Gradio at the root behind a list of allowed routes, and our own fragments."""

import hashlib
import os
import re
from pathlib import Path
from typing import Annotated

import gradio as gr
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import FileResponse, HTMLResponse
from gradio.utils import LRUCache
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.schema import Document, Span
from ui.api import problems
from ui.api.administration import Administration
from ui.api.identity import KEY, NOBODY, asker_of
from ui.api.proxy import route_path
from ui.api.rest import load
from ui.api.service import Pipeline, Service
from ui.pages import admin, documents, evaluation, relations, source
from ui.pages.escape import html
from ui.pages.page import build, theme
from ui.pages.reading import LONGEST

STATIC = Path(__file__).parent.parent / "static"
STYLES = ("page.css", "turn.css", "reading.css")
SCRIPTS = ("base.js", "talks.js", "asking.js", "source.js", "documents.js", "actions.js", "follow.js")
"""In this order: each builds on those before it."""

# What the page itself asks for, and what gradio_client needs to ask. Uploads, file serving, proxying and
# all else that Gradio offers stays closed: most of its advisories were there.
_ALLOWED = re.compile(
    r"/?|/embed|/config/?|/theme\.css|/manifest\.json|/favicon\.ico|/robots\.txt|/pwa_icon(/\d+)?|/(assets|static|svelte)/.+"
    r"|/gradio_api/(info|app_id|startup-events|heartbeat/\w+|queue/(join|data)|call/(v2/)?ask(/\w+)?|cancel|reset)/?"
)


_SESSIONS = 1000
"""Visits whose conversation and messages the server remembers, some 50 KiB each; the oldest are forgotten, not by their browsers."""


class PageMount(Mount):
    """Gradio, as far as its routes are allowed; everything else falls through to a plain 404 or 405."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """No match for routes that are not on the list."""
        return super().matches(scope) if _ALLOWED.fullmatch(route_path(scope)) else (Match.NONE, {})


def mount_pages(app: FastAPI, service: Service, administration: Administration, identity: str = "none") -> None:
    """Adds the pages to the service. identity: how people are told (see `Portal`)."""
    app.include_router(_fragments(service))
    app.include_router(evaluation.router(service, _versioned))
    app.include_router(admin.router(administration, _versioned))
    app.mount("/page", StaticFiles(directory=STATIC), name="page")
    app.add_api_route("/widget.js", _widget, include_in_schema=False)
    # Gradio makes a table of its last 10,000 events after every event, for a page that is closed here.
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
    page = build(service, administration.admits)
    page.state_session_capacity = _SESSIONS
    # Of these Gradio keeps 2,000 and, empty ones included, all there ever were (gradio issue 13154).
    page._queue.pending_messages_per_session = LRUCache(_SESSIONS)
    page._queue.pending_event_ids_session = LRUCache(_SESSIONS)
    gr.mount_gradio_app(
        app, page, path="/", theme=theme(), head=_head(), favicon_path=str(STATIC / "icon.png"), footer_links=[],
        show_error=False, ssr_mode=False, run_history=False, enable_monitoring=False,
    )
    inner = app.router.routes.pop().app
    service.closing.append(inner.stop_event.set)
    problems.install(inner)
    app.router.routes.append(PageMount("/", app=_Localised(inner, identity)))


async def _widget() -> FileResponse:
    """The script that portals put into their pages; asked for anew each day, so that it can be mended."""
    headers = {"Cache-Control": "max-age=86400", "Cross-Origin-Resource-Policy": "cross-origin"}
    return FileResponse(STATIC / "widget.js", media_type="text/javascript", headers=headers)


def _versioned(name: str) -> str:
    """A static file, named with its digest so that a new version is never mixed with an old one."""
    return f"./page/{name}?{hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def _head() -> str:
    """Our style sheets and scripts."""
    styles = "".join(f'<link rel="stylesheet" href="{_versioned(name)}">' for name in STYLES)
    return styles + "".join(f'<script defer src="{_versioned(name)}"></script>' for name in SCRIPTS)


def _fragments(service: Service) -> APIRouter:
    """Pieces of markup that the script puts into the documents view."""
    api = APIRouter(prefix="/page", include_in_schema=False, default_response_class=HTMLResponse)

    @api.get("/documents")
    async def listing(request: Request) -> HTMLResponse:
        return HTMLResponse(await service.read(asker_of(request), lambda seen: documents.listing(seen.documents(), seen.status)))

    @api.get("/documents/{id}")
    async def whole(request: Request, id: str, start: Annotated[int, Query(ge=0)] = 0, end: Annotated[int, Query(ge=0)] = 0) -> HTMLResponse:
        quote = Span(start, end) if start < end else None
        return HTMLResponse(await load(
            service, asker_of(request), "page", id, lambda seen, document: documents.whole(document, seen.status(id), relations.render(document, seen.related(id), seen.document), quote)))

    @api.get("/documents/{id}/part")
    async def part(
        request: Request, id: str, start: Annotated[int, Query(ge=0)], end: Annotated[int, Query(ge=0)],
        quote_start: Annotated[int, Query(ge=0)] = 0, quote_end: Annotated[int, Query(ge=0)] = 0,
    ) -> HTMLResponse:
        quote = Span(quote_start, quote_end) if quote_start < quote_end else None

        def shown(_: Pipeline, document: Document) -> str:
            length = len(document.text)
            return source.part(document, Span(min(start, length), min(end, start + LONGEST, length)), quote)

        return HTMLResponse(await load(service, asker_of(request), "page", id, shown))

    return api


class _Localised:
    """Gradio's page says it is English and carries link previews that name foreign hosts: both are put right on the way out;
    and it is told who has signed in.

    /embed is the same page for a frame: a script that runs first, and a style sheet without the header.
    """

    _FOREIGN = re.compile(rb'<meta\s+(?:property="og:|name="twitter:)[^>]*>')

    def __init__(self, app: ASGIApp, identity: str) -> None:
        self.app, self._identity = app, identity
        inside = f'<script src="{_versioned("embed.js")}"></script><link rel="stylesheet" href="{_versioned("embed.css")}">'
        self._inside = inside.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Rewrites the page's HTML; everything else passes untouched."""
        path = route_path(scope)
        if scope["type"] != "http" or path not in ("/", "/embed"):
            return await self.app(scope, receive, send)
        head: Message | None = None
        body = b""

        async def rewritten(message: Message) -> None:
            nonlocal head, body
            if message["type"] == "http.response.start":
                head = message
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                page = self._put_right(body, path == "/embed", scope.get(KEY, NOBODY).name)
                kept = [(k, v) for k, v in head["headers"] if k not in (b"content-length", b"cache-control")]
                kept.append((b"cache-control", b"no-store"))
                length = [] if scope["method"] == "HEAD" else [(b"content-length", str(len(page)).encode())]
                await send({**head, "headers": kept + length})
                await send({"type": "http.response.body", "body": page})

        plain = [(k, v) for k, v in scope["headers"] if k != b"accept-encoding"]
        whole = scope.get("root_path", "") + "/"
        await self.app({**scope, "path": whole, "raw_path": whole.encode(), "headers": plain}, receive, rewritten)

    def _put_right(self, page: bytes, framed: bool, name: str) -> bytes:
        page = self._FOREIGN.sub(b"", page.replace(b'lang="en"', b'lang="zh-CN"', 1))
        if name:
            known = html('<meta name="wenju-person" content="{name}" data-identity="{kind}">', name=name, kind=self._identity)
            page = page.replace(b"<head>", b"<head>" + known.encode(), 1)
        if framed:
            page = page.replace(b"<html", b"<html data-embed", 1).replace(b"<head>", b"<head>" + self._inside, 1)
        return page
