"""Where the head of a document ends, and which of its lines are the title."""

import re
from collections.abc import Sequence

from rag.loading.blocks import Block, running
from rag.loading.dates import is_date_line
from rag.loading.ending import is_label, is_org, signed_in_one
from rag.loading.headlines import (
    NUMBERED_TITLE,
    TITLE_DONE,
    is_addressees,
    is_history,
    is_letterhead,
    is_number,
    unglued,
)
from rag.loading.numbering import mark

_HEAD_BLOCKS = 20
_LONGEST_TITLE = 160
_LONGEST_PLAIN = 70
_ISSUE = re.compile(r"第\s?[\d一二三四五六七八九十百]{1,5}\s?期")


def head_of(blocks: Sequence[Block]) -> list[Block]:
    """The blocks before the first running text or numbered part."""
    out: list[Block] = []
    for found in blocks[:_HEAD_BLOCKS]:
        if found.kind == "row":
            continue
        if (mark(found.text) and out) or (running(found.text) and not _belongs(found, found is blocks[0])):
            break
        out.append(found)
    return out


def _belongs(found: Block, first: bool) -> bool:
    """Whether a long line still belongs to the head: a title, addressees, a law's history in brackets."""
    if found.level == 1 or is_addressees(found.text):
        return True
    if first and len(found.text) <= _LONGEST_PLAIN and not re.search("[。；:：]$", found.text):
        return not re.search("[。；]", found.text)
    return "。" not in found.text and (bool(TITLE_DONE.search(unglued(found.text))) or is_history(found.text))


def title_lines(head: Sequence[Block], blocks: Sequence[Block]) -> Sequence[Block]:
    """The lines of the title, none when the document bears none.

    head: `head_of(blocks)`. A title is what the format marks as one, else the lines up to one that ends with a kind of
    document (通知, 办法), else a first line that running text follows.
    """
    labels = next((at for at, found in enumerate(head) if not is_label(found.text)), 0)  # a file that is an attachment itself
    head, blocks = head[labels:], blocks[labels:]
    for at, found in enumerate(head):
        if found.kind == "heading" and found.level == 1:
            return [found]
        if _completes_title(found):
            below = _below_masthead(head, at)
            return head[_begin(head, below) : below + 1]
    return _plain_title(head, blocks) or [b for b in head[:3] if NUMBERED_TITLE.fullmatch(b.text)][:1]


def _completes_title(found: Block) -> bool:
    bare = unglued(found.text)
    return _may_be_title(found) and bool(TITLE_DONE.search(bare)) and not bare.endswith("文件")


def _below_masthead(head: Sequence[Block], at: int) -> int:
    """Index of the title's last line: not `at` where that line only heads a series ("会议纪要", "第12期", who and when)."""
    below = next((i for i in range(at + 1, len(head)) if "关于" in head[i].text and _completes_title(head[i])), at)
    between = head[at + 1 : below]
    masthead = "关于" not in head[at].text and any(_ISSUE.search(b.text) or signed_in_one(b.text) for b in between)
    return below if masthead else at


def _begin(head: Sequence[Block], at: int) -> int:
    """Index of the first line of a title whose last line is `at`."""
    begin = at
    joined = head[at].text
    while begin > 0 and at - begin < 12 and _may_be_title(head[begin - 1]):
        before = head[begin - 1].text
        complete = before.endswith("文件") or TITLE_DONE.search(unglued(before))
        if complete or joined.startswith(before) or (is_org(before) and before in joined):
            break
        joined = before + joined
        begin -= 1
    return begin


def _may_be_title(found: Block) -> bool:
    text = found.text
    if len(text) > _LONGEST_TITLE or text.endswith(("：", ":", "。", "；")) or re.match(r"[（(].*[)）]$", text):
        return False
    other = (is_date_line, is_number, is_history, is_letterhead, signed_in_one)
    return not any(sort(text) for sort in other) and not _ISSUE.search(text[-12:])


def _plain_title(head: Sequence[Block], blocks: Sequence[Block]) -> Sequence[Block]:
    """The first line, when more follows and it is no name, number, date or addressee."""
    if not head:
        return []
    first, following = head[0], blocks[1:2]
    followed = len(head) < len(blocks)
    name = is_org(first.text) and not (following and running(following[0].text) and not is_addressees(following[0].text))
    plain = _may_be_title(first) and first.text[-1] not in "；;" and len(first.text) <= _LONGEST_PLAIN
    if first.kind == "heading" or (followed and plain and not name and not mark(first.text)):
        return [first]
    return []
