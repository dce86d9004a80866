"""Yes and no: said only where the document is plain about it."""

import pytest

from rag.verdicts import verdict


@pytest.mark.parametrize(("question", "clause", "said"), [
    ("春节期间可以燃放烟花爆竹吗？", "禁止燃放烟花爆竹", "不可以"),
    ("主要负责同志能不能同时离开本地区？", "原则上不同时离开本地区", "原则上不可以"),
    ("可以申请延期吗？", "可以申请延期缴纳", "可以"),
    ("外出要不要报备？", "外出须提前报备", "需要"),
    ("还需要核酸证明吗？", "不再要求提供核酸检测证明", "不需要"),
    ("办证要收费吗？", "办证不收取费用", "不需要"),
])
def test_a_plain_clause_gives_its_verdict(question: str, clause: str, said: str) -> None:
    assert verdict(question, clause) == said


@pytest.mark.parametrize(("question", "clause"), [
    ("春节要不要值班？", "实行24小时值班"),  # neither word
    ("可以探视吗？", "原则上不得探视，确有需要的可以预约"),  # both
    ("不能出省吗？", "不得出省"),  # the question denies
    ("可以燃放烟花吗？", "燃放烟花应当报备"),  # another kind of rule
    ("什么时候放假？", "不得放假"),  # no such question
    ("零售许可证要收费吗？", "零售许可证的持证人应当在核定的地址经营"),  # of something else
])
def test_silence_where_it_is_not_plain(question: str, clause: str) -> None:
    assert verdict(question, clause) == ""
