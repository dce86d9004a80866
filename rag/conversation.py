"""A question of a conversation as it stands by itself: completed from those before it. Rules only.

"那兰州呢？" takes the place of what the question before it named; "第二条怎么说？" and "要收费吗？" are asked of its topic; a question
with a topic of its own drops what was said before.
"""

import datetime as dt
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from rag.errors import QuestionError
from rag.query import FESTIVAL_WORD, FESTIVALS, Query, understand
from rag.text import segments
from rag.vocabulary import ASKING

_LEANS = re.compile(
    r"^(那|那么|那如果|还有|另外|其中|上面|上述|前面|它|他们|这个|这份|这些|那个|那份|该|此|具体|再|换成|如果是|and |what about|how about)"
    r"|(呢|的呢)[？?]?\s*$|第[一二三四五六七八九十\d]+[条点项个款]|这(份|个|篇|条)|上述|前者|后者|它的|其(他|余)", re.I)
_INSTEAD = re.compile(r"呢[？?。\s]*$|^(?:and|what about|how about)\b", re.I)
_ABOUT = re.compile(r"^(?:那|那么|那如果|如果是|换成|还有|再看|and|what about|how about)?[，,\s]*(.{1,24}?)(?:的?呢|怎么样|如何)?[？?。.\s]*$", re.I)
_MORE = re.compile(r"^(?:那么?|还有|另外|再)[，,]?")
_ASKS = re.compile(
    r"什么|哪|多少|怎么|如何|怎样|谁|(?<![\d十百千万好])几(?=[个名人次天日家场项条所岁元点号月年级种类份])|多[久长大高远]|是否|能否|可否|有没有|能不能|要不要|可不可以|需不需要|为何|何时|啥|吗|呢")
_COUNT = re.compile("(?:多少|几)个?(?:工作日|小时|分钟|[名人次天日家场项条所岁元点号月年级种类份])")
_LEADING = re.compile(
    r"[，,]?(?:一共|总共|都|分别|大概|一般|现在|具体|每个?月|要|需要|需|应该|应当|应|该|得|可以|能|会|是|为|有|由|被|按|在|从|到|给|去|找|让|对|的|了|里|中|时|包括|包含|发|交|办|打|扣|算)+$")
"""What leads from a topic to the asking."""
_LITTLE = 3
"""Characters of matter with which a question may still lean on the one before it."""


@dataclass(frozen=True, slots=True)
class _Before:
    """The question before: as it stands by itself, and what it is about."""

    query: Query
    topic: str


def followed(question: str, history: Sequence[str], today: dt.date, longest: int = 2000) -> Query:
    """The question as it is meant after others.

    history: earlier questions, oldest first. Raises QuestionError for the question, see `understand`; earlier ones that say
    nothing are passed over.
    """
    query, before = understand(question, today, longest), None
    for earlier in history:
        with suppress(QuestionError):
            before = _said(understand(earlier, today, longest), before)
    return _completed(query, before) if before else query


def _said(query: Query, before: _Before | None) -> _Before:
    if before is None:
        return _Before(query, _topic(query.text))
    query = _completed(query, before)
    if query.completed:
        return _Before(replace(understand(query.completed[0]), assumptions=query.assumptions), before.topic)
    return _Before(query, _topic(query.text))


def _completed(query: Query, before: _Before) -> Query:
    """The question with what it leaves to the one before it."""
    old, text = before.query, query.text
    if _LEANS.search(text):
        whole = _instead(query, before) if _INSTEAD.search(text) else f"{_scope(old, query) or before.topic}{_MORE.sub('', text)}"
        return replace(understand(whole), assumptions=(*query.assumptions, f"按上一问补全为：{whole}"))
    if not _says_little(query):
        return query
    topic = _swapped(before.topic, old, query, added=False) or before.topic
    return replace(query, completed=tuple(f"{way}{_MORE.sub('', text)}" for way in dict.fromkeys((topic, _wider(topic)))))


def _says_little(query: Query) -> bool:
    """Whether a question has next to no matter of its own (找谁？ 多久能办好？)."""
    named = query.places or query.offices or query.numbers or query.titles or query.festivals
    matter = ASKING.sub("", _COUNT.sub("", query.text))
    return not named and sum(c.isalnum() and not c.isdigit() for c in matter) <= _LITTLE


def _topic(question: str) -> str:
    """What a question is about: what stands before its asking, or around it when it begins with that."""
    asks = _ASKS.search(question)
    head = _LEADING.sub("", question[: asks.start()]) if asks else question.rstrip("？?。. ")
    return head if len(head) > 1 else _LEADING.sub("", _ASKS.sub("", question).rstrip("？?。. "))


def _wider(topic: str) -> str:
    """The topic without its last word, which may be but what was asked of it (人才公寓|租金)."""
    parts = segments(topic)
    return "".join(parts[:-1]) if len(parts) > 1 else topic


def _instead(query: Query, before: _Before) -> str:
    """The question before with what this one names in place of its own, or asked of this one's matter."""
    if swapped := _swapped(before.query.text, before.query, query):
        return swapped
    about = _ABOUT.match(query.text)
    return f"{_scope(before.query)}{about.group(1) if about else query.text}{_asking(before.query.text)}"


def _swapped(earlier: str, old: Query, new: Query, added: bool = True) -> str | None:
    """The earlier text with the newly named office or place, year or festival in place of its own.

    added: before it, where it names none.
    """
    out = earlier
    for mine, theirs in ((_who(new), _who(old)), (_when(new), _when(old)), (new.festivals[:1], old.festivals[:1])):
        if not mine or mine == theirs:
            continue
        said = _written(out, theirs[0]) if theirs else ""
        out = out.replace(said, mine[0], 1) if said else mine[0] * added + out
    return out if out != earlier else None


def _who(query: Query) -> tuple[str, ...]:
    return query.offices[:1] or query.places[:1]


def _when(query: Query) -> tuple[str, ...]:
    return tuple(f"{y}年" for y in query.years[:1])


def _written(text: str, slot: str) -> str:
    """How `text` writes the slot: a place with its suffix, a festival in any of its forms."""
    if slot in FESTIVALS:
        found = re.search(f"(?:{FESTIVAL_WORD[slot].pattern})节?", text, re.I)
    else:
        found = re.search(rf"{re.escape(slot)}(?:省|市|州|自治区|(?=))", text)
    return found.group() if found else ""


def _scope(old: Query, new: Query | None = None) -> str:
    """The earlier slots that the new question does not name itself, as words in front of it."""
    parts = []
    if old.titles and not (new and new.titles):
        parts.append(f"《{old.titles[0]}》")
    elif old.numbers and not (new and new.numbers):
        parts.append(old.numbers[0])
    else:
        if old.years and not (new and new.years):
            parts.append(f"{old.years[0]}年")
        if (old.offices or old.places) and not (new and (new.offices or new.places)):
            parts.append((old.offices or old.places)[0])
        if old.festivals and not (new and new.festivals):
            parts.append(old.festivals[0])
    return "".join(parts)


def _asking(question: str) -> str:
    """The asking part of a question: from its question word on, else all of it."""
    found = re.search(r"(有哪些|有什么|是什么|是多少|怎么|如何|由谁|什么时候|何时|要求|多少|哪些).*$", question)
    return found.group() if found else question
