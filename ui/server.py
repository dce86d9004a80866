"""The web application: service, pages and static files in one, and `serve`, which runs it."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from rag import __version__
from ui.api import chat, health, problems, rest
from ui.api.models import ProblemModel
from ui.api.service import Pipeline, Service
from ui.api.shield import BodyLimit, Shield

_ABOUT = "对公文提问：每一句回答都带有原文依据，没有依据就不回答。错误一律为 RFC 9457 问题对象（application/problem+json）。"


def create_app(pipeline: Pipeline) -> FastAPI:
    """The whole application over an open pipeline."""
    from ui.pages.mount import mount_pages

    service = Service(pipeline)
    app = create_api(service)
    mount_pages(app, service)
    return app


def create_api(service: Service) -> FastAPI:
    """The service without the page."""

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        service.follower.start()
        yield
        service.close()

    # docs_url, redoc_url: FastAPI's viewers load their scripts from a CDN.
    app = FastAPI(title="文据 Wenju", version=__version__, description=_ABOUT, lifespan=lifespan,
                  docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit)
    # Closed. Its presence also keeps Gradio from reflecting every Origin with credentials.
    app.add_middleware(CORSMiddleware, allow_origins=[])
    app.add_middleware(Shield, metrics=service.metrics)
    problems.install(app)
    for part in (rest, chat, health):
        app.include_router(part.router(service))
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


def serve(pipeline: Pipeline, host: str = "127.0.0.1", port: int = 7860, ready: Callable[[], None] = lambda: None) -> None:
    """Runs the application until interrupted; calls `ready` once the port is open. Raises OSError when it is taken."""
    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    app = create_app(pipeline)
    logging.getLogger("uvicorn.error").addFilter(_is_worth_telling)
    config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=2)
    ready()
    uvicorn.Server(config).run(sockets=[listening])


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Not that open pages, which hold a connection as long as they live, were cut off when the server stopped."""
    cut_off = record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not cut_off and "graceful shutdown" not in record.getMessage()
