"""Enumerations inside running text: 一要…二要…, 一是…二是…, and numbers that follow a full stop.

A run is accepted only when it starts at one and counts on without a gap to at least two; so "一是" as
ordinary words never opens one.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rag.loading.blocks import Block, block
from rag.loading.drafts import Draft
from rag.loading.numbering import mark
from rag.text import number, sentences

_POINT = re.compile(r"(?:^|(?<=[。；;！？:：，,、）)”]))\s*(?=[一二三四五六七八九十]{1,3}\s?[要是]|[（(]?[\d一二三四五六七八九十]{1,3}[)）、.．]|[①-⑳])")
_WORD = re.compile(r"([一二三四五六七八九十]{1,3})\s?([要是])(?!否)")
_CLAUSE = re.compile(r"[^，。；;,:：！？]+")
_LONGEST_CLAUSE = 40
_DEEPEST = 20
_NUMBERED = ("一、", "（一）", "1.", "（1）", "1）", "①")
_FAR = 1200


def parted(text: str, blocks: Sequence[Block]) -> list[Block]:
    """The blocks, those that hold several numbered items ("①…；②…；③…") cut into one for each."""
    out: list[Block] = []
    for found in blocks:
        opening = mark(found.text) if found.kind == "text" else None
        start = found.start
        if opening and opening.kind in _NUMBERED:
            raw = text[found.start : found.end]
            for point in _POINT.finditer(raw, 1):
                following = mark(raw[point.end() : point.end() + 12])
                after_stop = raw[point.start() - 1] in "。；;！？"
                if after_stop and following and (following.kind, following.number) == (opening.kind, opening.number + 1):
                    out.append(block(text, start, found.start + point.end(), kind=found.kind))
                    start, opening = found.start + point.end(), following
        out.append(found if start == found.start else block(text, start, found.end, kind=found.kind))
    return out


@dataclass(slots=True)
class _Item:
    start: int
    number: int
    label: str
    text: str
    """What follows in its block, for the heading."""


@dataclass(slots=True)
class _Run:
    kind: str
    items: list[_Item]
    ends: list[int] = field(default_factory=list)


def enumerate_inline(text: str, owner: Draft, only: Sequence[Block] | None = None) -> None:
    """Hangs the runs found in the text that stands directly in `owner` below it."""
    own = list(owner.own if only is None else only)
    limit = min((c.start for c in owner.children), default=owner.end)
    own = [b for b in own if b.start < limit and b.kind == "text"]
    open_items: list[Draft] = []
    for run in _runs(text, own):
        start = run.items[0].start
        while open_items and open_items[-1].end <= start:
            open_items.pop()
        open_items.extend(reversed(_hang(text, own, open_items[-1] if open_items else owner, run, own[-1].end)))


def _runs(text: str, own: Sequence[Block]) -> list[_Run]:
    open_runs: list[_Run] = []
    done: list[_Run] = []
    for kind, item in _items(text, own):
        if item.number == 1:
            open_runs.append(_Run(kind, [item]))
            done.extend(open_runs[:-_DEEPEST])
            del open_runs[:-_DEEPEST]
            continue
        at = next((i for i in range(len(open_runs) - 1, -1, -1)
                   if open_runs[i].kind == kind and open_runs[i].items[-1].number == item.number - 1), None)
        if at is None:
            continue
        for inner in open_runs[at + 1 :]:
            inner.ends.append(item.start)
        done.extend(open_runs[at + 1 :])
        del open_runs[at + 1 :]
        open_runs[at].items.append(item)
    kept = [r for r in done + open_runs if len(r.items) > 1]
    return sorted(kept, key=lambda r: (r.items[0].start, -r.items[-1].start))


def _items(text: str, own: Sequence[Block]) -> Iterator[tuple[str, _Item]]:
    """Everything that looks like the beginning of an enumerated item, with its kind."""
    for index, found in enumerate(own):
        raw = text[found.start : found.end]
        for point in _POINT.finditer(raw):
            at = point.end()
            before = raw[max(point.start() - 1, 0) : point.start()]
            if at == 0 and index == 0 and mark(raw):
                continue
            piece = raw[at : at + 80]
            breaks = not before or before in "。；;！？:："
            if word := _WORD.match(piece):
                value = number(word[1])
                if value:
                    yield word[2], _Item(found.start + at, value, word[1] + word[2], piece[word.end() :])
            elif breaks and (own_mark := mark(piece)) and own_mark.kind in _NUMBERED:
                yield own_mark.kind, _Item(found.start + at, own_mark.number, own_mark.label, piece[own_mark.end :])


def _hang(text: str, own: Sequence[Block], home: Draft, run: _Run, bound: int) -> list[Draft]:
    """Adds a run's items below `home`, an item they stand in or the section itself; gives the new drafts."""
    bound = min([*run.ends, home.end if home.kind == "inline" else bound])
    out: list[Draft] = []
    for index, item in enumerate(run.items):
        end = run.items[index + 1].start if index + 1 < len(run.items) else _last_end(text, own, run, bound)
        while end > item.start and text[end - 1].isspace():
            end -= 1
        if item.start >= bound or end > bound:
            break
        out.append(Draft(item.start, end, item.label, _clause(run.kind, item), "inline"))
        home.adopt(out[-1])
    return out


def _clause(kind: str, item: _Item) -> str | None:
    """The first clause of an item: its name, as "一要加强人员管理"; of a numbered item only a clause that is a sentence."""
    words = item.text.replace("\n", "").replace("\r", "")
    found = _CLAUSE.match(words)
    if not found or len(found[0]) > _LONGEST_CLAUSE:
        return None
    alone = words[found.end() : found.end() + 1] in ("。", "：", ":") and words[found.end() + 1 :].strip()
    return found[0].strip() if kind in "要是" or alone else None


def _last_end(text: str, own: Sequence[Block], run: _Run, bound: int) -> int:
    """Where the last item ends: with its sentence when every other item is one sentence, else with its paragraph."""
    last = run.items[-1].start
    paragraph = min(own[bisect_right(own, last, key=lambda b: b.start) - 1].end, bound)
    spans = [(a.start, b.start) for a, b in zip(run.items, run.items[1:], strict=False)]
    counts = [sum(1 for _ in sentences(text[a:b].replace("\n", " ").replace("\r", " "))) for a, b in spans]
    if max(counts) > 1:
        return paragraph
    near = text[last : min(paragraph, last + _FAR)].replace("\n", " ").replace("\r", " ")
    first = next(sentences(near), None)
    return last + first.end if first and first.end < _FAR else paragraph
