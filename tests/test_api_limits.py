"""Overload and slow clients over real sockets: refused at once, cut off, or answered to the end; and what is logged of it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from portal_fakes import free_port
from test_api import SEEDS, _problem, running
from test_identity import SECRET, claims, hs256
from web_fakes import EXAMPLE, WebPipeline

from rag.config import Settings
from ui.api.connections import Patient
from ui.api.limits import Buckets
from ui.api.service import Service
from ui.api.settings import Portal
from ui.server import create_api, listen

ROOT = Path(__file__).parents[1]
_SERVE = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from web_fakes import WebPipeline
from rag.config import Settings
from ui.api.settings import Portal
from ui.pages import mount
from ui.server import serve
mount._SESSIONS = int(sys.argv[4]) or mount._SESSIONS
serve(WebPipeline(Settings(home=Path(sys.argv[1])), Path("seeds"), delay=float(sys.argv[3])), Portal.load(), port=int(sys.argv[2]))
"""


@contextmanager
def process(home: Path, delay: float = 0.0, visits: int = 0, **portal: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`serve` in a process of its own over the small pipeline; gives it and its address.

    visits: how many of those to the page are remembered; 0: as many as ever.
    """
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **{f"WENJU_PORTAL_{k.upper()}": v for k, v in portal.items()}}
    with subprocess.Popen([sys.executable, "-c", _SERVE, str(home), str(port), str(delay), str(visits)], cwd=ROOT, env=environment,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        try:
            address = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 300  # of a busy machine
            while True:
                assert running.poll() is None and time.monotonic() < deadline
                try:
                    httpx.get(f"{address}/readyz").raise_for_status()
                    break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield running, address
        finally:
            running.kill()


# ---------------------------------------------------------------- too much

def test_buckets_fill_up_again() -> None:
    buckets = Buckets(60)
    assert [buckets.wait("a", 0.0) for _ in range(60)] == [0.0] * 60
    assert buckets.wait("a", 0.0) == pytest.approx(1.0) and buckets.wait("b", 0.0) == 0.0
    assert buckets.wait("a", 1.01) == 0.0 and buckets.wait("a", 1.01) > 0.9
    assert buckets.wait("a", 1e9) == 0.0
    for n in range(20_000):
        buckets.wait(str(n), 1e9)
    assert len(buckets._left) == 10_000


def test_each_person_has_a_rate(tmp_path: Path) -> None:
    portal = Portal(identity="token", token_key=SECRET, rate=3)
    with running(create_api(Service(WebPipeline(Settings(home=tmp_path), SEEDS)), portal)) as address:
        def ask(who: str) -> httpx.Response:
            return httpx.post(f"{address}/api/v1/search", json={"query": EXAMPLE}, headers={"authorization": f"Bearer {hs256(claims(sub=who))}"})

        assert [ask("a").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        assert 0 < int(ask("a").headers["retry-after"]) <= 21
        _problem(ask("a"), 429)
        assert ask("b").status_code == 200
        assert httpx.get(f"{address}/api/v1/documents", headers={"authorization": f"Bearer {hs256(claims(sub='a'))}"}).status_code == 200


def test_a_service_that_would_refuse_is_not_ready(tmp_path: Path) -> None:
    service = Service(WebPipeline(Settings(home=tmp_path), SEEDS, delay=0.3), threads=1, waiting=0)
    with running(create_api(service)) as address, httpx.Client(base_url=address, timeout=30) as client:
        assert client.get("/readyz").status_code == 200
        with httpx.stream("POST", f"{address}/api/v1/ask/stream", json={"question": EXAMPLE}):
            _problem(client.get("/readyz"), 503)
            _problem(client.post("/api/v1/search", json={"query": EXAMPLE}), 503)
            assert client.get("/healthz").status_code == 200
        text = client.get("/metrics").text
    assert 'wenju_refused{pool="answers"} 1.0' in text
    assert re.search(r'wenju_stage_seconds_count\{stage="waiting"\} [1-9]', text)


def test_every_stage_is_measured(tmp_path: Path) -> None:
    with running(create_api(Service(WebPipeline(Settings(home=tmp_path), SEEDS)))) as address:
        httpx.post(f"{address}/api/v1/ask", json={"question": EXAMPLE})
        httpx.post(f"{address}/api/v1/search", json={"query": EXAMPLE})
        text = httpx.get(f"{address}/metrics").text
    assert {"waiting", "total", "bigrams"} <= set(re.findall(r'wenju_stage_seconds_count\{stage="(\w+)"\}', text))


def test_every_stage_of_the_real_pipeline_is_measured(pipeline) -> None:
    with running(create_api(Service(pipeline))) as address:
        spent = httpx.post(f"{address}/api/v1/ask", json={"question": EXAMPLE}, timeout=60).json()["timings_ms"]
        text = httpx.get(f"{address}/metrics").text
    measured = dict(re.findall(r'wenju_stage_seconds_count\{stage="(\w+)"\} (\S+)', text))
    assert len(spent) > 3 and {"waiting", *spent} == set(measured) and set(measured.values()) == {"1.0"}


# ---------------------------------------------------------------- too slow

def test_a_body_that_does_not_arrive_is_given_up(tmp_path: Path) -> None:
    with running(create_api(Service(WebPipeline(Settings(home=tmp_path), SEEDS)), Portal(body_seconds=1))) as address:
        host, port = urlsplit(address).hostname, urlsplit(address).port
        with closing(socket.create_connection((host, port), timeout=20)) as client:
            client.sendall(b"POST /api/v1/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{")
            answer = client.makefile("rb").read()
        assert b" 408 " in answer.splitlines()[0] and b"application/problem+json" in answer
        with httpx.stream("POST", f"{address}/api/v1/ask/stream", json={"question": EXAMPLE}) as response:
            assert response.read()  # the limit is on what comes in, not on what goes out


@contextmanager
def patient(app) -> Iterator[tuple[int, uvicorn.Server]]:
    """A server whose patience ends after half a second."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", http=partial(Patient, idle_seconds=0.5),
                                           timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield port, server
    finally:
        server.should_exit = True
        thread.join(10)


async def _flood(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for _ in range(4096):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def test_a_head_sent_byte_by_byte_is_cut_off() -> None:
    with patient(_flood) as (port, _):
        for sent in (b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"):
            with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as client:
                client.sendall(sent)
                began = time.monotonic()
                with pytest.raises(OSError):  # reset or broken pipe, at some byte
                    while time.monotonic() - began < 15:
                        client.sendall(b"X" if sent else b"")
                        client.settimeout(0.1)
                        try:
                            if not client.recv(1):
                                raise ConnectionError
                        except TimeoutError:
                            continue


def test_a_client_that_takes_nothing_is_cut_off_and_one_that_does_is_not() -> None:
    with patient(_flood) as (port, server):
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            deadline = time.monotonic() + 120
            while not server.server_state.connections and time.monotonic() < deadline:
                time.sleep(0.01)
            while server.server_state.connections and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not server.server_state.connections
        with httpx.stream("GET", f"http://127.0.0.1:{port}/") as response:
            taken = 0
            for piece in response.iter_raw(1 << 22):
                taken += len(piece)
                time.sleep(0.02)  # longer than its patience in all
        assert taken == 4096 * 65536


# ---------------------------------------------------------------- stopping, and what is logged

def test_stopping_answers_what_was_accepted_and_does_not_wait_for_idle_pages(tmp_path: Path) -> None:
    with process(tmp_path, delay=0.4) as (server, address):
        answers: list[httpx.Response] = []
        threads = [threading.Thread(target=lambda: answers.append(httpx.post(f"{address}/api/v1/ask", json={"question": EXAMPLE}, timeout=60)))
                   for _ in range(5)]
        with httpx.stream("GET", f"{address}/gradio_api/heartbeat/abcdef", timeout=60) as page:
            next(page.iter_lines())
            for thread in threads:
                thread.start()
            while 'wenju_working{pool="answers"} 5.0' not in httpx.get(f"{address}/metrics").text:
                time.sleep(0.02)
            server.send_signal(signal.SIGTERM)
            for thread in threads:
                thread.join(60)
            server.wait(120)
        assert [a.status_code for a in answers] == [200] * 5
        assert all(a.json()["status"] == "answered" for a in answers)


def test_logs_say_what_happened_and_nothing_of_anybody(tmp_path: Path) -> None:
    token = hs256(claims(sub="li.na"))
    with process(tmp_path, log="json", identity="token", token_key=SECRET) as (server, address):
        with httpx.Client(base_url=address, headers={"authorization": f"Bearer {token}"}) as client:
            number = client.post("/api/v1/ask", json={"question": EXAMPLE}).headers["x-request-id"]
            client.get("/api/v1/documents?secret=参数")
            client.get("/api/v1/documents/one-of-many")
            client.post("/api/v1/ask", content=b"{")
        httpx.get(f"{address}/api/v1/documents")
        server.send_signal(signal.SIGTERM)
        said = server.communicate(timeout=60)[1]
    lines = [json.loads(line) for line in said.splitlines()]
    asked = next(line for line in lines if line["request"] == number)
    assert (asked["route"], asked["method"], asked["status"], asked["logger"]) == ("/api/v1/ask", "POST", 200, "wenju.request") and asked["ms"] > 0
    assert [line["status"] for line in lines if line.get("route") == "/api/v1/documents/{id}"] == [404]
    assert {200, 401, 404, 422} <= {line["status"] for line in lines if "status" in line}
    for private in (EXAMPLE, "春节", token, SECRET, "li.na", "127.0.0.1", "secret", "参数", "one-of-many", str(tmp_path)):
        assert private not in said and json.dumps(private)[1:-1] not in said


def test_an_error_is_logged_by_kind_and_place_without_its_words() -> None:
    import logging

    from ui.api.logs import JsonLines

    try:
        raise ValueError("张三的身份证号")
    except ValueError:
        record = logging.LogRecord("wenju", logging.ERROR, "", 0, "internal error %s", ("ab12",), sys.exc_info())
    line = json.loads(JsonLines().format(record))
    assert line["message"] == "internal error ab12" and line["error"] == "ValueError" and "test_api_limits.py" in line["at_lines"][0]
    assert "张三" not in json.dumps(line, ensure_ascii=False)


def test_answers_are_sent_at_once() -> None:
    """A connection that is kept does not wait for the client's acknowledgement between the head of an answer and its body."""
    with (closing(listen("127.0.0.1", 0)) as listening, closing(socket.create_connection(listening.getsockname())),
          closing(listening.accept()[0]) as accepted):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
