"""The first line: clauses that say the point, none that waits for what follows."""

from dataclasses import replace

import numpy as np
import pytest

from eval.metrics.inclusion import first_line, says
from rag import points
from rag.fitted import POINT, weights
from rag.index import Index
from rag.pipeline import Pipeline, build_index
from rag.query import understand
from rag.text import bigrams, clauses, normalise

NOTICE = """甘泉市商务局关于稳定商务发展有关措施的通知

各有关单位：
一、展会
对于因疫情影响暂停举办的展会项目，如年内继续举办且参展企业超过总数50%的，按照不超过实际场租费用50%的标准给予支持，补助金额不超过50万元。各有关单位要认真学习领会。
二、值守
节日期间，严格执行24小时专人值班制度，确保联系畅通。直接服务群众的单位要安排好节日期间值班执勤。
三、房租
为进一步减轻企业负担，根据有关规定，经研究，承租市属房产的中小企业免收两个月房租。

甘泉市商务局
2023年1月10日
"""
TEXT = NOTICE.split("一、展会\n")[1].split("\n")[0]


@pytest.fixture(scope="module")
def notices(pipeline, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    home = tmp_path_factory.mktemp("points")
    (home / "docs").mkdir()
    (home / "docs" / "notice.txt").write_text(NOTICE, encoding="utf-8")
    own = replace(pipeline.settings, home=home)
    build_index(own, [home / "docs"], embedder=pipeline.embedder)
    return Pipeline(own, Index.open(own.index), pipeline.embedder)


def runs_of(question: str, text: str) -> points.Runs:
    query, parts = understand(question), clauses(text)
    pairs = list(dict.fromkeys(bigrams(query.text)))
    said = np.array([[pair in normalise(part) for pair in pairs] for part in parts])
    return points.runs(query, parts, said, np.full(len(pairs), 1 / len(pairs)))


def test_no_run_waits_for_what_follows() -> None:
    found = runs_of("暂停举办的展会项目有什么支持？", TEXT)
    assert found.features.shape == (len(found.texts), len(POINT)) == (len(found.texts), len(weights("point", "weights")))
    assert not any(text.endswith(("展会项目，", "50%的，")) for text in found.texts)
    assert not any(text.startswith(("如年内", "按照不超过")) for text in found.texts), "they hang on what stands before them"
    assert runs_of("房租", "为减轻企业负担，根据有关规定，免收两个月房租。").texts == ("免收两个月房租。",)
    assert "根据有关规定，免收两个月房租。" in runs_of("根据什么规定？", "为减轻企业负担，根据有关规定，免收两个月房租。").texts
    assert runs_of("房租", "收到申请的，").texts == ("收到申请的，",), "where all of it waits, all of it"


@pytest.mark.parametrize(("question", "says", "not_"), [
    ("对于因疫情影响暂停举办的展会项目有何支持政策？", "按照不超过实际场租费用50%的标准给予支持，补助金额不超过50万元", "认真学习"),
    ("直接服务群众的单位值班怎么安排？", "直接服务群众的单位要安排好节日期间值班执勤", "24小时"),
    ("中小企业房租怎么减免？", "免收两个月房租", "根据有关规定"),
])
def test_the_first_line_answers(notices: Pipeline, question: str, says: str, not_: str) -> None:
    line = notices.ask(question).answer.splitlines()[0]
    assert says in line and not_ not in line


def test_an_item_of_a_list_is_called_by_its_beginning() -> None:
    assert points.name("1. 加强领导，各县区要成立专班。") == "加强领导"
    assert points.name("（二）收到申请的，五日内答复。") == "收到申请的，五日内答复"
    assert points.name("") == ""


def test_what_a_first_line_says() -> None:
    assert says("补助不超过50万元，见附件", ["不超过 50 万元"]) == 1.0
    assert says("补助金额", ["不超过50万元"]) == 0.0
    assert first_line("**要点：** 5桌[1]。\n\n举办5桌以上宴会", ["5桌"]) == 1.0
    assert says("5桌以上", ["举办5桌以上宴会等聚餐活动的，需向居委会报备"]) < 0.7, "a part of it"
    assert first_line("以上\n举办5桌以上宴会", ["举办5桌以上宴会"]) == 0.0 == first_line("", ["5桌"])
    assert first_line("**要点：** 5桌以上[1]。", ["举办5桌以上宴会等聚餐活动的，需向居委会报备"], ["5桌"]) == 1.0
