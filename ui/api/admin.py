"""The administrators' doors: uploads, the index, corrections, records, figures. All of them go through `Administration.enter`."""

import asyncio
import datetime as dt
import io
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse

from rag.errors import IndexBusy, IndexUnwritable
from rag.schema import to_json
from ui.api import admin_models as models
from ui.api import streams
from ui.api.administration import PROGRESS, Administration
from ui.api.audit import export
from ui.api.identity import asker_of
from ui.api.jobs import Job
from ui.api.problems import READING, WRITING, responses

UPLOADS = "/api/v1/admin/uploads/"
"""Below this address bodies may be as large as documents."""
_READ = responses(*READING, 403, 422)
_WORK = responses(*READING, *WRITING, 404, 405, 409, 507)
_LOOK = 0.2
"""Seconds between two looks at how far the work is."""
Find = Annotated[str, Query(max_length=200)]
Kind = Literal["", "ask", "search", "read", "admin"]
_BYTES = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}
_EVENTS = {200: {"description": "事件 job：现在的状态；完成后结束", "content": {"text/event-stream": {"example": (
    'event: job\ndata: {"state": "running", "what": "index", "progress": {"stage": "build", "done": 3, "total": 8, …}, "rate": 31.5, "left": 12.0, …}\n\n')}}}}


def router(doing: Administration) -> APIRouter:
    """Routes under /api/v1/admin."""
    api = APIRouter(prefix="/api/v1/admin", tags=["管理"], dependencies=[Depends(doing.enter)])
    _add_files(api, doing)
    _add_index(api, doing)
    _add_records(api, doing)
    return api


async def carried_out(work: Callable[[], Any]) -> Any:
    """What a piece of work gives; 409 while somebody else works on the index, 507 when the disk does not take it."""
    try:
        return await run_in_threadpool(work)
    except IndexBusy as error:
        raise HTTPException(409, str(error)) from error
    except IndexUnwritable as error:
        raise HTTPException(507, str(error)) from error


def _add_files(api: APIRouter, doing: Administration) -> None:
    @api.put("/uploads/{name}", summary="上传文件", status_code=201, response_model=models.ReceivedModel, responses=_WORK, openapi_extra=_BYTES)
    async def upload(request: Request, name: str, replaces: Find = "") -> Any:
        """正文就是文件的字节。读得出来才收下；随后用“编入”编进索引。replaces：这是哪份文件的新版本，沿用它的可见范围。"""
        data = await request.body()
        return JSONResponse(to_json(await carried_out(lambda: doing.library.receive(name, data, replaces or None))), 201)

    @api.delete("/uploads/{name}", summary="删除上传的文件", status_code=204, responses=_WORK)
    async def discard(name: str) -> Response:
        """只删没有编入的（已撤下、读不出来的）。"""
        await carried_out(lambda: doing.library.discard(name))
        return Response(status_code=204)

    @api.put("/documents/{id}/corrections", summary="更正文件信息", status_code=202, response_model=models.StartedModel, responses=_WORK)
    async def correct(request: Request, id: str, body: models.CorrectionRequest) -> Any:
        """写在原文件旁边的更正文件里，重新编入也不会丢。没写的项以原文为准。"""
        values = {field: tuple(value) if isinstance(value, list) else value for field, value in body.model_dump().items()}
        return await _begun(lambda: doing.correct(asker_of(request).name, id, values))

    @api.post("/documents/{id}/withdraw", summary="撤下文件", status_code=202, response_model=models.StartedModel, responses=_WORK)
    async def withdraw(request: Request, id: str, body: models.Confirmed) -> Any:
        """不再用来回答；原文件还在，可以恢复。"""
        return await _begun(lambda: doing.withdraw(asker_of(request).name, id))

    @api.post("/documents/{id}/purge", summary="彻底清除文件", status_code=202, response_model=models.StartedModel, responses=_WORK)
    async def purge(request: Request, id: str, body: models.Confirmed) -> Any:
        """连同上传的原件、备份和记录里的引文一起删去，并逐句查证没有残留。不能恢复。"""
        return await _begun(lambda: doing.purge(asker_of(request).name, id))


def _add_index(api: APIRouter, doing: Administration) -> None:
    @api.post("/index", summary="编入", status_code=202, response_model=models.StartedModel, responses=_WORK)
    async def index(request: Request, body: models.IndexRequest) -> Any:
        """把上传的（或 GET /index 的 loose 里的）文件编入索引，同时撤下 withdraw 里的旧版本；files 为空时，让索引与所有已收录的文件夹一致。"""
        return await _begun(lambda: doing.index(asker_of(request).name, body.files, body.withdraw))

    @api.post("/check", summary="检查索引", status_code=202, response_model=models.StartedModel, responses=_WORK)
    async def check(request: Request, body: models.Confirmed) -> Any:
        """与 wenju check 相同：逐字节核对。"""
        return await _begun(lambda: doing.check(asker_of(request).name))

    @api.get("/job", summary=PROGRESS, response_class=StreamingResponse, responses=_READ | _EVENTS)
    async def job() -> StreamingResponse:
        """服务器推送事件（SSE）：正在进行的，或上一次的结果。"""
        return streams.response(_followed(doing))

    @api.get("/index", summary="索引状况", responses=_READ)
    async def health() -> dict[str, Any]:
        """版本、数量、大小、失败的文件、上次检查的结果。"""
        return to_json(await carried_out(doing.health))


def _add_records(api: APIRouter, doing: Administration) -> None:
    @api.get("/audit", summary="审计记录", responses=_READ)
    async def audit(
        find: Find = "", kind: Kind = "", since: dt.date | None = None, until: dt.date | None = None,
        page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    ) -> dict[str, Any]:
        """新的在前，每页 50 条；日期按 UTC。"""
        return to_json(await carried_out(lambda: doing.audit(find, kind, since, until, page)))

    @api.get("/audit.csv", summary="导出审计记录", response_class=Response, responses=_READ | {
        200: {"description": "附件，可用电子表格打开", "content": {"text/csv": {"schema": {"type": "string"}}}}})
    async def exported(find: Find = "", kind: Kind = "", since: dt.date | None = None, until: dt.date | None = None) -> Response:
        """与 wenju audit export 相同的 CSV。"""
        def made() -> bytes:
            out = io.StringIO(newline="")
            export(doing.exported(find, kind, since, until), out)
            return out.getvalue().encode("utf-8-sig")  # spreadsheets know UTF-8 by its mark

        headers = {"Content-Disposition": "attachment; filename=wenju-audit.csv", "Cache-Control": "no-store"}
        return Response(await carried_out(made), media_type="text/csv; charset=utf-8", headers=headers)

    @api.get("/feedback", summary="待审的反馈", responses=_READ)
    async def feedback() -> dict[str, Any]:
        """读者说没帮助、引文有误的回答，新的在前。"""
        return {"candidates": to_json(await carried_out(doing.complaints))}

    @api.post("/feedback/{id}", summary="处理反馈", status_code=204, responses=_WORK)
    async def decide(id: str, body: models.DecisionRequest) -> Response:
        """accept：收进候选题集 feedback（引句须与原文一字不差；没有引句就是“文件没有答案”的题）；dismiss：不收。"""
        await carried_out(lambda: doing.decide(id, body.decision == "accept", body.quotes))
        return Response(status_code=204)

    @api.get("/usage", summary="用量", responses=_READ)
    async def usage(days: Annotated[int, Query(ge=1, le=366)] = 30) -> dict[str, Any]:
        """每天的提问、拒答、用时，问得最多的和没有答上的，由审计记录算出。"""
        return to_json(await carried_out(lambda: doing.usage(days)))


async def _begun(work: Callable[[], Job]) -> JSONResponse:
    return JSONResponse({"state": (await carried_out(work)).state}, 202)


async def _followed(doing: Administration) -> AsyncIterator[str]:
    """The state of the work whenever it has changed, until it is over or the service stops."""
    told = None
    while not doing.service.stopping:
        job = doing.jobs.now
        if job is not told:
            yield streams.line(to_json(job), "job")
            told = job
        if job.state != "running":
            return
        await asyncio.sleep(_LOOK)
