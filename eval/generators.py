"""New questions from a set, without a language model: seeded, deterministic, and marked with the tag "generated".

What comes out is a candidate: near misses rest on a string search of the collection and are to be read by a person.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise

from eval.sets import EvalItem
from eval.slots import CAPITALS, OFFICE, OFFICES, PROVINCES
from rag.text import HAN

MARK = "generated"
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?=年)")
_HAN = re.compile(rf"[{HAN}]")
_NUMERALS = frozenset("零〇一二三四五六七八九十百千万亿两")
_SLOTS: tuple[tuple[str, re.Pattern[str], tuple[str, ...]], ...] = (
    ("year", _YEAR, tuple(str(y) for y in range(2005, 2031))),
    ("city", re.compile("|".join(CAPITALS)), CAPITALS),
    ("city", re.compile("|".join(PROVINCES)), PROVINCES),
    ("office", OFFICE, OFFICES),
)
"""Tag, what is swapped, and for what."""


def near_misses(items: Iterable[EvalItem], present: Callable[[str], bool], seed: int = 0) -> Iterator[EvalItem]:
    """Unanswerable neighbours: a question's first year, place or office swapped for one absent from the collection.

    present: whether the collection speaks of a value ("2019年", "南京", "教育"). Follow-ups and questions on several
    documents are passed over: there the swapped word may not be what decides.
    """
    for item in items:
        if not item.answerable or item.history or item.all_gold:
            continue
        for number, (tag, pattern, values) in enumerate(_SLOTS):
            if not (found := pattern.search(item.question)):
                continue
            unit = "年" if tag == "year" else ""
            absent = [v for v in values if v != found.group() and not present(v + unit)]
            if absent:
                chosen = random.Random(f"{seed}:{number}:{item.id}").choice(absent)
                question = item.question[: found.start()] + chosen + item.question[found.end() :]
                yield EvalItem(f"{item.id}+{tag}{number}", question, answerable=False, type="near_miss",
                               tags=("near_miss", tag, MARK), note=f"{item.id}：{found.group()}→{chosen}")  # fmt: skip


def traditional(items: Iterable[EvalItem]) -> Iterator[EvalItem]:
    """The same questions in traditional characters (OpenCC s2t); those that do not change are left out."""
    import opencc

    convert = opencc.OpenCC("s2t").convert
    for item in items:
        question = convert(item.question)
        if question != item.question:
            yield _variant(item, "traditional", question, tuple(map(convert, item.history)))


def typos(items: Iterable[EvalItem], seed: int = 0) -> Iterator[EvalItem]:
    """The same questions with one character replaced by a homophone of the same tone; numerals are left alone."""
    for item in items:
        draw = random.Random(f"{seed}:{item.id}")
        choices = [(at, others) for at, others in _replaceable(item.question) if others]
        if choices:
            at, others = draw.choice(choices)
            question = item.question[:at] + draw.choice(others) + item.question[at + 1 :]
            yield _variant(item, "typo", question, item.history)


def follow_ups(items: Iterable[EvalItem]) -> Iterator[EvalItem]:
    """Two-turn conversations from pairs of questions that differ in a year or place only: "那2023年呢？"."""
    asked: dict[tuple[str, str], list[tuple[str, EvalItem]]] = {}
    for item in items:
        if item.history:
            continue
        for tag, pattern, _ in _SLOTS:
            for found in pattern.finditer(item.question):
                frame = item.question[: found.start()] + "\0" + item.question[found.end() :]
                asked.setdefault((tag, frame), []).append((found.group(), item))
    for (tag, _), pairs in asked.items():
        for (_, first), (value, second) in pairwise(pairs):
            if first.question != second.question:
                asks = f"那{value}{'年' if tag == 'year' else ''}呢？"
                yield replace(_variant(second, "followup", asks, (first.question,)), standalone=second.question)


def _variant(item: EvalItem, tag: str, question: str, history: tuple[str, ...]) -> EvalItem:
    tags = tuple(dict.fromkeys((*item.tags, tag, MARK)))
    return replace(item, id=f"{item.id}+{tag}", question=question, history=history, tags=tags)


# ---------------------------------------------------------------- homophones

@cache
def _homophones() -> dict[str, str]:
    """Pinyin with tone → the characters of GB 2312's first level (3,755 in daily use) whose first reading it is."""
    from pypinyin import Style, pinyin

    common = [bytes((high, low)) for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF)]
    sounds: dict[str, str] = {}
    for char in (c.decode("gb2312", errors="ignore") for c in common):
        if char:
            sound = pinyin(char, style=Style.TONE3)[0][0]
            sounds[sound] = sounds.get(sound, "") + char
    return sounds


def _replaceable(question: str) -> Iterator[tuple[int, str]]:
    """Each Chinese character's place and its homophones, read as it is read in the question."""
    from pypinyin import Style, lazy_pinyin

    # errors as a list of single characters keeps sounds and characters in step
    sounds = lazy_pinyin(question, style=Style.TONE3, errors=list)
    if len(sounds) != len(question):
        return
    for at, (char, sound) in enumerate(zip(question, sounds, strict=True)):
        if _HAN.match(char) and char not in _NUMERALS:
            yield at, "".join(c for c in _homophones().get(sound, "") if c != char and c not in _NUMERALS)
