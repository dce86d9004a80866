"""Sections while they are being found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rag.loading.blocks import Block
from rag.loading.numbering import Mark


@dataclass(slots=True)
class Elders:
    """How the finished parts of one kind under one parent were built."""

    count: int = 0
    most_blocks: int = 0
    with_children: int = 0
    with_tail: int = 0
    last: Draft | None = None

    def add(self, draft: Draft) -> None:
        self.count += 1
        self.most_blocks = max(self.most_blocks, len(draft.own))
        self.with_children += bool(draft.children)
        self.with_tail += bool(draft.tail)
        self.last = draft


@dataclass(slots=True, eq=False)
class Draft:
    """A section under construction; `end` grows as text is found to belong to it.

    heading: the words after the label, None when the part has none of its own.
    own: blocks that stand directly in it, in order. tail: how many of them follow its first child.
    """

    start: int
    end: int
    label: str = ""
    heading: str | None = None
    kind: str = "part"
    mark: Mark | None = None
    depth: int = 0
    """Depth of a heading that the format marks, 0 for none."""
    parent: Draft | None = None
    own: list[Block] = field(default_factory=list)
    tail: int = 0
    children: list[Draft] = field(default_factory=list)
    elders: dict[str, Elders] = field(default_factory=dict)
    """For each kind of mark among the children: what all but the youngest were like."""
    youngest: dict[str, Draft] = field(default_factory=dict)

    def take(self, found: Block) -> None:
        """Lets a block stand directly in this section."""
        self.own.append(found)
        self.tail += bool(self.children)
        self.grow(found.end)

    def adopt(self, child: Draft) -> None:
        child.parent = self
        self.children.append(child)
        if child.mark:
            if before := self.youngest.get(child.mark.kind):
                self.elders.setdefault(child.mark.kind, Elders()).add(before)
            self.youngest[child.mark.kind] = child
        self.grow(child.end)

    def grow(self, end: int) -> None:
        """Moves the end of this section and of all around it."""
        at: Draft | None = self
        while at is not None:
            at.end = max(at.end, end)
            at = at.parent

    def walk(self) -> Iterator[Draft]:
        """All sections below, parents first, in reading order."""
        pending = [self]
        while pending:
            at = pending.pop()
            if at is not self:
                yield at
            pending.extend(sorted(at.children, key=lambda d: -d.start))
