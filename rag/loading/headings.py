"""The words by which a numbered part is called, when it has any of its own."""

import re
from collections.abc import Sequence

from rag.loading.blocks import Block
from rag.loading.drafts import Draft
from rag.text import sentences

LONGEST = 60
_SENTENCE = {"一、": 45, "（一）": 45}
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
    found = [_own_line(d) for d in siblings]
    opening = [None if own else _opening(d) for own, d in zip(found, siblings, strict=True)]
    usual = 2 * sum(bool(own or first) for own, first in zip(found, opening, strict=True)) >= len(siblings)
    for draft, own, first in zip(siblings, found, opening, strict=True):
        draft.heading = own or (first if usual else None)


def _rest(draft: Draft) -> str:
    return draft.own[0].text[draft.mark.end if draft.mark else 0 :].strip()


def _own_line(draft: Draft) -> str | None:
    """The whole line, when it is a heading and not a sentence."""
    rest = _rest(draft)
    if not rest or len(rest) > LONGEST:
        return None
    if rest[-1] not in "。；;！!？?" and "。" not in rest:
        return rest.rstrip(_END)
    alone = len(draft.own) > 1 or draft.children
    if alone and len(rest) <= 30 and rest[-1] in "。" and len(list(sentences(rest))) == 1 and draft.mark and draft.mark.kind != "条":
        return rest.rstrip(_END)
    return None


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
    return words if len(words) <= _SENTENCE.get(draft.mark.kind, 30) else None


def title_of(blocks: Sequence[Block]) -> str:
    """Label and title lines of an attachment as one heading."""
    return " ".join(b.text.rstrip("：:") for b in blocks)[: 2 * LONGEST]
