"""What a document speaks of: festivals, places, kinds of document."""

import re

from rag.places import PROVINCES, find_places

FESTIVALS = {
    "元旦": r"元旦|新年(?=假期|期间|放假)",
    "春节": r"春节|新春佳节|农历新年",
    "元宵节": r"元宵",
    "清明节": r"清明",
    "劳动节": r"劳动节|[“\"]?五一[”\"]?(?=国际|小长假|假期|期间|节|放假|、|：|:|[”\"])|[“\"]五·?一[”\"]",
    "端午节": r"端午",
    "中秋节": r"中秋",
    "重阳节": r"重阳",
    "国庆节": r"国庆|[“\"]十·?一[”\"]",
}
_FESTIVALS = {name: re.compile(pattern) for name, pattern in FESTIVALS.items()}

KINDS = (
    "通知", "意见", "复函", "答复", "建议", "讲话", "倡议书", "公开信", "须知", "清单", "目录", "名单", "答记者问", "办法", "决定", "公告", "通告", "通报", "方案", "规定", "细则", "条例", "措施", "批复", "函", "纪要", "报告",
    "规划", "计划", "制度", "规则", "指引", "指南", "决议", "命令", "令", "议案", "请示", "解释", "规范", "标准", "预案", "要点", "公示", "预告", "启事", "简章", "章程", "手册", "纲要", "法",
)
"""Kinds of document, a longer name before the shorter one it ends with."""

_NO_PLACE = ("开发区", "特别行政区", "示范区", "试验区", "自治区")
_KIND_END = re.compile("(" + "|".join(KINDS) + r")(?:[（(].{0,30}[)）])*$")


def festivals(text: str) -> tuple[str, ...]:
    """The festivals a text names, in calendar order, each by its full name."""
    return tuple(name for name, pattern in _FESTIVALS.items() if pattern.search(text))


def kind_of(title: str) -> str | None:
    """The kind of document that a title ends with ("通知", "办法"), None when it ends with none."""
    found = _KIND_END.search(title.strip().rstrip("》”’"))
    return found[1] if found else None


def places(text: str) -> tuple[str, ...]:
    """Provinces (by their full names), cities and counties named in issuers, titles or addressees."""
    found = (name for name in find_places(text) if name not in _NO_PLACE and not any(
        whole.endswith(name) and whole != name for whole in PROVINCES.values()))
    return tuple(dict.fromkeys(PROVINCES.get(name, name) for name in found))
