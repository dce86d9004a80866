"""txt and md: the decoded text as it is, and its blocks."""

import re
from dataclasses import replace

from rag.loading.blocks import Block
from rag.loading.layout import Line, lines, paragraphs, wrap_width

_HEADING = re.compile(r"(#{1,6})\s+(?=\S)")
_BULLET = re.compile(r"[-*+•●]\s+(?=\S)")
_RULE = re.compile(r"\|?[\s:|-]+\|?")


def read_txt(text: str) -> tuple[list[Block], bool]:
    """Blocks of a plain text, and whether its lines had been broken at a fixed width."""
    found = lines(text)
    width = wrap_width(found)
    return paragraphs(text, found, width), width is not None


def read_md(text: str) -> list[Block]:
    """Blocks of a markdown text. Marks of headings, bullets and emphasis around a line stay outside its block."""
    found = [_markdown(line) for line in lines(text)]
    return paragraphs(text, found, wrap_width(found))


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
