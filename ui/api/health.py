"""Health, readiness and metrics. They never wait for a worker thread."""

from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ui.api import models
from ui.api.problems import responses
from ui.api.service import Service


def router(service: Service) -> APIRouter:
    """/healthz, /readyz, /metrics."""
    api = APIRouter(tags=["运行"])

    @api.get("/healthz", summary="进程是否活着")
    async def healthz() -> dict[str, str]:
        """事件循环还在转就是 ok。"""
        return {"status": "ok"}

    @api.get("/readyz", summary="能否回答", response_model=models.ReadyModel, responses=responses(503))
    async def readyz() -> Any:
        """现在提的问题会得到回答时为 200，否则 503。"""
        generation = service.pipeline.generation
        if not generation:
            raise HTTPException(503, "索引还没有打开。请管理员先运行 wenju index。")
        if service.stopping:
            raise HTTPException(503, "服务正在停止。")
        if service.trouble:
            raise HTTPException(503, "检索服务暂时不可用。")
        if service.workers.full:
            raise HTTPException(503, "现在提问的人较多。")
        return JSONResponse({"status": "ready", "generation": generation})

    @api.get("/metrics", summary="Prometheus 指标", response_class=Response, responses=responses(403) | {
        200: {"description": "指标", "content": {"text/plain": {"schema": {"type": "string"}}}}})
    async def metrics() -> Response:
        """请求、回答、反馈与排队的计数。"""
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return api
