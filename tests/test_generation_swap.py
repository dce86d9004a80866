"""A running service takes up new generations: nothing is dropped, nothing mixed, and the old ones are let go."""

import gc
import shutil
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from index_fakes import generations
from test_api import running
from torture import amount, figure

from rag.config import Settings
from rag.errors import ModelError
from rag.index import Index
from rag.pipeline import Pipeline, build_index
from rag.text import compact
from ui.api.service import Service
from ui.server import create_api

QUESTION = "春节期间值班电话是多少？"


def edition(folder: Path, number: int) -> None:
    """Two notices of one edition; both name a telephone number that only this edition has."""
    for name, unit in (("a", "青川市民政局"), ("b", "白水县教育局")):
        (folder / f"{name}.txt").write_text(
            f"{unit}关于做好春节期间值班工作的通知\n\n各科室：\n一、值班要求\n春节期间实行24小时值班。\n"
            f"二、联系方式\n春节期间值班电话：0839-33{number:02d}{ord(name):03d}。\n\n{unit}\n2023年1月10日\n", encoding="utf-8")


@pytest.fixture
def publish(tmp_path: Path, settings: Settings, embedder) -> Callable[[int], Index]:
    """Publishes an edition in an index of the test's own."""
    (tmp_path / "docs").mkdir()
    own = replace(settings, home=tmp_path / "home")

    def publish(number: int) -> Index:
        edition(tmp_path / "docs", number)
        build_index(own, [tmp_path / "docs"], embedder=embedder)
        return Index.open(own.index)

    return publish


def opened(tmp_path: Path, settings: Settings, index: Index, embedder) -> Pipeline:
    return Pipeline(replace(settings, home=tmp_path / "home"), index, embedder)


def test_sixteen_clients_while_twenty_generations_are_published(
    tmp_path: Path, settings: Settings, embedder, publish: Callable[[int], Index]
) -> None:
    swaps, texts = amount(20, 1_000), dict[str, dict[str, str]]()

    def remember(index: Index) -> Index:
        texts[index.generation] = {id: index.document(id).text for id in index.metas}
        return index

    service = Service(opened(tmp_path, settings, remember(publish(0)), embedder))
    service.follower.seconds = 0.02
    answers: list[tuple[int, str, str, list[dict]]] = []
    done = threading.Event()

    def client(address: str) -> None:
        with httpx.Client(base_url=address, timeout=60) as http:
            while not done.is_set():
                response = http.post("/api/v1/ask", json={"question": QUESTION})
                said = response.json()
                answers.append((response.status_code, said.get("status"), said.get("generation"), said.get("citations")))

    with running(create_api(service)) as address:
        threads = [threading.Thread(target=client, args=(address,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for number in range(1, 1 + swaps):
            last = remember(publish(number % 100)).generation
        deadline = time.monotonic() + 60
        while service.pipeline.generation != last and time.monotonic() < deadline:
            time.sleep(0.01)
        done.set()
        for thread in threads:
            thread.join()
        assert httpx.get(f"{address}/readyz").json() == {"status": "ready", "generation": last}
    assert {(code, status) for code, status, _, _ in answers} == {(200, "answered")}
    seen = set()
    for _, _, generation, citations in answers:
        assert len({citation["document_id"] for citation in citations}) == 2
        seen.add(generation)
        for citation in citations:
            text = texts[generation][citation["document_id"]]  # KeyError: a citation of another generation
            assert compact(text[citation["start"] : citation["end"]]) == compact(citation["quote"])
    assert len(texts) == min(swaps + 1, 100) and len(seen) > 2 and len(answers) > 32
    figure(f"generation swaps: {swaps} under 16 clients, {len(answers)} answers of {len(seen)} generations: 0 failed, 0 mixed")


def test_a_stream_ends_on_the_generation_it_began_on_and_then_lets_go_of_it(
    tmp_path: Path, settings: Settings, embedder, publish: Callable[[int], Index]
) -> None:
    service = Service(opened(tmp_path, settings, first := publish(1), embedder))
    old, generation = weakref.ref(first), first.generation
    del first
    events = service.pipeline.stream(QUESTION)
    next(events)
    new = publish(2).generation
    publish(2)
    assert service.follower.look() and service.pipeline.generation == new and not service.follower.look()
    *_, last = events
    assert last.answer.generation == generation and "0839-3301097" in last.answer.answer
    assert "0839-3302097" in service.pipeline.ask(QUESTION).answer
    del events, last
    gc.collect()
    assert old() is None


def test_a_generation_that_cannot_be_opened_is_not_taken_up(
    tmp_path: Path, settings: Settings, embedder, publish: Callable[[int], Index]
) -> None:
    service = Service(opened(tmp_path, settings, publish(1), embedder))
    served = service.pipeline
    publish(2)
    folder = tmp_path / "home" / "index"
    damaged = generations(folder)[-1] / "passages.jsonl"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1])
    assert not service.follower.look() and service.pipeline is served
    damaged.write_bytes(whole)
    assert not service.follower.look(), "tried again at once"
    assert any(service.follower.look() for _ in range(40)) and "0839-3302097" in service.pipeline.ask(QUESTION).answer
    shutil.rmtree(folder)
    assert not service.follower.look() and "0839-3302097" in service.pipeline.ask(QUESTION).answer


def test_an_index_of_another_model_is_refused(tmp_path: Path, settings: Settings, embedder, publish) -> None:
    from fakes import HashEmbedder

    service = Service(opened(tmp_path, settings, publish(1), embedder))
    served = service.pipeline
    build_index(served.settings, [tmp_path / "docs"], embedder=HashEmbedder())
    with pytest.raises(ModelError, match="hash"):
        served.renewed()
    assert not service.follower.look() and service.pipeline is served


def test_a_pipeline_that_was_warmed_has_read_what_the_first_question_needs(
    tmp_path: Path, settings: Settings, embedder, publish: Callable[[int], Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = opened(tmp_path, settings, publish(1), embedder)
    asked: list[str | None] = []
    really = Pipeline.ask

    def ask(self: Pipeline, question: str, *rest: object, generator: str | None = None) -> object:
        answer = really(self, question, *rest, generator=generator)
        asked.append(generator if answer.status == "answered" else f"not answered: {question}")
        return answer

    monkeypatch.setattr(Pipeline, "ask", ask)
    pipeline.warm()
    publish(2)
    assert pipeline.renewed().generation != pipeline.generation
    assert asked == ["extractive", "extractive"], "at the start, and before a new generation is taken up"
