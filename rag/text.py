"""Chinese text: comparison forms, reading forms, sentences, tokens, numerals.

Two kinds of forms live here. *Comparison* forms (`compact`, `normalise`, `bigrams`, `words`) are for
matching and never shown. *Reading* forms (`readable`) are shown and differ from the original in white
space only, so that a quote can always be found again.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise

import opencc

from rag.schema import Span

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff〇"
_SPACE = re.compile(r"\s+")
_ASCII_WORD = re.compile(r"[A-Za-z0-9.,%&'\"()$/:;!?+-]")
_TOKEN = re.compile(rf"[{HAN}]+|[a-z]+|\d+(?:[.:]\d+)*")
HAN_CHARACTER = re.compile(rf"[{HAN}]")
_HAN_RUN = re.compile(rf"[{HAN}]+")


# ---------------------------------------------------------------- forms

def compact(text: str) -> str:
    """The text without any white space: the form in which quotes and originals must be equal."""
    return _SPACE.sub("", text)


def readable(text: str) -> str:
    """Broken lines joined and padding removed, nothing else changed.

    White space between two Latin words or numbers stays as one blank, and so does what parts a label from a number
    ("2. 5月6日"); everywhere else it goes.
    """
    def join(found: re.Match[str]) -> str:
        before, after = text[found.start() - 1 : found.start()], text[found.end() : found.end() + 1]
        parted = (_ASCII_WORD.match(before) and _ASCII_WORD.match(after)) or (before == "." and after.isdigit())
        return " " if parted else ""

    return re.sub(r"\s+", join, text)


@cache
def _to_simplified() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def simplified(text: str) -> str:
    """Traditional characters replaced by simplified ones."""
    return _to_simplified().convert(text)


def normalise(text: str) -> str:
    """The comparison form: simplified, half width (NFKC), lower case."""
    return _normalised_before(text) if len(text) <= _OFTEN_SEEN else _normalised(text)


_OFTEN_SEEN = 80
"""Characters of clauses, names and words, which one answer looks at many times."""


def _normalised(text: str) -> str:
    return simplified(unicodedata.normalize("NFKC", text)).lower()


_normalised_before = lru_cache(maxsize=8192)(_normalised)


# ---------------------------------------------------------------- sentences

_OPEN, _CLOSE = "“‘「『《〈（(【〔［[<", "”’」』》〉）)】〕］]>"
_PAIR = dict(zip(_OPEN, _CLOSE, strict=True))
_PAIRED = re.compile(f"[{re.escape(_OPEN + _CLOSE)}\n]")
_STOP, _AFTER_STOP = re.compile(r"[\n。！？!?]"), re.compile(r"[。！？!?”’」』）)]*")
_LONGEST_PAIR = 300
_DEEPEST_PAIR = 32
_LATIN_END = re.compile(r"\.(?=\s+[A-Z\"“])")


def _inside_pairs(text: str) -> bytearray:
    """1 for each character that stands inside a closed pair of quotes or brackets of bearable length."""
    inside = bytearray(len(text))
    stack: list[int] = []
    for found in _PAIRED.finditer(text):
        at, char = found.start(), found[0]
        if char in _PAIR:
            stack.append(at)
        elif char == "\n":
            stack.clear()
        else:
            for depth in range(len(stack) - 1, max(len(stack) - _DEEPEST_PAIR, 0) - 1, -1):
                if _PAIR[text[stack[depth]]] == char:
                    begin = stack[depth]
                    del stack[depth:]
                    if at - begin <= _LONGEST_PAIR:
                        inside[begin:at] = b"\x01" * (at - begin)
                    break
    return inside


def sentences(text: str) -> Iterator[Span]:
    """Spans of the sentences of `text`, without surrounding white space.

    A line end is a sentence end (give joined text). Nothing inside quotes, brackets or 《》 is cut,
    nor decimals, dates and telephone numbers, because a point only ends a sentence before a blank
    and a Latin capital.
    """
    inside = _inside_pairs(text)
    stops = [at for m in _STOP.finditer(text) if text[at := m.start()] == "\n" or not inside[at]]
    if latin := [m.start() for m in _LATIN_END.finditer(text)]:
        stops = sorted({*stops, *latin})
    start = 0
    for stop in stops:
        if stop >= start:
            end = _AFTER_STOP.match(text, stop + 1).end()  # type: ignore[union-attr]
            yield from _trimmed(text, start, end)
            start = end
    yield from _trimmed(text, start, len(text))


def clauses(text: str) -> list[str]:
    """`text` cut after commas, semicolons and sentence ends that stand outside quotes, brackets and numbers."""
    inside = _inside_pairs(text)
    cuts = [m.end() for m in re.finditer(r"[，；。！？!?;\n]|,(?!\d{3})", text) if not inside[m.start()]]
    return [part for a, b in pairwise([0, *cuts, len(text)]) if (part := text[a:b].strip())]


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield Span(start, end)


# ---------------------------------------------------------------- tokens

@cache
def _jieba():
    """jieba's tokenizer, its dictionary read directly: no marshalled cache in a shared temporary folder."""
    import logging

    import jieba

    jieba.setLogLevel(logging.ERROR)
    tokenizer = jieba.Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return tokenizer


def segments(text: str) -> list[str]:
    """jieba's words of the text as it is, punctuation and all: joined they give the text again."""
    return _jieba().lcut(text, HMM=False)


def known_word(word: str) -> bool:
    """Whether jieba's dictionary has the word."""
    return bool(_jieba().FREQ.get(word))


@cache
def frequent_characters() -> tuple[str, ...]:
    """Single Chinese characters of jieba's dictionary that are not rare."""
    return tuple(c for c, n in _jieba().FREQ.items() if len(c) == 1 and n >= 20 and HAN_CHARACTER.match(c))


def words(text: str) -> list[str]:
    """jieba's search-mode words of the normalised text; punctuation dropped."""
    out: list[str] = []
    for run in _TOKEN.findall(normalise(text)):
        out.extend(_jieba().lcut_for_search(run) if _HAN_RUN.match(run) else [run])
    return out


def bigrams(text: str) -> list[str]:
    """Overlapping pairs of Chinese characters (a lone one stays single); Latin words and numbers whole."""
    out: list[str] = []
    for run in _TOKEN.findall(normalise(text)):
        if len(run) < 2 or not _HAN_RUN.match(run):
            out.append(run)
        else:
            out.extend(run[i : i + 2] for i in range(len(run) - 1))
    return out


# ---------------------------------------------------------------- numerals

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "○": 0, "两": 2, "壹": 1, "贰": 2, "叁": 3}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
NUMERAL = "零〇○一二三四五六七八九十百千两"


def number(numeral: str) -> int | None:
    """The value of a Chinese or Arabic numeral ("二十三", "二〇二三", "１２"), None when it is not one."""
    numeral = unicodedata.normalize("NFKC", numeral.strip())
    if numeral.isdecimal():
        return int(numeral)
    if not numeral or any(c not in _DIGITS and c not in _UNITS for c in numeral):
        return None
    if not any(c in _UNITS for c in numeral):
        return int("".join(str(_DIGITS[c]) for c in numeral))
    total, section, digit = 0, 0, 0
    for char in numeral:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif (unit := _UNITS[char]) >= 10_000:
            total = (total + section + digit) * unit
            section = digit = 0
        else:
            section += (digit or 1) * unit
            digit = 0
    return total + section + digit
