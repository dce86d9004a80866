"""Questions that lean on the one before them: completed by rule, and only where that is surer."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from rag.conversation import followed
from rag.index import Index
from rag.pipeline import Pipeline, build_index

TODAY = dt.date(2023, 1, 10)
PERMIT = """食品小作坊登记证办理指南

一、申请材料
申请食品小作坊登记证，应当提交下列材料：
（一）申请表；
（二）负责人身份证明。
二、办理时限
自受理食品小作坊登记证申请之日起五个工作日内作出许可决定。
三、收费
办理食品小作坊登记证不收取费用。

甘泉市市场监督管理局
2022年3月1日
"""
POOL = """甘泉市游泳馆开放公告

一、开放时间
游泳馆每天9:00至21:00开放。
二、收费标准
游泳馆向入馆人员收费，成人每人每次30元。

甘泉市体育中心
2022年5月1日
"""


@pytest.mark.parametrize(("question", "history", "standalone"), [
    ("那兰州呢？", ["吉林省春节期间值班要求是什么？"], "兰州春节期间值班要求是什么？"),
    ("吉林呢？", ["兰州市民政局2022年春节怎么值班？"], "吉林2022年春节怎么值班？"),
    ("那2013年呢？", ["2012年国庆节放假几天？"], "2013年国庆节放假几天？"),
    ("那春节呢？", ["2014年国庆节放假几天？"], "2014年春节放假几天？"),
    ("第二条具体怎么说？", ["《农民专业合作社法》第一条的内容"], "《农民专业合作社法》第二条具体怎么说？"),
    ("第三项具体怎么说？", ["无废城市试点的主要任务有哪些？"], "无废城市试点的主要任务第三项具体怎么说？"),
    ("国庆节放假几天？", ["兰州市民政局的值班电话是多少？"], "国庆节放假几天？"),
])
def test_what_plainly_leans_is_completed(question: str, history: list[str], standalone: str) -> None:
    assert followed(question, history, TODAY).text == standalone


@pytest.mark.parametrize(("question", "history", "ways"), [
    ("要收费吗？", ["零售许可证要什么材料？"], ("零售许可证要收费吗？", "零售要收费吗？")),
    ("怎么申请？", ["人才公寓租金是多少？"], ("人才公寓租金怎么申请？", "人才公寓怎么申请？")),
    ("多少天能办好？", ["零售许可证要什么材料？", "要收费吗？"], ("零售许可证多少天能办好？", "零售多少天能办好？")),
    ("2025年的指标有多少？", ["积分制入户需要什么条件？"], ("积分制入户2025年的指标有多少？", "积分制2025年的指标有多少？")),
    ("哪天上班？", ["2014年国庆节放假几天？", "那春节呢？"], ("2014年春节放假哪天上班？", "2014年春节哪天上班？")),
])
def test_what_says_little_may_lean(question: str, history: list[str], ways: tuple[str, ...]) -> None:
    query = followed(question, history, TODAY)
    assert query.text == question and query.completed == ways


@pytest.mark.parametrize("question", ["兰州有什么条件？", "旷工怎么处理？", "护照遗失后怎么补办？"])
def test_what_has_a_topic_of_its_own_does_not(question: str) -> None:
    assert followed(question, ["人才公寓租金是多少？"], TODAY).completed == ()


def test_earlier_questions_that_say_nothing_are_passed_over() -> None:
    assert followed("那兰州呢？", ["吉林春节怎么值班？", "？"], TODAY).text == "兰州春节怎么值班？"


@pytest.fixture(scope="module")
def guides(pipeline, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    home: Path = tmp_path_factory.mktemp("guides")
    for name, text in (("permit", PERMIT), ("pool", POOL)):
        (home / "docs").mkdir(exist_ok=True)
        (home / "docs" / f"{name}.txt").write_text(text, encoding="utf-8")
    settings = replace(pipeline.settings, home=home)
    build_index(settings, [home / "docs"], embedder=pipeline.embedder)
    return Pipeline(settings, Index.open(settings.index), pipeline.embedder)


def test_a_short_question_is_asked_of_the_topic_before_it(guides: Pipeline) -> None:
    alone, after = guides.ask("要收费吗？"), guides.ask("要收费吗？", ["食品小作坊登记证要什么材料？"])
    assert "30元" in alone.answer or alone.status != "answered"
    assert after.claims[0].text.startswith("不需要") and "不收取费用" in after.claims[0].text
    assert after.interpreted.standalone_question.startswith("食品小作坊登记证")
    assert {c.source.rsplit("/", 1)[-1] for c in after.citations} == {"permit.txt"}


def test_it_is_asked_of_the_topic_over_several_turns(guides: Pipeline) -> None:
    answer = guides.ask("多少天能办好？", ["食品小作坊登记证要什么材料？", "要收费吗？"])
    assert "五个工作日内" in answer.claims[0].text


def test_a_new_topic_drops_what_was_said(guides: Pipeline) -> None:
    answer = guides.ask("游泳馆成人票多少钱？", ["食品小作坊登记证要什么材料？"])
    assert answer.claims[0].text == "每人每次30元"


def test_what_the_document_before_does_not_say_is_not_asked_of_it(guides: Pipeline) -> None:
    assert guides.ask("宠物能带吗？", ["食品小作坊登记证要什么材料？"]).status == "no_evidence"
