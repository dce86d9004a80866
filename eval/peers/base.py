"""What a peer is, and what all peers are given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rag.protocols import Embedder
from rag.text import sentences

SIZE = 260
"""Characters of a passage at most, for every peer that lets one say so: what Wenju's own passages hold at most."""
DEPTH = 5
"""How many passages a question gets."""
POOL = 20
"""How many passages each half of a hybrid search gives to the fusion."""


@dataclass(frozen=True, slots=True)
class Source:
    """A document as the peers get it: its name in the set's gold, and its text as Wenju decoded it."""

    name: str
    text: str

    @property
    def title(self) -> str:
        """The first line that says something, for frameworks that read a title with each passage."""
        return next((line.strip() for line in self.text.splitlines() if line.strip()), "")[:80]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A passage: code points [start, end) of a source's text."""

    source: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Model:
    """The embedding weights that all share. folder: for frameworks that load them; embedder: the same, loaded."""

    folder: Path
    query_prompt: str
    passage_prompt: str
    embedder: Embedder


class Peer(Protocol):
    """Implementations: the other files of this folder."""

    name: str

    def index(self, sources: Sequence[Source]) -> Sequence[Stretch]:
        """Indexes the documents; gives the passages they were cut into."""
        ...

    def search(self, question: str) -> Sequence[Stretch]:
        """The `DEPTH` best passages, best first."""
        ...


def plain_cut(sources: Sequence[Source]) -> Iterator[tuple[Stretch, str]]:
    """Whole sentences packed up to `SIZE` characters, longer ones cut: for peers that have no Chinese splitter."""
    for source in sources:
        start = end = 0
        for sentence in sentences(source.text):
            if start < end and sentence.end - start > SIZE:
                yield from _pieces(source, start, end)
                start = sentence.start
            end = sentence.end
        yield from _pieces(source, start, end)


def _pieces(source: Source, start: int, end: int) -> Iterator[tuple[Stretch, str]]:
    for at in range(start, end, SIZE):
        stretch = Stretch(source.name, at, min(at + SIZE, end))
        yield stretch, source.text[stretch.start : stretch.end]
