"""The value first: when one number, date or telephone number is asked for and the best evidence holds exactly one."""

import re
from collections.abc import Sequence

from rag.query import Query
from rag.schema import Evidence, Statement
from rag.text import NUMERAL

_PHONE = re.compile(r"(?<![\d-])(?:0\d{2,3}[-－—]?\d{7,8}(?:[-转]\d{1,5})?|1[3-9]\d{9}|400-?\d{3}-?\d{4}|12\d{3}|\d{7,8})(?!\d)")
_DATE = re.compile(r"(?:\d{4}年)?\d{1,2}月\d{1,2}日(?:[0-9:：时点分]+)?|\d{4}年(?:\d{1,2}月)?|(?:上午|下午|晚上?|凌晨)?\d{1,2}[:：]\d{2}")
_UNIT = re.compile(
    r"(?:多少|几|how many)\s*(万|亿|个百分点|个工作日|小时|公里|平方米|元|项|名|人次|人|个|次|天|日|家|场|桌|条|所|部|张|户|套|年|岁|"
    r"批|份|件|支|台|辆|吨|米|分钟|种|类|处|只|间|片|座|页|分|级|期|篇|位|方面|月|周|倍|度|层|门)?")
_AMOUNT = rf"(?:\d[\d,，.]*|[{NUMERAL}百千万]+)(?:余|多)?(?:万|亿)?"


def value_of(query: Query, evidence: Sequence[Evidence]) -> Statement | None:
    """The asked-for value as the first line, or None when it is not exactly one."""
    if not evidence:
        return None
    pattern = _pattern(query)
    if pattern is None:
        return None
    for part in (evidence[0].point, evidence[0].text):
        found = {m.group().strip("，,") for m in pattern.finditer(part)}
        if len(found) == 1:
            return Statement(found.pop(), (0,))
    return None


def _pattern(query: Query) -> re.Pattern[str] | None:
    match query.form:
        case "phone":
            return _PHONE
        case "number":
            unit = _UNIT.search(query.text)
            return re.compile(rf"{_AMOUNT}{re.escape(unit.group(1))}") if unit and unit.group(1) else None
        case "when":
            return _DATE
        case _:
            return None
