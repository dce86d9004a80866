"""A text as a row of words that must not change, between characters that may: for comparing a sentence with its source.

What decides the meaning of an official sentence is one token each, in a comparable form: a number with its unit, a
prohibition, a negation, a limit, a direction, a time before or after, the name of a place or an office, how it is meant (建议).
Everything else is a token for each character.
"""

import re
from typing import NamedTuple

from rag.places import find_places
from rag.query import FESTIVALS
from rag.text import HAN, NUMERAL, compact, normalise, number
from rag.vocabulary import ABBREVIATIONS, SYNONYMS

_UNIT = "年月日号时分天个名人次项条元万亿份小家户场桌公米吨级类种批期倍成届岁章款层所台辆套秒点周度位"
_NUMERALS = re.compile(rf"(?<![{NUMERAL}])[{NUMERAL}]{{2,}}(?![{NUMERAL}])|[{NUMERAL}](?=[{_UNIT}])")
_PER_CENT = re.compile(r"百分之(\d+(?:\.\d+)?)")
_AFTER_NUMBER = rf"(?<=[\d%{_UNIT}里一二半])"
_DAY = "(?<=[年月日号时分天点周])"

# kind → what has it. Words of one kind say the same, unless `_VERBATIM` has the kind.
_KINDS = (
    ("number", rf"\d+(?:[.:/-]\d+)*%?[{_UNIT}]?"),
    ("most", rf"不超过|不得超过|不多于|不得多于|不高于|不得高于|不大于|至多|最多|不足(?=\d)|不到(?=\d)|不满(?=\d)|未满(?=\d)|低于|少于|小于|{_AFTER_NUMBER}(?:以下|以内|之内)"),
    ("least", rf"不少于|不得少于|不低于|不得低于|不小于|至少|最少|高于|多于|大于|超过|超出|{_AFTER_NUMBER}以上"),
    ("forbidden", "不得|不准|不许|不能|不可(?!抗|避免|或缺)|不允许|不应当?|不予|严禁|禁止"),
    ("allowed", "可以|允许|准许|准予"),
    ("demanded", "应当|必须|务必|应该"),
    ("not", "不(?![仅但断论])|未(?!来)|无(?!论)|没|勿|非(?!常|法)|免|拒|停止|取消|除外|除非"),
    ("more", "增加|提高|增长|上升|上调|扩大|提前"),
    ("less", "减少|降低|下降|下调|缩小|缩减|推迟|延后"),
    ("before", f"{_DAY}(?:以|之)?前"),
    ("after", f"{_DAY}(?:以|之)?后"),
    ("hour", "上午|下午|中午|凌晨|晚上|早上"),
    ("every", "全部|一律|所有|部分"),
    ("name", "|".join(sorted((re.escape(normalise(w)) for ws in FESTIVALS.values() for w in ws[:1]), key=len, reverse=True))
     + rf"|[{HAN}][{HAN}](?<![我本该贵全各此每两外跨])(?:(?:行政)?主管部门|部门|机关|监督管理局|管理局|管理委员会|委员会|办公室|办公厅|人民政府|政府|指挥部|中心|法院|检察院|医院|学院|协会|工会|公安厅|局|厅|署"
       r"|委(?![员托派任])|(?<![全内外干局东西南北中总大])部(?![门分署队位属委长件级下落里])|(?<![各全本该辖社地城小灾山园校库片特])区(?!分|别|域|间)|市(?!场|民)|县|省)"),
    ("stance", "建议|希望|打算|预计|可能(?!性)|也许|大概|倡议|呼吁|承诺"),
    ("latin", r"[a-z][a-z0-9._@+-]*"),
)
_TOKEN = "|".join(f"(?P<{kind}>{rule})" for kind, rule in _KINDS)
_VERBATIM = frozenset({"number", "hour", "every", "name", "stance", "latin"})
"""Kinds whose words each say something of their own."""
ENDS = frozenset(",。;!?")
"""Tokens that end a clause."""


class Token(NamedTuple):
    """kind: "" for a character, else one of `_KINDS`. form: the word itself, "" where the kind says all."""

    kind: str
    form: str


def canonical(text: str) -> str:
    """The form in which texts are compared: simplified, half width, no white space, numbers in digits, no abbreviations."""
    text = compact(normalise(text))
    for said, official in SYNONYMS:
        text = text.replace(said, official)
    for short, full in ABBREVIATIONS:
        text = text.replace(full, short)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = _NUMERALS.sub(lambda m: str(n) if (n := number(m.group())) is not None else m.group(), text)
    return re.sub(r"[—–~～]+", "至", _PER_CENT.sub(r"\1%", text))


def tokens(text: str) -> list[Token]:
    """The tokens of a canonical text. Place names come from the table of places, offices from their endings."""
    places = "|".join(sorted(map(re.escape, find_places(text)), key=len, reverse=True))
    pattern = re.compile((f"(?P<place>{places})|" if places else "") + _TOKEN + r"|(?P<char>.)", re.S)
    out = []
    for found in pattern.finditer(text):
        kind = found.lastgroup
        if kind == "char":
            out.append(Token("", found.group()))
        elif kind == "place":
            out.append(Token("name", found.group()))
        else:
            out.append(Token(kind, found.group() if kind in _VERBATIM else ""))
    return out


def unit_of(token: Token) -> str:
    """What a number counts, "" when it has no unit."""
    return token.form.lstrip("0123456789.:/-")
