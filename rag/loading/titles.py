"""Where the head of a document ends, and which of its lines are the title."""

import re
from collections.abc import Sequence
from dataclasses import replace

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
_NO_TITLE = re.compile(
    r"(?:目\s*[录次]|前\s*言|序\s*言?|引\s*言|封\s*面|扉\s*页|说\s*明|(?:\d{4}|二[〇○零].{2})\s?年.{1,3}月(?:编制|印制)?|[^\u4e00-\u9fffA-Za-z]*|\[?附\s*[件录表]\s*\d*\]?)"
    r"|[•·*\-\s]*(?:.{0,4}编\s*号|索\s*引\s*号|文\s*号|.{0,4}字号|.{0,4}(?:日期|时间)|来源|密级|版本号?|文档版本|.{0,6}[人位方者构关](?:[（(]章[)）])?|"
    r"地址|电话|联系.{0,4}|是否公开|办理结果|.{0,3}分类|主题词?|项目名称|标段|包号)\s*[:：|].*", re.S)
"""Lines of a cover sheet or a header table, and what stands before a text without being its name."""
_COVER = re.compile(
    r"(?:国内|国际)?(?:公开|邀请|竞争性)?\s*(?:招\s*标|磋\s*商|谈\s*判|采\s*购|询\s*价|询\s*比|比\s*选|遴\s*选|资格预审|竞价|单一来源(?:采购)?|投标邀请)\s*文\s*件(?:范本|示范文本)?(?:[（(].{1,20}[)）])?")
"""What only says that a cover sheet is one of procurement: the project's name stands beside it."""
_SORT = re.compile(r"\W*(?:公开招标|邀请招标|(?:服\s*务|货\s*物|工\s*程)类?\s*(?:采\s*购)?|电子招投?标)\W*")
_PROJECT = re.compile(r"(?:采购|招标)?项目名称\s*[:：]\s*(?=\S{4})")
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
    if (cover := _cover(head, blocks[:_HEAD_BLOCKS])) is not None:
        return cover
    for at, found in enumerate(head):
        if found.kind == "heading" and found.level == 1 and not _NO_TITLE.fullmatch(found.text):
            below = head[at + 1 : at + 2]
            whole = below and below[0].kind == "heading" and below[0].level == 1 and not TITLE_DONE.search(found.text) and _completes_title(below[0])
            return [found, *below] if whole else [found]
        if _completes_title(found):
            below = _below_masthead(head, at)
            return head[_begin(head, below) : below + 1]
    return _plain_title(head, blocks) or [b for b in head[:3] if NUMBERED_TITLE.fullmatch(b.text)][:1]


def _cover(head: Sequence[Block], top: Sequence[Block]) -> Sequence[Block] | None:
    """The lines that name the project on the cover of a call for tenders; None where there is no such cover.

    They stand above "招标文件", behind "项目名称：" or below.
    """
    at = next((at for at, found in enumerate(head) if _COVER.fullmatch(found.text)), None)
    if at is None:
        return None
    begin = at
    while begin > 0 and _may_be_title(head[begin - 1]) and not _SORT.fullmatch(head[begin - 1].text):
        begin -= 1
    if begin < at:
        return head[begin : at + 1]
    for number, found in enumerate(top):
        if name := _PROJECT.match(found.text):
            whole = _more(top, number)
            return [replace(whole[0], start=whole[0].start + name.end(), text=whole[0].text[name.end() :]), *whole[1:]]
    below = next((found for found in head[at + 1 : at + 4] if _may_be_title(found) and not _SORT.fullmatch(found.text)), None)
    return [below] if below else [head[at]]


def _more(head: Sequence[Block], at: int) -> Sequence[Block]:
    """A line and the next, where that only goes on with it."""
    goes_on = at + 1 < len(head) and _may_be_title(head[at + 1]) and not _COVER.fullmatch(head[at + 1].text) and not is_org(head[at + 1].text)
    return head[at : at + 2] if goes_on else head[at : at + 1]


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
    if _NO_TITLE.fullmatch(text):
        return False
    other = (is_date_line, is_number, is_history, is_letterhead, signed_in_one)
    return not any(sort(text) for sort in other) and not _ISSUE.search(text[-12:])


def _plain_title(head: Sequence[Block], blocks: Sequence[Block]) -> Sequence[Block]:
    """The first line, when more follows and it is no name, number, date or addressee."""
    if not head:
        return []
    at = next((at for at, found in enumerate(head[:4]) if not _NO_TITLE.fullmatch(found.text)), 0)
    first, following = head[at], blocks[at + 1 : at + 2]
    followed = len(head) < len(blocks)
    name = is_org(first.text) and not (following and running(following[0].text) and not is_addressees(following[0].text))
    plain = _may_be_title(first) and first.text[-1] not in "；;" and len(first.text) <= _LONGEST_PLAIN
    if first.kind == "heading" or (followed and plain and not name and not mark(first.text)):
        return [first]
    return []
