"""Follow-ups completed by a language model: taken only when the rules found nothing and no word is new."""

import datetime as dt
from dataclasses import replace

import pytest
from model_fakes import Writes

from rag.followups import completed, holds
from rag.generators.guard import Guard
from rag.pipeline import Pipeline

TODAY = dt.date(2023, 1, 10)
HISTORY = ("兰州市民政局2022年春节期间的值班室电话是多少？",)


@pytest.mark.parametrize(("text", "asked"), [
    ("兰州市民政局2022年春节期间的紧急联系人是谁？", "紧急联系人是谁？"),
    ("上党区2022年春节期间的值班室电话是多少？", "那上党区的呢？"),
    ("兰州市民政局2023年春节期间的值班室电话是多少？", "2023年的呢？"),
    ("兰州市民政局2023年春节期间的值班室电话是多少？", "今年的呢？"),
])
def test_what_was_asked_in_other_order_holds(text: str, asked: str) -> None:
    assert holds(text, asked, HISTORY, TODAY)


@pytest.mark.parametrize(("text", "asked"), [
    ("兰州市民政局2022年春节期间的传真是多少？", "紧急联系人是谁？"),  # a new word
    ("兰州市民政局2022年春节期间不是紧急联系人是谁？", "紧急联系人是谁？"),
    ("兰州市民政局的紧急联系人是谁？", "紧急联系人是谁？"),  # the year and the festival are gone
    ("兰州市民政局2022年春节期间的值班室电话是多少？", "那上党区的呢？"),  # another office was asked for
    ("兰州市民政局2022年春节期间的值班室电话是多少？", "2023年的呢？"),
    ("2021年兰州市民政局2022年春节期间的值班室电话是多少？", "紧急联系人是谁？"),
    ("兰州市民政局2022年春节期间的值班室电话是多少？", "他家住哪里？"),  # what a real model made of it: the question before
    ("兰州市民政局2022年春节期间的值班室电话是多少？紧急联系人是谁？", "紧急联系人是谁？"),
    ("", "紧急联系人是谁？"), ("？", "紧急联系人是谁？"), ("紧急联系人是谁？" * 30, "紧急联系人是谁？"),
])
def test_what_says_more_or_less_does_not(text: str, asked: str) -> None:
    assert not holds(text, asked, HISTORY, TODAY)


def test_only_the_first_line_counts_and_a_model_that_fails_is_no_harm() -> None:
    text = "兰州市民政局2022年春节期间的紧急联系人是谁？"
    for said, wanted in ((f"{text}\n值班室电话是0931-8826009。", text), ("紧急联系人是王峥。", ""), ("字" * 9000, "")):
        assert completed(Guard(Writes(lambda _, said=said: said), 5, 2000, 1), "紧急联系人是谁？", HISTORY, TODAY) == wanted

    def fails(_) -> str:
        raise RuntimeError

    assert completed(Guard(Writes(fails), 5, 400, 1), "紧急联系人是谁？", HISTORY, TODAY) == ""


# ---------------------------------------------------------------- in the whole

def with_writer(pipeline: Pipeline, make) -> Pipeline:
    return Pipeline(replace(pipeline.settings, generator="stub"), pipeline.index, pipeline.embedder,
                    Guard(Writes(make), 5, 400, 2))


def test_rules_come_first(pipeline: Pipeline) -> None:
    prompts: list = []
    model = with_writer(pipeline, lambda messages: prompts.append(messages) or "无。")
    model.ask("紧急联系人呢？", ["兰州市民政局的值班室电话是多少？"])
    assert prompts and not any("最后一问" in messages[-1].content for messages in prompts)


def test_a_follow_up_that_the_rules_find_nothing_for_is_completed(pipeline: Pipeline) -> None:
    history, asked = ["值班室电话是多少？", "食堂的菜谱是谁定的？"], "兰州市民政局的值班室呢？"
    plain = pipeline.ask(asked, history)
    model = with_writer(pipeline, lambda messages: "兰州市民政局的值班室电话是多少？" if "最后一问" in messages[-1].content else "无。")
    answer = model.ask(asked, history)
    assert plain.status == "no_evidence" and answer.status == "answered"
    assert "0931-8826009" in answer.answer and any("补全" in a for a in answer.interpreted.assumptions)
    assert model.ask(asked, history, generator="extractive").status == "no_evidence"


def test_a_completion_that_does_not_hold_changes_nothing(pipeline: Pipeline) -> None:
    history, asked = ["值班室电话是多少？", "食堂的菜谱是谁定的？"], "兰州市民政局的值班室呢？"
    model = with_writer(pipeline, lambda _: "吉林省春运按什么原则来组织？")
    assert replace(model.ask(asked, history), timings_ms={}) == replace(pipeline.ask(asked, history), timings_ms={})
