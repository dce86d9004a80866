"""Where gold stands in a source, and how much of it a passage or a citation covers.

Everything is counted in *kept characters*: NFKC, lower case, without white space, and without punctuation
unless it stands between two digits (so 1.5 never equals 15). A quote that ends one full stop earlier
than the gold is therefore whole.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from eval.sets import EvalItem, Gold

HALF = 0.5
"""A span is touched when the overlap is at least this share of the shorter of the two."""


@cache
def _plain(char: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", char).lower() if not c.isspace())


def _kept(text: str) -> tuple[str, list[int]]:
    pairs = [(c, at) for at, char in enumerate(text) for c in _plain(char)]
    chars, places = [], []
    last = len(pairs) - 1
    for i, (char, at) in enumerate(pairs):
        if unicodedata.category(char)[0] in "PC" and char != "%":
            between = 0 < i < last and pairs[i - 1][0].isdigit() and pairs[i + 1][0].isdigit()
            if not between:
                continue
        chars.append(char)
        places.append(at)
    return "".join(chars), places


def kept(text: str) -> str:
    """The kept characters of a text: the form in which answers and quotes are compared."""
    return _kept(text)[0]


class SourceText:
    """A document's kept characters and where each stands. `at`: int64 [n], ascending code point offsets."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.form, places = _kept(text)
        self.at = np.asarray(places, dtype=np.int64)

    def find(self, text: str) -> np.ndarray:
        """Every occurrence, int64 [n, 2], as half-open ranges of kept characters; none for an empty text."""
        wanted = kept(text)
        starts: list[int] = []
        at = self.form.find(wanted) if wanted else -1
        while at >= 0:
            starts.append(at)
            at = self.form.find(wanted, at + 1)
        first = np.asarray(starts, dtype=np.int64)
        return np.stack([first, first + len(wanted)], axis=1)

    def range(self, start: int, end: int) -> tuple[int, int]:
        """Code point offsets as a range of kept characters."""
        first, last = np.searchsorted(self.at, (start, end))
        return int(first), int(last)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One place where a target may be found. spans: int64 [n, 2] of kept characters; None means the whole document."""

    source: str
    spans: np.ndarray | None


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One thing to be found; any of its places is enough."""

    places: tuple[Place, ...]


class Locator:
    """Finds gold in sources; keeps what it has read."""

    def __init__(self, text_of: Callable[[str], str]) -> None:
        self._text_of = text_of
        self._read: dict[str, SourceText] = {}
        self._first: dict[str, str] = {}

    def source(self, name: str) -> SourceText:
        """The source's text. Raises KeyError when the asker does not know it."""
        if name not in self._read:
            self._read[name] = SourceText(self._text_of(name))
        return self._read[name]

    def text(self, name: str) -> str:
        """The source's text as it is. Raises KeyError when the asker does not know it."""
        return self.source(name).text

    def document(self, name: str) -> str:
        """One name for all sources of the same text: an index keeps copies under one of their names."""
        try:
            return self._first.setdefault(self.text(name), name)
        except KeyError:
            return name

    def is_gold(self, item: EvalItem, source: str) -> bool:
        """Whether a source is one of the item's gold documents."""
        return any(self.document(g.source) == self.document(source) for g in item.gold)

    def targets(self, item: EvalItem) -> tuple[Target, ...]:
        """What retrieval has to find: the gold quotes, else the answers in the gold documents, else those documents."""
        quoted = any(g.quote for g in item.gold)
        if not quoted and (found := self._answers(item)):
            return (found,)
        places = [self._place(g) for g in item.gold]
        if item.all_gold:
            return tuple(Target((p,)) for p in places)
        return (Target(tuple(places)),) if places else ()

    def answer_targets(self, item: EvalItem) -> tuple[Target, ...]:
        """What the cited quotes have to hold: the answers in the gold documents, else the gold quotes."""
        if found := self._answers(item):
            return (found,)
        return self.targets(item) if any(g.quote for g in item.gold) else ()

    def touched(self, target: Target, source: str, start: int, end: int) -> bool:
        """Whether a span (code points) overlaps a place by at least half of the shorter of the two."""
        for place in target.places:
            if self.document(place.source) != self.document(source):
                continue
            if place.spans is None:
                return True
            first, last = self.source(place.source).range(start, end)
            overlap = np.minimum(place.spans[:, 1], last) - np.maximum(place.spans[:, 0], first)
            shorter = np.minimum(place.spans[:, 1] - place.spans[:, 0], last - first)
            if bool(np.any((overlap > 0) & (overlap >= HALF * shorter))):
                return True
        return False

    def covered(self, target: Target, spans: Sequence[tuple[str, int, int]]) -> float:
        """The largest share of kept characters of one place that the (source, start, end) spans cover together."""
        best = 0.0
        for place in target.places:
            mine = [(s, e) for source, s, e in spans if self.document(source) == self.document(place.source)]
            if place.spans is None:
                best = max(best, float(bool(mine)))
            elif mine:
                best = max(best, _share(self.source(place.source), place.spans, mine))
        return best

    def _place(self, gold: Gold) -> Place:
        spans = self.source(gold.source).find(gold.quote)
        return Place(gold.source, spans if len(spans) else None)

    def _answers(self, item: EvalItem) -> Target | None:
        places = []
        for name in dict.fromkeys(g.source for g in item.gold):
            found = [self.source(name).find(a) for a in item.answers]
            if spans := [f for f in found if len(f)]:
                places.append(Place(name, np.concatenate(spans)))
        return Target(tuple(places)) if places else None


def _share(text: SourceText, places: np.ndarray, spans: Iterable[tuple[int, int]]) -> float:
    marked = np.zeros(len(text.form) + 1, dtype=np.int64)
    for start, end in spans:
        first, last = text.range(start, end)
        marked[first + 1 : last + 1] = 1
    total = np.cumsum(marked)
    return float(np.max((total[places[:, 1]] - total[places[:, 0]]) / (places[:, 1] - places[:, 0])))
