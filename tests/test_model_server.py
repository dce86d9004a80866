"""A real OpenAI-compatible server, `transformers serve`: with random weights here, with a real model where it is there."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from model_server import Served, serving
from tiny_model import save_tiny_model

from rag.citations import problems
from rag.generators.guard import Guard
from rag.generators.openai import Endpoint
from rag.pipeline import Pipeline
from rag.protocols import Message

REAL = os.environ.get("WENJU_TEST_MODEL", "")
ASK = (Message("system", "规则"), Message("user", "春节期间值班要求是什么？"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with serving(save_tiny_model(folder / "tiny"), folder / "log") as served:
        yield served


def with_server(pipeline: Pipeline, served: Served, seconds: int, tokens: int) -> Pipeline:
    settings = replace(pipeline.settings, generator="openai", openai_base_url=served.address, openai_model=served.model,
                       generator_tokens=tokens, generator_seconds=seconds)
    return Pipeline(settings, pipeline.index, pipeline.embedder, Guard(Endpoint(settings), seconds, tokens, 1))


def test_it_streams_bounded_text(settings, tiny: Served) -> None:
    asked = replace(settings, openai_base_url=tiny.address, openai_model=tiny.model, generator_tokens=30)
    pieces = list(Endpoint(asked).write(ASK, time.monotonic() + 60))
    assert len(pieces) > 1 and 0 < len("".join(pieces)) <= 30 * len("<unknown>")
    assert list(Endpoint(asked).write(ASK, time.monotonic() + 60)) == pieces


def test_random_weights_never_reach_a_reader_and_a_server_that_dies_is_no_harm(pipeline: Pipeline, tiny: Served) -> None:
    whole, question = with_server(pipeline, tiny, 60, 30), "春节期间值班要求是什么？"
    plain = pipeline.ask(question)
    answer = whole.ask(question)
    assert answer.answer.startswith(plain.answer) and answer.generator == "extractive"
    assert "答案由原文摘录而成" in answer.answer.removeprefix(plain.answer)
    tiny.process.kill()
    tiny.process.wait()
    answer = whole.ask(question)
    assert answer.answer.startswith(plain.answer) and "模型服务" in answer.answer.removeprefix(plain.answer)


@pytest.mark.skipif(not REAL, reason="WENJU_TEST_MODEL names no folder; see tests/real_model.py")
def test_a_real_model_behind_a_real_server_keeps_every_invariant(pipeline: Pipeline, tmp_path: Path) -> None:
    with serving(Path(REAL), tmp_path / "log") as served:
        whole = with_server(pipeline, served, 240, 100)
        written = 0
        for question in ("春运按什么原则来组织？", "光盘行动倡导干部职工吃饭时怎么做？", "值班补贴每天多少钱？"):
            answer, plain = whole.ask(question), pipeline.ask(question)
            assert answer.status == plain.status and problems(answer, lambda id: pipeline.document(id).text) == []
            written += answer.generator == "openai"
        assert written
