"""Blocks to the section tree: parts, articles, attachments, contacts, signature."""

import re
from collections.abc import Sequence
from dataclasses import replace

from rag.loading.articles import Article, articles
from rag.loading.blocks import Block
from rag.loading.drafts import Draft
from rag.loading.ending import Part, split
from rag.loading.headings import LONGEST, name_all, title_of
from rag.loading.inline import enumerate_inline, parted
from rag.loading.titles import head_of, title_lines
from rag.loading.tree import grow
from rag.schema import Section

_DECK = re.compile(r"\S{2,8}(?:主持|出席|讲话|主持会议|出席并讲话|作报告)")
"""A line beside a headline that only tells who else was there: it names no article."""


def sections(text: str, blocks: Sequence[Block], wrapped: bool = False) -> tuple[Section, ...]:
    """The section tree of a document, in reading order, parents before children.

    blocks: all blocks of `text` in order. wrapped: its lines had been broken at a fixed width, so that it may be a
    newspaper page with several articles.
    """
    content = [b for b in blocks if b.content]
    title = next((i for i, b in enumerate(content[:3]) if b.kind == "heading"), None)
    if title is not None and (content[title].level == 1 or title == 0):
        content[title] = replace(content[title], kind="text", level=0)
    named = {b.start for b in title_lines(head_of(content), content)}
    content = [replace(b, kind="text", level=0) if b.start in named and b.kind == "heading" else b for b in content]
    content = parted(text, content)
    root = Draft(0, 0)
    page = articles(content) if wrapped else []
    for article in page:
        _add_article(root, content, article)
    if not page:
        for part in split(content):
            _add_part(root, content, part)
    name_all(root)
    for draft in (root, *list(root.walk())):
        if draft.kind in ("part", "article", "attachment"):
            enumerate_inline(text, draft)
    return _frozen(root)


def _add_article(root: Draft, content: Sequence[Block], article: Article) -> None:
    own = content[article.first : article.last]
    draft = Draft(own[0].start, own[-1].end, heading=_headline(content, article), kind="article")
    root.adopt(draft)
    grow([b for i, b in enumerate(own, article.first) if i not in article.headline], draft)


def _headline(content: Sequence[Block], article: Article) -> str | None:
    return " ".join(content[i].text for i in article.headline if not _DECK.fullmatch(content[i].text))[:LONGEST] or None


def _add_part(root: Draft, content: Sequence[Block], part: Part) -> None:
    own = content[part.first : part.last]
    if part.kind == "main":
        grow(own, root)
        return
    heading: str | None = None
    if part.kind in ("attachment", "list"):
        heading = title_of(own[: part.title]) if part.kind == "attachment" else re.split(r"\s?\d*\s?[：:]", own[0].text)[0]
    elif part.kind == "signature":
        heading = "落款"
    elif part.kind in ("contacts", "imprint"):
        heading = "联系方式" if part.kind == "contacts" else "版记"
    kind = "attachment" if part.kind == "list" else part.kind
    draft = Draft(own[0].start, own[-1].end, heading=heading, kind=kind)
    root.adopt(draft)
    if part.kind == "attachment":
        grow(own[part.title :], draft)


def _frozen(root: Draft) -> tuple[Section, ...]:
    out: list[Section] = []
    index: dict[Draft, int] = {root: -1}
    for draft in root.walk():
        parent = index[draft.parent] if draft.parent else -1
        above = out[parent].path if parent >= 0 else ()
        level = out[parent].level + 1 if parent >= 0 else 1
        index[draft] = len(out)
        kind = "part" if draft.kind == "inline" else draft.kind
        out.append(Section((*above, _name(draft)) if _name(draft) else above, draft.label, level, draft.start, draft.end, parent, kind))
    return tuple(out)


def _name(draft: Draft) -> str:
    words = draft.heading or ""
    spaced = words and (draft.label[-1:].isdecimal() or (draft.mark is not None and draft.mark.kind in ("编", "分编", "章", "节", "条")))
    return f"{draft.label} {words}" if spaced else draft.label + words
