"""Who may see which document: for every group, every door gives exactly what an index without the hidden documents would."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import httpx
import jwt
import pytest
from access_fakes import GROUPS, Remembering, groups_of, pipeline_of, questions, secret, visible
from test_api import running

from rag.pipeline import Pipeline
from rag.schema import Answer, Event, Retrieval, to_json
from ui.api.identity import KEY as KEY_OF_ASKER
from ui.api.identity import Asker
from ui.api.service import Service
from ui.api.settings import Portal
from ui.pages import follow
from ui.pages.conversation import Conversation, Talk
from ui.server import create_app

ASKERS = [()] + [(g,) for g in GROUPS]


@pytest.fixture(scope="module")
def remembering(embedder) -> Remembering:
    return Remembering(embedder)


@pytest.fixture(scope="module", autouse=True)
def once() -> Iterator[None]:
    """Each question is computed once for each pipeline, whatever doors it comes through."""
    events: dict[tuple, list[Event]] = {}
    hits: dict[tuple, Retrieval] = {}
    stream, search = Pipeline.stream, Pipeline.search

    def streamed(self: Pipeline, question: str, history=(), filters=None, generator=None) -> Iterator[Event]:
        key = (id(self), question, tuple(history), tuple(sorted((filters or {}).items())))
        if key not in events:
            events[key] = list(stream(self, question, history, filters, generator))
        return iter(events[key])

    def searched(self: Pipeline, query: str, k: int = 10, filters=None) -> Retrieval:
        key = (id(self), query, k)
        if key not in hits:
            hits[key] = search(self, query, k, filters)
        return hits[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pipeline, "stream", streamed)
        patch.setattr(Pipeline, "search", searched)
        yield


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory, remembering: Remembering) -> dict[tuple[str, ...], Pipeline]:
    """For each asker, a pipeline that never had the notices hidden from them."""
    return {groups: pipeline_of(tmp_path_factory.mktemp("never"), visible(groups), remembering) for groups in ASKERS}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, remembering: Remembering) -> Pipeline:
    """All thirty notices."""
    return pipeline_of(tmp_path_factory.mktemp("everything"), range(30), remembering)


@pytest.fixture(scope="module", params=ASKERS, ids=lambda groups: "".join(groups) or "nobody")
def pair(request, everything: Pipeline, references) -> tuple[Pipeline, Pipeline]:
    """What a member sees, and what there would be without the hidden notices."""
    return everything.visible_to(request.param), references[request.param]


def bare(answer: Answer) -> Answer:
    """Without what names the whole index."""
    return replace(answer, timings_ms={}, generation="")


def test_every_answer_is_that_of_an_index_without_the_hidden(pair: tuple[Pipeline, Pipeline]) -> None:
    seen, never = pair
    kinds = set()
    for question in dict.fromkeys(q for n in range(30) for q in questions(n)):
        got, wanted = seen.ask(question), never.ask(question)
        assert bare(got) == bare(wanted), question
        kinds.add(got.status)
    assert kinds == {"answered", "no_evidence"}


def test_every_search_and_explanation_is_that_of_an_index_without_the_hidden(pair: tuple[Pipeline, Pipeline]) -> None:
    seen, never = pair
    for n in range(30):
        got, wanted = seen.search(questions(n)[1]), never.search(questions(n)[1])
        assert to_json(got.hits) == to_json(wanted.hits)
    for n in range(0, 30, 3):
        assert to_json(seen.explain(questions(n)[0])) == to_json(never.explain(questions(n)[0]))


def test_lists_documents_examples_and_spelling_are_those_of_an_index_without_the_hidden(pair: tuple[Pipeline, Pipeline]) -> None:
    seen, never = pair
    assert tuple(seen.documents()) == tuple(never.documents())
    assert seen.examples(50) == never.examples(50)
    for entry in never.documents():
        assert seen.document(entry.id) == never.document(entry.id)
        assert seen.text_of(entry.source) == never.text_of(entry.source)
        assert seen.status(entry.id) == never.status(entry.id)
    for typo in ("青石县至班要求是什么？", "消防检察几次？", "鹭导行动是什么？"):
        assert bare(seen.ask(typo)) == bare(never.ask(typo))


def test_a_hidden_notice_does_not_show_by_what_it_repeals(everything: Pipeline) -> None:
    """Notice 15 is of one group and repeals notice 0, which is everybody's."""
    first = next(entry for entry in everything.documents() if entry.source.endswith("00.txt"))
    assert groups_of(15) and not groups_of(0)
    assert everything.status(first.id).kind == "superseded"
    assert everything.visible_to(groups_of(15)).status(first.id).kind == "superseded"
    assert everything.visible_to(()).status(first.id).kind != "superseded"


def test_hidden_documents_are_nowhere(everything: Pipeline) -> None:
    entries = {int(entry.source[-6:-4]): entry for entry in everything.documents()}
    for groups in combinations(GROUPS, 2):  # single groups: see above
        seen, kept = everything.visible_to(groups), visible(groups)
        for n in range(30):
            entry, word, shown = entries[n], secret(n), n in kept
            assert (entry.id in {e.id for e in seen.documents()}) == shown
            if shown:
                continue
            with pytest.raises(KeyError):
                seen.document(entry.id)
            with pytest.raises(KeyError):
                seen.text_of(entry.source)
            answers = [to_json(bare(seen.ask(q))) for q in questions(n)[:1]]
            told = json.dumps([a | {"question": "", "interpreted": ""} for a in answers], ensure_ascii=False)
            assert entry.source not in told and entry.id not in told and word not in told.replace(f"“{word}”", "")


def test_views_are_shared_and_whoever_may_see_all_gets_the_whole(everything: Pipeline) -> None:
    assert everything.visible_to(GROUPS) is everything
    assert everything.visible_to((*GROUPS, "别的")) is everything
    assert everything.visible_to(("人事", "别的")) is everything.visible_to(["人事"])
    assert len(everything.visible_to(()).documents()) == sum(not groups_of(n) for n in range(30))


def test_an_index_of_which_nothing_may_be_seen_answers_like_an_empty_one(tmp_path, remembering: Remembering) -> None:
    hidden = pipeline_of(tmp_path / "a", [1], remembering).visible_to(())
    assert hidden.documents() == () and hidden.examples() == []
    answer = hidden.ask(questions(1)[0])
    assert answer.status == "no_evidence" and not answer.citations
    assert hidden.search(questions(1)[0]).hits == ()


# ---------------------------------------------------------------- the same at every door of the service

KEY = "一把至少三十二个字节长的共享密钥，只在测试里用"
_VARYING = re.compile(r'"(generation|id|created|timings_ms)": ?("[^"]*"|\d+|\{[^}]*\})|chatcmpl-\w+')


def doors(client: httpx.Client, everything: Pipeline) -> Iterator[tuple[str, int, str]]:
    """Every door with every notice in mind: (what was asked, status, body without times and generation)."""
    def told(name: str, response: httpx.Response) -> tuple[str, int, str]:
        return name, response.status_code, _VARYING.sub("", response.text)

    for path in ("/api/v1/documents", "/page/documents", "/readyz", "/v1/models", "/openapi.json"):
        yield told(path, client.get(path))
    for question in ("一共有多少份文件？", "2019年有哪些文件？", "青石县应急管理局发过哪些文件？", "哪些文件已经废止？", "最新的文件是哪一份？"):
        yield told(f"of the collection: {question}", client.post("/api/v1/ask", json={"question": question}))
    for entry in everything.documents():
        number = int(entry.source[-6:-4])
        yield told(f"document {number}", client.get(f"/api/v1/documents/{entry.id}"))
        yield told(f"page {number}", client.get(f"/page/documents/{entry.id}?start=0&end=9"))
        yield told(f"part {number}", client.get(f"/page/documents/{entry.id}/part?start=0&end=50&quote_start=3&quote_end=9"))
        yield told(f"original {number}", client.get(f"/api/v1/documents/{entry.id}/original?inline=true"))
        known = to_json(everything.ask(questions(number)[0]))  # somebody's who sees all
        yield told(f"export {number}", client.post("/api/v1/export", json={"answer": known, "format": "markdown"}))
        for question in questions(number)[:2]:
            message = {"messages": [{"role": "user", "content": question}]}
            yield told(f"ask {question}", client.post("/api/v1/ask", json={"question": question}))
            yield told(f"openai {question}", client.post("/v1/chat/completions", json=message))
        yield told(f"stream {question}", client.post("/api/v1/ask/stream", json={"question": question}))
        yield told(f"openai stream {question}", client.post("/v1/chat/completions", json=message | {"stream": True}))
        yield told(f"search {question}", client.post("/api/v1/search", json={"query": question}))
        if number % 2:
            yield told(f"follow-up {number}", client.post("/api/v1/ask", json={"question": "电话是多少？", "history": [question]}))
        else:
            filters = {"title": entry.meta.title or "x"}
            yield told(f"filtered {number}", client.post("/api/v1/ask", json={"question": "有什么要求？", "filters": filters}))
        yield told(f"gradio {number}", gradio_call(client, question))


def test_suggestions_and_kept_conversations_are_those_of_an_index_without_the_hidden(everything: Pipeline, references) -> None:
    for groups in ASKERS[1:]:
        asker = Asker("x", frozenset(groups))
        whole, never = Service(everything), Service(references[groups])
        request = SimpleNamespace(scope={KEY_OF_ASKER: asker})
        for n in (0, 8, 15):
            known = everything.ask(questions(n)[0])  # somebody's who sees all, put into this one's browser
            saved = json.dumps([{"question": known.question, "answer": to_json(known)}], ensure_ascii=False)
            shown = [asyncio.run(Conversation(service, lambda _: False).restore(saved, Talk(), request)) for service in (whole, never)]
            assert shown[0] == shown[1]
            answer = references[groups].ask(questions(n)[0])
            if answer.status == "answered":
                offered = [asyncio.run(follow.questions(service, asker, answer, {}, ())) for service in (whole, never)]
                assert offered[0] == offered[1]
        whole.close()
        never.close()


def gradio_call(client: httpx.Client, question: str) -> httpx.Response:
    """What gradio_client would do: the page's own way to an answer."""
    event = client.post("/gradio_api/call/ask", json={"data": [question]}).json()["event_id"]
    return client.get(f"/gradio_api/call/ask/{event}")


def test_no_door_gives_away_a_hidden_document(everything: Pipeline, references) -> None:
    count = 0
    portal = Portal(identity="token", token_key=KEY)
    with running(create_app(everything, portal)) as address:
        for groups in ASKERS[1:]:
            token = jwt.encode({"sub": "x", "aud": "wenju", "exp": 2**31, "groups": groups}, KEY, "HS256")
            bearer = {"authorization": f"Bearer {token}"}
            with running(create_app(references[groups], portal)) as other, \
                    httpx.Client(base_url=address, headers=bearer, timeout=60) as client, \
                    httpx.Client(base_url=other, headers=bearer, timeout=60) as reference:
                for got, wanted in zip(doors(client, everything), doors(reference, everything), strict=True):
                    assert got == wanted
                    count += 1
    assert count == 3 * (10 + 30 * 14)
