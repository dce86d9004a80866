"""The tree of numbered parts within one stretch of blocks.

The nesting of marks is learnt from the document: a kind of mark seen for the first time lies below what
is open, unless the rules for official documents put it above. Numbers need not be consecutive:
they may run on across parts, restart or jump.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from rag.loading.blocks import Block, running
from rag.loading.drafts import Draft, Elders
from rag.loading.ending import title_like
from rag.loading.numbering import Mark, MarkKind, mark, plain, unsure

_CLOSING = re.compile(r"(?:特此|以上|本(?:通知|通告|公告|办法|意见|方案|措施|规定)|此[复函致]|各(?:地|级|有关|单位|部门|市|县|区|省)|请|望|上述|对|有关)")
_LEVELS = {"编", "分编", "章", "节", "条"}


def grow(blocks: Sequence[Block], root: Draft) -> None:
    """Hangs the numbered parts of `blocks` below `root`, and every other block into the part it belongs to."""
    marks = [_marked(b) for b in blocks]
    _settle(blocks, marks)
    _settle_plain(blocks, marks)
    _without_contents(blocks, marks)
    groups = _group_headings(blocks, marks)
    upcoming: list[tuple[Mark, int] | None] = [None] * len(blocks)
    following: tuple[Mark, int] | None = None
    for at in range(len(blocks) - 1, -1, -1):
        upcoming[at] = following
        if (own := marks[at]) is not None:
            following = (own, 1 if at in groups else blocks[at].level)
    tree = _Tree(root)
    for at, found in enumerate(blocks):
        if (own := marks[at]) is not None:
            tree.open(found, own, 1 if at in groups else found.level)
        else:
            tree.place(found, upcoming[at])


def _marked(found: Block) -> Mark | None:
    if found.kind in ("row", "furniture"):
        return None
    own = mark(found.text)
    if own is None and found.kind == "heading" and found.level > 0:
        return Mark("#", 0, "", 0)
    return own


def _settle(blocks: Sequence[Block], marks: list[Mark | None]) -> None:
    """Marks that could be quantities ("2.2人户") count when they carry on a list or open one."""
    last = 0
    for at, found in enumerate(blocks):
        own = marks[at]
        if own is None and found.kind == "text" and (maybe := unsure(found.text)):
            ahead = blocks[at + 1].text if at + 1 < len(blocks) else ""
            after = mark(ahead) or unsure(ahead)
            opens = maybe.number == 1 and after is not None and after.kind == "1." and after.number == 2
            if opens or (last and maybe.number == last + 1):
                marks[at] = own = maybe
        if own is not None:
            last = own.number if own.kind == "1." else 0


def _settle_plain(blocks: Sequence[Block], marks: list[Mark | None]) -> None:
    """Marks without a stop ("1 总则") count when they run on from one, each on a line of its own with 1.1 or text below."""
    found: list[tuple[int, Mark]] = []
    for at, (block, below) in enumerate(pairwise(blocks)):
        maybe = plain(block.text) if marks[at] is None and len(block.text) <= 40 and title_like(block) else None
        if maybe is None or maybe.number != len(found) + 1:
            continue
        own = marks[at + 1]
        if own.prefix == str(maybe.number) if own else running(below.text):
            found.append((at, maybe))
    for at, maybe in found if len(found) > 1 else []:
        marks[at] = maybe


def _without_contents(blocks: Sequence[Block], marks: list[Mark | None]) -> None:
    """Takes the marks off a table of contents, which ends where its first entry stands again."""
    begin = next((i for i, b in enumerate(blocks) if re.sub(r"\s", "", b.text) in ("目录", "目次")), None)
    if begin is None or begin + 1 == len(blocks):
        return
    marks[begin] = None
    first = re.sub(r"\W", "", blocks[begin + 1].text)
    again = next((i for i in range(begin + 2, len(blocks)) if re.sub(r"\W", "", blocks[i].text).startswith(first)), None)
    for at in range(begin + 1, again or begin + 1):
        marks[at] = None


def _group_headings(blocks: Sequence[Block], marks: list[Mark | None]) -> set[int]:
    """Unnumbered headings between lists that each start at 一、 again: they become sections around those lists."""
    found = [at - 1 for at, own in enumerate(marks)
             if at > 1 and own and own.kind == "一、" and own.number == 1 and marks[at - 1] is None
             and len(blocks[at - 1].text) <= 40 and title_like(blocks[at - 1])]
    if len(found) < 2 or sum(own is not None and own.kind == "一、" and own.number == 1 for own in marks) != len(found):
        return set()
    for at in found:
        marks[at] = Mark("#", 0, "", 0)
    return set(found)


class _Tree:
    """The open sections, outermost first, and what nests in what in this document."""

    def __init__(self, root: Draft) -> None:
        self.stack = [root]
        self.above: dict[MarkKind, MarkKind] = {}
        """Kind of mark → the kind it was first seen below."""

    def open(self, found: Block, own: Mark, depth: int) -> None:
        """Opens the section that a numbered block begins."""
        del self.stack[self._kept(own, depth) :]
        draft = Draft(found.start, found.end, own.label, None, "part", own, depth)
        draft.own.append(found)
        parent = self.stack[-1]
        if parent.mark:
            self.above.setdefault(own.kind, parent.mark.kind)
        parent.adopt(draft)
        self.stack.append(draft)

    def place(self, found: Block, following: tuple[Mark, int] | None) -> None:
        """Gives an unnumbered block to the deepest open part that would hold it.

        following: the next mark and its depth; the block cannot leave a part that goes on after it.
        """
        floor = min(self._kept(*following), len(self.stack) - 1) if following else 0
        at = len(self.stack) - 1
        while at > floor and not _holds(self.stack[at], found, following is None):
            at -= 1
        del self.stack[at + 1 :]
        self.stack[at].take(found)

    def _kept(self, own: Mark, depth: int) -> int:
        """How many open sections stay open when this mark comes; the last of them becomes its parent."""
        stack = self.stack
        if own.kind == "#":
            return next((i for i in range(1, len(stack)) if not 0 < stack[i].depth < depth), len(stack))
        for at in range(len(stack) - 1, 0, -1):
            if _kind(stack[at]) == own.kind and (own.kind != "1.1.1" or _same_prefix(stack[at], own)):
                return at
        if own.kind in ("1.1", "1.1.1"):
            inside = next((i + 1 for i in range(len(stack) - 1, 0, -1) if _number(stack[i]) == own.prefix), None)
            return inside or self._by_order(own)
        return self._by_order(own)

    def _by_order(self, own: Mark) -> int:
        """Place of a kind of mark that is not open: below everything of higher rank.

        Where only marks of lower rank are open (1. holding （一）), a first number opens a list below them; a
        later one takes up a list where such lists stood before, else at the top. A judicial interpretation may
        have 一、 as headings over its articles.
        """
        stack = self.stack
        higher = [i for i in range(1, len(stack)) if (above := stack[i].mark)
                  and (above.kind == "#" or above.rank < own.rank or (above.kind, own.kind) == ("步", "（一）"))]
        if higher:
            return higher[-1] + 1
        bare = len(stack) > 1 and len(stack[-1].own) == 1 and _bare_heading(stack[-1].own[0].text)
        if (own.number == 1 and own.kind not in _LEVELS) or (own.kind == "条" and bare and _kind(stack[-1]) == "一、"):
            return len(stack)
        learnt = self.above.get(own.kind)
        return next((i + 1 for i in range(len(stack) - 1, 0, -1) if learnt and _kind(stack[i]) == learnt), 1)


def _kind(draft: Draft) -> MarkKind | None:
    return draft.mark.kind if draft.mark else None


def _same_prefix(draft: Draft, own: Mark) -> bool:
    return draft.mark is not None and draft.mark.prefix == own.prefix


def _number(draft: Draft) -> str:
    own = draft.mark
    return "" if own is None else f"{own.prefix}.{own.number}" if own.prefix else str(own.number)


def _holds(draft: Draft, found: Block, last: bool) -> bool:
    """Whether an unnumbered block goes on with this part, judged by how its elder siblings were built."""
    if draft.mark is None or draft.mark.kind in ("条", "#") or found.kind == "row":
        return True
    if draft.kind == "part" and not draft.children and len(draft.own) == 1 and _bare_heading(draft.own[0].text):
        return True
    elders = draft.parent.elders.get(draft.mark.kind, Elders()) if draft.parent else Elders()
    if draft.children:
        return elders.with_tail > 0 or (not last and elders.with_children < 2)
    if elders.last and elders.last.own[0].text[-1] in "；;" and draft.own[0].text[-1] == "。":
        return False
    closing = last and bool(_CLOSING.match(found.text))
    if elders.count < 2 or elders.most_blocks > len(draft.own):
        return not (closing and elders.count < 2 and not _bare_heading(draft.own[0].text))
    return elders.last is not None and _bare_heading(elders.last.own[0].text) and not closing


def _bare_heading(text: str) -> bool:
    return len(text) <= 60 and not re.search("[。；;！？]", text)
