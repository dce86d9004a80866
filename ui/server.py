"""The web application: service, pages and static files in one, and `serve`, which runs it."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from rag import __version__
from ui.api import admin, chat, health, login, logs, problems, rest, signin
from ui.api.administration import Administration
from ui.api.audit import AuditLog
from ui.api.identity import identify
from ui.api.limits import Limits
from ui.api.models import ProblemModel
from ui.api.proxy import Proxy
from ui.api.service import Pipeline, Service
from ui.api.sessions import Sessions
from ui.api.settings import Portal
from ui.api.shield import Shield
from ui.api.signin import SignIn

_ABOUT = "对公文提问：每一句回答都带有原文依据，没有依据就不回答。错误一律为 RFC 9457 问题对象（application/problem+json）。"


_CONNECTIONS = 1000
"""At once, pages' idle ones included; each is a file descriptor."""


def create_app(pipeline: Pipeline, portal: Portal | None = None) -> FastAPI:
    """The whole application over an open pipeline. Raises SettingError when the portal's key is missing or unfit."""
    from ui.pages.mount import mount_pages

    portal = portal or Portal()
    named = portal.identity != "none"
    audit = AuditLog(pipeline.settings.home / "audit", portal.audit_days, sync=portal.audit_sync and named, strict=named)
    service = Service(pipeline, waiting=portal.waiting, audit=audit)
    app = create_api(service, portal)
    mount_pages(app, service, app.state.administration, portal.identity)
    return app


def create_api(service: Service, portal: Portal | None = None) -> FastAPI:
    """The service without the page."""
    portal = portal or Portal()
    sessions, doing = Sessions(portal), Administration(service, portal)

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        service.follower.start()
        yield
        service.close()

    # docs_url, redoc_url: FastAPI's viewers load their scripts from a CDN.
    app = FastAPI(title="文据 Wenju", version=__version__, description=_ABOUT, lifespan=lifespan,
                  docs_url=None, redoc_url=None)
    app.state.service, app.state.administration = service, doing
    # From the innermost layer to the outermost.
    app.add_middleware(Limits, portal=portal, roomy=admin.UPLOADS, roomy_bytes=service.pipeline.settings.max_file_mb * 2**20)
    app.add_middleware(SignIn, portal=portal, who=identify(portal, sessions))
    # Closed unless there are origins. Its presence also keeps Gradio from reflecting every Origin with credentials.
    app.add_middleware(CORSMiddleware, allow_origins=portal.origins, allow_methods=["GET", "POST", "DELETE"],
                       allow_headers=["Authorization", "Content-Type"], expose_headers=["Retry-After", "X-Request-Id"])
    app.add_middleware(Shield, metrics=service.metrics, origins=portal.origins)
    app.add_middleware(Proxy, portal=portal)
    problems.install(app)
    for part in (rest, chat, health):
        app.include_router(part.router(service))
    app.include_router(signin.router(portal))
    if portal.identity == "oidc":
        app.include_router(login.router(portal, sessions))
    app.include_router(admin.router(doing))
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Adds the problem schema, which no route returns by name, to OpenAPI."""
    plain = app.openapi

    def described() -> dict:
        document = plain()
        schemas = document["components"]["schemas"]
        schemas["ProblemModel"] = ProblemModel.model_json_schema()
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        return document

    app.openapi = described


def serve(
    pipeline: Pipeline, portal: Portal, host: str = "127.0.0.1", port: int = 7860, ready: Callable[[], None] = lambda: None
) -> None:
    """Runs the application until interrupted; calls `ready` once the port is open. Raises OSError when it is taken."""
    import uvicorn

    from ui.api.connections import Patient, Server

    app = create_app(pipeline, portal)
    listening = listen(host, port)
    logs.set_up(portal.log)
    logging.getLogger("uvicorn.error").addFilter(_is_worth_telling)
    config = uvicorn.Config(
        app, log_level="warning", log_config=None, access_log=False, server_header=False, proxy_headers=False, ws="none",
        http=partial(Patient, idle_seconds=portal.idle_seconds), timeout_graceful_shutdown=portal.shutdown_seconds,
        limit_concurrency=_CONNECTIONS,
    )
    ready()
    Server(config, app.state.service.begin_to_stop).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """An open port. Raises OSError when it is taken.

    What is written is sent at once: asyncio sees to it only for sockets it opened itself, and without it every answer on a
    connection that is kept waits 40 ms for the client's acknowledgement of its head.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=512)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Not that open pages, which hold a connection as long as they live, were cut off when the server stopped."""
    cut_off = record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not cut_off and "graceful shutdown" not in record.getMessage()
