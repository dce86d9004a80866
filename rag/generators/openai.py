"""A language model behind an OpenAI-compatible endpoint: vLLM, Ollama, SGLang, `transformers serve`, …

Spoken with httpx, which Gradio brings along anyway, rather than with the vendor's client: what a server may do to us is
bounded byte by byte here (size, time, redirects, compression), and a stream of text needs little else.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from rag.config import Settings
from rag.errors import GenerationError
from rag.protocols import Message

MOST_BYTES = 2**20
"""Of a response; an answer of 400 tokens streamed with all its envelopes is a tenth of that."""
_CONNECT_SECONDS = 5.0
_TRIES = 3
_PAUSE = 0.5
"""Seconds before the second try; doubled before the third."""
_WORTH_ANOTHER_TRY = frozenset({408, 429, 500, 502, 503, 504})


class _Again(GenerationError):
    """A failure before any text came, of a kind that passes."""


class Endpoint:
    """A `rag.protocols.AnswerGenerator` over HTTP. Nothing is sent to any other host than the one that is configured."""

    name, digest = "openai", ""

    def __init__(self, settings: Settings) -> None:
        key = os.environ.get("WENJU_OPENAI_API_KEY", "")
        self._settings = settings
        # trust_env: a proxy of the environment must not see documents; follow_redirects is off by default.
        self._client = httpx.Client(
            base_url=settings.openai_base_url.rstrip("/") + "/", trust_env=False,
            headers={"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {}),
        )

    def write(self, messages: Sequence[Message], deadline: float) -> Iterator[str]:
        """See `AnswerGenerator`. Tried again, after a pause, when a request fails before any text has come."""
        for n in range(_TRIES):
            try:
                yield from self._once(messages, deadline)
                return
            except _Again as error:
                pause = _PAUSE * 2**n
                if n + 1 == _TRIES or time.monotonic() + pause >= deadline:
                    raise GenerationError(error.message) from error
                time.sleep(pause)

    def models(self) -> list[str]:
        """What the endpoint says it serves. Raises GenerationError."""
        deadline = time.monotonic() + _CONNECT_SECONDS
        request = self._client.build_request("GET", "models", timeout=_timeout(deadline))
        body = b"".join(line for line, _ in _lines(self._client, request, deadline))
        try:
            return [str(model["id"]) for model in json.loads(body)["data"]]
        except (ValueError, KeyError, TypeError) as error:
            raise GenerationError("模型服务返回的不是约定的格式。") from error

    def _once(self, messages: Sequence[Message], deadline: float) -> Iterator[str]:
        request = self._client.build_request("POST", "chat/completions", timeout=_timeout(deadline), json={
            "model": self._settings.openai_model, "stream": True, "temperature": 0,
            "max_tokens": self._settings.generator_tokens,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
        })
        whole, ended = [], False
        for line, streamed in _lines(self._client, request, deadline):
            if not streamed:
                whole.append(line)
            elif line.startswith(b"data:"):
                data = line.removeprefix(b"data:").strip()
                if data == b"[DONE]":
                    return
                text, finished = _delta(data, "delta")
                ended = ended or finished
                if text:
                    yield text
        if whole:  # a server that does not stream answers in one piece
            yield _delta(b"".join(whole), "message")[0]
        elif not ended:
            raise GenerationError("模型服务在写完之前断开了。")


def _timeout(deadline: float) -> httpx.Timeout:
    return httpx.Timeout(max(deadline - time.monotonic(), 0.01), connect=_CONNECT_SECONDS)


def _lines(client: httpx.Client, request: httpx.Request, deadline: float) -> Iterator[tuple[bytes, bool]]:
    """Lines of the response, each with whether it is one of an event stream. Raises GenerationError."""
    try:
        response = client.send(request, stream=True)
    except httpx.TimeoutException as error:
        raise GenerationError("模型服务没有在限定时间内回应。") from error
    except httpx.HTTPError as error:
        raise _Again("连不上模型服务。") from error
    try:
        if response.status_code != 200:
            kind = _Again if response.status_code in _WORTH_ANOTHER_TRY else GenerationError
            raise kind(f"模型服务返回错误 {response.status_code}。")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise GenerationError("模型服务返回了没有要求的压缩内容。")
        streamed = response.headers.get("Content-Type", "").startswith("text/event-stream")
        rest, size = b"", 0
        for piece in response.iter_raw():
            size += len(piece)
            if size > MOST_BYTES:
                raise GenerationError("模型服务返回的内容太长。")
            if time.monotonic() > deadline:
                raise GenerationError("模型服务没有在限定时间内写完。")
            *lines, rest = (rest + piece).split(b"\n")
            yield from ((line.rstrip(b"\r"), streamed) for line in lines)
        if rest:
            yield rest, streamed
    except httpx.TimeoutException as error:
        raise GenerationError("模型服务没有在限定时间内写完。") from error
    except httpx.HTTPError as error:
        raise GenerationError("模型服务在写完之前断开了。") from error
    finally:
        response.close()


def _delta(data: bytes, member: str) -> tuple[str, bool]:
    """Text and whether it is the last, of one event ("delta") or of a whole completion ("message")."""
    try:
        choices: list[Any] = json.loads(data)["choices"]
        if not choices:  # an event about usage
            return "", False
        text = choices[0][member].get("content") or ""
        if not isinstance(text, str):
            raise TypeError
        return text, bool(choices[0].get("finish_reason"))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise GenerationError("模型服务返回的不是约定的格式。") from error
