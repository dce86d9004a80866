"""The service over a real uvicorn on loopback: shapes, errors, limits, headers, the OpenAI door."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from web_fakes import EXAMPLE, WebPipeline

from rag.config import Settings
from rag.errors import IndexBusy, IndexDamaged, IndexMissing, ModelError
from rag.schema import to_json
from rag.text import compact
from ui.api import models
from ui.api.feedback import FeedbackBook, FeedbackFull
from ui.api.service import Service
from ui.api.shapes import document_json, documents_json, search_json
from ui.api.workers import Busy, Workers
from ui.server import create_api, create_app

SEEDS = Path(__file__).parent.parent / "seeds"


@contextmanager
def running(app, port: int = 0) -> Iterator[str]:
    """The application on a port of loopback, a free one if none is given; gives its address."""
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", proxy_headers=False,
                                           timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> WebPipeline:
    return WebPipeline(Settings(home=tmp_path_factory.mktemp("home")), SEEDS)


@pytest.fixture(scope="module")
def client(fake: WebPipeline) -> Iterator[httpx.Client]:
    """A client of the whole application, page included."""
    with running(create_app(fake)) as address, httpx.Client(base_url=address, timeout=30) as http:
        yield http


def _problem(response: httpx.Response, status: int) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status and body["title"]
    assert re.search(r"[\u4e00-\u9fff]", body["detail"])
    assert "Traceback" not in response.text and not re.search(r"/(home|root|tmp|work|usr)/", response.text)
    return body


def _events(text: str) -> list[tuple[str, dict]]:
    found = re.findall(r"event: (\w+)\ndata: (.+)\n\n", text)
    return [(kind, json.loads(data)) for kind, data in found]


# ---------------------------------------------------------------- answers

def test_ask_gives_the_answer_and_openapi_describes_it(client: httpx.Client, fake: WebPipeline) -> None:
    response = client.post("/api/v1/ask", json={"question": EXAMPLE})
    assert response.status_code == 200
    assert response.json() == to_json(fake.ask(EXAMPLE))
    models.AnswerModel.model_validate(response.json())
    assert "reason" not in response.json()
    refused = client.post("/api/v1/ask", json={"question": "量子计算机多少钱"}).json()
    models.AnswerModel.model_validate(refused)
    assert refused["status"] == "no_evidence" and refused["reason"]


def test_history_and_filters_reach_the_pipeline(client: httpx.Client) -> None:
    body = {"question": EXAMPLE, "history": ["先前的问题"], "filters": {"issuer": "兰州市民政局"}}
    answer = client.post("/api/v1/ask", json=body).json()
    assert answer["interpreted"] == {
        "standalone_question": EXAMPLE, "filters": {"festival": "春节", "issuer": "兰州市民政局"}, "assumptions": ["接着“先前的问题”来问"],
        "choices": [],
    }
    assert {c["source"] for c in answer["citations"]} == {"seeds/001_8adfb2f976786eb4.txt"}


def test_stream_gives_the_same_answer_in_steps(client: httpx.Client) -> None:
    response = client.post("/api/v1/ask/stream", json={"question": EXAMPLE})
    assert response.headers["content-type"].startswith("text/event-stream")
    events = _events(response.text)
    kinds = [kind for kind, _ in events]
    assert kinds[0] == "status" and kinds[-1] == "answer" and kinds.count("answer") == 1 and "delta" in kinds
    answer = events[-1][1]
    assert "".join(data["text"] for kind, data in events if kind == "delta") == answer["answer"]
    assert answer == client.post("/api/v1/ask", json={"question": EXAMPLE}).json()


def test_search_documents_and_one_document(client: httpx.Client, fake: WebPipeline) -> None:
    found = client.post("/api/v1/search", json={"query": "值班室电话", "k": 3}).json()
    assert found == json.loads(json.dumps(search_json(fake.search("值班室电话", 3))))
    models.SearchModel.model_validate(found)
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3]
    listed = client.get("/api/v1/documents").json()
    assert listed == documents_json(fake.documents(), fake.status) and len(listed["documents"]) == 5
    models.DocumentsModel.model_validate(listed)
    for entry in listed["documents"]:
        whole = client.get(f"/api/v1/documents/{entry['id']}").json()
        models.DocumentModel.model_validate(whole)
        assert whole == json.loads(json.dumps(document_json(fake.document(entry["id"]), fake.status(entry["id"]), fake.related(entry["id"]))))
        assert whole["text"] == (SEEDS / Path(entry["source"]).name).read_text(encoding="utf-8")
    hit = found["hits"][0]
    text = fake.document(hit["document_id"]).text
    assert compact(text[hit["start"] : hit["end"]]) == compact(hit["text"])


# ---------------------------------------------------------------- refusals

@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("POST", "/api/v1/ask", {"question": "值"}, 422),
    ("POST", "/api/v1/ask", {"question": "值" * 100_000}, 422),
    ("POST", "/api/v1/ask", {}, 422),
    ("POST", "/api/v1/ask", {"question": 5}, 422),
    ("POST", "/api/v1/ask", {"question": EXAMPLE, "qestion": "x"}, 422),
    ("POST", "/api/v1/ask", {"question": EXAMPLE, "filters": {"shoe_size": "43"}}, 422),
    ("POST", "/api/v1/ask", {"question": EXAMPLE, "history": "x"}, 422),
    ("POST", "/api/v1/ask", {"question": "值班\ud800要求"}, 422),
    ("POST", "/api/v1/ask/stream", {"question": ""}, 422),
    ("POST", "/api/v1/search", {"query": EXAMPLE, "k": 0}, 422),
    ("POST", "/api/v1/search", {"query": EXAMPLE, "k": 10**9}, 422),
    ("POST", "/api/v1/feedback", {"rating": "angry", "question": "x"}, 422),
    ("POST", "/v1/chat/completions", {"messages": []}, 422),
    ("POST", "/v1/chat/completions", {"messages": [{"role": "system", "content": "x"}]}, 422),
    ("GET", "/api/v1/ask", None, 405),
    ("DELETE", "/api/v1/documents", None, 405),
    ("GET", "/api/v1/nothing", None, 404),
    ("GET", "/api/v1/documents/nothing", None, 404),
    ("GET", "/api/v1/documents/..%2F..%2Fetc%2Fpasswd", None, 404),
    ("GET", "/v1/nothing", None, 404),
    ("GET", "/nothing/at/all", None, 404),
    ("GET", "/page/documents/nothing", None, 404),
    ("GET", "/page/../server.py", None, 404),
    ("GET", "/assets/nothing.js", None, 404),
    ("POST", "/", {}, 405),
])
def test_every_error_is_a_chinese_problem(client: httpx.Client, method: str, path: str, body: dict | None, status: int) -> None:
    content = None if body is None else json.dumps(body).encode()
    problem = _problem(client.request(method, path, content=content, headers={"content-type": "application/json"}), status)
    assert ("error" in problem) == path.startswith("/v1/")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_bodies_that_are_not_json(client: httpx.Client, content: bytes) -> None:
    _problem(client.post("/api/v1/ask", content=content, headers={"content-type": "application/json"}), 400)


def test_bodies_past_the_limit_are_refused_announced_or_not(client: httpx.Client) -> None:
    big = json.dumps({"question": "值" * 1_000_000}).encode()
    headers = {"content-type": "application/json"}
    _problem(client.post("/api/v1/ask", content=big, headers=headers), 413)
    _problem(client.post("/api/v1/ask", content=(big[i : i + 65_536] for i in range(0, len(big), 65_536)), headers=headers), 413)
    _problem(client.post("/gradio_api/queue/join", content=big, headers=headers), 413)


@pytest.mark.parametrize(("error", "status"), [
    (IndexMissing("/home/someone/.wenju/index 里没有索引。"), 503), (IndexDamaged("/tmp/x 的摘要不对。"), 503),
    (IndexBusy("/tmp/lock"), 503), (ModelError("/usr/models 缺文件"), 503), (ZeroDivisionError("/root/secret"), 500),
])
def test_errors_of_the_machine_hide_where_they_happened(tmp_path: Path, error: Exception, status: int) -> None:
    pipeline = WebPipeline(Settings(home=tmp_path), SEEDS, failing=error)
    with running(create_api(Service(pipeline))) as address, httpx.Client(base_url=address) as http:
        for path in ("/api/v1/ask", "/api/v1/ask/stream"):
            response = http.post(path, json={"question": EXAMPLE})
            _problem(response, status)
            assert response.headers["x-content-type-options"] == "nosniff"
        assert (response.headers.get("retry-after") is not None) == (status == 503)
        body = _problem(http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": EXAMPLE}]}), status)
        assert body["error"]["message"] == body["detail"]
        assert http.get("/healthz").json() == {"status": "ok"}


def test_a_full_house_answers_503_at_once_and_stays_healthy(tmp_path: Path) -> None:
    pipeline = WebPipeline(Settings(home=tmp_path), SEEDS, delay=0.3)
    service = Service(pipeline, threads=1, waiting=1)
    with running(create_api(service)) as address:
        def ask(codes: list[httpx.Response]) -> None:
            codes.append(httpx.post(f"{address}/api/v1/ask", json={"question": EXAMPLE}, timeout=60))

        answers: list[httpx.Response] = []
        threads = [threading.Thread(target=ask, args=(answers,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        assert httpx.get(f"{address}/healthz").status_code == 200
        for thread in threads:
            thread.join()
        assert sorted(a.status_code for a in answers) == [200, 200, 503, 503, 503, 503]
        refused = next(a for a in answers if a.status_code == 503)
        _problem(refused, 503)
        assert int(refused.headers["retry-after"]) > 0
        assert service.workers.taken == 0
        assert httpx.post(f"{address}/api/v1/ask", json={"question": EXAMPLE}, timeout=60).status_code == 200


def test_a_reader_who_leaves_frees_the_thread(tmp_path: Path) -> None:
    service = Service(WebPipeline(Settings(home=tmp_path), SEEDS, delay=0.2), threads=1, waiting=0)
    with running(create_api(service)) as address:
        with httpx.stream("POST", f"{address}/api/v1/ask/stream", json={"question": EXAMPLE}) as response:
            next(response.iter_lines())
            assert service.workers.taken == 1
        deadline = time.monotonic() + 20
        while service.workers.taken and time.monotonic() < deadline:
            time.sleep(0.05)
        assert service.workers.taken == 0


async def _drain(workers: Workers) -> list[int]:
    return [item async for item in workers.stream(lambda: iter([1, 2, 3]))]


def test_workers_hand_over_in_order_and_refuse_after_closing() -> None:
    import asyncio

    workers = Workers(1, 0)
    assert asyncio.run(_drain(workers)) == [1, 2, 3]
    workers.close()
    with pytest.raises(Busy):
        asyncio.run(_drain(workers))


# ---------------------------------------------------------------- feedback

def test_feedback_is_appended_as_one_line_each(client: httpx.Client, fake: WebPipeline) -> None:
    book = fake.settings.home / "feedback.jsonl"
    before = book.read_text(encoding="utf-8").splitlines() if book.exists() else []
    body = {"rating": "wrong_citation", "question": "一问\n换行", "comment": "第2处不对", "citations": [{"document_id": "d", "start": 1, "end": 2}]}
    first, second = (client.post("/api/v1/feedback", json=body) for _ in range(2))
    assert first.status_code == 201 and first.json()["id"] != second.json()["id"]
    lines = book.read_text(encoding="utf-8").splitlines()
    assert lines[: len(before)] == before and len(lines) == len(before) + 2
    entry = json.loads(lines[-1])
    assert entry["id"] == second.json()["id"] and entry["question"] == "一问\n换行" and entry["citations"] == body["citations"]


def test_feedback_stops_at_its_limit_and_keeps_what_it_has(tmp_path: Path) -> None:
    book = FeedbackBook(tmp_path / "f.jsonl", limit=200)
    book.add({"rating": "up"})
    kept = (tmp_path / "f.jsonl").read_bytes()
    with pytest.raises(FeedbackFull):
        book.add({"comment": "长" * 200})
    assert (tmp_path / "f.jsonl").read_bytes() == kept


# ---------------------------------------------------------------- health, headers, description

def test_health_readiness_and_metrics(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "generation": "fake-1"}
    client.get("/api/v1/documents/one-of-many-ids")
    client.post("/api/v1/ask", json={"question": EXAMPLE})
    text = client.get("/metrics").text
    assert 'wenju_requests_total{method="GET",route="/api/v1/documents/{id}",status="404"}' in text
    assert re.search(r'wenju_answers_total\{door="rest",status="answered"\} [1-9]', text)
    assert "one-of-many-ids" not in text


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/nothing", "/page/base.js", "/openapi.json", "/theme.css"])
def test_security_headers_are_on_every_response(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", "/config", "/api/v1/documents", "/gradio_api/info"])
@pytest.mark.parametrize("host", ["127.0.0.1", "wenju.example.org"])
def test_no_other_origin_may_read(client: httpx.Client, path: str, host: str) -> None:
    headers = client.get(path, headers={"origin": "https://evil.example", "host": host}).headers
    assert "access-control-allow-origin" not in headers and "access-control-allow-credentials" not in headers


def test_a_form_of_another_site_cannot_post(client: httpx.Client) -> None:
    body = json.dumps({"rating": "up", "question": EXAMPLE})
    for kind in ("text/plain", "application/json"):
        _problem(client.post("/api/v1/feedback", content=body, headers={"content-type": kind, "origin": "https://evil.example"}), 403)
    _problem(client.post("/api/v1/feedback", content=body, headers={"content-type": "text/plain"}), 422)
    assert client.post("/api/v1/feedback", content=body, headers={
        "content-type": "application/json", "origin": str(client.base_url).rstrip("/")}).status_code == 201


@pytest.mark.parametrize("path", [
    "/gradio_api/file=/etc/hostname", "/gradio_api/proxy=http://127.0.0.1/", "/gradio_api/upload", "/gradio_api/runs",
    "/gradio_api/deep_link", "/gradio_api/openapi.json", "/monitoring", "/login", "/docs", "/redoc", "/gradio_api/vibe-code",
])
def test_gradio_routes_the_page_does_not_need_are_closed(client: httpx.Client, path: str) -> None:
    _problem(client.get(path), 404)
    _problem(client.post(path), 404)


def test_openapi_describes_every_route_with_its_problems(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    paths = described["paths"]
    assert {"/api/v1/ask", "/api/v1/ask/stream", "/api/v1/search", "/api/v1/documents", "/api/v1/documents/{id}",
            "/api/v1/documents/{id}/original", "/api/v1/export", "/api/v1/feedback", "/v1/chat/completions", "/v1/models", "/healthz", "/readyz", "/metrics"} == {path for path in paths if "/admin/" not in path}
    ask = paths["/api/v1/ask"]["post"]
    assert ask["requestBody"]["content"]["application/json"]["examples"]
    for status in ("400", "413", "422", "503"):
        assert ask["responses"][status]["content"].keys() == {"application/problem+json"}
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
    assert references <= set(described["components"]["schemas"])


# ---------------------------------------------------------------- OpenAI

def _chat(client: httpx.Client, **more: object) -> httpx.Response:
    messages = [{"role": "system", "content": "你是助手"}, {"role": "user", "content": "先前的问题"},
                {"role": "assistant", "content": "答"}, {"role": "user", "content": [{"type": "text", "text": EXAMPLE}]}]
    return client.post("/v1/chat/completions", json={"model": "wenju", "messages": messages, "temperature": 0, **more})


def test_chat_completion_carries_citations_as_text_and_as_data(client: httpx.Client, fake: WebPipeline) -> None:
    answer = fake.ask(EXAMPLE, ["先前的问题"])
    body = _chat(client).json()
    message = body["choices"][0]["message"]
    assert body["object"] == "chat.completion" and message["role"] == "assistant"
    assert message["content"].startswith(answer.answer) and message["citations"] == to_json(answer.citations)
    for citation in answer.citations:
        assert f"[{citation.id}]" in message["content"] and citation.quote in message["content"]
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]


def test_streamed_chat_completion_says_the_same(client: httpx.Client) -> None:
    whole = _chat(client).json()["choices"][0]["message"]
    lines = [line[6:] for line in _chat(client, stream=True, stream_options={"include_usage": True}).text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    assert len({c["id"] for c in chunks}) == 1 and {c["object"] for c in chunks} == {"chat.completion.chunk"}
    deltas = [choice["delta"] for c in chunks for choice in c["choices"]]
    assert "".join(d.get("content", "") for d in deltas) == whole["content"]
    assert [d["citations"] for d in deltas if "citations" in d] == [whole["citations"]]
    assert [choice["finish_reason"] for c in chunks for choice in c["choices"]][-1] == "stop"
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["completion_tokens"] == len(whole["content"])


def test_models_lists_wenju(client: httpx.Client) -> None:
    assert [m["id"] for m in client.get("/v1/models").json()["data"]] == ["wenju"]


def test_gradio_client_asks(client: httpx.Client, fake: WebPipeline) -> None:
    from gradio_client import Client

    answer = fake.ask(EXAMPLE)
    said = Client(str(client.base_url), verbose=False).predict(EXAMPLE, api_name="/ask")
    assert said.startswith(answer.answer) and all(citation.quote in said for citation in answer.citations)
