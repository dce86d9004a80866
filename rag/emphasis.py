"""How much each part of a question says about what is asked: "值班" much, "是什么" little.

A weight for every character: less for the words that only make a question of it; times the rarity (idf) of the
character pairs it stands in.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from rag.glossary import Term, terms
from rag.text import HAN, bigrams, segments, simplified
from rag.vocabulary import ABBREVIATIONS, ALIKE, ASKING

_ASKING_SHARE = 0.2
_ACROSS_SHARE = 0.4
"""A pair of characters that belong to two words says less than a pair inside one."""
_SMALL = 1e-3
"""Weight of what says nothing, so that there is one."""
_NUMBER = re.compile(r"\d+")
_TOKEN = re.compile(rf"[{HAN}]+|[a-z]+|\d+(?:[.:]\d+)*")
_HALF = {c: c - 0xFEE0 for c in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


@dataclass(frozen=True, slots=True)
class Emphasis:
    """Weights of a question's parts.

    characters: float32 [len(text)]. pairs: the distinct bigrams of `text`; places: where each first stands;
    weights: float32 [pairs], idf times the share of the question's matter. aliases: (as the question writes it, as a
    document may write it).
    """

    characters: np.ndarray
    pairs: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    weights: np.ndarray
    aliases: tuple[tuple[str, str], ...]

    def said_in(self, text: str) -> np.ndarray:
        """Which of the pairs the normalised text has, itself or by another way of writing it: bool [pairs]."""
        text += "".join(mine for mine, theirs in self.aliases if theirs in text)
        return np.array([pair in text for pair in self.pairs], bool)

    def said_in_each(self, texts: Iterable[str]) -> np.ndarray:
        """The same of several texts: bool [texts, pairs]."""
        if self.aliases:
            texts = (text + "".join(mine for mine, theirs in self.aliases if theirs in text) for text in texts)
        said = [[pair in text for pair in self.pairs] for text in texts]
        return np.array(said, bool).reshape(len(said), len(self.pairs))

    def of_tokens(self, spans: np.ndarray) -> np.ndarray:
        """Weight of each token, spans int32 [n, 2] into the text: float32 [n]."""
        total = np.concatenate([[0.0], np.cumsum(self.characters)])
        start, end = spans[:, 0], np.maximum(spans[:, 1], spans[:, 0] + 1).clip(max=len(self.characters))
        return ((total[end] - total[start]) / np.maximum(end - start, 1)).astype(np.float32) + 1e-6


def emphasis(text: str, idf: Callable[[str], float], language: str = "zh") -> Emphasis:
    """Weights for `text`; idf: of a bigram in the collection. language: "zh" or "other", which is taken for English."""
    if language != "zh":
        return _of_english(text, idf)
    share = np.ones(len(text), np.float32)
    for match in ASKING.finditer(text):
        share[match.start() : match.end()] = _ASKING_SHARE
    rarity = np.full(len(text), _SMALL, np.float32)
    found: dict[str, tuple[tuple[int, int], float]] = {}
    edges = set(accumulate(map(len, segments(text))))
    for pair, start, end in _pairs(text):
        value = idf(pair)
        rarity[start:end] = np.maximum(rarity[start:end], value)
        if pair not in found:
            across = _ACROSS_SHARE if len(pair) == 2 and start + 1 in edges else 1.0
            found[pair] = (start, end), value * across * float(share[start:end].min())
    weights = np.array([w for _, w in found.values()], np.float32)
    return Emphasis(share * rarity, tuple(found), tuple(place for place, _ in found.values()), weights, _aliases(text))


def _of_english(text: str, idf: Callable[[str], float]) -> Emphasis:
    """A word of the text counts as said where a Chinese word that may be meant is, or the word itself (covid, 2023).

    It says as much as the commonest of those words.
    """
    found: dict[str, tuple[tuple[int, int], float]] = {}
    aliases: list[tuple[str, str]] = []
    characters, unknown = np.full(len(text), _SMALL, np.float32), idf("")
    numbers = [Term(m.start(), m.end(), m.group(), ()) for m in _NUMBER.finditer(text)]
    for term in [*terms(text), *numbers]:
        rarities = {word: max(map(idf, bigrams(word)), default=unknown) for word in (*term.words, term.said)}
        known = [word for word, rarity in rarities.items() if rarity < unknown]
        weight = min((rarities[word] for word in known), default=unknown)
        characters[term.start : term.end] = weight
        if known:
            said = f" {term.said} "
            found[said] = (term.start, term.end), weight
            aliases += [(said, word) for word in known]
    weights = np.array([w for _, w in found.values()], np.float32)
    return Emphasis(characters, tuple(found), tuple(place for place, _ in found.values()), weights, tuple(aliases))


def _aliases(text: str) -> tuple[tuple[str, str], ...]:
    """(as the text writes it, as a document may) for every word of the text that has others of its kind."""
    return tuple((mine, theirs) for group in (*ABBREVIATIONS, *ALIKE) for mine in group if mine in text
                 for theirs in group if theirs not in text)


def _pairs(text: str) -> list[tuple[str, int, int]]:
    """`rag.text.bigrams` with the places; only forms that keep the length are unified."""
    same = simplified(text.translate(_HALF)).lower()
    same = same if len(same) == len(text) else text.lower()
    out = []
    for match in _TOKEN.finditer(same):
        run, at = match.group(), match.start()
        if len(run) < 2 or not re.match(f"[{HAN}]", run):
            out.append((run, at, match.end()))
        else:
            out.extend((run[i : i + 2], at + i, at + i + 2) for i in range(len(run) - 1))
    return out
