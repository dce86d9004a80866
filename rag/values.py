"""The kind of value a question asks for (an amount, a date, a telephone number) and where a text has one."""

import re
from functools import lru_cache

from rag.query import Query
from rag.text import HAN, NUMERAL
from rag.verdicts import verdict

_PHONE = re.compile(
    r"(?<![\d-])(?:0\d{2,3}[-－—]?\d{7,8}(?:[-转]\d{1,5})?|1[3-9]\d{9}|400-?\d{3}-?\d{4}|(?:12|95|96)\d{3}|100(?:00|10|86)|\d{7,8})(?!\d)"
)
_MOBILE = re.compile(r"(?<![\d-])1[3-9]\d{9}(?!\d)")
DATE = re.compile(
    r"(?:\d{4}年)?\d{1,2}月(?:\d{1,2}[日号])?(?:[0-9:：时点分]+)?|(?<![〕\]）)第字\d])\d{1,2}[日号](?![楼线院文令门馆厅])|"
    r"(?:上午|下午|晚上?|凌晨)?\d{1,2}[:：]\d{2}"
)
_WHEN = re.compile(
    DATE.pattern + r"|到\d{4}年|\d{4}年(?:底|末|初|[之以]?前|起|开始)|[\d一二三四五六七八九十]+个?(?:工作日|自然日|日|天|小时|月|年)[之以]?内")
"""A date, or what says less exactly when."""
_DEADLINE_ASKED = re.compile("截止|最晚|最迟|期限|(?:什么时候|何时|哪天|几[号日])[之以]?前|到(?:什么时候|何时|哪天|几[号日])")
_DEADLINE = re.compile(rf"(?:截止|截至|至|到|—|-|～|~)[^，,。；;\d]{{0,8}}(?:{DATE.pattern})|(?:{DATE.pattern})[^，,。；;\d]{{0,6}}[之以]?前|(?:{DATE.pattern})[^，,。；;\d]{{0,3}}(?:截止|止)")
"""A date until which, or before which."""
_YEAR_OR_DATE = re.compile(DATE.pattern + r"|\d{4}年")
_YEAR_ASKED = re.compile(r"哪一?年|几几年|什么年份")
_UNITS = (
    "万|亿|个百分点|个工作日|小时|公里|平方米|元|项|名|人次|人|个|次|天|日|例|起|亩|头|册|家|场|桌|条|所|部|张|户|套|年|岁|批|份|件|支|台|辆|吨|米|"
    "分钟|种|类|处|只|间|片|座|页|分|级|期|篇|位|方面|月|周|倍|度|层|门"
)
_ALIKE = ("人名位", "个处家所间座")
"""Measure words that a question and a text use for the same things."""
_COUNTED_OFF = ("种", "类", "方面", "个", "项", "条", "档")
"""What a text may list without saying how many."""
_ASKED_UNIT = re.compile(rf"(?:多少|(?<![\d十百千万好])几)\s*({_UNITS})?")
_MONEY = re.compile(
    r"多少钱|多少(?:万|亿)?元|几(?:百|千|万)?元|(?:租金|价格|票价|学费|费用|工资|保费|押金|(?:低保|保障|补助|补贴|津贴|收费|缴费|资助|救助|扣除)标准)[^，。？]{0,4}多少(?!人|名|户|家|次)"
    r"|多少(?:直接|间接)?(?:经济)?(?:损失|投资|资金|经费|预算|收入|产值|奖金|补贴|补助|津贴)|(?:损失|投资|预算|经费|产值|造价|总价)[^，。？]{0,4}多少(?!人|名|户|家|次|[天年月])"
    r"|(?:罚|补助|补贴|资助|奖励|发|付|收费|费用|扣除?|交|缴)[^，。？]{0,6}多少(?!人|名|户|家|次|[天年月])")
_MONEY_IN_ENGLISH = re.compile(r"how much (?:money|does|do|is|are|will)|\b(?:amount|price|fee|fine|subsidy|salary|wage)s?\b[^?]*\bhow much|(?:what|which)\b[^?]{0,20}\b(?:amount|price|cost|fee|salary|allowance)\b", re.I)
_SUM_ASKED = re.compile(r"多少钱|多少(?:万|亿)?元|几(?:百|千|万)?元")
_THING = re.compile(rf"([{HAN}]{{2}})(?:标准)?(?:是|为|要|有|收)?多少(?:钱|元)?[？?]?$")
_SECTION_ASKED = re.compile(
    "(目标|原则|任务|范围|对象|条件|职责|目的|意义|依据|标准|时间|地点|期限|背景|思路|方式|程序|流程|内容)(?:都|分别|具体)?(?:是|有|包括|为)(?:什么|哪些|啥|哪里|多少)")
_AMOUNT = rf"(?:\d[\d,，.]*|[{NUMERAL}百千万]+)(?:余|多)?(?:万|亿)?"
_ANY_NUMBER = re.compile(rf"\d|[{NUMERAL}]{{2,}}|[{NUMERAL}](?={_UNITS})")
_BOUND_BEFORE = "(?:每(?:个子女|人|名|位|个|户|家|月|年|天|日|次|件|吨|小时|平方米|学期|学年))*(?:不超过|不得超过|不少于|不得少于|不低于|不高于|至少|至多|最多|超过|约|近)?"
_BOUND_AFTER = "(?:[之及]?以[上下]|左右|[之以]?[内前]|起)?"
PENALTY = "怎么处罚"
"""What `kind_asked` calls a penalty."""
_PENALTY_ASKED = re.compile(r"(?:怎么|如何|怎样|什么|哪些|何种|受到?|给予)(?:的)?(?:处罚|处分|惩罚|惩处)|怎么罚|罚多少|判几年|判多少年|判多久|怎么判")
_SENTENCE_ASKED = re.compile("判")
_PENALTY = re.compile(r"处以|处[一二三四五六七八九十百千万拘0-9]|罚款|罚金|责令|警告|拘留|拘役|徒刑|记过|降级|降职|撤职|开除|吊销|没收|追究|处分|处罚|问责|取消|撤销|失信|信用|追缴|退回|不予|扣[\d一二三四五六七八九十]+分")
_SENTENCE = re.compile("徒刑|拘役|死刑|管制|罚金")
LASTING = re.compile(r"多久|多长时间|几个?小时|多少小时|几分钟")
HOW_LONG = re.compile(
    rf"[\d{NUMERAL}半]\s*(?:余|多)?个?(?:工作日|自然日|天|日|小时|分钟|周|星期|月|年|季度|学期)|立即|及时|随时|马上|即时|即刻|当[天日]|第一时间|长期|永久|终身|截止|为止|届满|有效期|[自从]\S{0,40}[至起]")
"""How long something takes or lasts: what asks for it, and what says it."""


@lru_cache(maxsize=256)
def asked_for(query: Query) -> re.Pattern[str] | None:
    """The shape of the value the question asks for, None when it asks for none that has a shape."""
    if query.form == "phone":
        return _MOBILE if "手机" in query.text else _PHONE
    if _PENALTY_ASKED.search(query.text):
        return _SENTENCE if _SENTENCE_ASKED.search(query.text) else _PENALTY
    if _MONEY_IN_ENGLISH.search(query.text):
        return re.compile(rf"{_AMOUNT}元")
    if _MONEY.search(query.text):
        return re.compile(rf"{_AMOUNT}元" if _SUM_ASKED.search(query.text) else rf"{_AMOUNT}(?:元|%|万|亿)|百分之|[一二三四五六七八九]分之")
    if LASTING.search(query.text):
        return HOW_LONG
    if query.form == "number":
        unit = _ASKED_UNIT.search(query.text)
        if not (unit and unit.group(1)) or unit.group(1) in _COUNTED_OFF:
            return _ANY_NUMBER
        same = next((f"[{alike}]" for alike in _ALIKE if unit.group(1) in alike), re.escape(unit.group(1)))
        same = {"岁": "周?岁", "年": "(?:年|个月)", "天": "(?:天|个?(?:工作|自然)日|日(?=[之以]?内))"}.get(unit.group(1), same)
        return re.compile(rf"{_AMOUNT}{same}")
    if query.form == "when":
        return _YEAR_OR_DATE if _YEAR_ASKED.search(query.text) else _WHEN
    return None


def kind_asked(query: Query) -> str:
    """The kind of value that is asked for, in Chinese."""
    if query.form == "phone":
        return "手机号码" if "手机" in query.text else "电话号码"
    if _PENALTY_ASKED.search(query.text):
        return PENALTY
    if _MONEY.search(query.text) or _MONEY_IN_ENGLISH.search(query.text):
        return "金额"
    return {"number": "数量", "when": "时间"}.get(query.form, "所问的内容")


def thing_asked(query: Query) -> str:
    """What the value that is asked for is of, its last two characters: 租金 in "人才公寓租金是多少"; "" when it does not say."""
    found = _THING.search(query.text)
    return found.group(1) if found else ""


def section_asked(query: Query) -> str:
    """What a section of its own often says (目标, 原则, 适用范围) when that is asked for, "" otherwise."""
    found = _SECTION_ASKED.search(query.text)
    return found.group(1) if found else ""


_BOUNDS = ((re.compile("最多|最高|最长|最大|至多|上限|封顶"), re.compile("最多|最高|最长|最大|至多|上限|封顶|不超过|不得超过|不高于|以[下内]")),
           (re.compile("最少|最低|最短|至少|起码|下限|起步"), re.compile("最少|最低|最短|至少|不少于|不低于|不得少于|不得低于|以上|下限")))
"""What asks for a bound, and what says it."""


@lru_cache(maxsize=256)
def _bounds(query: Query) -> tuple[re.Pattern[str], ...]:
    """What has to be said of the value: each bound that is asked for."""
    return tuple(says for asked, says in _BOUNDS if asked.search(query.text))


@lru_cache(maxsize=256)
def _sought(query: Query) -> re.Pattern[str] | None:
    """The shape of the value to put first: what may be listed without a count (30项措施) counts when it is said."""
    pattern = asked_for(query)
    if pattern is _WHEN and _DEADLINE_ASKED.search(query.text):
        return _DEADLINE
    unit = _ASKED_UNIT.search(query.text) if pattern is _ANY_NUMBER else None
    return re.compile(rf"{_AMOUNT}{unit.group(1)}(?!方面|部分|环节|层面|阶段|工作日|小时|月)") if unit and unit.group(1) else pattern


def has_value(query: Query, text: str) -> bool:
    """Whether the text has a value of the kind that is asked for, or a yes or no to what is."""
    if query.form == "yesno":
        return bool(verdict(query.text, text))
    pattern = _sought(query)
    if pattern is None or not all(says.search(text) for says in _bounds(query)):
        return False
    return any(_new(query, m.group()) for m in pattern.finditer(text))


def _new(query: Query, value: str) -> bool:
    """Whether the question does not say the value itself: the year it asks about is not the date it asks for."""
    return query.form != "when" or value not in query.text


def single_value(query: Query, text: str) -> str | None:
    """The asked-for value, with what bounds it (不超过6个月, 5人以上), when one is asked for and `text` holds exactly one of its shape."""
    pattern = _sought(query)
    if len(_ASKED_UNIT.findall(query.text)) > 1:
        return None
    if pattern in (None, _ANY_NUMBER, _PENALTY, _SENTENCE, HOW_LONG):
        return None
    if pattern is _DEADLINE:
        text, pattern = "；".join(m.group() for m in _DEADLINE.finditer(text)), DATE
    elif pattern is _WHEN and DATE.search(text):
        pattern = DATE
    bounded = re.compile(f"{_BOUND_BEFORE}(?P<value>{pattern.pattern}){_BOUND_AFTER}")
    found = {m.group().strip("，,") for m in bounded.finditer(text) if _new(query, m["value"])}
    return found.pop() if len(found) == 1 else None
