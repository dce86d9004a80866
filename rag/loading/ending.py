"""What follows the last numbered part: contacts, signature and date, attachments."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rag.loading.blocks import Block, finished, running
from rag.loading.dates import DATE, is_date_line
from rag.loading.layout import TITLE_END
from rag.loading.numbering import mark

ORG_END = (
    r"(?:委员会|政府|办公厅|办公室|[省市区县州党工]委|委|厅|局|部|院|会|处|署|室|中心|指挥部|组|公司|银行|大学|学院|学校|医院|"
    r"站|所|总队|支队|集团|联控机制|(?<![主承协举开])办|馆|台|社|校|园|军区|人大|政协)"
)
_ORG = re.compile(rf"[^，。；：:,！？《》<>]{{1,39}}{ORG_END}(?:[（(][^）)]{{1,12}}[）)])?")
_DONE = re.compile("关于|召开|举[行办]|开展")
"""Words that tell what somebody does, so that a headline that ends in 会 or 部 is no name."""
_PERSON = re.compile(r"(?:代)?(?:国家主席|主席|总理|省长|市长|区长|县长|州长|部长|主任|局长|会长|署长)[\u4e00-\u9fff·]{2,12}")
_COUNT = r"(?:[\d一二三四五六七八九十]{1,3}(?:[-－—]\d+)?)"
_LABEL_ONLY = re.compile(rf"附\s?(?:件|录|表|图)\s?{_COUNT}?\s?[:：.．、]?|附\s?[:：]")
_LABEL_TITLE = re.compile(rf"附\s?(?:件|录|表|图)\s?(?:{_COUNT}\s?[.．、:：]|[:：])\s?\S.{{0,100}}|附\s?[:：]\s?\S.{{0,60}}")
_LABEL_JOINED = re.compile(rf"附\s?件\s?{_COUNT}\s?(?![所中的规要里和、，及至到])[\u4e00-\u9fff《].{{1,80}}")
_TRAILERS = 3
"""So many short lines after the date still belong to the signature."""
_PHONE = re.compile(r"(?<!\d)(?:0\d{2,3}[-—－\s]?\d{7,8}|1\d{10}|400[-\d]{7,10}|\d{7,8})(?!\d)")
_CONTACT = re.compile(r"联系(?:人|电话|方式|地址)|电\s*话|传\s*真|邮\s*箱|邮\s*编|热线|E-?mail|通[讯信]地址|办公地址", re.I)
_AFTER_DATE = re.compile(
    r"[（(](?:此件|本文|联系|此文|(?:信息)?公开)[^（）()]{0,60}[）)]|"
    r"(?:信息)?公开(?:方式|属性|类别|形式)[:：].{0,20}|(?:主动|依申请|不予)公开|抄\s?[送报][:：].*")
_IMPRINT = re.compile(
    rf"(?:[抄主分]\s?[送报]|主题词)(?:单位|机关)?[:：].*|[^，。]{{0,40}}{DATE.pattern}印(?:发|制)?|[（(]?共印\d+份[)）]?|校对[:：].{{2,12}}")
"""What is printed below a document: who gets it, who printed it and when."""


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive blocks `first` … `last - 1` of one sort. `title`: how many of them are its label and title."""

    kind: Literal["main", "attachment", "list", "signature", "contacts", "imprint"]
    first: int
    last: int
    title: int = 0


def is_org(text: str) -> bool:
    """Whether a line is the name of an organisation and nothing else."""
    return len(text) <= 45 and not _DONE.search(text) and not mark(text) and not DATE.match(text) and bool(_ORG.fullmatch(text)) and text[-2:] != "通知"


def is_person(text: str) -> bool:
    """Whether a line is an office and the name of who holds it, as under a decree."""
    return bool(_PERSON.fullmatch(text))


def is_contact(text: str) -> bool:
    """Whether a line gives a telephone number or an address to turn to."""
    return len(text) <= 80 and "。" not in text and not mark(text) and bool(_CONTACT.search(text) or _PHONE.search(text))


def title_like(found: Block) -> bool:
    """Whether a block could be (a line of) a title."""
    text = found.text
    return (found.kind in ("text", "heading") and len(text) <= 80 and not finished(text) and not running(text)
            and not mark(text) and not is_date_line(text))


def split(blocks: Sequence[Block]) -> list[Part]:
    """The document's parts in reading order; together they cover all blocks."""
    end = _imprint(blocks)
    if end < len(blocks):
        return [*split(blocks[:end]), Part("imprint", end, len(blocks))]
    signatures = _signatures(blocks)
    names = _listed(blocks)
    bounds: dict[int, Part] = {}
    for first, last in signatures:
        bounds[first] = Part("signature", first, last)
        if last < len(blocks) and not _labelled(blocks[last]):
            bounds[last] = Part("attachment", last, last, _title_lines(blocks, last, names))
    started = next((i for i, b in enumerate(blocks) if running(b.text)), len(blocks))
    inside = {i for first, last in signatures for i in range(first, last)}
    done = started
    for at in range(started, len(blocks)):
        if at >= done and at not in inside and _labelled(blocks[at]):
            bounds[at] = _attachment(blocks, at, signatures, names)
            done = bounds[at].last
    return _filled(blocks, bounds)


def _filled(blocks: Sequence[Block], bounds: dict[int, Part]) -> list[Part]:
    starts = sorted(bounds)
    parts: list[Part] = []
    at = 0
    for index, start in enumerate([*starts, len(blocks)]):
        if at < start:
            parts.extend(_with_contacts(blocks, at, start))
        if start == len(blocks):
            break
        part = bounds[start]
        following = starts[index + 1] if index + 1 < len(starts) else len(blocks)
        last = part.last if part.kind in ("signature", "list") else following
        parts.append(Part(part.kind, start, min(last, following), part.title))
        at = parts[-1].last
    return parts


def _with_contacts(blocks: Sequence[Block], first: int, last: int) -> list[Part]:
    """The main part, its trailing contact lines apart from it."""
    at = last
    while at > first and is_contact(blocks[at - 1].text):
        at -= 1
    if at == last or (at == first and last == len(blocks) and first == 0):
        return [Part("main", first, last)]
    out = [Part("main", first, at)] if at > first else []
    return [*out, Part("contacts", at, last)]


# ---------------------------------------------------------------- signature

def _signatures(blocks: Sequence[Block]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    body = False
    for at, found in enumerate(blocks):
        body = body or running(found.text)
        if not body or found.kind != "text":
            continue
        if is_date_line(found.text):
            first = _signers(blocks, at)
        elif signed_in_one(found.text):
            first = at
        elif at == len(blocks) - 1 and is_org(found.text):
            first = _signers(blocks, at + 1)
        else:
            continue
        last = at + 1
        while last < len(blocks) and _AFTER_DATE.fullmatch(blocks[last].text):
            last += 1
        if len(blocks) - last <= _TRAILERS and not any(running(b.text) or _labelled(b) or is_contact(b.text) for b in blocks[last:]):
            last = len(blocks)
        if first > 0 and (last == len(blocks) or _opens_attachment(blocks, last) or is_contact(blocks[last].text)):
            out.append((first, last))
    return out


def _signers(blocks: Sequence[Block], end: int) -> int:
    """Index of the first line of the names before `end`; names may run over two lines."""
    first = end
    while first > 0 and end - first < 12:
        text = blocks[first - 1].text
        part_of_name = (first < end and len(text) <= 30 and title_like(blocks[first - 1]) and not TITLE_END.search(text)
                        and not is_contact(text) and first >= 2 and finished(blocks[first - 2].text))
        if not (is_org(text) or is_person(text) or part_of_name):
            break
        first -= 1
    return first


def signed_in_one(text: str) -> bool:
    """Whether organisation and date share one line."""
    if len(text) > 70:
        return False
    dates = list(DATE.finditer(text))
    return bool(dates) and dates[-1].end() == len(text) and is_org(text[: dates[-1].start()].strip())


def _opens_attachment(blocks: Sequence[Block], at: int) -> bool:
    if _labelled(blocks[at]):
        return True
    return title_like(blocks[at]) and not is_contact(blocks[at].text) and any(running(b.text) for b in blocks[at : at + 8])


def _imprint(blocks: Sequence[Block]) -> int:
    """Where the imprint begins; the end of the blocks when there is none, or nothing else."""
    at = len(blocks)
    while at > 0 and (_IMPRINT.fullmatch(blocks[at - 1].text) or (at > 1 and is_org(blocks[at - 1].text) and _IMPRINT.fullmatch(blocks[at - 2].text))
                      or (at < len(blocks) and _AFTER_DATE.fullmatch(blocks[at - 1].text))):
        at -= 1
    while at < len(blocks) and not _IMPRINT.fullmatch(blocks[at].text):
        at += 1
    return at or len(blocks)


# ---------------------------------------------------------------- attachments

def is_label(text: str) -> bool:
    """Whether a line says "附件1" and nothing else."""
    return bool(_LABEL_ONLY.fullmatch(text))


def _labelled(found: Block) -> bool:
    text = found.text
    if found.kind not in ("text", "heading") or not text.startswith("附"):
        return False
    if _LABEL_ONLY.fullmatch(text) or (_LABEL_TITLE.fullmatch(text) and "。" not in text):
        return True
    return bool(_LABEL_JOINED.fullmatch(text)) and not finished(text) and not running(text)


def _attachment(blocks: Sequence[Block], at: int, signatures: Sequence[tuple[int, int]], names: frozenset[str]) -> Part:
    """The attachment that opens here, or the mere list of attachments before the signature."""
    bound = min([first for first, _ in signatures if first > at], default=len(blocks))
    last = next((i for i in range(at + 1, bound) if running(blocks[i].text) or blocks[i].kind == "row"), bound)
    again = next((i for i in range(at + 1, last) if _labelled(blocks[i])), None)
    entries = sum(mark(b.text) is not None for b in blocks[at + 1 : last])
    named = _title_lines(blocks, at + 1, names) if _LABEL_ONLY.fullmatch(blocks[at].text) else 0
    listed = named and _bare("".join(b.text for b in blocks[at + 1 : at + 1 + named])) in names
    if last == bound and not listed and (bound < len(blocks) or entries < 2):
        return Part("list", at, last, 1)
    if again is not None and not _LABEL_ONLY.fullmatch(blocks[at].text):
        return Part("list", at, again, 1)
    return Part("attachment", at, at, 1 + named)


def _listed(blocks: Sequence[Block]) -> frozenset[str]:
    """The names of attachments and issued documents that the text itself mentions, without punctuation."""
    out: set[str] = set()
    for found in blocks:
        if len(found.text) <= 120 and (found.text.startswith("附") or mark(found.text)):
            out.add(_bare(re.sub(rf"^附\s?件?\s?{_COUNT}?\s?[.．、:：]?|^\d+\s?[.．、]", "", re.sub(r"^附\s?件?\s?[:：]", "", found.text))))
        out.update(_bare(name) for name in re.findall("《([^《》]{4,80})》", found.text[:2000]))
    return frozenset(out)


def _bare(text: str) -> str:
    return re.sub(r"\W", "", text)


def _title_lines(blocks: Sequence[Block], at: int, names: frozenset[str]) -> int:
    """How many blocks from `at` on make up a title: up to a name the text mentions, else to a word such as 方案."""
    count = 0
    joined = ""
    ends: list[int] = []
    while at + count < len(blocks) and count < 5 and title_like(blocks[at + count]):
        joined += _bare(blocks[at + count].text)
        count += 1
        if joined in names:
            return count
        if TITLE_END.search(blocks[at + count - 1].text):
            ends.append(count)
    return ends[0] if ends else min(count, 1)
