"""What a question takes for granted: an amount, an edition, a person, a year. Documents that do not know it do not answer it."""

import re
from collections.abc import Sequence

from rag.places import find_places
from rag.query import Query
from rag.schema import Document, Evidence, Span
from rag.text import HAN, NUMERAL, compact, known_word, normalise, number

_COUNTED = re.compile(rf"(\d+(?:\.\d+)?|[{NUMERAL}]+)(万|亿)?(元|小时|套|户|人|名|场|桌|个|项|公里|平方米|%)")
_LOOSE = "个人名项"
"""Units that texts leave out or exchange for others: the amount alone has to be there."""
_EDITION = re.compile(rf"(?<![哪某每历上下这本])第?([{NUMERAL}]+|\d+)(届|次(?=[^，。]{{0,8}}(?:会|大会)))|第([{NUMERAL}]+|\d+)(批|期|轮)")
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪"
    "范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔汤景温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝宁尚符舒阮柯纪梅童凌毕季裴霍涂苗谷盛翁冉骆蓝游辛靳管柴蒙鲍华喻祁蒲房滕屈饶牟艾尤阳穆农司卓古吉缪简芦麦褚娄窦戚岑宫卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝"
)
_PERSON = re.compile(
    rf"(?:^|[^{HAN}]|书记|[省市县区局厅院]长|主任|检察长|记者|联系人|请问|由|找)([{_SURNAMES}](?![省市县区局])[{HAN}]{{1,2}}?)(?=(?:副?(?:书记|省长|市长|县长|区长|局长|厅长|处长|科长|主任|院长|检察长|部长|主席|校长|所长)|同志|先生|女士)"
    r"|作的|在[^，。？]{1,10}(?:任|是什么)|(?:是|任|担任)(?:什么|何|哪个)(?:职务|职位|身份)|(?:同志|本人)?的(?:办公室?|家庭|私人|个人|工作|联系)?(?:电话|手机|邮箱|微信|住址|职务|职位|年龄|工资|简历))")
_YEARS = re.compile(r"((?:19|20)\d{2})年?(?:-|—|－|~|～|至|到)+((?:19|20)\d{2})")
_NAMED = re.compile(rf"[{_SURNAMES}][{HAN}]{{1,2}}")
_TOLD_OF = re.compile(r"(?:^|[。；\n])[^。；\n]{0,6}?((?:19|20)\d{2})年")


def person(query: Query) -> str:
    """The person the question names with an office or asks something of, "" for none."""
    found = _PERSON.search(query.text)
    name = found.group(1) if found else ""
    return "" if known_word(name) or find_places(name) else name


def unfounded(query: Query, evidence: Sequence[Evidence]) -> str:
    """Why the documents of the evidence do not know what the question takes for granted, "" when they do."""
    asked = compact(normalise(query.text))
    amounts = [m for m in _COUNTED.finditer(asked) if query.form != "yesno" and (m[0][0] not in NUMERAL or m[0][1] in NUMERAL)]
    editions = list(_EDITION.finditer(asked))  # "哪两个工程" takes no amount for granted
    own = "\n".join(item.text for item in evidence)
    if amounts or editions:
        whole = compact(normalise("\n".join(dict.fromkeys(item.document.text for item in evidence)) + own))
        known = {_amount(m) for m in _COUNTED.finditer(whole)}
        loose = {amount for amount, _ in known} | {float(n) for n in re.findall(r"\d+(?:\.\d+)?", whole)}
        for m in amounts:
            amount, unit = _amount(m)
            if (amount, unit) not in known and not (unit in _LOOSE and amount in loose):
                return f"现有文件没有说“{m[0]}”，所问的前提在文件中找不到依据。"
        held = {_edition(m) for m in _EDITION.finditer(whole)}
        for m in editions:
            if _edition(m) not in held:
                return f"现有文件没有说“{m[0]}”，讲的可能是另外的届次。"
    if (asked_years := _YEARS.search(asked)) and (reason := _other_years(asked_years, evidence)):
        return reason
    if (name := person(query)) and name not in own:
        return f"现有文件没有写到{name}的这件事。"
    return ""


def _other_years(asked: re.Match[str], evidence: Sequence[Evidence]) -> str:
    """Why documents that speak of 2024-2025 do not answer for 2025-2026, "" when they speak of those or of none."""
    whole = compact(normalise("\n".join(dict.fromkeys(text for item in evidence for text in (item.text, item.document.text)))))
    spans = {found.groups() for found in _YEARS.finditer(whole)}
    if asked.groups() in spans or not any(set(span) & set(asked.groups()) for span in spans):
        return ""
    return f"现有文件没有说“{asked[0]}”，说的是别的年份。"


def names_one(role: str, text: str) -> bool:
    """Whether the text names a person who has the role: 县长王某某, 王某某任县长."""
    near = [*re.finditer(rf"{role}[：:，,\s]?({_NAMED.pattern})", text),
            *re.finditer(rf"({_NAMED.pattern})(?:同志)?[，,、:：(（\s]?(?:现?任|担任|为|是)?[^，,。；;、]{{0,12}}?{role}", text)]
    return any(not known_word(found[1][:2]) for found in near)


def _amount(found: re.Match[str]) -> tuple[float, str]:
    """Value and unit of an amount in a text without white space."""
    scale = {"万": 1e4, "亿": 1e8, None: 1.0}[found[2]]
    return (float(found[1]) if found[1][0].isdigit() else float(number(found[1]) or 0)) * scale, found[3]


def _edition(found: re.Match[str]) -> tuple[int | None, str]:
    return number(found[1] or found[3]), found[2] or found[4]


def of_another_year(query: Query, document: Document, span: Span) -> bool:
    """Whether the words at `span` tell of another year than the question's, in a document that is not itself of that year.

    A sentence tells of the year it begins with, or of the one that the last such sentence before it in its section does.
    """
    if not query.years or query.about_issue or set(document.meta.years) & set(query.years):
        return False
    start = max((s.start for s in document.sections if s.start <= span.start < s.end), default=0)
    told = _TOLD_OF.findall(document.text[start : min(span.end, span.start + 12)])
    return bool(told) and int(told[-1]) not in query.years
