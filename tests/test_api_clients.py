"""The doors as the clients people really use see them: OpenAI's library, and a fuzzer that reads /openapi.json.

`python tests/test_api_clients.py 20000 2` sends that many requests, made with seed 2: the long form of the last test here.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import openai
import pytest
from test_api import SEEDS, running
from test_identity import SECRET, claims, hs256
from web_fakes import EXAMPLE, WebPipeline

from rag.config import Settings
from ui.api.settings import Portal
from ui.server import create_app

ASKED = [{"role": "system", "content": "你是助手"}, {"role": "user", "content": EXAMPLE}]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pipeline = WebPipeline(Settings(home=tmp_path_factory.mktemp("home")), SEEDS)
    with running(create_app(pipeline, Portal(identity="token", token_key=SECRET))) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[openai.OpenAI]:
    """OpenAI's own client; the portal's token is its API key."""
    with openai.OpenAI(base_url=f"{address}/v1", api_key=hs256(claims()), max_retries=0) as client:
        yield client


def test_openai_lists_the_model_and_completes(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["wenju"]
    done = client.chat.completions.create(model="wenju", messages=ASKED, temperature=0, max_tokens=500, user="li.na")
    message = done.choices[0].message
    assert done.choices[0].finish_reason == "stop" and "要点" in message.content and "依据：\n[1]" in message.content
    assert message.citations[0]["id"] == 1 and message.status == "answered" and 0 < message.confidence <= 1
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens > 0


def test_openai_streams_the_same_answer(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="wenju", messages=ASKED).choices[0].message
    with client.chat.completions.create(model="wenju", messages=ASKED, stream=True, stream_options={"include_usage": True}) as events:
        chunks = list(events)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant" and "".join(d.content or "" for d in deltas) == whole.content
    cited = [d.citations for d in deltas if getattr(d, "citations", None)]
    assert cited == [whole.citations]
    assert chunks[-1].usage.completion_tokens == len(whole.content) and chunks[-2].choices[0].finish_reason == "stop"


def test_openai_errors_are_those_of_the_library(client: openai.OpenAI, address: str) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="问题太短"):
        client.chat.completions.create(model="wenju", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="wenju", input="x")
    with (openai.OpenAI(base_url=f"{address}/v1", api_key="wrong", max_retries=0) as stranger,
          pytest.raises(openai.AuthenticationError, match="登录")):
        stranger.models.list()


# ---------------------------------------------------------------- fuzzing

def fuzz(address: str, most: int, seed: int, only: str = "") -> tuple[int, list[str]]:
    """Sends some `most` requests made from /openapi.json, good and bad ones; how many, and what was wrong with the answers.

    only: what the paths that are tried contain.
    """
    import schemathesis

    described = schemathesis.openapi.from_url(f"{address}/openapi.json").get_all_operations()
    operations = [operation for result in described if only in (operation := result.ok()).path]
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    variable = sum(bool(operation.body or operation.path_parameters) for operation in operations)
    sent, wrong = 0, []
    for operation in operations:
        for mode in modes:
            count, problems = _send(operation, mode, most // (variable * len(modes)) + 1, seed)
            sent, wrong = sent + count, wrong + problems
    return sent, wrong


def _send(operation, mode, most: int, seed: int) -> tuple[int, list[str]]:
    """Up to `most` different requests to one operation.

    Checked of each answer: its status and shape are declared, no undeclared 5xx, no traceback and no path in it.
    """
    import hypothesis
    from hypothesis.errors import Unsatisfiable
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    wanted = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance, not_a_server_error]
    headers = {"authorization": f"Bearer {hs256(claims(exp=2**31))}"}
    sent, wrong = 0, []

    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=most, database=None, deadline=None, phases=[hypothesis.Phase.generate],
                         suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def send(case) -> None:
        nonlocal sent
        response = case.call(headers=headers)
        sent += 1
        try:
            case.validate_response(response, checks=wanted)
            text = response.content.decode(errors="replace")  # a Word file is none
            assert "Traceback" not in text and not re.search(r"/(home|root|tmp|work|usr|etc)/\w", text)
        except Exception as error:
            told = " ".join(" ".join(str(e) for e in getattr(error, "exceptions", (error,))).split())
            wrong.append(f"{operation.label} {mode.value}: {response.status_code} {told[:300]}")

    with suppress(Unsatisfiable):  # an operation that takes nothing cannot be given anything wrong
        send()
    return sent, wrong


def test_requests_made_from_the_description_get_described_answers(address: str) -> None:
    sent, wrong = fuzz(address, 600, seed=1)
    assert sent >= 300 and not wrong, "\n".join(wrong[:20])


def test_every_operation_has_an_example_that_works(address: str) -> None:
    described = httpx.get(f"{address}/openapi.json").json()
    headers = {"authorization": f"Bearer {hs256(claims())}"}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"] and operation["description"] and operation["tags"], path
            if path.startswith("/api/v1/admin"):  # not for everybody: see test_admin.py
                continue
            for media in operation.get("requestBody", {}).get("content", {}).values():
                schema = described["components"]["schemas"][media["schema"]["$ref"].rsplit("/", 1)[1]]
                examples = [e["value"] for e in media.get("examples", {}).values()] or [
                    {name: p["examples"][0] for name, p in schema["properties"].items() if "examples" in p}]
                for example in examples:
                    response = httpx.request(method, f"{address}{path}", json=example, headers=headers, timeout=30)
                    assert response.status_code in (200, 201), (path, example, response.text)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as home:
        app = create_app(WebPipeline(Settings(home=Path(home)), SEEDS), Portal(identity="token", token_key=SECRET, audit_sync=False))
        with running(app) as serving:
            sent, wrong = fuzz(serving, int(sys.argv[1]), seed=int(sys.argv[2]))
    print(f"{sent} requests, {len(wrong)} wrong", *wrong[:20], sep="\n")  # noqa: T201
    sys.exit(bool(wrong))
