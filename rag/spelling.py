"""Homophone typos (疫晴 for 疫情, 值搬 for 值班) mended against the vocabulary of the index.

Input methods offer characters of the same sound, so that is how people mistype. A character is suspected only when
jieba sees no word around it, it does not belong to the asking ("是哪些"), and the collection knows neither pair it
stands in; it is replaced only by one of the same sound that makes a word which the collection knows, not with the asking
(狗 in 养狗有什么规定 is not 购 of 购有).
"""

from collections.abc import Callable, Set
from functools import cache

from rag.places import find_places
from rag.text import HAN_CHARACTER, NUMERAL, frequent_characters, known_word, segments
from rag.vocabulary import ASKING

_FUNCTION = frozenset("的了在对和与及或是有为被把给向从到由按就都也要能会可不没吗呢这那哪个里上中下内外前后时等且但而则每各放办交领发做看找去来买卖查报开停用走住罚扣先再才只还又已最更很太约共仅打")
"""Characters that stand alone in any sentence: never taken for a typo."""


def mended(text: str, frequency: Callable[[str], int]) -> tuple[str, list[tuple[str, str]]]:
    """`text` with typos replaced, and the (before, after) pairs; frequency: passages that hold a bigram."""
    out = list(text)
    changes: list[tuple[str, str]] = []
    alone = _alone(text)
    asking = {at for match in ASKING.finditer(text) for at in range(*match.span())}
    for at in (at for at in alone if at not in asking and text[at] not in _FUNCTION):
        following = set(range(at + 1, len(text))).difference(alone)  # 限 in 先制定 would tear 制定 apart
        best, most = None, 0
        for other in _same_sound().get(_sound(out[at]), ()):
            if other == out[at]:
                continue
            pairs = [pair for pair in _pairs(out, at, other, asking | following) if known_word(pair)]
            pairs += [pair for pair in _pairs(out, at, other, asking) if find_places(pair)]
            known = sum(map(frequency, set(pairs)))
            if known > most:
                best, most = other, known
        if best and not any(frequency(pair) for pair in _pairs(out, at, out[at], set())):
            start = at - 1 if at and known_word(out[at - 1] + best) else at
            before = "".join(out[start : start + 2])
            out[at] = best
            changes.append((before, "".join(out[start : start + 2])))
    return "".join(out), changes


def _alone(text: str) -> list[int]:
    """Positions of Chinese characters that jieba puts into no word."""
    out, at = [], 0
    for word in segments(text):
        if HAN_CHARACTER.match(word) and (len(word) == 1 or (len(word) == 2 and not known_word(word))):
            out.extend(range(at, at + len(word)))
        at += len(word)
    return out


def _pairs(characters: list[str], at: int, char: str, but: Set[int]) -> list[str]:
    """The pairs that `char` would stand in at this place, with the characters beside it that are not at a place in `but`."""
    beside = [n for n in (at - 1, at + 1) if 0 <= n < len(characters) and n not in but
              and HAN_CHARACTER.match(characters[n]) and characters[n] not in NUMERAL]
    return [characters[n] + char if n < at else char + characters[n] for n in beside]


@cache
def _sound(char: str) -> str:
    from pypinyin import Style, pinyin

    return next((sounds[0] for sounds in pinyin(char, style=Style.NORMAL, errors="ignore")), "")


@cache
def _same_sound() -> dict[str, tuple[str, ...]]:
    """Common characters by sound, tone aside."""
    out: dict[str, list[str]] = {}
    for char in frequent_characters():
        out.setdefault(_sound(char), []).append(char)
    return {sound: tuple(chars) for sound, chars in out.items()}
