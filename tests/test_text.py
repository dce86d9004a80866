"""Chinese text: forms, sentences, tokens, numerals."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.citations import exact_values
from rag.text import bigrams, clauses, compact, normalise, number, readable, sentences, words


def cut(text: str) -> list[str]:
    return [text[s.start : s.end] for s in sentences(text)]


@pytest.mark.parametrize("whole", [
    "补助3.5万元，12.6亿元已到位。",
    "自2023.1.1起执行。",
    "值班电话0931-8826009。",
    "根据《关于做好工作。的通知》要求落实。",
    "他说：“先救人。再报告！”大家照办。",
    "（一）严格值班（含夜班。周末）制度。",
])
def test_never_cuts_inside(whole: str) -> None:
    assert cut(whole) == [whole]


def test_cuts_at_sentence_ends_and_lines() -> None:
    assert cut("要值班。要带班！\n电话：1\n\n落款") == ["要值班。", "要带班！", "电话：1", "落款"]


def test_unclosed_bracket_does_not_swallow_the_rest() -> None:
    assert len(cut("（一、加强值班。二、加强带班。三、报告。")) == 3


@given(st.text(alphabet="值班。！？“”（）《》\n 12.a", max_size=80))
def test_sentences_are_ordered_and_lose_only_white_space(text: str) -> None:
    spans = list(sentences(text))
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert compact("".join(text[s.start : s.end] for s in spans)) == compact(text)


@given(st.text(alphabet="值班，,；。“”（）\n 1234", max_size=80))
def test_clauses_lose_only_white_space(text: str) -> None:
    assert compact("".join(clauses(text))) == compact(text)


def test_clauses_keep_numbers_and_quotes_whole() -> None:
    assert clauses("拨付10,000元，用于“一、二级,市场”建设；其余另定。") == ["拨付10,000元，", "用于“一、二级,市场”建设；", "其余另定。"]


@given(st.text(max_size=200))
def test_readable_changes_white_space_only(text: str) -> None:
    assert compact(readable(text)) == compact(text)


def test_readable_joins_broken_lines() -> None:
    assert readable("召开安全生\n产 专题会议 2023 年\nOpen Source") == "召开安全生产专题会议2023年Open Source"


def test_normalise_unifies_width_script_and_case() -> None:
    assert normalise("蘭州ＰＣＲ２４") == "兰州pcr24"


def test_tokens() -> None:
    assert bigrams("24小时值班PCR") == ["24", "小时", "时值", "值班", "pcr"]
    assert {"领导", "干部", "带班", "制度"} <= set(words("领导干部带班制度"))


@pytest.mark.parametrize(("numeral", "value"), [
    ("二十三", 23), ("十", 10), ("一百零八", 108), ("二〇二三", 2023), ("１２", 12), ("三万五千", 35000), ("值班", None), ("", None),
])
def test_number(numeral: str, value: int | None) -> None:
    assert number(numeral) == value


def test_the_blank_after_a_label_stays_before_a_number() -> None:
    assert readable("2. 5月6日\n正常上班") == "2. 5月6日正常上班" and readable("2. 正常 上班") == "2.正常上班"
    assert exact_values("2. 5月6日") == {"2", "5", "6"} and "2.5" in exact_values("增长2.5%".replace("%", ""))
