"""txt and md: the decoded text as it is, and what there is in it."""

import re
from dataclasses import replace

from rag.loading.clipped import is_clipped, read_clipped
from rag.loading.content import Content, Given
from rag.loading.dates import DATE, iso
from rag.loading.layout import Line, lines, paragraphs, wrap_width
from rag.loading.menus import without_menus
from rag.schema import Span

_HEADING = re.compile(r"(#{1,6})\s+(?=\S)")
_BULLET = re.compile(r"[-*+•●]\s+(?=\S)")
_RULE = re.compile(r"\|?[\s:|-]+\|?")
_BREAK = re.compile(r"(?:\s*<br\s*/?>)+\s*", re.I)
_FRONT = re.compile(r"\s*---[ \t]*\n(?P<keys>(?:[^\n]{0,400}\n){1,40}?)---[ \t]*(?:\n|$)")
_KEY = re.compile(r"^(title|date)\s*:[ \t]*([\"']?)(?P<value>\S.*?)\2[ \t]*$", re.M)


def read_txt(text: str) -> Content:
    """A plain text, whose lines may have been broken at a fixed width."""
    if is_clipped(text):
        return read_md(text)
    found = without_menus(lines(text))
    width = wrap_width(found)
    return Content(text, paragraphs(text, found, width), width is not None)


def read_md(text: str) -> Content:
    """A markdown text. Marks of headings, bullets and emphasis around a line stay outside its block."""
    found = [_markdown(line) for line in lines(text)]
    if is_clipped(text):
        return read_clipped(text, found)
    found = without_menus(found)
    front = _FRONT.match(text)
    if front and ":" in front["keys"]:
        found = [replace(x, kind="furniture") if x.start < front.end() else x for x in found]
    return Content(text, paragraphs(text, found, wrap_width(found)), False, _stated(front) if front else {})


def _stated(front: re.Match[str]) -> Given:
    """Title and day that the lines above a markdown text state, between two rules."""
    given: dict[str, tuple[str, Span]] = {}
    for found in _KEY.finditer(front.string, front.start("keys"), front.end("keys")):
        span = Span(found.start("value"), found.end("value"))
        if found[1] == "title":
            given["title"] = (found["value"], span)
        elif (day := DATE.search(found["value"])) and (date := iso(day)):
            given["published_on"] = (date, span)
    return given


def _markdown(line: Line) -> Line:
    if line.kind == "furniture":
        return line
    if heading := _HEADING.match(line.text):
        line = _cut(replace(line, kind="heading", level=len(heading[1])), heading.end())
    elif line.text.startswith("|"):
        return replace(line, kind="furniture" if _RULE.fullmatch(line.text) else "row")
    elif _BULLET.match(line.text):
        line = replace(line, indent=True)
    return _unbroken(line)


def _unbroken(line: Line) -> Line:
    """A line without the line breaks of HTML around it."""
    if lead := _BREAK.match(line.text):
        line = _cut(line, lead.end())
    bare = line.text
    while (tail := bare.lower().rfind("<br")) >= 0 and _BREAK.fullmatch(bare, tail):
        bare = bare[:tail].rstrip()
    return replace(line, end=line.start + len(bare), text=bare, kind=line.kind if bare else "furniture")


def _cut(line: Line, left: int) -> Line:
    return replace(line, start=line.start + left, text=line.text[left:])
