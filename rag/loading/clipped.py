"""A web page that a reader tool saved as Markdown: "Title: …", "URL Source: …", then the page with its menus as links."""

import re
from collections.abc import Sequence
from dataclasses import replace

from rag.loading.content import Content
from rag.loading.dates import DATE, iso
from rag.loading.furniture import is_furniture
from rag.loading.headlines import unglued, without_site
from rag.loading.layout import Line, paragraphs
from rag.schema import Span
from rag.text import compact

_HEAD = re.compile(r"\s*Title:[ \t]*(?P<title>\S[^\n]*)\n\s*URL Source:[^\n]*\n(?:\s*(?:Published Time|Number of Pages|Warning|Description|Markdown Content):[^\n]*(?:\n|$))*")
_TIME = re.compile(r"Published Time:\s*(.*)")
_LINK = re.compile(r"!?\[([^\[\]]{0,300})\]\((?:[^()]|\([^()]{0,200}\)){0,2000}\)")
_MARKS = re.compile(r"[\s*_#>|·•×+↺-]+")
_FOOT = re.compile("版权所有|ICP备|公网安备|网站标识码")
_FILE = re.compile(r"\.(?:docx?|xlsx?|pdf|wps|et|ofd|zip|rar)\b", re.I)
_SHORT = 12
"""Characters beside a link or picture that are still a part of a menu."""


def is_clipped(text: str) -> bool:
    """Whether a text begins as such a tool begins it."""
    return _HEAD.match(text) is not None


def read_clipped(text: str, found: Sequence[Line]) -> Content:
    """The document in such a page: menus out, further copies of the article out, title without the site's name.

    found: the lines, headings marked.
    """
    head = _HEAD.match(text)
    assert head is not None
    raw = head["title"]
    title = without_site(unglued(raw.strip())) or raw.strip()
    at = text.index(title, head.start("title"))
    given = {"title": (title, Span(at, at + len(title)))}
    if (time := _TIME.search(text, 0, head.end())) and (day := DATE.search(time[1])) and (date := iso(day)):
        given["published_on"] = (date, Span(time.start(1), time.end(1)))
    body = [line for line in found if line.start >= head.end()]
    heads = [line for line in body if line.kind == "heading" and compact(line.text) == compact(title)]
    if heads:
        given["title"] = (title, Span(heads[0].start, heads[0].end))
    first, last = _article(body, heads)
    kept = [replace(x, kind="furniture") if not first <= x.start < last or _menu(x.text) else replace(x, level=1) if x in heads else x
            for x in found]
    return Content(text, paragraphs(text, kept, None), False, given)


def _article(body: Sequence[Line], heads: Sequence[Line]) -> tuple[int, int]:
    """Where the article begins and ends. Of several copies, each below the title, it is the one with most running text."""
    starts = [head.start for head in heads] or [body[0].start if body else 0]
    ends = [*starts[1:], body[-1].end if body else 0]

    def prose(first: int, last: int) -> int:
        return sum(len(x.text) for x in body if first <= x.start < last and "。" in x.text and not _menu(x.text))

    first, last = max(zip(starts, ends, strict=True), key=lambda bounds: prose(*bounds))
    return first, next((x.start for x in body if first < x.start < last and _FOOT.search(x.text)), last)


def _menu(line: str) -> bool:
    """Whether a line is made of links and pictures, or is what pages print around a document."""
    shown, links = line, 0
    for _ in range(3):  # a picture inside a link
        shown, count = _LINK.subn("\\1", shown)
        links += count
    if is_furniture(_MARKS.sub(" ", shown)):
        return True
    rest = line
    for _ in range(3):
        rest = _LINK.sub("", rest)
    rest = _MARKS.sub("", rest)
    return bool(links) and not _FILE.search(line) and len(rest) <= _SHORT and not re.search("[。；]", rest)
