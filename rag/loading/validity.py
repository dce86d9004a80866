"""From when until when a document is in force, and of what period it speaks, as it says itself."""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import dropwhile, takewhile

from rag.loading.dates import DATE, iso
from rag.loading.headlines import is_history
from rag.loading.relations import relations
from rag.loading.squeezed import Squeezed
from rag.loading.subjects import FESTIVALS
from rag.schema import Document, Metadata, Span
from rag.text import number

_CN = "〇○零一二三四五六七八九十"
_DAY = (rf"(?:[12]\d{{3}}|[一二][{_CN}]{{3}})(?:年(?:\d{{1,2}}|[{_CN}]{{1,3}})月(?:\d{{1,2}}|[{_CN}]{{1,3}})[日号]|年[底末]"
        r"|[-/.．]\d{1,2}[-/.．]\d{1,2})")
_WHEN = rf"(?:{_DAY}|(?:正式)?(?:公布|发布|印发|颁布|下发|签发|签署|发文|通过|批准|作出)之?日)"
_SELF = r"(?:本[\u4e00-\u9fff]{1,10}?|(?:以上|上述)(?:政策|措施|规定|意见|办法|标准|事项))"
_START = re.compile(
    rf"(?P<self>{_SELF})?(?P<lead>[，,]?现?(?:决定)?(?:自|从|于))(?P<when>{_WHEN})(?:起|开始|以?后)?"
    rf"(?:(?:满)?(?P<days>[\d{_CN}]{{1,3}})(?:个自然)?[日天](?:后|以后|之后))?(?:[至到](?P<to>{_DAY})(?:止|期间)?)?[，,]?(?:正式|开始)?"
    r"(?:施行|实施|执行|生效|实行|试行|适用)(?P<on>至|到)?")
_ANNOUNCED = re.compile(r"(?:负责解释|公布|发布|通过|印发|印发你们|印发给你们|请遵照执行|请认真贯彻执行|^|[。；]|第.{1,6}条|[一二三四五六七八九十]、)[，,]?$")
_SPAN_OF_TIME = rf"(?:期限?)?(?:为|是|暂定|暂定为|限)?(?P<n>[\d{_CN}两]{{1,3}})(?P<unit>个?月|年)"
_TERM = re.compile(rf"(?:有效|试行|暂行|执行|实施|施行){_SPAN_OF_TIME}(?!以上|以下|度|[前后内来])")
_UNTIL = re.compile(
    r"(?:有效期限?|(?:试行|执行|实施|施行)(?:期限?)?)(?:为|是|自|从|由|调整|延长|延续|顺延|截止|截至)*"
    rf"(?:{_DAY}(?:起)?)?(?:-|—|－|~|～)*(?:至|到|为)*(?P<until>{_DAY})")
_RENEWED = re.compile(rf"(?:有效期限?|(?:试行|执行|实施)期限?)(?:调整|延长|延续|顺延)(?:至|到|为)(?P<until>{_DAY})")
_SIGNAL = re.compile("施行|实施|执行|生效|实行|试行|适用|有效期|暂行")
_NEAR = 40
"""The term stands within so many characters after the day a document takes effect."""
_ENDS = re.compile(r"(?<![\u4e00-\u9fff])(?:失效|废止|有效期?截止)(?:日期|时间)\s*[:：]\s*(?P<date>[^\n]{6,20})")
_BEGINS = re.compile(r"(?<![\u4e00-\u9fff])(?:实施日期|施行(?:日期|时间)|生效(?:日期|时间))\s*[:：]\s*(?P<date>[^\n]{6,20})")
_STATED = re.compile(r"(?:效力状态|时效性|时效状态|有效性|文件状态|法规状态|是否有效)\s*[:：]\s*(?:已经?)?(失效|废止|无效|否)(?![\u4e00-\u9fff])")
_TITLED = re.compile(r"[（(\[【]?(?:已废止|已失效|废止|失效)[）)\]】]\s*$")
_FESTIVAL = "|".join(f"(?:{pattern})" for pattern in FESTIVALS.values())
_YEAR = rf"(?:(?:19|20)\d{{2}}|二[〇○零][{_CN}]{{2}})"
_PERIOD = re.compile(
    rf"{_YEAR}(?:[-—－~～至]{{1,2}}{_YEAR})?(?:年度?|学年度?)(?!\d{{0,2}}月\d)(?:[和暨、及与“”\"]?(?:{_FESTIVAL}|节|汛期|[寒暑]假|"
    r"冬春|今冬明春|[春夏秋冬]季|[上下]半年|第?[一二三四]季度|\d{1,2}月份?|“?[两双]节”?|重大节日))*(?:期间|假期)?")
_OCCASION = re.compile(rf"{_FESTIVAL}|期间|节|汛期|假")
_OPENING = 1200
_HISTORY, _LONGEST_STEP = 12, 1000
"""Paragraphs at the head of a law among which its history stands, and characters of one that are looked at."""


@dataclass(frozen=True, slots=True)
class _Start:
    """A statement that something takes effect: "本办法自…起施行", with what is said right behind it. after: so many days later."""

    subject: str
    when: str
    after: int
    span: Span
    expires: str | None
    months: int | None
    term: Span | None


def with_validity(document: Document) -> Document:
    """The document with `period`, `effective_on`, `expires_on`, `relations` and what a page's header says of its status.

    Days that count from publication count from `meta.published_on` or `issued_on`: correct those first.
    """
    meta, text = document.meta, document.text
    paragraphs = [Squeezed.of(text, b.start, b.end) for b in document.body]
    meta = replace(meta, relations=relations(meta.title, meta.proof.get("title"), iter(paragraphs)), proof=dict(meta.proof))
    meta = _stated(_dated(meta, text, paragraphs), text)
    return replace(document, meta=_speaks_of(meta, text, document.body))


# ---------------------------------------------------------------- days

def _dated(meta: Metadata, text: str, paragraphs: list[Squeezed]) -> Metadata:
    told = [p for p in paragraphs if _SIGNAL.search(p.text)]
    start = _chosen([s for p in told for s in _starts(p)], meta.title or "")
    proof = dict(meta.proof)
    effective = expires = None
    if start:
        effective = _later(_day(start.when) or _enacted(paragraphs) or meta.issued_on or meta.published_on, start.after)
        expires = start.expires
        if effective:
            proof["effective_on"] = start.span
            if start.months:
                expires = _last_day(effective, start.months)
        if expires and start.term:
            proof["expires_on"] = start.term
    for name, label in (("effective_on", _BEGINS), ("expires_on", _ENDS)):
        found = label.search(text)
        if found and (day := _day(found["date"])):
            proof[name] = Span(found.start(), found.end("date"))
            effective, expires = (day, expires) if name == "effective_on" else (effective, day)
    if not expires or not start:
        expires, proof = _alone(told, effective or meta.issued_on or meta.published_on, expires, proof)
    for renewed, span in ((m, p.span(m.start(), m.end())) for p in told for m in _RENEWED.finditer(p.text)):
        expires, proof["expires_on"] = _day(renewed["until"]) or expires, span
    return replace(meta, effective_on=effective, expires_on=expires, proof=proof)


def _enacted(paragraphs: list[Squeezed]) -> str | None:
    """The day of publication that the history of an amended law tells: the last one that is no mere amendment.

    None where the history tells of one day only, which is that of the document.
    """
    lines = list(takewhile(_is_step, dropwhile(lambda p: not _is_step(p), paragraphs[:_HISTORY])))
    steps: list[tuple[str | None, str]] = []
    for line in lines:
        days = list(DATE.finditer(line.text))
        ends = [*(day.start() for day in days[1:]), len(line.text)]
        steps.extend((iso(day), line.text[day.end() : end]) for day, end in zip(days, ends, strict=True))
    amending = [bool(re.search("修正|《.*修订", said)) for _, said in steps]
    for at, (_, said) in enumerate(steps[1:], 1):
        amending[at - 1] |= amending[at] and bool(re.search("批准的《", said))  # passed one day, approved another
    whole = [(day, said) for (day, said), mere in zip(steps, amending, strict=True) if not mere and not re.match("起?施行", said)]
    published = [day for day, said in whole if re.search("公布|发布|颁布", said)] or [day for day, _ in whole]
    return published[-1] if published and len(steps) > 1 else None


def _is_step(paragraph: Squeezed) -> bool:
    return is_history(paragraph.text[:_LONGEST_STEP])


def _starts(paragraph: Squeezed) -> Iterator[_Start]:
    text = paragraph.text
    for found in _START.finditer(text):
        if not (found["self"] or _ANNOUNCED.search(text[: found.start()])) or _quoted(text, found.start()):
            continue
        behind = re.split("。", text[found.end() : found.end() + _NEAR])[0]
        expires = months = term = None
        if found["on"] and (until := re.match(_DAY, behind)):
            expires, term = _day(until[0]), paragraph.span(found.start(), found.end() + until.end())
        elif until := _UNTIL.search(behind):
            expires, term = _day(until["until"]), paragraph.span(found.start(), found.end() + until.end())
        elif lasting := _TERM.search(text, found.end() - 2, found.end() + len(behind)):
            months, term = _months(lasting), paragraph.span(found.start(), lasting.end())
        if found["to"] and not term:
            expires, term = _day(found["to"]), paragraph.span(found.start(), found.end())
        yield _Start(found["self"] or "", found["when"], number(found["days"] or "") or 0, paragraph.span(found.start(), found.end()), expires, months, term)


def _chosen(starts: list[_Start], title: str) -> _Start | None:
    """The statement about the document itself: one with a term first, then one that calls it as the title does, the last."""
    def rank(start: _Start) -> tuple[bool, bool]:
        return bool(start.term), bool(start.subject) and any(start.subject.endswith(k) for k in re.findall("办法|规定|条例|意见|细则|通知|决定|方案|公告|通告|法", title))

    return max(enumerate(starts), key=lambda pair: (*rank(pair[1]), pair[0]))[1] if starts else None


def _alone(
    told: list[Squeezed], since: str | None, expires: str | None, proof: dict[str, Span]
) -> tuple[str | None, dict[str, Span]]:
    """A term that stands apart from the day a document takes effect: "本通知有效期1年。"."""
    for paragraph in told:
        for own in re.finditer(rf"{_SELF}(?=有效|试行|暂行|执行|实施|施行)", paragraph.text):
            if until := _UNTIL.match(paragraph.text, own.end()):
                return _day(until["until"]), proof | {"expires_on": paragraph.span(own.start(), until.end())}
            if since and (lasting := _TERM.match(paragraph.text, own.end())):
                return _last_day(since, _months(lasting)), proof | {"expires_on": paragraph.span(own.start(), lasting.end())}
    return expires, proof


def _day(text: str) -> str | None:
    if year := re.fullmatch(rf"({_YEAR})年[底末]", text):
        return f"{number(year[1])}-12-31"
    found = DATE.search(text)
    return iso(found) if found else None


def _later(day: str | None, days: int) -> str | None:
    """So many days after an ISO day; None where the calendar has no such day."""
    if not day or not days:
        return day
    try:
        return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
    except (ValueError, OverflowError):
        return None


def _months(found: re.Match[str]) -> int:
    return (number(found["n"]) or 0) * (12 if found["unit"] == "年" else 1)


def _last_day(first: str, months: int) -> str | None:
    """The last day of so many months that begin on `first`: five years from 2024-03-01 end on 2029-02-28."""
    try:
        begin = date.fromisoformat(first)
        years, month = divmod(begin.month - 1 + months, 12)
        year = begin.year + years
        over = date(year, month + 1, min(begin.day, calendar.monthrange(year, month + 1)[1]))
    except ValueError:
        return None
    return (over - timedelta(days=1)).isoformat()


def _quoted(text: str, at: int) -> bool:
    return text.count("“", 0, at) > text.count("”", 0, at)


# ---------------------------------------------------------------- status, period

def _stated(meta: Metadata, text: str) -> Metadata:
    """What the page's header or a mark on the title says: only that the document is out of force, never that it is in."""
    title = meta.proof.get("title")
    found = _STATED.search(text)
    if found or (title and _TITLED.search(meta.title or "")):
        span = Span(found.start(), found.end()) if found else title
        assert span is not None
        reason = f"文件所在的页面注明“{''.join(found[0].split())}”。" if found else "标题注明已废止或失效。"
        return replace(meta, status="expired", status_reason=reason, proof={**meta.proof, "status": span})
    return meta


def _speaks_of(meta: Metadata, text: str, body: tuple[Span, ...]) -> Metadata:
    """The period named in the title, else in the opening paragraphs."""
    title = meta.proof.get("title")
    opening = [b for b in body if b.start < _OPENING and (title is None or b.start >= title.end)]
    for place in [*([title] if title else []), *opening]:
        squeezed = Squeezed.of(text, place.start, place.end)
        periods = [m for m in _PERIOD.finditer(squeezed.text) if place == title or _OCCASION.search(m[0])]
        if periods:
            best = max(periods, key=lambda m: (bool(_OCCASION.search(m[0])), -m.start()))
            span = squeezed.span(best.start(), best.end())
            return replace(meta, period=best[0], proof={**meta.proof, "period": span})
    return meta
