"""The words by which a numbered part is called, when it has any of its own."""

import re
from collections.abc import Sequence

from rag.loading.blocks import Block
from rag.loading.drafts import Draft
from rag.text import sentences

LONGEST = 60
_SENTENCE = {"一、": (45, 2), "（一）": (32, 1)}
"""Kind of mark → most characters and commas of a first sentence that is a heading."""
_COLON = re.compile(r"[^，。；、,;:：]{1,15}(?=[:：]\S)")
_END = "。；;：:！!？? "


def name_all(root: Draft) -> None:
    """Fills in `heading` for every numbered part below `root`.

    A part that stands on a line of its own is called by that line. The first sentence of a paragraph is a
    heading only when most of the part's siblings open with one too.
    """
    for parent in (root, *root.walk()):
        groups: dict[str, list[Draft]] = {}
        for child in parent.children:
            if child.mark and child.heading is None:
                groups.setdefault(child.mark.kind, []).append(child)
        for siblings in groups.values():
            _name(siblings)


def _name(siblings: Sequence[Draft]) -> None:
    lines = [_own_line(d) for d in siblings]
    opening = [None if line else _lone_sentence(d) or _opening(d) for line, d in zip(lines, siblings, strict=True)]
    usual = 2 * sum(bool(line or first) for line, first in zip(lines, opening, strict=True)) > len(siblings)
    for draft, line, first in zip(siblings, lines, opening, strict=True):
        draft.heading = line or (first if usual else None)


def _rest(draft: Draft) -> str:
    return draft.own[0].text[draft.mark.end if draft.mark else 0 :].strip()


def _own_line(draft: Draft) -> str | None:
    """The whole line, when it is a heading and not a sentence."""
    rest = _rest(draft)
    if draft.mark and draft.mark.kind == "#":
        return rest[:LONGEST]
    if not rest or len(rest) > LONGEST or rest[-1] in "。；;！!" or "。" in rest:
        return None
    announcing = rest[-1] in "：:" and (len(rest) > 20 or re.search("[，,；]", rest))
    article = draft.mark is not None and draft.mark.kind == "条" and (len(rest) > 25 or re.search("[，,；：:]", rest))
    return None if announcing or article else rest.rstrip(_END) if rest[-1] not in "？?" else rest


def _lone_sentence(draft: Draft) -> str | None:
    """A short sentence on a line of its own, with more below it: "（一）指导思想。"."""
    rest = _rest(draft)
    if not (len(draft.own) > 1 or draft.children) or not 0 < len(rest) <= 30 or rest[-1] != "。":
        return None
    if _COLON.match(rest) or draft.mark is None or draft.mark.kind == "条" or len(list(sentences(rest))) > 1:
        return None
    return rest.rstrip(_END)


def _opening(draft: Draft) -> str | None:
    """The first sentence of a paragraph, or its words before a colon, when short enough to be a heading."""
    if draft.mark is None or draft.mark.kind == "条":
        return None
    rest = _rest(draft)
    if colon := _COLON.match(rest):
        return colon[0]
    first = next(sentences(rest[:200]), None)
    if first is None or first.end >= len(rest) or rest[first.end - 1] != "。":
        return None
    words = rest[first.start : first.end].rstrip(_END)
    longest, commas = _SENTENCE.get(draft.mark.kind, (25, 1))
    return words if len(words) <= longest and len(re.findall("[，,]", words)) <= commas else None


def title_of(blocks: Sequence[Block]) -> str:
    """Label and title lines of an attachment as one heading."""
    return " ".join(b.text.rstrip("：:") for b in blocks)[: 2 * LONGEST]
