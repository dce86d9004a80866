"""The kind of value a question asks for (an amount, a date, a telephone number) and where a text has one."""

import re

from rag.query import Query
from rag.text import NUMERAL

_PHONE = re.compile(
    r"(?<![\d-])(?:0\d{2,3}[-－—]?\d{7,8}(?:[-转]\d{1,5})?|1[3-9]\d{9}|400-?\d{3}-?\d{4}|12\d{3}|\d{7,8})(?!\d)"
)
_DATE = re.compile(
    r"(?:\d{4}年)?\d{1,2}月(?:\d{1,2}[日号])?(?:[0-9:：时点分]+)?|\d{4}年(?:\d{1,2}月)?|\d{1,2}[日号]|"
    r"(?:上午|下午|晚上?|凌晨)?\d{1,2}[:：]\d{2}"
)
_UNITS = (
    "万|亿|个百分点|个工作日|小时|公里|平方米|元|项|名|人次|人|个|次|天|日|例|起|亩|头|册|家|场|桌|条|所|部|张|户|套|年|岁|批|份|件|支|台|辆|吨|米|"
    "分钟|种|类|处|只|间|片|座|页|分|级|期|篇|位|方面|月|周|倍|度|层|门"
)
_ALIKE = ("人名位", "个处家所间座")
"""Measure words that a question and a text use for the same things."""
_COUNTED_OFF = ("种", "类", "方面", "个", "项", "条")
"""What a text may list without saying how many."""
_ASKED_UNIT = re.compile(rf"(?:多少|(?<![\d十百千万好])几)\s*({_UNITS})?")
_MONEY = re.compile(
    r"多少钱|多少(?:万|亿)?元|几(?:百|千|万)?元|(?:租金|价格|票价|学费|费用|工资|保费|押金|(?:低保|保障|补助|补贴|津贴|收费|缴费|资助|救助|扣除)标准)[^，。？]{0,4}多少(?!人|名|户|家|次)"
    r"|(?:罚|补助|补贴|资助|奖励|发|付|收费|费用|扣除|交|缴)[^，。？]{0,6}多少(?!人|名|户|家|次|[天年月])")
_SUM_ASKED = re.compile(r"多少钱|多少(?:万|亿)?元|几(?:百|千|万)?元")
_AMOUNT = rf"(?:\d[\d,，.]*|[{NUMERAL}百千万]+)(?:余|多)?(?:万|亿)?"
_ANY_NUMBER = re.compile(rf"\d|[{NUMERAL}]{{2,}}|[{NUMERAL}](?={_UNITS})")


def asked_for(query: Query) -> re.Pattern[str] | None:
    """The shape of the value the question asks for, None when it asks for none that has a shape."""
    if query.form == "phone":
        return _PHONE
    if _MONEY.search(query.text):
        return re.compile(rf"{_AMOUNT}元" if _SUM_ASKED.search(query.text) else rf"{_AMOUNT}(?:元|%|万|亿)|百分之|[一二三四五六七八九]分之")
    if query.form == "number":
        unit = _ASKED_UNIT.search(query.text)
        if not (unit and unit.group(1)) or unit.group(1) in _COUNTED_OFF:
            return _ANY_NUMBER
        same = next((f"[{alike}]" for alike in _ALIKE if unit.group(1) in alike), re.escape(unit.group(1)))
        same = "周?岁" if unit.group(1) == "岁" else same
        return re.compile(rf"{_AMOUNT}{same}")
    if query.form == "when":
        return _DATE
    return None


def kind_asked(query: Query) -> str:
    """The kind of value that is asked for, in Chinese."""
    if query.form == "phone":
        return "电话号码"
    if _MONEY.search(query.text):
        return "金额"
    return {"number": "数量", "when": "时间"}.get(query.form, "所问的内容")


def has_value(query: Query, text: str) -> bool:
    """Whether the text has a value of the kind that is asked for."""
    pattern = asked_for(query)
    return pattern is not None and any(_new(query, m.group()) for m in pattern.finditer(text))


def _new(query: Query, value: str) -> bool:
    """Whether the question does not say the value itself: the year it asks about is not the date it asks for."""
    return query.form != "when" or value not in query.text


def single_value(query: Query, text: str) -> str | None:
    """The asked-for value when `text` holds exactly one of its shape."""
    pattern = asked_for(query)
    if pattern is None or pattern is _ANY_NUMBER:
        return None
    found = {m.group().strip("，,") for m in pattern.finditer(text) if _new(query, m.group())}
    return found.pop() if len(found) == 1 else None
