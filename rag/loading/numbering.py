"""Numbers that open a part: 第一编 第一章 第一节 第一条 一、 （一） 第一步 1. 1.1 （1） 1） ①."""

import re
from dataclasses import dataclass
from typing import Literal

from rag.text import number

MarkKind = Literal["编", "分编", "章", "节", "条", "一、", "（一）", "步", "1.", "1.1", "1.1.1", "（1）", "1）", "①", "#"]

ORDER: tuple[MarkKind, ...] = ("编", "分编", "章", "节", "条", "一、", "（一）", "步", "1.", "1.1", "1.1.1", "（1）", "1）", "①")
"""The order in which the rules for official documents (GB/T 9704, 立法技术规范) nest them."""

_CN = "零〇一二三四五六七八九十百千两"
_LAW = re.compile(rf"第\s?([{_CN}\d]{{1,7}})\s?(分编|编|章|节|条)(?:之[{_CN}]{{1,3}})?")
_LAW_CITED = re.compile(r"[规所的中和至到或及与以第、，。；）》（(]|款|项")
_STEP = re.compile(rf"(?:第\s?([{_CN}\d]{{1,2}})\s?步|步骤\s?([{_CN}\d]{{1,2}}))(?:\s?[：:、.．]|(?=\s|$))")
_CHINESE = re.compile(rf"([{_CN}]{{1,3}})\s?[、．.]")
_CHINESE_BRACKET = re.compile(rf"[（(]\s?([{_CN}]{{1,3}})\s?[)）]、?")
_DECIMAL = re.compile(r"(\d{1,2}(?:[.．]\d{1,2}){1,3})[.．]?(?=[\s\u3400-\u9fff])")
_ARABIC = re.compile(r"(\d{1,3})\s?(?:[.．](?!\s?\d(?!\d{3}年))|、)")
_ARABIC_BRACKET = re.compile(r"[（(]\s?(\d{1,2})\s?[)）]")
_ARABIC_HALF = re.compile(r"(\d{1,2})\s?[)）]")
_CIRCLE = re.compile(r"[①-⑳]")
_COUNTING = re.compile(rf"([{_CN}\d]{{1,3}})(?:[、级等类线次产孩胎批期档季楼号版]|季度)")
_UNIT = re.compile(r"[\s]?(?:[万亿元%％‰倍年月日时分秒度个米里吨升克人次户件岁公千百毫厘平立天周小]|[a-zA-Z])")


@dataclass(frozen=True, slots=True)
class Mark:
    """A number at the beginning of a text. `end` is the offset just after it, `label` the number as written."""

    kind: MarkKind
    number: int
    label: str
    end: int
    prefix: str = ""
    """For 1.2.3: the numbers before the last ("1.2")."""

    @property
    def rank(self) -> int:
        return ORDER.index(self.kind)


def mark(text: str) -> Mark | None:
    """The number that opens `text`, None when it opens with none or with a quantity, date or citation."""
    if not text or text[0] not in _FIRST:
        return None
    return _law(text) or _step(text) or _chinese(text) or _arabic(text)


_FIRST = frozenset(_CN + "0123456789第步（(" + "".join(map(chr, range(0x2460, 0x2474))))


def _law(text: str) -> Mark | None:
    found = _LAW.match(text)
    if not found or _LAW_CITED.match(text, found.end()):
        return None
    value = number(found[1])
    return None if value is None else Mark(found[2], value, re.sub(r"\s", "", found[0]), found.end())


def _step(text: str) -> Mark | None:
    found = _STEP.match(text)
    value = number(found[1] or found[2]) if found else None
    return None if found is None or value is None else Mark("步", value, found[0].strip(), found.end())


def _chinese(text: str) -> Mark | None:
    found = _CHINESE.match(text)
    if found and not _counted(text, found):
        return _made("一、", found)
    found = _CHINESE_BRACKET.match(text)
    return _made("（一）", found) if found else None


def _arabic(text: str) -> Mark | None:
    if found := _CIRCLE.match(text):
        return Mark("①", ord(found[0]) - 0x245F, found[0], found.end())
    if (found := _DECIMAL.match(text)) and not _UNIT.match(text, found.end()):
        prefix, _, last = found[1].replace("．", ".").rpartition(".")
        kind: MarkKind = "1.1" if "." not in prefix else "1.1.1"
        return Mark(kind, int(last), found[0], found.end(), prefix)
    kinds: tuple[tuple[MarkKind, re.Pattern[str]], ...] = (
        ("1.", _ARABIC), ("（1）", _ARABIC_BRACKET), ("1）", _ARABIC_HALF))
    for kind, pattern in kinds:
        if (found := pattern.match(text)) and not _counted(text, found):
            return _made(kind, found)
    return None


def _counted(text: str, found: re.Match[str]) -> bool:
    """Whether "一、" begins "一、二级": the next number follows at once and counts something."""
    after = _COUNTING.match(text, found.end())
    if not found[0].endswith("、") or not after:
        return False
    first, second = number(found[1]), number(after[1])
    return first is not None and second == first + 1


def _made(kind: MarkKind, found: re.Match[str]) -> Mark | None:
    value = number(found[1])
    return None if value is None else Mark(kind, value, found[0].strip(), found.end())


_UNSURE = re.compile(r"(\d{1,2})[.．](?=\d)")


def unsure(text: str) -> Mark | None:
    """The number that may open "1.3人户家庭" or may be part of a quantity: only its neighbours can tell."""
    found = _UNSURE.match(text)
    return _made("1.", found) if found else None


_PLAIN = re.compile(r"(\d{1,2})(?=\s+[\u3400-\u9fff])")


def plain(text: str) -> Mark | None:
    """The number that may open "1 总则", with no stop behind it: only what stands below it can tell."""
    found = _PLAIN.match(text)
    return None if found is None or _UNIT.match(text, found.end()) else _made("1.", found)
