"""Answers that a language model writes: shown when they hold, extractive when it fails, whatever it does."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from model_fakes import (
    Scripted,
    Writes,
    copies,
    dies,
    fails,
    floods,
    hangs,
    passages,
    raw,
    says,
    scripted_server,
    sleeps,
)

from rag import prompts
from rag.citations import MARKER, problems
from rag.config import load_settings
from rag.errors import GenerationError, SettingError, UsageError
from rag.generators.guard import Guard
from rag.generators.openai import Endpoint
from rag.pipeline import Pipeline
from rag.protocols import Message
from rag.writing import whole_sentences, without_markers

QUESTION = "兰州市民政局春节期间值班要求是什么？"
ASK = (Message("user", "问"),)
SECONDS = 2


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted_server() as scripted:
        yield scripted


@pytest.fixture
def endpoint(settings, server: Scripted) -> Endpoint:
    return Endpoint(replace(settings, openai_base_url=server.address, openai_model="scripted"))


def with_model(pipeline: Pipeline, generator, at_once: int = 2) -> Pipeline:
    guard = Guard(generator, SECONDS, 400, at_once)
    return Pipeline(replace(pipeline.settings, generator=generator.name), pipeline.index, pipeline.embedder, guard)


def text_of(pipeline: Pipeline):
    return lambda id: pipeline.document(id).text


def bare(answer) -> str:
    """The answer's text without the remark about the model."""
    return answer.answer.rsplit("\n\n（", 1)[0]


# ---------------------------------------------------------------- what is shown

def test_a_good_answer_is_shown_first_and_checked(pipeline, server, endpoint) -> None:
    server.script = [copies]
    answer = with_model(pipeline, endpoint).ask(QUESTION)
    plain = pipeline.ask(QUESTION)
    assert answer.status == "answered" and answer.generator == "openai"
    assert problems(answer, text_of(pipeline)) == []
    written, _, rest = bare(answer).partition("\n\n")
    assert MARKER.search(written) and "要点" not in answer.answer
    assert rest in plain.answer  # the documents' own sentences, beneath
    assert server.requests[0]["temperature"] == 0 and server.requests[0]["max_tokens"] == 400


def test_a_stream_shows_each_sentence_once_it_holds(pipeline, server, endpoint) -> None:
    server.script = [copies]
    events = list(with_model(pipeline, endpoint).stream(QUESTION))
    said = "".join(e.text for e in events if e.kind == "delta")
    assert said == events[-1].answer.answer
    deltas = [e.text for e in events if e.kind == "delta"]
    assert deltas[0].endswith("]。") and any("语言模型写了" in e.text for e in events if e.kind == "status")


def test_nothing_unchecked_is_ever_streamed(pipeline, server, endpoint) -> None:
    invented = "值班人员每天发给补贴999元[1]。春节期间不得安排值班[1]。值班电话0931-8826008[1]。"
    server.script = [says(invented)]
    events = list(with_model(pipeline, endpoint).stream(QUESTION))
    said = "".join(e.text for e in events if e.kind == "delta")
    assert not any(word in said for word in ("999", "8826008", "不得安排"))
    assert "核对不上" in events[-1].answer.answer and events[-1].answer.generator == "extractive"


def test_refusals_are_decided_before_the_model_is_asked(pipeline, server, endpoint) -> None:
    server.script = [says("放假三天[1]。")]
    asked = "2025年端午节放假几天？"
    assert replace(with_model(pipeline, endpoint).ask(asked), timings_ms={}) == replace(pipeline.ask(asked), timings_ms={})
    assert server.requests == []


def test_a_model_that_finds_nothing_leaves_the_extractive_answer(pipeline, server, endpoint) -> None:
    server.script = [says(f"{prompts.NOTHING}。")]
    answer = with_model(pipeline, endpoint).ask(QUESTION)
    assert bare(answer) == pipeline.ask(QUESTION).answer and "没有直接回答" in answer.answer


def test_numbers_of_the_prompt_are_those_of_the_answer(pipeline) -> None:
    prompted: list[Sequence[Message]] = []
    model = with_model(pipeline, Writes(lambda messages: prompted.append(messages) or "无。"))
    answer = model.ask(QUESTION)
    shown = dict(passages(prompted[0][-1].content))
    assert shown and all(prompts.as_data(answer.citations[n - 1].quote) == text for n, text in shown.items())


def test_a_question_may_ask_for_the_extractive_answer_and_for_nothing_that_is_not_set_up(pipeline, server, endpoint) -> None:
    server.script = [copies]
    model = with_model(pipeline, endpoint)
    assert model.ask(QUESTION, generator="extractive").answer == pipeline.ask(QUESTION).answer
    assert server.requests == []
    with pytest.raises(UsageError, match="openai"):
        pipeline.ask(QUESTION, generator="openai")


def test_what_the_documents_would_say_for_the_model_is_not_better_than_the_extractive_answer(pipeline) -> None:
    model = with_model(pipeline, Writes(lambda _: "对重要舆情要三小时内报告市民政局值班室[1]。"))
    answer = model.ask(QUESTION)
    assert [c["outcome"] for c in model.explain(QUESTION)["written"]] == ["replaced"]
    assert bare(answer) == pipeline.ask(QUESTION).answer and answer.generator == "extractive"


def test_a_value_that_is_asked_for_stays_when_the_model_does_not_say_it(pipeline) -> None:
    question = "兰州市民政局值班室电话是多少？"
    value, _, rest = pipeline.ask(question).answer.partition("\n\n")
    said = {"兰州市民政局春节期间值班室电话由专人值守。": False, "值班室电话：0931-8826009。": True}
    for text, whole in said.items():
        answer = bare(with_model(pipeline, Writes(lambda _, text=text: text)).ask(question))
        assert answer.endswith(rest) and (value in answer) is not whole


@pytest.mark.parametrize("written", ["兰民发〔2021〕239号。", "239号", "2021年12月31日。"])
def test_a_bare_value_that_the_documents_point_is_not_is_not_taken(pipeline, written: str) -> None:
    question = "市安委办关于岁末年初安全防范的文件是哪个文号？"
    assert with_model(pipeline, Writes(lambda _: written)).ask(question).answer.startswith(pipeline.ask(question).answer)


def test_a_complete_list_is_not_rewritten(pipeline, server, endpoint) -> None:
    server.script = [copies]
    question = "兰州市民政局在关爱困难群众方面提出了哪七项要求？"
    assert with_model(pipeline, endpoint).ask(question).answer == pipeline.ask(question).answer
    assert server.requests == []


def test_what_became_of_each_sentence_is_told_on_request(pipeline, server, endpoint) -> None:
    server.script = [says("值班补贴每天999元[1]。")]
    told = with_model(pipeline, endpoint).explain(QUESTION)["written"]
    assert [c["outcome"] for c in told] == ["dropped"] and told[0]["why"]


# ---------------------------------------------------------------- a server that misbehaves

@pytest.mark.parametrize("behaviour", [
    dies("值班"), hangs, sleeps, fails(500), fails(401), raw(b"data: {not json\n\n"), raw(b"data: [1,2]\n\n"),
    raw(b"<html>", "text/html"), raw(b""), raw(b"\x00\xff" * 100), raw(b'data: {"choices":[{"delta":{"content":7}}]}\n\n'),
    raw(b"data: " + b"[" * 100_000 + b"\n\n"), floods, says("端午节放假三天，共拨款五亿元[1]。请注意查收[2]。"), says(""),
    says("同样的话" * 2000),
], ids=["dies", "hangs", "sleeps", "500", "401", "no json", "no object", "html", "nothing", "binary", "no text", "deep",
        "10 MB", "another question's answer", "empty", "endless"])
def test_the_extractive_answer_is_given_whatever_the_server_does(pipeline, server, endpoint, behaviour) -> None:
    server.script = [behaviour]
    began = time.monotonic()
    answer = with_model(pipeline, endpoint).ask(QUESTION)
    assert time.monotonic() - began < SECONDS + 3
    assert bare(answer) == pipeline.ask(QUESTION).answer
    assert answer.generator == "extractive" and answer.answer.rsplit("\n\n", 1)[1].startswith(("（语言模型", "（模型服务"))


def test_what_was_written_before_the_server_died_stays_and_the_point_with_it(pipeline, server, endpoint) -> None:
    prompted: list[str] = []

    def begins_well(handler, messages) -> None:
        prompted.append(messages[-1]["content"])
        first = passages(messages[-1]["content"])[0][1].split("。")[0]
        dies(f"{first}[1]。另外，")(handler, messages)

    server.script = [begins_well]
    events = list(with_model(pipeline, endpoint).stream(QUESTION))
    answer = events[-1].answer
    assert "".join(e.text for e in events if e.kind == "delta") == answer.answer
    assert pipeline.ask(QUESTION).answer in answer.answer and "断开" in answer.answer
    assert problems(answer, text_of(pipeline)) == [] and answer.generator == "openai"


def test_a_request_that_fails_is_tried_again(server, endpoint) -> None:
    server.script = [fails(503), fails(429), says("好[1]。")]
    assert "".join(endpoint.write(ASK, time.monotonic() + 10)) == "好[1]。"
    assert len(server.requests) == 3


def test_a_request_that_is_refused_is_not_tried_again(server, endpoint) -> None:
    server.script = [fails(401), says("好。")]
    with pytest.raises(GenerationError, match="401"):
        list(endpoint.write(ASK, time.monotonic() + 10))
    assert len(server.requests) == 1


def test_a_server_that_sends_no_end_mark_or_does_not_stream_is_understood(server, endpoint) -> None:
    server.script = [says("好。", done=False),
                     raw('{"choices":[{"message":{"content":"也好。"},"finish_reason":"stop"}]}'.encode(), "application/json")]
    assert "".join(endpoint.write(ASK, time.monotonic() + 5)) == "好。"
    assert "".join(endpoint.write(ASK, time.monotonic() + 5)) == "也好。"


def test_the_key_comes_from_the_environment_alone(settings, server, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("WENJU_OPENAI_API_KEY", "k-123")
    server.script = [says("好。")]
    list(Endpoint(replace(settings, openai_base_url=server.address, openai_model="m")).write(ASK, time.monotonic() + 5))
    assert server.keys == ["Bearer k-123"]
    assert "k-123" not in repr(load_settings({}, tmp_path))
    (tmp_path / "wenju.toml").write_text('[openai]\napi_key = "k"\n', encoding="utf-8")
    with pytest.raises(SettingError, match="密钥"):
        load_settings({}, tmp_path)


# ---------------------------------------------------------------- the guard

class Slow:
    name, digest = "slow", ""

    def __init__(self) -> None:
        self.go, self.closed = threading.Event(), threading.Event()

    def write(self, messages, deadline) -> Iterator[str]:
        try:
            yield "一"
            while not self.go.wait(0.01):
                yield ""
            yield "二"
        finally:
            self.closed.set()


def test_one_answer_too_many_is_not_waited_for() -> None:
    slow = Slow()
    guard = Guard(slow, 10, 400, at_once=1)
    first = guard.write(ASK)
    assert next(first) == "一"
    with pytest.raises(GenerationError, match="正忙"):
        next(guard.write(ASK))
    slow.go.set()
    assert "".join(first) == "二"


def test_a_reader_who_leaves_stops_the_model_and_frees_its_place() -> None:
    slow = Slow()
    guard = Guard(slow, 10, 400, at_once=1)
    reading = guard.write(ASK)
    next(reading)
    reading.close()
    assert slow.closed.wait(5)
    slow.go.set()
    assert "".join(_soon(guard)) == "一二"


def _soon(guard: Guard) -> list[str]:
    """What is written as soon as the place is free."""
    for _ in range(500):
        try:
            return list(guard.write(ASK))
        except GenerationError:
            time.sleep(0.01)
    raise AssertionError("the place is never freed")


def test_a_model_that_keeps_failing_is_left_alone_then_tried_once(monkeypatch) -> None:
    calls, well = [], []

    def make(_) -> str:
        calls.append(1)
        if not well:
            raise RuntimeError("broken")
        return "好"

    guard = Guard(Writes(make), 10, 400, at_once=4)
    for _ in range(3):
        with pytest.raises(GenerationError, match="RuntimeError"):
            list(guard.write(ASK))
    with pytest.raises(GenerationError, match="暂时停用"):
        list(guard.write(ASK))
    assert len(calls) == 3
    now = time.monotonic
    monkeypatch.setattr("rag.generators.guard.time.monotonic", lambda: now() + 31)
    with pytest.raises(GenerationError, match="RuntimeError"):
        list(guard.write(ASK))
    with pytest.raises(GenerationError, match="暂时停用"):
        list(guard.write(ASK))
    well.append(1)
    monkeypatch.setattr("rag.generators.guard.time.monotonic", lambda: now() + 31 + 61)
    assert list(guard.write(ASK)) == ["好"]
    assert list(guard.write(ASK)) == ["好"] and len(calls) == 6


# ---------------------------------------------------------------- text in pieces

@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_sentences_come_out_whole_with_their_markers(size: int) -> None:
    text = "第一，值班[1]。第二句。[2] [3]他说“好。真好。”[4]。\n- 第四句[1,2]\n没有写完"
    pieces = (text[at : at + size] for at in range(0, len(text), size))
    found = [without_markers(s) for s in whole_sentences(pieces)]
    assert [s for s in found if s[0]] == [("第一，值班。", [1]), ("第二句。", [2, 3]), ("他说“好。真好。”。", [4]), ("第四句", [1, 2])]


def test_a_lone_part_without_an_end_is_a_sentence() -> None:
    assert list(whole_sentences(iter(["0931-88", "26009[1]"]))) == ["0931-8826009[1]"]


def test_what_the_limit_of_length_cut_off_is_no_sentence() -> None:
    assert list(whole_sentences(iter(["根据市政府办公室关于做好元旦春节期间有关工作的通知和省民政厅的要求，全市养老机构等重点场所实行"]))) == []


def test_marks_of_the_document_are_no_markers() -> None:
    assert without_markers("兰民发〔2021〕239号【资料2】规定[10]") == ("兰民发〔2021〕239号规定", [2, 10])
