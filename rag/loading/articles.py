"""A newspaper page: which lines are headlines, and which article each belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.loading.blocks import Block, finished, running
from rag.loading.dates import is_date_line
from rag.loading.ending import is_org
from rag.loading.headlines import is_addressees
from rag.loading.layout import BYLINE, TITLE_END
from rag.loading.numbering import mark
from rag.text import bigrams

_LONGEST_HEADLINE = 40
_SHORTEST_ARTICLE = 60


@dataclass(frozen=True, slots=True)
class Article:
    """Blocks `first` … `last - 1`; `headline` lists the indices of its headline lines, which lie among them."""

    first: int
    last: int
    headline: tuple[int, ...]


def articles(blocks: Sequence[Block]) -> list[Article]:
    """The articles of a page whose lines were broken at column width; empty when there is only one."""
    if any(is_date_line(b.text) and is_org(a.text) for a, b in pairwise(blocks)) or any(is_addressees(b.text) for b in blocks[:6]):
        return []  # signed, or sent to somebody: a letter and no newspaper
    heads = [_headline(b) for b in blocks]
    runs = _runs(blocks, heads)
    if len(runs) < 2 or any(TITLE_END.search(b.text) for b in blocks[: runs[0][0]]):
        return []
    owner = _owners(blocks, heads, runs)
    out = []
    for index, (first, last) in enumerate(runs):
        lines = tuple(i for i, run in sorted(owner.items()) if run == index)
        out.append(Article(min((first, *lines)), max((last, *(i + 1 for i in lines))), lines))
    return out


def _headline(found: Block) -> bool:
    text = found.text
    return (found.kind == "text" and len(text) <= _LONGEST_HEADLINE and not finished(text) and not running(text)
            and not mark(text) and not is_byline(text))


def is_byline(text: str) -> bool:
    """Whether a line says who wrote an article (readable form, so names have no blanks left)."""
    return bool(BYLINE.search(text)) or ("记者" in text and len(text) <= 20 and not finished(text))


def _runs(blocks: Sequence[Block], heads: Sequence[bool]) -> list[tuple[int, int]]:
    """Stretches of body text: a headline parts them, and a byline ends one."""
    runs: list[tuple[int, int]] = []
    begin: int | None = None
    for at, found in enumerate(blocks):
        if heads[at]:
            if begin is not None:
                runs.append((begin, at))
            begin = None
            continue
        begin = at if begin is None else begin
        if BYLINE.search(found.text[-40:]) or is_byline(found.text):
            runs.append((begin, at + 1))
            begin = None
    if begin is not None:
        runs.append((begin, len(blocks)))
    long = [r for r in runs if sum(len(b.text) for b in blocks[r[0] : r[1]]) >= _SHORTEST_ARTICLE]
    return long


def _owners(blocks: Sequence[Block], heads: Sequence[bool], runs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """For each headline line outside the runs, the neighbouring article whose words it shares more of."""
    words = [set(bigrams("".join(b.text for b in blocks[first:last]))) for first, last in runs]
    out: dict[int, int] = {}
    for group in _groups(heads):
        before = next((i for i in range(len(runs) - 1, -1, -1) if runs[i][1] <= group[0]), None)
        after = next((i for i in range(len(runs)) if runs[i][0] > group[-1]), None)
        own = set(bigrams("".join(blocks[i].text for i in group)))
        near = [(len(own & words[i]) / max(len(own), 1), i) for i in (after, before) if i is not None]
        best = max(near, key=lambda pair: pair[0])[1]
        out.update(dict.fromkeys(group, best))
    return out


def _groups(heads: Sequence[bool]) -> list[list[int]]:
    groups: list[list[int]] = []
    for at, head in enumerate(heads):
        if head and groups and groups[-1][-1] == at - 1:
            groups[-1].append(at)
        elif head:
            groups.append([at])
    return groups
