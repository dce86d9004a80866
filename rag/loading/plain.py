"""txt and md: the decoded text as it is, and what there is in it."""

import re
from dataclasses import replace

from rag.loading.clipped import is_clipped, read_clipped
from rag.loading.content import Content
from rag.loading.layout import Line, lines, paragraphs, wrap_width

_HEADING = re.compile(r"(#{1,6})\s+(?=\S)")
_BULLET = re.compile(r"[-*+•●]\s+(?=\S)")
_RULE = re.compile(r"\|?[\s:|-]+\|?")


def read_txt(text: str) -> Content:
    """A plain text, whose lines may have been broken at a fixed width."""
    if is_clipped(text):
        return read_md(text)
    found = lines(text)
    width = wrap_width(found)
    return Content(text, paragraphs(text, found, width), width is not None)


def read_md(text: str) -> Content:
    """A markdown text. Marks of headings, bullets and emphasis around a line stay outside its block."""
    found = [_markdown(line) for line in lines(text)]
    return read_clipped(text, found) if is_clipped(text) else Content(text, paragraphs(text, found, wrap_width(found)))


def _markdown(line: Line) -> Line:
    if line.kind == "furniture":
        return line
    if heading := _HEADING.match(line.text):
        line = _cut(replace(line, kind="heading", level=len(heading[1])), heading.end())
    elif line.text.startswith("|"):
        return replace(line, kind="furniture" if _RULE.fullmatch(line.text) else "row")
    elif _BULLET.match(line.text):
        line = replace(line, indent=True)
    return line


def _cut(line: Line, left: int) -> Line:
    return replace(line, start=line.start + left, text=line.text[left:])
