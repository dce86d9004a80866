"""The kind of answer a question wants: asked of a language model where the rules see none, and held to what was found."""

from dataclasses import replace

import pytest
from model_fakes import Writes

from rag.generators.guard import Guard
from rag.kinds import kind_of
from rag.pipeline import Pipeline
from rag.query import understand


def guard(make) -> Guard:
    return Guard(Writes(make), 5, 400, 2)


@pytest.mark.parametrize(("said", "passage", "form"), [
    ("数量", "共培训500名院长。", "number"),
    ("时间。", "会议于1月25日召开。", "when"),
    ("电话", "值班室电话:0931-8826009", "phone"),
    ("电话", "各单位要公布值班电话。", "general"),  # no passage has one
    ("数量、时间", "1月25日召开，共500名。", "general"),  # no single kind
    ("其他", "共培训500名院长。", "general"),
    ("我认为这个问题要的答案应该是数量", "共培训500名院长。", "general"),  # not a word
])
def test_a_kind_is_taken_where_the_passages_have_it(said: str, passage: str, form: str) -> None:
    assert kind_of(guard(lambda _: said), understand("院长培训的规模"), [passage]) == form


def test_a_model_that_fails_is_no_harm() -> None:
    def fails(_) -> str:
        raise RuntimeError

    assert kind_of(guard(fails), understand("院长培训的规模"), ["共培训500名院长。"]) == "general"


def with_writer(pipeline: Pipeline, make) -> Pipeline:
    return Pipeline(replace(pipeline.settings, generator="stub"), pipeline.index, pipeline.embedder, guard(make))


def test_the_value_comes_first_when_the_model_sees_what_is_wanted(pipeline: Pipeline) -> None:
    asked = "乡镇卫生院院长培训的规模"
    model = with_writer(pipeline, lambda messages: "数量" if "哪一种" in messages[0].content else "无。")
    answer = model.ask(asked)
    assert "500名" in answer.answer and answer.status == pipeline.ask(asked).status == "answered"
    assert model.ask(asked, generator="extractive").claims == pipeline.ask(asked).claims


def test_the_model_is_not_asked_where_the_rules_see_the_kind(pipeline: Pipeline) -> None:
    seen: list[str] = []
    model = with_writer(pipeline, lambda messages: seen.append(messages[0].content) or "无。")
    model.ask("对多少名乡镇卫生院院长进行培训？")
    model.ask("岁末年初要坚决纠治什么形式主义？")  # it says that it wants words
    assert seen and not any("哪一种" in told for told in seen)
