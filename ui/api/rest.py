"""REST: ask, search, documents, feedback."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Body, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse

from rag.citations import problems
from rag.schema import Answer, Document, answer_from_json, to_json
from ui.api import docx, exports, models, shapes, streams
from ui.api.feedback import FeedbackFull
from ui.api.identity import Asker, asker_of
from ui.api.problems import READING, WRITING, from_exception, responses
from ui.api.service import Pipeline, Service

T = TypeVar("T")
PDF = "application/pdf"
_QUESTIONS: dict[str, Any] = {
    "一问": {"value": {"question": "春节期间值班要求是什么？"}},
    "追问": {"value": {"question": "电话是多少？", "history": ["春节期间值班要求是什么？"]}},
    "限定": {"value": {"question": "值班有什么要求？", "filters": {"year": "2023"}}},
}
_STREAM = {"content": {"text/event-stream": {"example": (
    'event: status\ndata: {"text": "检索 12 段"}\n\nevent: delta\ndata: {"text": "**要点：** …[1]"}\n\n'
    'event: answer\ndata: {"question": "…", "status": "answered", …}\n\n'
)}}, "description": "事件：status（进度）、delta（Markdown 片段）、answer（完整回答）；中途出错时为 error。"}


def router(service: Service) -> APIRouter:
    """Routes under /api/v1."""
    api = APIRouter(prefix="/api/v1")
    _add_asking(api, service)
    _add_documents(api, service)
    _add_export(api, service)
    _add_feedback(api, service)
    return api


def _add_asking(api: APIRouter, service: Service) -> None:
    @api.post("/ask", tags=["问答"], summary="提问", response_model=models.AnswerModel,
              response_model_exclude_unset=True, responses=responses(*READING, *WRITING))
    async def ask(request: Request, body: Annotated[models.AskRequest, Body(openapi_examples=_QUESTIONS)]) -> Any:
        """回答与逐句引文。没有依据时 status 为 no_evidence，不会编造。"""
        answer = await service.ask(asker_of(request), "rest", body.question, body.history, body.filters, body.generator)
        return JSONResponse(to_json(answer))

    @api.post("/ask/stream", tags=["问答"], summary="提问，边算边答", response_class=StreamingResponse,
              responses={200: _STREAM} | responses(*READING, *WRITING))
    async def ask_stream(request: Request, body: models.AskRequest) -> StreamingResponse:
        """服务器推送事件（SSE）。"""
        events = await streams.begun(
            service.stream(asker_of(request), "rest", body.question, body.history, body.filters, body.generator))

        async def lines() -> AsyncIterator[str]:
            async with aclosing(events):
                try:
                    async for event in events:
                        data = to_json(event.answer) if event.kind == "answer" else {"text": event.text}
                        yield streams.line(data, event.kind)
                except Exception as error:
                    yield streams.line(from_exception(error), "error")

        return streams.response(lines())

    @api.post("/search", tags=["检索"], summary="检索段落", response_model=models.SearchModel,
              responses=responses(*READING, *WRITING))
    async def search(request: Request, body: models.SearchRequest) -> Any:
        """最相近的段落，带每一步的名次与得分。"""
        found = await service.search(asker_of(request), "rest", body.query, body.k, body.filters)
        return JSONResponse(shapes.search_json(found))


def _add_documents(api: APIRouter, service: Service) -> None:
    @api.get("/documents", tags=["文件"], summary="文件列表", response_model=models.DocumentsModel,
             responses=responses(*READING))
    async def documents(request: Request) -> Any:
        """索引中您可以看的全部文件。"""
        return JSONResponse(await service.read(
            asker_of(request), lambda seen: shapes.documents_json(seen.documents(), seen.status)))

    @api.get("/documents/{id}", tags=["文件"], summary="一份文件", response_model=models.DocumentModel,
             responses=responses(*READING, 404, 422))
    async def document(request: Request, id: str) -> Any:
        """全文、章节与元数据；所有偏移都以这里的 text 为准（按 Unicode 码点计）。

        validity：效力、理由，它说到的和说到它的文件；namesakes：同文号或同标题的文件；series：历年的同一通知（年份 → id）。
        """
        return JSONResponse(await load(
            service, asker_of(request), "rest", id, lambda seen, document: shapes.document_json(document, seen.status(id), seen.related(id))))

    @api.get("/documents/{id}/original", tags=["文件"], summary="原文件", response_class=Response,
             responses={200: {"description": "收录时的文件，逐字节相同", "content": {"application/octet-stream": {}, PDF: {}}}} | responses(*READING, 404, 422))
    async def original(request: Request, id: str, inline: bool = False) -> Response:
        """作为附件下载；inline 为 true 时，PDF 直接显示（地址后加 #page=3 到第 3 页）。原处的文件已变动或移走时为 404。"""
        asker = asker_of(request)
        try:
            data, source = await load(service, asker, "rest", id, lambda seen, document: (seen.original(id), document.source))
        except FileNotFoundError as error:
            raise HTTPException(404, "原文件已变动或移走，请看“全文”。") from error
        name = source.rsplit("/", 1)[-1]
        if inline and data.startswith(b"%PDF-"):  # a browser's viewer keeps what is in it away from this origin
            return Response(data, media_type=PDF, headers=_disposition("inline", name))
        return _attachment(data, "application/octet-stream", name)


def _add_export(api: APIRouter, service: Service) -> None:
    @api.post("/export", tags=["问答"], summary="带走一个回答", response_class=Response, responses={200: {
        "description": "附件", "content": {docx.MEDIA_TYPE: {}, "text/markdown": {}, "text/plain": {}}}} | responses(*READING, *WRITING, 409))
    async def export(request: Request, body: models.ExportRequest) -> Response:
        """Word（引文为脚注）、Markdown 或纯文本。引文先与现有文件逐条核对，不符则为 409。"""
        answer = answer_from_json(body.answer.model_dump())
        wrong = await service.read(asker_of(request), lambda seen: problems(answer, lambda id: _text(seen, id)))
        if wrong:
            raise HTTPException(409, "这个回答与现有文件对不上，请重新提问后再导出。")
        return await run_in_threadpool(_exported, answer, body.format)


def _text(seen: Pipeline, id: str) -> str | None:
    try:
        return seen.document(id).text
    except KeyError:
        return None


def _exported(answer: Answer, kind: str) -> Response:
    match kind:
        case "docx":
            return _attachment(docx.as_docx(answer.question, answer), docx.MEDIA_TYPE, f"{answer.question[:30]}.docx")
        case "markdown":
            text = exports.as_markdown(answer.question, answer)
            return _attachment(text.encode(), "text/markdown; charset=utf-8", f"{answer.question[:30]}.md")
        case _:
            text = exports.as_text(answer.question, answer)
            return _attachment(text.encode(), "text/plain; charset=utf-8", f"{answer.question[:30]}.txt")


def _attachment(data: bytes, media_type: str, name: str) -> Response:
    """Bytes to be saved under a name, never shown: what a document holds must not run on this origin."""
    return Response(data, media_type=media_type, headers=_disposition("attachment", name))


def _disposition(kind: str, name: str) -> dict[str, str]:
    safe = "".join(c for c in name if c.isalnum() or c in " .-_（）〔〕《》、，？").strip(" .") or "file"
    return {"Content-Disposition": f"{kind}; filename*=UTF-8''{quote(safe)}", "Cache-Control": "no-store"}


def _add_feedback(api: APIRouter, service: Service) -> None:
    @api.post("/feedback", tags=["反馈"], summary="评价一个回答", status_code=201, response_model=models.ReceiptModel,
              responses=responses(*READING, *WRITING, 507))
    async def feedback(body: models.FeedbackRequest) -> Any:
        """好、不好，或引文有误；可附说明。"""
        try:
            number = await run_in_threadpool(service.feedback.add, body.model_dump())
        except FeedbackFull as error:
            raise HTTPException(507, "反馈已存满，请联系管理员导出。") from error
        service.metrics.feedback.labels(body.rating).inc()
        return JSONResponse({"id": number}, 201)


async def load(
    service: Service, asker: Asker, door: str, id: str, what: Callable[[Pipeline, Document], T] = lambda _, document: document
) -> T:
    """What `what` makes of the document of that id, else 404: whether it is hidden or was never there."""
    try:
        return await service.document(asker, door, id, what)
    except KeyError as error:
        raise HTTPException(404, "没有这份文件，它可能已被撤下。") from error
