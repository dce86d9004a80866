"""Of a passage, the sentences that speak to the question: not the salutation, the courtesies, the signature."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag import relevance
from rag.fitted import SENTENCE, weights
from rag.index import Index
from rag.pipeline import Pipeline, build_index
from rag.query import understand

LETTER = """对甘泉市第五届人民代表大会第二次会议第31号建议的答复

建议字：〔2023〕8号
李建国等3名代表：
您提出的关于“改造东河路”的建议收悉。我局高度重视此建议的办理，现答复如下：
近年来，我局不断加大农村公路养护力度，路网覆盖率逐步提高。
经研究，东河路北段道路改造已列入年度计划，待省厅终审后于2023年9月1日开工。
感谢您对我局工作的关心、理解和支持！
2023年7月18日
领导签发：王志远
"""
FORM = """甘泉市青年论坛报名表

姓名年级
所在学校专业
电话邮箱
导师姓名职称
地址邮编
"""


@pytest.fixture(scope="module")
def letters(pipeline, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    home: Path = tmp_path_factory.mktemp("letters")
    (home / "docs").mkdir()
    for name, text in (("letter", LETTER), ("form", FORM)):
        (home / "docs" / f"{name}.txt").write_text(text, encoding="utf-8")
    settings = replace(pipeline.settings, home=home)
    build_index(settings, [home / "docs"], embedder=pipeline.embedder)
    return Pipeline(settings, Index.open(settings.index), pipeline.embedder)


def test_a_letter_is_not_poured_out(letters: Pipeline) -> None:
    answer = letters.ask("东河路北段改造什么时候开工？")
    assert "2023年9月1日" in answer.claims[0].text
    quoted = "".join(c.quote for c in answer.citations)
    assert "感谢" not in quoted and "2023年7月18日" not in quoted and "李建国等" not in quoted


def test_the_title_tells_nothing_of_the_matter(letters: Pipeline) -> None:
    answer = letters.ask("东河路北段的改造有什么安排？")
    assert answer.status == "answered" and all("第31号建议的答复" not in c.quote for c in answer.citations)


@pytest.mark.parametrize(("text", "blank"), [
    (FORM, True), ("姓名：王志远\n性别：男\n年级：三\n电话：13912345678\n", False), ("姓名和电话要如实填写。", False),
])
def test_a_form_to_be_filled_in_is_one(text: str, blank: bool) -> None:
    assert relevance.blank_form(text) is blank


def test_features_are_as_many_as_weights_and_the_best_sentence_stays() -> None:
    query = understand("什么时候开工？")
    found = relevance.features(query, ["尊敬的代表：", "道路于9月1日开工。", "特此函复。"], np.array([0.7, 0.9, 0.7]), np.array([0.0, 0.9, 0.0]), 0, False)
    assert found.shape == (3, len(SENTENCE)) and len(weights("sentence", "weights")) == len(SENTENCE)
    assert relevance.kept(query, found).tolist() == [False, True, False]
