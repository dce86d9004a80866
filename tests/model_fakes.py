"""A model server on loopback that does what its script says, and generators that write what they are given."""

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rag.protocols import Message

Behaviour = Callable[["_Handler", list[dict]], None]


@dataclass
class Scripted:
    """An OpenAI-compatible server. script: what it does with each request in turn, the last one for ever."""

    address: str
    script: list[Behaviour] = field(default_factory=list)
    requests: list[dict] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    scripted: Scripted

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        seen = self.scripted
        seen.requests.append(body)
        seen.keys.append(self.headers.get("Authorization"))
        behave = seen.script[min(len(seen.requests), len(seen.script)) - 1]
        with contextlib.suppress(OSError):  # the other side has had enough
            behave(self, body["messages"])

    def do_GET(self) -> None:
        self.start("application/json")
        self.wfile.write(json.dumps({"data": [{"id": "scripted"}]}).encode())

    def start(self, kind: str = "text/event-stream", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def event(self, text: str, finish: str | None = None) -> None:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
        self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def scripted_server() -> Iterator[Scripted]:
    """The server, on a port of its own."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.scripted = Scripted(f"http://127.0.0.1:{server.server_port}/v1")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield handler.scripted
    finally:
        server.shutdown()
        server.server_close()


# ---------------------------------------------------------------- behaviours

def says(text: str, done: bool = True) -> Behaviour:
    """Streams the text in small pieces."""
    def behave(handler: _Handler, _: list[dict]) -> None:
        handler.start()
        for at in range(0, len(text), 7):
            handler.event(text[at : at + 7])
        handler.event("", "stop")
        if done:
            handler.wfile.write(b"data: [DONE]\n\n")
    return behave


def copies(handler: _Handler, messages: list[dict]) -> None:
    """Writes the first sentence of each passage it was given, cited."""
    said = [f"{text.strip().split('。')[0]}[{n}]。" for n, text in passages(messages[-1]["content"])]
    says("".join(said))(handler, messages)


def dies(text: str) -> Behaviour:
    """Begins to write and breaks the connection."""
    def behave(handler: _Handler, _: list[dict]) -> None:
        handler.start()
        handler.event(text)
        handler.connection.close()
    return behave


def hangs(handler: _Handler, _: list[dict]) -> None:
    """Begins and never goes on."""
    handler.start()
    handler.event("值班")
    time.sleep(8)


def sleeps(handler: _Handler, _: list[dict]) -> None:
    """Does not even begin."""
    time.sleep(8)


def fails(status: int) -> Behaviour:
    """Answers with an error."""
    def behave(handler: _Handler, _: list[dict]) -> None:
        handler.start("text/plain", status)
        handler.wfile.write(b"no")
    return behave


def raw(data: bytes, kind: str = "text/event-stream") -> Behaviour:
    """Sends these bytes."""
    def behave(handler: _Handler, _: list[dict]) -> None:
        handler.start(kind)
        handler.wfile.write(data)
    return behave


def floods(handler: _Handler, _: list[dict]) -> None:
    """Sends ten megabytes in one line."""
    handler.start()
    handler.wfile.write(b'data: {"choices":[{"delta":{"content":"')
    for _n in range(160):
        handler.wfile.write("值".encode() * 21_845)


def passages(prompt: str) -> list[tuple[int, str]]:
    """The numbered passages of a prompt."""
    return [(int(n), text) for n, text in re.findall(r"【资料(\d+)】[^\n]*\n<<<\n(.*?)\n>>>", prompt, re.S)]


class Writes:
    """An `AnswerGenerator` that writes what a function makes of the messages."""

    name, digest = "stub", ""

    def __init__(self, make: Callable[[Sequence[Message]], str]) -> None:
        self._make = make

    def write(self, messages: Sequence[Message], deadline: float) -> Iterator[str]:
        """See `AnswerGenerator`."""
        text = self._make(messages)
        yield from (text[at : at + 5] for at in range(0, len(text), 5))
