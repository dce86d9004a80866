"""The header table above a document that was copied out of a page: "索引号：…", "发文字号 | … |", a label above its value."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rag.loading.blocks import Block
from rag.loading.content import Given
from rag.loading.dates import DATE, iso
from rag.loading.ending import is_org
from rag.loading.headlines import NUMBER
from rag.loading.numbering import mark
from rag.schema import Span
from rag.text import readable

KEYS: Mapping[str, re.Pattern[str]] = {
    "title": re.compile(r"(?:标题|文件名称|名称|信息名称)"),
    "issuers": re.compile(r"(?:发文机关|发文机构|发布机构|发布单位|发文单位|制发机关|公开主体|成文机关)"),
    "document_number": re.compile(r"(?:发文字号|文号|文件编号|发文文号|公开文号)"),
    "issued_on": re.compile(r"(?:成文日期|发文日期|印发日期|成文时间|生成日期)"),
    "published_on": re.compile(r"(?:发布日期|公开日期|发布时间|公布日期)"),
}
"""Name of a field → the labels under which pages state it."""
_OTHERS = ("索引号", "主题分类", "组配分类", "体裁分类", "主题词", "服务对象", "公文目录", "公开方式", "公开类别", "有效性", "内容概述", "生效日期",
           "废止日期", "失效日期", "信息来源", "来源", "关键词", "文件状态", "时效性")
_NAMES = "|".join((*(rule.pattern for rule in KEYS.values()), *map(re.escape, _OTHERS)))
_LABEL = re.compile(rf"(?<![\u4e00-\u9fff])[•·*\-]?\s*(?P<label>{_NAMES.replace('文号', '文 {0,4}号').replace('标题', '标 {0,4}题')})\s*(?:[:：]\s*\|?|\|)")
_LINES = 40
_LEAST = 3
"""So many known labels make a header table: one or two may stand in any text."""
_LONGEST = 120


def with_header(text: str, blocks: Sequence[Block], given: Given) -> tuple[list[Block], Given]:
    """The blocks with the header's lines as table rows, and what the header states.

    blocks: all of `text`. given: what the format states, which wins. Without a header both stay as they are.
    """
    top = list(_lines(text, blocks))
    entries = [entry for start, end, _ in top for entry in _entries(text, start, end)]
    if len({label for label, _, _ in entries}) < _LEAST or given.get("title"):
        return list(blocks), given
    found: dict[str, tuple[str, Span]] = {}
    values: list[Span] = []
    for label, start, end in entries:
        if start == end:
            start, end = _below(text, top, end)
        values.append(Span(start, end))
        name = next((n for n, rule in KEYS.items() if rule.fullmatch(label)), None)
        if name and name not in found and (stated := _value(name, text, start, end)):
            found[name] = stated
    labelled = [Span(start, end) for start, end, _ in top if any(True for _ in _entries(text, start, end))]
    rows = [*labelled, *(span for span in values if span.start < span.end)]
    return [_row(block, rows) for block in blocks], {**found, **given}


def _row(found: Block, rows: Sequence[Span]) -> Block:
    inside = found.content and any(span.start < found.end and found.start < span.end for span in rows)
    bare = inside and not re.sub(r"[\s|•·*:：-]", "", _LABEL.sub("", found.text))
    return replace(found, kind="furniture" if bare else "row", level=0) if inside else found


def _lines(text: str, blocks: Sequence[Block]) -> Iterator[tuple[int, int, Block]]:
    """The first lines of the content, up to the first long one, with the block each lies in."""
    count = 0
    for found in (b for b in blocks if b.content):
        at = found.start
        for line in text[found.start : found.end].splitlines(keepends=True):
            if line.strip():
                if len(line) > 2 * _LONGEST or count == _LINES:
                    return
                count += 1
                yield at, at + len(line.rstrip()), found
            at += len(line)


def _entries(text: str, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """Label and where its value lies, for each label in a line; an empty value when nothing follows."""
    found = list(_LABEL.finditer(text, start, end))
    if not found or text[start : found[0].start()].strip(" |•·*-"):
        return
    for at, label in enumerate(found):
        begin, stop = label.end(), found[at + 1].start() if at + 1 < len(found) else end
        while begin < stop and text[begin] in " |\t\u3000":
            begin += 1
        while stop > begin and text[stop - 1] in " |\t\u3000；;•·*-\n":
            stop -= 1
        yield re.sub(r"\s", "", label["label"]), begin, stop


def _below(text: str, top: Sequence[tuple[int, int, Block]], at: int) -> tuple[int, int]:
    """The line below a label that has nothing beside it; nothing where that is a label itself."""
    own = next((line for line in top if line[0] <= at <= line[1]), None)
    following = next(((start, end) for start, end, _ in top if start >= at), None)
    if own is None or following is None or following[1] - following[0] > _LONGEST or len(list(_entries(text, *own[:2]))) > 1:
        return at, at
    return (at, at) if next(_entries(text, *following), None) or mark(text[slice(*following)]) else following


def _value(name: str, text: str, start: int, end: int) -> tuple[str, Span] | None:
    value = readable(text[start:end])
    if name in ("issued_on", "published_on"):
        date = DATE.search(text, start, end)
        day = iso(date) if date else None
        return (day, Span(date.start(), date.end())) if date and day else None
    if name == "document_number":
        number = NUMBER.search(text, start, end)
        return (re.sub(r"\s", "", number[0]), Span(number.start(), number.end())) if number else None
    if name == "issuers":
        return (value, Span(start, end)) if is_org(value) and "网" not in value else None
    return (value, Span(start, end)) if len(value) >= 6 else None
