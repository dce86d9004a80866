"""What a document does to others: it amends, repeals, answers or passes them on, each with the words that say so."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.loading.headlines import NUMBER
from rag.loading.squeezed import Squeezed
from rag.schema import Relation, Span

_NUMBER = re.compile(rf"{NUMBER.pattern}|[\u4e00-\u9fff]{{0,12}}令\d{{0,4}}年?第?[\d一二三四五六七八九十百〇零]{{1,6}}号")
_BRACKETED = re.compile(r"[（(〔\[]([^（）()]{0,60}(?:[〔［\[(（]\d{4}[〕］\])）])?[^（）()]{0,30})[）)〕\]]")
_NOW = (r"(?:[，,]?(?:同时|即行|自行|自动|予以|一并|相应|即时|随之|均|不再有效并|均予以|决定|"
        r"自(?:本[\u4e00-\u9fff]{1,8}?)?(?:施行|实施|执行|生效|公布|发布|印发|下发)之日起|自?即日起|自\d{4}年\d{1,2}月\d{1,2}日起)){0,3}")
_REPEALED = re.compile(rf"{_NOW}(?:废止|停止执行|停止施行|停止实施|停止使用|失效|不再执行|不再施行|不再适用)(?![规的部])")
_REPEALING = re.compile(r"(?:决定|现|同时|一并|予以|，|。|；|^)(?:废止|停止执行)(?=《)")
_NOT_YET = re.compile(r"(?:建议|拟|提请|研究|是否|可以|应当|有权|如需|依法)[^，。；]{0,12}$")
_GROUND = re.compile(r"(?:根据|依据|依照|按照|遵照|贯彻|落实|执行|符合|违反|参照|除)[^，。；《》]{0,12}$")
_LINK = re.compile(r"(?:、|和|及|以及|与|，|；)?(?:[^《》。；、]{0,50}(?:发布|公布|通过|印发|修正|修订|颁布|制定|下发|号)的?|[^《》。；，、]{0,12})?")
_REVISED_BY = re.compile("(?:第.{1,3}次)?修[改订正]的")
_AMENDED = re.compile(r"(?:作|做)(?:出|了)?(?:如下|以下|相应)?修[改订正]|(?:予以|进行)修[改订正]|修[改订]如下")
_AMENDING_TITLE = re.compile(r"关于(?:第[一二三四五六七八九十]次)?修[改订正](?:和完善)?(?=[《〈])")
_ANSWERED = re.compile(r"(?:均)?(?:收悉|悉)")
_PASSED_ON = re.compile(r"(?:全文)?(?:转发|批转)(?:给)?(?:你们|你单位|如下|各)")
_PASSING_TITLE = re.compile(r"(?:转发|批转)(.{4,120}?)的?通知$")
_SIGNAL = re.compile("废止|停止|失效|不再|修[改订正]|收悉|悉|转发|批转")
_SHORTEST = 5
"""Fewer characters between 《》 name no document."""


@dataclass(frozen=True, slots=True)
class _Name:
    """A document called by its name: 《title》（number）, at start…end of the squeezed text."""

    start: int
    end: int
    title: str
    number: str | None


def relations(title: str | None, title_span: Span | None, paragraphs: Iterator[Squeezed]) -> tuple[Relation, ...]:
    """The relations stated by a document's title and paragraphs, each once, in order."""
    found: list[Relation] = []
    if title and title_span:
        found.extend(_of_title(title, title_span))
    for paragraph in paragraphs:
        if _SIGNAL.search(paragraph.text):
            found.extend(_of_paragraph(paragraph))
    unique: dict[tuple, Relation] = {}
    for relation in found:
        unique.setdefault((relation.kind, relation.title, relation.number), relation)
    return tuple(sorted(unique.values(), key=lambda r: r.span.start))


def names(text: str) -> list[_Name]:
    """Everything between outermost 《》 (〈〉 inside, or 《》 nested), with the number in brackets behind it."""
    out, depth, start = [], 0, 0
    for at, char in enumerate(text):
        if char == "《":
            start = at if depth == 0 else start
            depth += 1
        elif char == "》" and depth:
            depth -= 1
            if depth == 0:
                behind = _BRACKETED.match(text, at + 1)
                number = _NUMBER.search(behind[1]) if behind else None
                end = behind.end() if behind and number else at + 1
                out.append(_Name(start, end, text[start + 1 : at], number[0] if number else None))
    return [name for name in out if len(name.title) >= _SHORTEST]


def _of_title(title: str, span: Span) -> Iterator[Relation]:
    bare = "".join(title.split())
    if found := _AMENDING_TITLE.search(bare):
        called = re.sub("[〈〉]", lambda m: "《》"["〈〉".index(m[0])], bare[found.end() :])
        for name in names(called)[:1]:
            yield Relation("amends", name.title, name.number, span)
    elif found := _PASSING_TITLE.search(bare):
        called = names(found[1])
        yield Relation("forwards", called[0].title if called else found[1], None, span)


def _of_paragraph(paragraph: Squeezed) -> Iterator[Relation]:
    text = paragraph.text
    called = names(text)
    inside = [(name.start, name.start + len(name.title) + 2) for name in called]

    def verbs(pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        return (m for m in pattern.finditer(text) if not any(a < m.start() < b for a, b in inside) and not _quoted(text, m.start()))

    for verb in verbs(_REPEALED):
        for name in _before(text, called, verb.start()):
            yield Relation("repeals", name.title or None, name.number, paragraph.span(name.start, verb.end()))
    for verb in verbs(_REPEALING):
        if not _NOT_YET.search(text[: verb.end()][:-2]):
            for name in _after(text, called, verb.end()):
                yield Relation("repeals", name.title, name.number, paragraph.span(verb.start(), name.end))
    for verb in verbs(_AMENDED):
        for name in _before(text, called, verb.start(), reach=12)[:1]:
            yield Relation("amends", name.title, name.number, paragraph.span(name.start, verb.end()))
    for verb in verbs(_ANSWERED):
        for name in _before(text, called, verb.start()):
            yield Relation("replies_to", name.title, name.number, paragraph.span(name.start, verb.end()))
    for verb in verbs(_PASSED_ON):
        for name in _before(text, called, verb.start(), reach=20)[:1]:
            yield Relation("forwards", name.title, name.number, paragraph.span(name.start, verb.end()))


def _before(text: str, called: list[_Name], verb: int, reach: int = 2) -> list[_Name]:
    """The names that a verb at `verb` speaks of: the one right before it, and those joined to that one."""
    out: list[_Name] = []
    nearest = [n for n in called if n.end <= verb]
    gap = text[nearest[-1].end : verb] if nearest else text
    if not nearest or len(gap) > reach or re.search("[。；]|第.{1,6}条", gap):
        return _numbered(text, verb)
    for name in reversed(nearest):
        if out and (not _LINK.fullmatch(text, name.end, out[-1].start) or _REVISED_BY.match(text, name.end)):
            break
        if _GROUND.search(text[: name.start]):
            break
        out.append(name)
    return out[::-1]


def _numbered(text: str, verb: int) -> list[_Name]:
    """A document that is called by its number alone, right before the verb."""
    found = re.search(rf"(?P<number>{NUMBER.pattern})(?:文件?|通知)?$", text[:verb])
    if not found:
        return []
    number = re.sub("^.*(?:原|和|、|，)", "", found["number"])
    return [_Name(found.end("number") - len(number), found.end(), "", number)]


def _after(text: str, called: list[_Name], verb: int) -> list[_Name]:
    out: list[_Name] = []
    for name in called:
        if name.start >= verb and _LINK.fullmatch(text, out[-1].end if out else verb, name.start):
            out.append(name)
    return out


def _quoted(text: str, at: int) -> bool:
    """Whether a place lies between “ and ”: the words of another document."""
    return text.count("“", 0, at) > text.count("”", 0, at)
