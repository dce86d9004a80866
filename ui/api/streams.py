"""Server-sent events, with the first event awaited before the response begins.

A question that is refused, or a full house, thus is an ordinary 4xx or 503; only what fails later
has to be told inside the stream.
"""

import json
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from fastapi.responses import StreamingResponse

T = TypeVar("T")
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def line(data: Any, event: str | None = None) -> str:
    """One event on the wire."""
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n"


async def begun(items: AsyncIterator[T]) -> AsyncIterator[T]:
    """The same items, after the first one has arrived. Raises what the first step raises."""
    try:
        first = [await anext(items)]
    except StopAsyncIteration:
        first = []

    async def all_items() -> AsyncIterator[T]:
        try:
            for item in first:
                yield item
            async for item in items:
                yield item
        finally:
            await items.aclose()

    return all_items()


def response(lines: AsyncIterator[str]) -> StreamingResponse:
    """The streaming response that carries these lines."""
    return StreamingResponse(lines, media_type="text/event-stream", headers=_HEADERS)
