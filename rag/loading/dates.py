"""Dates as documents write them, and the years they name."""

import re

from rag.text import number

_CN = "〇○ОOoO零一二三四五六七八九十"
DATE = re.compile(
    rf"(?P<y>[12]\d{{3}}|[一二][{_CN}]{{3}})\s?(?:年|(?P<sep>[-/.．]))\s?(?P<m>\d{{1,2}}|[{_CN}]{{1,3}})\s?(?:月|(?(sep)(?P=sep)))"
    rf"\s?(?P<d>\d{{1,2}}|[{_CN}]{{1,4}})(?:\s?[日号]|(?(sep)(?!\d)|(?!)))")
"""A full date: 2022年12月30日, 二〇二二年十二月三十日, 2022-12-30, 2022/12/30, 2022.12.30."""

_YEAR = re.compile(rf"(?<!\d)((?:19|20)\d{{2}}|二[〇○零][{_CN}]{{2}})\s?(?:[-—－~～至到]{{1,2}}\s?((?:19|20)\d{{2}}))?\s?(?:年|学年)")
_FAR = 3000


def iso(found: re.Match[str]) -> str | None:
    """The ISO form of a match of `DATE`, None when no such day exists."""
    year, month, day = (number(re.sub("[ОOo○]", "〇", found[name])) for name in "ymd")
    if year is None or month is None or day is None or not (1900 <= year < _FAR and 1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{year:04d}-{month:02d}-{day:02d}"


def is_date_line(text: str) -> bool:
    """Whether a line is a date and nothing else (brackets allowed)."""
    return bool(DATE.fullmatch(re.sub(r"\s", "", text).strip("（()）")))


def years(text: str) -> tuple[int, ...]:
    """The years a text names ("2023年", "2021—2025年"), without those in document numbers, in order of appearance."""
    out: dict[int, None] = {}
    for found in _YEAR.finditer(text):
        for part in found.groups():
            if part and (value := number(part)):
                out[value] = None
    return tuple(out)
