"""Paragraph styles of Word files: which are headings, which are numbered, which belong to a table of contents."""

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

_HEADING = re.compile(r"(?:heading|标题)\s*([1-9])", re.I)
_TITLE = re.compile(r"title|标题", re.I)
_CONTENTS = re.compile(r"(?:toc|目录)\s*(?:\d|heading|标题)", re.I)
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Style:
    """level: 1 for a document's title, n + 1 for headings of depth n, 0 for text. numbering: list id and level."""

    level: int = 0
    numbering: tuple[str, int | None] | None = None
    contents: bool = False
    hidden: bool = False


def read_styles(root: Element | None) -> dict[str, Style]:
    """Style id → style, with what each inherits from the one it is based on; "" holds the default paragraph style."""
    if root is None:
        return {}
    found = {e.get("styleId", ""): e for e in root.findall("style") if e.get("type", "paragraph") == "paragraph"}
    out = {own: _style(own, found) for own in found}
    default = next((own for own, e in found.items() if e.get("default") in ("1", "true")), None)
    return out | {"": out.get(default or "", Style())}


def _style(own: str, found: dict[str, Element]) -> Style:
    level, contents, hidden = 0, False, False
    numbering: tuple[str, int | None] | None = None
    at: str | None = own
    for _ in range(_DEEPEST):
        element = found.get(at or "")
        if element is None:
            break
        name = value(element, "name") or ""
        contents = contents or bool(_CONTENTS.fullmatch(name))
        properties = element.find("pPr")
        if level == 0:
            level = _level(name, properties)
        if numbering is None and properties is not None:
            numbering = numbering_of(properties)
        marks = element.find("rPr")
        hidden = hidden or (at == own and marks is not None and on(marks, "vanish"))
        at = value(element, "basedOn")
    return Style(level, numbering, contents, hidden)


def _level(name: str, properties: Element | None) -> int:
    if heading := _HEADING.fullmatch(name):
        return int(heading[1]) + 1
    if _TITLE.fullmatch(name):
        return 1
    return 0 if properties is None else outline(properties)


def outline(properties: Element) -> int:
    """The level of a heading that paragraph properties state, 0 for none."""
    depth = value(properties, "outlineLvl") or ""
    return int(depth) + 2 if depth.isdecimal() and int(depth) < 9 else 0


def numbering_of(properties: Element) -> tuple[str, int | None] | None:
    """List id and level (None where the style decides) that paragraph properties state; id "0" switches it off."""
    numbering = properties.find("numPr")
    if numbering is None or (list_id := value(numbering, "numId")) is None:
        return None
    level = value(numbering, "ilvl") or ""
    return list_id, int(level) if level.isdecimal() else None


def value(element: Element, name: str) -> str | None:
    """The `val` of a child element."""
    child = element.find(name)
    return None if child is None else child.get("val")


def on(element: Element, name: str) -> bool:
    """Whether a switch such as `vanish` is set."""
    child = element.find(name)
    return child is not None and child.get("val", "1") not in ("0", "false", "off")
