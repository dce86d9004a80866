"""The OpenAI-compatible door: chat completions, streaming and not, and the list of models.

Citations reach a reader twice: as text beneath the answer, for clients that show text only, and as the
structured member `citations` of the message (of the last delta when streaming).
"""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from rag.errors import QuestionError
from rag.schema import Answer, Event, to_json
from ui.api import models, shapes, streams
from ui.api.identity import asker_of
from ui.api.problems import READING, WRITING, from_exception, responses
from ui.api.service import Service

MODEL = "wenju"
_HISTORY = 50
_ERRORS = responses(*READING, *WRITING)


def router(service: Service) -> APIRouter:
    """Routes under /v1."""
    api = APIRouter(prefix="/v1", tags=["OpenAI 兼容"])

    @api.get("/models", summary="模型列表", responses=responses(*READING))
    async def list_models() -> dict[str, Any]:
        """只有一个：wenju。"""
        return {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}]}

    @api.post("/chat/completions", summary="对话", responses=_ERRORS | {200: {"description": "completion 或其流", "content": {
        "application/json": {"schema": {"type": "object"}}, "text/event-stream": {}}}})
    async def complete(request: Request, body: models.ChatRequest) -> Any:
        """最后一条用户消息是问题，此前的用户消息作为上下文；其他角色的消息不影响回答。"""
        asked = [text for m in body.messages if m.role == "user" and (text := m.text.strip())]
        if not asked:
            raise QuestionError("没有用户消息。", "请在 messages 里放一条 role 为 user 的消息。")
        who, history, question = asker_of(request), asked[-_HISTORY - 1 : -1], asked[-1]
        if body.stream:
            events = await streams.begun(service.stream(who, "openai", question, history, {}))
            usage = bool(body.stream_options and body.stream_options.include_usage)
            return streams.response(_chunks(events, asked, usage))
        return JSONResponse(_completion(await service.ask(who, "openai", question, history, {}), asked))

    return api


def _head(kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{secrets.token_hex(12)}", "object": kind, "created": int(time.time()), "model": MODEL}


def _usage(asked: list[str], given: str) -> dict[str, int]:
    """Sizes in characters: Wenju's own generator has no tokens."""
    read = sum(map(len, asked))
    return {"prompt_tokens": read, "completion_tokens": len(given), "total_tokens": read + len(given)}


def _evidence(answer: Answer) -> dict[str, Any]:
    return {"citations": to_json(answer.citations), "status": answer.status, "confidence": answer.confidence}


def _completion(answer: Answer, asked: list[str]) -> dict[str, Any]:
    text = shapes.with_references(answer)
    message = {"role": "assistant", "content": text, "refusal": None} | _evidence(answer)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return _head("chat.completion") | {"choices": [choice], "usage": _usage(asked, text)}


async def _chunks(events: AsyncIterator[Event], asked: list[str], usage: bool) -> AsyncIterator[str]:
    head, given = _head("chat.completion.chunk"), []

    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        given.append(delta.get("content", ""))
        return streams.line(head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    async with aclosing(events):
        try:
            async for event in events:
                if event.kind == "delta":
                    yield chunk({"content": event.text})
                elif event.answer:
                    said, tail = "".join(given), shapes.references(event.answer.citations)
                    text = (f"\n\n{tail}" if tail else "") if said else shapes.with_references(event.answer)
                    yield chunk({"content": text} | _evidence(event.answer))
        except Exception as error:
            yield streams.line(from_exception(error, openai=True))
            return
    yield chunk({}, "stop")
    if usage:
        yield streams.line(head | {"choices": [], "usage": _usage(asked, "".join(given))})
    yield "data: [DONE]\n\n"
