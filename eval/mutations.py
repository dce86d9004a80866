"""Sentences of documents with one thing changed, and the same things said otherwise: what a verifier must tell apart.

`mutated` changes what a sentence says (a number, a date, a negation or limit, an agency, a year); `paraphrased` does not
(order of clauses, words of the project's table, a clause left out, width, numerals). Deterministic.
"""

import re
from collections.abc import Iterator

from rag.text import clauses
from rag.vocabulary import ABBREVIATIONS

_DATE = re.compile(r"\d{1,2}月\d{1,2}日|\d{1,2}日|\d{1,2}月(?!\d)")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d{2}(?=年)")
_HAN_DIGIT = re.compile(r"[二三四五六七八九](?=[十百千万年月日天个名次倍元])|(?<=[第十])[一二三四五六七八九](?=[条款项个日年月])")
_NUMBER = re.compile(r"(?<![\d.〔\[（(—-])\d+(?:\.\d+)?(?![\d年月日]|\.\d)")
_TURNED = (
    ("不得", "应当"), ("应当", "不得"), ("必须", "不得"), ("严禁", "允许"), ("禁止", "允许"), ("可以", "不得"), ("不超过", "不少于"),
    ("不少于", "不超过"), ("不低于", "不高于"), ("以上", "以下"), ("以下", "以上"), ("至少", "至多"), ("不予", "应当"), ("同意", "不同意"),
    ("日前", "日后"), ("日后", "日前"), ("上午", "下午"), ("未经", "经"), ("不能", "能"), ("提高", "降低"), ("减少", "增加"), ("严格", "不严格"),
    ("负责", "不负责"), ("按照", "不按照"), ("应", "不应"),
)
_NOT_WORD = {"以上": r"(?<=[\d一二三四五六七八九十百千万年月日元个人次倍级])以上", "以下": r"(?<=[\d一二三四五六七八九十百千万年月日元个人次倍级])以下",
             "同意": "(?<!不)同意", "应当": "(?<!不)应当", "可以": "(?<!不)可以", "应": r"(?<![不相反适供响对])应(?![当急对用届有收付该邀答诊变])",
             "负责": "(?<!不)负责(?!人)", "按照": "(?<!不)按照", "严格": "(?<!不)严格"}
_AGENCIES = ("民政", "教育", "财政", "公安", "司法", "审计", "统计", "水利", "商务", "交通运输", "生态环境", "农业农村", "医疗保障")
_AGENCY = re.compile(f"({'|'.join(_AGENCIES)})(?=局|厅|委员会|部门|行政主管部门|机关)")
_FULL = {ord(c): ord(c) + 0xFEE0 for c in "0123456789%:()"}
_HAN_DIGITS = "零一二三四五六七八九"


def mutated(sentence: str) -> Iterator[tuple[str, str]]:
    """(kind, sentence) for every kind of change that the sentence allows, at most three of a kind."""
    for kind, pattern, change in (
        ("number", _NUMBER, lambda s: _other_number(s)), ("number", _HAN_DIGIT, lambda s: "一二三四五六七八九"["一二三四五六七八九".index(s) - 4]),
        ("date", _DATE, lambda s: re.sub(r"\d+(?=日$|月$)", lambda m: str(int(m.group()) % 12 + 1), s)),
        ("year", _YEAR, lambda s: str(int(s) - 1)),
        ("agency", _AGENCY, lambda s: _AGENCIES[_AGENCIES.index(s) - 3]),
    ):
        for found in list(pattern.finditer(sentence))[:3]:
            yield kind, sentence[: found.start()] + change(found.group()) + sentence[found.end() :]
    for said, other in _TURNED:
        for found in list(re.finditer(_NOT_WORD.get(said, said), sentence))[:1]:
            yield "negation", sentence[: found.start()] + other + sentence[found.end() :]


def paraphrased(sentence: str) -> Iterator[tuple[str, str]]:
    """(kind, sentence) for every way in which the sentence can be said otherwise."""
    end = sentence[-1] if sentence[-1] in "。！？" else ""
    parts = [p.rstrip("，；。！？,;") for p in clauses(sentence)]
    if len(parts) > 2:
        yield "order", "，".join([*parts[1:], parts[0]]) + end
        yield "dropped", "，".join(parts[:-1]) + end
        yield "dropped", "，".join(parts[1:]) + end
    for short, full in ABBREVIATIONS:
        if full in sentence or short in sentence:
            yield "synonym", sentence.replace(full, short) if full in sentence else sentence.replace(short, full)
    if re.search(r"\d", sentence):
        yield "width", sentence.translate(_FULL)
    if found := re.search(r"(?<![\d.])([2-9])(?=[天日年月个名次])", sentence):
        yield "numeral", sentence[: found.start()] + _HAN_DIGITS[int(found.group())] + sentence[found.end() :]
    if found := re.search(r"(?<![一二三四五六七八九十百])([二三四五六七八九])(?=[天日年月个名次])", sentence):
        yield "numeral", sentence[: found.start()] + str(_HAN_DIGITS.index(found.group())) + sentence[found.end() :]


def _other_number(said: str) -> str:
    """A number of the same length with another last digit."""
    return said[:-1] + str((int(said[-1]) + 3) % 10 or 7)
