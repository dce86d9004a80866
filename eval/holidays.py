"""Questions on holiday notices of several years, made from the notices themselves: the test of "which year?".

A notice of one year has a line for each holiday ("四、劳动节：4月29日至5月1日放假调休，共3天。…日上班。"). Each gives a question on
the length and one on the working days made up; years and holidays that no notice has give questions to be refused.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from eval.generators import MARK
from eval.sets import EvalItem, Gold
from rag.errors import UsageError
from rag.text import sentences

_YEAR = re.compile(r"(?:19|20)\d\d(?=年)")
_HOLIDAY = re.compile(r"^[一二三四五六七八九十]+、[“\"]?(?P<name>[^：:“”\"]{2,8})[”\"]?[：:]", re.M)
_DAYS = re.compile(r"共(\d+)天")
_KNOWN = ("元旦", "春节", "清明节", "劳动节", "端午节", "中秋节", "国庆节")
_ALIAS = {"劳动节": "五一", "国庆节": "十一"}


def questions(folder: Path) -> Iterator[EvalItem]:
    """Questions on all text files of the folder; `source` names begin with it as it is written.

    Raises UsageError when no file is such a notice.
    """
    notices: dict[int, tuple[str, dict[str, str]]] = {}
    for path in sorted(folder.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        year, lines = _YEAR.search(text), _lines(text)
        if year and lines:
            notices[int(year.group())] = (path.as_posix(), lines)
    if not notices:
        raise UsageError(f"{folder} 里没有放假通知。", "文件应写明年份，并逐节写“一、元旦：……放假”。")
    for year, (source, lines) in sorted(notices.items()):
        yield from _answerable(year, source, lines)
        said = "\n".join(lines)
        for holiday in (h for h in _KNOWN if h[:2] not in said and _ALIAS.get(h, h) not in said):
            yield _absent(year, holiday)
    for year in (min(notices) - 1, max(notices) + 1, max(notices) + 6):
        for holiday in _KNOWN[:2]:
            yield _absent(year, holiday)


def _lines(text: str) -> dict[str, str]:
    """What a notice says of each holiday, by the name it uses."""
    found = list(_HOLIDAY.finditer(text))
    ends = [*(m.start() for m in found[1:]), len(text)]
    return {m["name"]: text[m.start() : end].strip() for m, end in zip(found, ends, strict=False)}


def _answerable(year: int, source: str, lines: dict[str, str]) -> Iterator[EvalItem]:
    for number, (holiday, line) in enumerate(lines.items(), 1):
        parts = [line[s.start : s.end] for s in sentences(line)]
        length = next((p for p in parts if "放假" in p), None)
        made_up = next((p for p in parts if "上班" in p), None)
        if length:
            days = _DAYS.search(length)
            yield EvalItem(f"holiday-{year}-{number}-length", f"{year}年{holiday}放假几天？", type="scoped",
                           gold=(Gold(source, length),), must_include=(f"{days[1]}天",) if days else (),
                           tags=("year", MARK))  # fmt: skip
        if made_up:
            yield EvalItem(f"holiday-{year}-{number}-work", f"{year}年{holiday}调休，哪几天要上班？", type="scoped",
                           gold=(Gold(source, made_up),), tags=("year", MARK))  # fmt: skip


def _absent(year: int, holiday: str) -> EvalItem:
    return EvalItem(f"holiday-{year}-{holiday}-absent", f"{year}年{holiday}放假几天？", answerable=False, type="near_miss",
                    tags=("near_miss", "year", MARK))  # fmt: skip
