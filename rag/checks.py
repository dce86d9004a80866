"""Has what was found the thing that was asked for? Plain checks after ranking, each with its reason in words.

Ranking finds what speaks of the same matter. A passage that mentions a hotline without its number, a list by its name
alone, or a leader without the office asked about, speaks of the matter and answers nothing.
"""

import re
from collections.abc import Sequence

from rag.premises import names_one, person, unfounded
from rag.query import Query
from rag.schema import Evidence
from rag.text import HAN, NUMERAL, compact, known_word, normalise, number, segments
from rag.values import DATE, HOW_LONG, LASTING, PENALTY, asked_for, kind_asked
from rag.vocabulary import ASKING, others

# 称为什么, 为何人 ask what or who it is.
_WHY = re.compile(r"(?<![称名叫誉改算作列化认聘评])为什么(?!职|形|样|[？?。]?$)|(?<![称名叫誉改算作列化认聘评])为何(?![人物处地]|[？?。]?$)"
                  r"|什么原因|原因是|\bwhy\b", re.I)
_BECAUSE = re.compile(r"由于|因(?!此|地|素)|原因|鉴于|为了|导致|使得|所以|致使")
_ROLE = re.compile(r"局长|厅长|处长|科长|主任|书记|省长|市长|县长|区长|部长|主席|院长|检察长|校长|所长|队长|秘书长|法定代表人|发言人")
_HEAD = re.compile(r"(?<!副)总指挥|指挥长|(?<!小)组长|召集人")
_WHO_IS = re.compile(rf"({_ROLE.pattern})(?:现在)?(?:是谁|叫什么|是哪位|姓什么|名字)")
_WHICH_N = re.compile(rf"哪\s*([{NUMERAL}\d]+)\s*(?!份|个单位|个部门)")
_TIME = re.compile(r"[几多]少?(?:天|日|年|个?月|小时|分钟|周|个工作日|久|长时间)")
_DAYS = re.compile(r"几天|多少天")
_YEAR = re.compile(r"\d{4}年")
_SEPARATORS = re.compile(r"[、；;]|[和与及]")
_TERM = re.compile(r"[“\"「]([^”\"」]{1,20})[”\"」]")
_ASKS_WHAT = re.compile(
    r"^[”\"」]?(?:说的|里的|具体|分别|各|都|到底|又|一词|的|这一?(?:说法|提法|概念))*(?:是?指|代表|包括|是什么|什么意思|有哪|有什么|含义|怎么解释|怎么理解|是哪几)"
    r"|^[”\"」]?[^，。？]{0,14}?(?:分别|各|都)?(?:指什么|代表什么|指的是什么|什么意思|是什么含义)")
_COUNTS = re.compile(rf"([{NUMERAL}\d]+)个?([{HAN}]{{1,3}})")
_PARTS = range(2, 5)
"""Characters of a term each of which may stand for one of its parts."""
_NEARBY = 120
"""Characters around a term in which it may be explained."""
_ITEM = re.compile(rf"[{NUMERAL}]+要")
_SAYS_WHAT = re.compile(r"^[”\"」]?[，,]?(?:即|就是|是指|指的是|包括|分别|：|:|（|\(|——)")
_OFTEN = re.compile(r"多(?:久|长时间)[^，。？]{0,12}[一几]次|几次|多少次")
_HOW_OFTEN = re.compile(rf"每(?:隔|天|日|周|星期|月|季|年|半|[\d{NUMERAL}])|[\d{NUMERAL}万亿]+次|定期|随时")
_DAY_ASKED = re.compile(r"哪一?天|几月|几[号日]|哪年|哪一年|何日")
_BESIDE = 30
"""Characters around a name within which a number is that person's."""
_HAPPENS = re.compile(rf"(?:哪一?天|什么时候|何时|几[号日]|几月几[日号])([{HAN}]{{2}})[？?]?$")
_BEGINS = re.compile("开始|实施|施行|执行|启动|启用|推行|生效")
_FROM = re.compile(r"[日号时点月年）)]\s*起|[自从][^，。；]{0,20}起|施行|实施|启用|生效")
"""What happens from a day on: what asks for its beginning, and what says it."""
_CLOCK_ASKED = re.compile("几点(?!要求|意见|建议|措施|规定)")
_CLOCK = re.compile(rf"\d{{1,2}}\s*[:：]\s*\d{{2}}|[\d{NUMERAL}]+[时点]|中午|午夜|零点|全天|24小时")
_TEXT_OF = re.compile(r"正文|全文|原文|内容|怎么写|如何规定|规定了|讲了|说了|写了")
# What may be asked of a person, and what an answer to it has.
_OF_A_PERSON = (
    ("邮箱", re.compile(r"邮箱|邮件地址|e-?mail", re.I), re.compile("@")),
    ("住址", re.compile(r"住址|家住|住在?哪|住哪|home address|\blives?\b", re.I), re.compile(r"住址|居住|[家现]住|\d+号楼|小区\S{0,8}(?:栋|幢|单元)")),
    ("职务", re.compile(r"(?:什么|何|啥)职务|职务是|担任什么|什么职位"), re.compile(r"长(?!期)|主任|书记|主席|委员(?!会)|主管|记者|教授|秘书|[科处厅干官队组专研]员")),
    ("微信", re.compile("微信号?|QQ"), re.compile("微信|QQ")),
    ("身份证号", re.compile(r"身份证|(?:identity|id) (?:card|number)", re.I), re.compile(r"\d{17}[\dXx]")),
    ("年龄", re.compile(r"年龄|多大年纪|几岁|生日|出生|how old|birthday", re.I), re.compile(r"岁|出生|年龄")),
    ("收入", re.compile(r"工资|收入|年薪|月薪|薪水|\bsalary\b|\bearns?\b", re.I), re.compile("工资|收入|薪")),
)


_BARE = re.compile(
    r"(?:这|那|该|此)(?:份|个|篇|项|条)?|文件|通知|公文|公告|文章|材料|谁|何时|哪天|哪一天|哪里|哪儿|何处|为啥|时间|日期|期限|地点|地址|电话|号码|热线|联系|方式|"
    r"负责人?|人员?|单位|部门|机关|主送|收文|落款|文号|字号|标题|全称|发布|印发|下发|出台|发|制定|主要|依据|重点|截止|开始|结束|吗|都|里|中|几|第一|讲|写|介绍|告诉|一下|please|the|is|what|when|who",
    re.I,
)


def vague(query: Query) -> bool:
    """Whether a question asks (谁负责？这份通知什么时候发的？) without a word about what."""
    bound = (query.years, query.festivals, query.places, query.offices, query.numbers, query.titles, query.labels, query.within)
    return not any(bound) and not any(c.isalnum() for c in _BARE.sub("", ASKING.sub("", query.text)))


def shortcoming(query: Query, evidence: Sequence[Evidence]) -> str:
    """Why the evidence does not answer the question, "" when nothing speaks against it."""
    text = "\n".join(item.text for item in evidence)
    said = normalise(text)
    shape, time = asked_for(query), query.form == "when" or _TIME.search(query.text)
    if shape and (not time or kind_asked(query) == PENALTY) and not shape.search(text if query.form == "phone" else _without_dates(text)):
        return f"现有文件提到了相关事项，但没有写明{kind_asked(query)}。"
    if shape and _DAYS.search(query.text) and not shape.search(text) and not DATE.search(_YEAR.sub("", text)):
        return "现有文件提到了相关事项，但没有写明天数。"
    if query.language != "zh":
        return _of_another(query, evidence, text)  # what follows reads the words of the question
    if _WHY.search(query.text) and not _BECAUSE.search(said):
        whole = said + normalise("\n".join(dict.fromkeys(item.document.text for item in evidence)))
        if missing := [w for w in _content(query.text) if w not in whole]:
            return f"现有文件没有说“{'、'.join(missing)}”，所问的前提在文件中找不到依据。"
    if query.form == "who" or "叫什么" in query.text:
        missing = [role for role in (*_ROLE.findall(query.text), *_HEAD.findall(query.text)) if role not in said]
        missing += [role for role in _WHO_IS.findall(query.text) if not names_one(role, text)]
        if missing:
            return f"现有文件没有写明{'、'.join(missing)}是谁。"
    if (asked := _WHICH_N.search(query.text)) and (count := number(asked.group(1))) and count > 2:
        items = max((len(_SEPARATORS.findall(item.text)) + 1 for item in evidence), default=0)
        if max(items, len(evidence)) < count:
            return "现有文件只提到了名称，没有逐条列出内容。"
    if reason := unexplained(query, evidence):
        return reason
    if _OFTEN.search(query.text):
        if not _HOW_OFTEN.search(text):
            return "现有文件提到了相关事项，但没有写明次数。"
    elif LASTING.search(query.text) and not HOW_LONG.search(_without_dates(text)):
        return "现有文件提到了相关事项，但没有写明时限。"
    return unfounded(query, evidence) or _of_another(query, evidence, text)


def _of_another(query: Query, evidence: Sequence[Evidence], text: str) -> str:
    """Why what was found is of another person, day or document than the question's."""
    name = person(query)
    about = "\n".join(text[max(0, m.start() - 12) : m.end() + 12] for m in re.finditer(name, text)) if name else text
    if name and query.form == "phone" and not any(asked_for(query).search(text[max(0, m.start() - _BESIDE) : m.end() + _BESIDE]) for m in re.finditer(name, text)):
        return f"现有文件没有写明{name}的{kind_asked(query)}。"
    for what, asked, has in _OF_A_PERSON:
        if asked.search(query.text) and not has.search(about):
            return f"现有文件没有写明{what}。"
    if (found := _HAPPENS.search(query.text)) and known_word(found[1]):
        whole = text + "\n".join(dict.fromkeys(item.document.text for item in evidence))
        begins = _BEGINS.fullmatch(found[1]) and _FROM.search(text)
        if not begins and not any(word in whole for word in (found[1], *others(found[1]))):
            return f"现有文件没有写明什么时候{found[1]}。"
    if _CLOCK_ASKED.search(query.text) and not _CLOCK.search(text):
        return "现有文件提到了相关事项，但没有写明几点。"
    if query.form == "when" and _DAY_ASKED.search(query.text) and not (asked_for(query) or _DAY_ASKED).search(text):
        return "现有文件提到了相关事项，但没有写明日期。"
    if query.numbers and _TEXT_OF.search(query.text) and not any(
            compact(normalise(item.document.meta.document_number or "")) in compact(normalise(n))
            for item in evidence for n in query.numbers if item.document.meta.document_number):
        return f"现有文件只提到{query.numbers[0]}，没有这份文件的正文。"
    return ""


def unexplained(query: Query, evidence: Sequence[Evidence]) -> str:
    """Why the evidence does not say what a term in quotation marks means when that is asked, "" when it does or is not."""
    text = "\n".join(item.text for item in evidence)
    counted = re.search(rf"哪[{NUMERAL}几\d]+个?(.)", query.text)
    for term in _TERM.finditer(query.text):
        asked = _ASKS_WHAT.search(query.text[term.end(1) :]) or (counted and counted.group(1) in term.group(1))
        if asked and term.group(1) in text and not _ITEM.fullmatch(term.group(1)) and not _explained(term.group(1), text):
            return f"现有文件只提到“{term.group(1)}”，没有解释它的意思。"
    return ""


def _explained(term: str, text: str) -> bool:
    """Whether what stands around the term says what it is: "…，即：…" after it, a list before it in its clause, what it counts
    in its sentence or the one before ("集中患者、集中专家…", 四个集中), or its parts one by one after it (红黄蓝: 红牌, 黄牌, 蓝牌)."""
    counted = _COUNTS.fullmatch(term)
    for match in re.finditer(re.escape(term), text):
        before = re.split(r"[，,。；;：:\n]", text[: match.start()])[-1].rstrip("“\"「")
        if _SAYS_WHAT.match(text[match.end() : match.end() + 12]) or ("、" in before and "”" not in before):
            return True
        if counted and text[max(0, match.start() - _NEARBY) : match.start()].count(counted[2]) >= (number(counted[1]) or 0) > 1:
            return True
        after = "".join(_TERM.findall(text[match.end() : match.end() + _NEARBY]))
        if len(term) in _PARTS and all(char in after for char in term):
            return True
    return False


def _without_dates(text: str) -> str:
    return re.sub(r"(?:\d{4}年)?\d{1,2}月\d{1,2}日|\d{4}年|第[\d一二三四五六七八九十百]+", "", text)


def _content(text: str) -> list[str]:
    """The words of a question that carry its matter."""
    return [w for w in segments(ASKING.sub(" ", text)) if len(w) > 1 and not w.isspace() and w not in ("原因", "因为")]
