"""Documents to passages: whole sentences of one section, of a size that retrieves and reads well."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.schema import Document, Passage, Section, Span
from rag.text import readable, sentences

LEAST, MOST = 120, 260
"""The size aimed at, in characters without white space."""
LONGEST = 600
"""No sentence longer than this stays whole."""
_SMALL = 40
_REST, _CROWDED = 60, 340
_STOPS = "。！？!?；;…"


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence (or clause of an endless one) inside one section and one paragraph."""

    start: int
    end: int
    section: int
    paragraph: int

    @property
    def size(self) -> int:
        return self.end - self.start


def cut(document: Document) -> list[Passage]:
    """The passages of a document, in reading order.

    Each lies inside one section; together they hold every character of `document.body` exactly once.
    Sentences stay whole. A heading or a sentence ending in "：" goes with what it introduces; short items are
    packed with their neighbours into a passage of the section around them.
    """
    units = list(_units(document))
    packer = _Packer(document, units)
    return [_passage(document, group, section) for group, section in packer.groups()]


def section_at(document: Document, start: int, end: int) -> int:
    """Index of the deepest section that holds the whole range, -1 for none."""
    best = -1
    for index, section in enumerate(document.sections):
        if section.start > start:
            break
        if end <= section.end and (best < 0 or section.level > document.sections[best].level):
            best = index
    return best


def _passage(document: Document, group: Sequence[_Unit], section: int) -> Passage:
    pieces: list[str] = []
    first = 0
    for at in range(1, len(group) + 1):
        if at == len(group) or group[at].paragraph != group[first].paragraph:
            pieces.append(readable(document.text[group[first].start : group[at - 1].end]))
            first = at
    path = document.sections[section].path if section >= 0 else ()
    return Passage(document.id, section, path, group[0].start, group[-1].end, "\n".join(pieces))


# ---------------------------------------------------------------- sentences

def _units(document: Document) -> Iterator[_Unit]:
    bounds = sorted({x for s in document.sections for x in (s.start, s.end)})
    locate = _Locator(document.sections)
    for number, paragraph in enumerate(document.body):
        edges = bounds[bisect_right(bounds, paragraph.start) : bisect_left(bounds, paragraph.end)]
        for start, end in _pieces(document.text, paragraph, edges):
            yield _Unit(start, end, locate(start), number)


def _pieces(text: str, paragraph: Span, edges: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The sentences of a paragraph, cut further where a section begins or ends."""
    begin = paragraph.start
    joined = _one_line(text[begin : paragraph.end])
    for sentence in sentences(joined):
        for piece in _bearable(joined, sentence):
            start, end = begin + piece.start, begin + piece.end
            for edge in edges[bisect_right(edges, start) : bisect_left(edges, end)]:
                yield from _trimmed(text, start, edge)
                start = edge
            yield from _trimmed(text, start, end)


def _one_line(text: str) -> str:
    """The same characters at the same places, line ends made blanks: a paragraph's lines belong together."""
    return "".join(" " if c.isspace() else c for c in text) if "\n" in text or "\r" in text else text


def _bearable(text: str, sentence: Span) -> Iterator[Span]:
    """A sentence, or its clauses when it is endless, or slices of those when even they are."""
    if sentence.end - sentence.start <= LONGEST:
        yield sentence
        return
    edges = [m.end() for m in re.finditer("[；;]", text[sentence.start : sentence.end])]
    for left, right in pairwise([0, *edges, sentence.end - sentence.start]):
        start, end = sentence.start + left, sentence.start + right
        while end - start > LONGEST:
            comma = max(text.rfind(mark, start, start + LONGEST) for mark in "，,、 ")
            stop = comma + 1 if comma > start else start + LONGEST
            yield Span(start, stop)
            start = stop
        yield Span(start, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end


class _Locator:
    """Finds the deepest section at rising positions."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self._sections = sections
        self._next = 0
        self._open: list[int] = []

    def __call__(self, position: int) -> int:
        while self._next < len(self._sections) and self._sections[self._next].start <= position:
            self._open.append(self._next)
            self._next += 1
        while self._open and self._sections[self._open[-1]].end <= position:
            self._open.pop()
        return self._open[-1] if self._open else -1


# ---------------------------------------------------------------- packing

class _Packer:
    """Packs units greedily, in order."""

    def __init__(self, document: Document, units: Sequence[_Unit]) -> None:
        self.text, self.sections, self.units = document.text, document.sections, units
        self.parents = {s.parent for s in document.sections}
        self.head = _head_end(document)

    def groups(self) -> Iterator[tuple[list[_Unit], int]]:
        """Groups of neighbouring units and the section each lies in."""
        pending: list[tuple[list[_Unit], int]] = []
        group: list[_Unit] = []
        home = -1
        for unit in self.units:
            joint = self._home(group, home, unit) if group else None
            if joint is None:
                if group:
                    pending.append((group, home))
                group, home = [unit], unit.section
            else:
                group.append(unit)
                home = joint
        if group:
            pending.append((group, home))
        yield from self._balanced(pending)

    def _home(self, group: Sequence[_Unit], home: int, unit: _Unit) -> int | None:
        """The section of the group once `unit` has joined it; None when it must not."""
        last = group[-1]
        total = unit.end - group[0].start
        if self.text[last.end : unit.start].strip() or (last.start < self.head <= unit.start):
            return None
        if unit.start < self.head:
            return home if total <= LONGEST else None
        waiting = self._introduces(group)
        if total > MOST and not (waiting and total <= LONGEST):
            return None
        if last.section == unit.section:
            return home
        if unit.section == home:
            return home if total <= LEAST else None
        if waiting and home >= 0 and self._inside(unit.section, home):
            return home
        parent = self.sections[unit.section].parent if unit.section >= 0 else -1
        if self._small(unit.section) and parent >= 0 and (home == parent or (self._small(home) and self.sections[home].parent == parent)):
            return parent
        return None

    def _introduces(self, group: Sequence[_Unit]) -> bool:
        """Whether the group is only a heading, or ends by announcing what follows."""
        last = self.text[group[-1].start : group[-1].end]
        if last.endswith(("：", ":")):
            return True
        return len(group) == 1 and group[0].section >= 0 and last[-1] not in _STOPS and len(last) <= 80

    def _inside(self, section: int, around: int) -> bool:
        while section >= 0 and section != around:
            section = self.sections[section].parent
        return section == around

    def _small(self, section: int) -> bool:
        """Whether a section is too short to stand alone and is no article of a law."""
        if section < 0 or section in self.parents:
            return False
        found = self.sections[section]
        return found.end - found.start < _SMALL and found.kind == "part" and not found.label.startswith("第")

    def _balanced(self, groups: Sequence[tuple[list[_Unit], int]]) -> Iterator[tuple[list[_Unit], int]]:
        """Joins a short rest to the passage before it."""
        out: list[tuple[list[_Unit], int]] = []
        for group, home in groups:
            size = group[-1].end - group[0].start
            if out and out[-1][1] == home and home >= 0 and size < _REST and group[0].section == out[-1][0][-1].section:
                before = out[-1][0]
                near = not self.text[before[-1].end : group[0].start].strip()
                if near and group[-1].end - before[0].start <= _CROWDED:
                    before.extend(group)
                    continue
            out.append((list(group), home))
        yield from out


def _head_end(document: Document) -> int:
    """Where title, number and addressees end and the text proper begins; 0 when there are none."""
    first = document.sections[0].start if document.sections else len(document.text)
    limit = document.body[min(len(document.body), 14) - 1].end if document.body else 0
    ends = [document.meta.proof[name].end for name in ("title", "document_number", "addressees") if name in document.meta.proof]
    end = max((e for e in ends if e <= first and e <= limit), default=0)
    return next((p.end for p in document.body if p.start < end <= p.end), end)
