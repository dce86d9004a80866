"""Does the evidence say so? The check of every sentence that a language model writes, before anybody sees it.

Code decides, the model only writes: which evidence a sentence rests on, whether its numbers, days, names and prohibitions
are those of the evidence, and whether the rest is said there at all. A sentence that fails for the evidence the model named
is tried on other evidence, then replaced by the document's own sentence, else dropped. Deterministic.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from rag.citations import unsupported_values
from rag.contradictions import STRICT, conflict, matter
from rag.fitted import weights
from rag.places import find_places
from rag.prompts import speaks_to_model
from rag.text import HAN, bigrams, clauses, readable, sentences
from rag.wording import ENDS, Token, canonical, tokens

Outcome = Literal["kept", "recited", "replaced", "dropped"]

SAID_ALREADY, SAYS_NOTHING = "已经说过", "没有说出什么"
ENOUGH, CLOSE = (float(weights("support", part)[0]) for part in ("enough", "close"))
"""Weighted share of a sentence's bigrams that the evidence has, from which words alone support it; and below that the mean
closeness of its tokens to the evidence's. Fitted by `python -m eval.fit_support`."""
LEAST = 0.6
"""The same share, below which nothing supports it."""
_FRAMED = 0.9
"""The same share over what a document says of itself, from which a clause only says whose document it is."""
_BARE = 12
"""Characters below which a sentence that is no clause of the evidence is a mere name or number: of what, it does not say."""
_LONGEST = 300
"""Characters of a sentence; nothing that an office writes is longer and readable."""
_STOPS = ",。;!?、:"
_AS_NEAR = 0.1
"""Stretches that say this much less of a clause than another one are not what it rests on; the clauses that answer may
say as much less than the sentence around them."""
_TRIED = 3
"""Stretches of the evidence that a clause is compared with."""
_ACTIVE = re.compile(r"｜|://|www\.|\]\(|</?[a-z!]|```|!\[|javascript:", re.I)
"""Links and markup: evidence is quoted with them, but nothing new is written with them."""
_SURNAMES = ("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹"
             "熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文")
_ROLE = "同志|局长|厅长|处长|科长|主任|书记|省长|市长|县长|区长|部长|主席|院长|校长|所长|队长|秘书长|联系人|负责人|发言人"
_PERSON = re.compile(rf"([{_SURNAMES}][{HAN}]{{1,2}}?)(?={_ROLE})|(?:{_ROLE})(?:为|是|:)?([{_SURNAMES}][{HAN}]{{1,2}})")
_LEADS_ON = re.compile(r"(?:如下|[：:])[。：:]?$")
"""A sentence that only announces others: those are on their own."""
_TERM = re.compile(r"[《“「]([^》”」]{2,60})[》”」]")


@dataclass(frozen=True)
class Source:
    """What a sentence may rest on. text: of the evidence, as it is quoted. frame: what its document says of itself (title,
    issuer, headings): names may come from there, numbers may not. point: the clauses of the text that answer."""

    text: str
    frame: str = ""
    point: str = ""

    @cached_property
    def words(self) -> str:
        """The text in canonical form."""
        return canonical(self.text)

    @cached_property
    def known(self) -> str:
        """Text and frame in canonical form."""
        return self.words + "\n" + canonical(self.frame)

    @cached_property
    def pairs(self) -> frozenset[str]:
        """Bigrams of text and frame."""
        return frozenset(bigrams(self.known))

    @cached_property
    def framed(self) -> frozenset[str]:
        """Bigrams of the frame."""
        return frozenset(bigrams(canonical(self.frame)))

    @cached_property
    def stretches(self) -> tuple[tuple[frozenset[str], tuple[Token, ...]], ...]:
        """Parts between full stops and semicolons: bigrams and tokens of each."""
        parts = re.split(r"(?<=[。!?;])|\n", "\n".join(canonical(line) for line in self.text.split("\n")))
        return tuple((frozenset(bigrams(p)), tuple(tokens(p))) for p in parts if p)


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a sentence. text: what may be shown, "" when it was dropped; sources: the evidence it rests on.

    written: as the model wrote it. why: what was wrong with it, in Chinese, "" when nothing was.
    """

    text: str
    sources: tuple[int, ...]
    outcome: Outcome
    written: str
    why: str = ""


class Verifier:
    """Checks the sentences of one answer, in order.

    idf: weight of a bigram in the collection. closeness: of a sentence to some texts, mean over its tokens, in [0, 1].
    A place or office that a document is of, once a sentence names it, holds for the sentences after it until another one
    is named, as a reader takes it: they rest on documents of that place alone.
    """

    def __init__(
        self, sources: Sequence[Source], idf: Callable[[str], float], closeness: Callable[[str, Sequence[str]], float]
    ) -> None:
        self._sources, self._idf, self._closeness = sources, idf, closeness
        self._frames = "\n".join(canonical(source.frame) for source in sources)
        self._about: frozenset[str] = frozenset()
        self._shown: set[str] = set()

    def check(self, written: str, cited: Sequence[int] = ()) -> Checked:
        """What may be shown of a sentence without its markers. cited: indexes of the sources that the model named."""
        if _ACTIVE.search(written) or speaks_to_model(written) or len(written) > _LONGEST:
            return Checked("", (), "dropped", written, "有链接、标记或指令")
        if _LEADS_ON.search(written) and len(clauses(written)) == 1:
            return Checked("", (), "dropped", written, SAYS_NOTHING)
        cited = tuple(i for i in cited if 0 <= i < len(self._sources))
        text = self._without_lead(written)
        rests, why, about = self._rests_on(text, cited)
        if not why:
            self._about = about
            done = Checked(text, rests, "kept" if set(rests) <= set(cited) else "recited", written)
        else:
            done = self._replaced(written, about, why)
        if done.text and canonical(done.text) in self._shown:
            return replace(done, text="", sources=(), outcome="dropped", why=SAID_ALREADY)
        self._shown.add(canonical(done.text))
        return done

    # ------------------------------------------------------------ the sentence as written

    def _rests_on(self, written: str, cited: Sequence[int]) -> tuple[tuple[int, ...], str, frozenset[str]]:
        """The sources that support the sentence; what is wrong when none do; the places it is about at its end."""
        about, found = self._about, dict[int, None]()
        if (own := self._own_words(canonical(written).rstrip(_STOPS), cited)) is not None:
            return (own,), "", self._named(canonical(written)) or about
        if len(canonical(written)) < _BARE:
            return (), "没有说成一句话", about
        whole = matter(canonical(written))
        for clause in (canonical(c).rstrip(_STOPS) for c in clauses(written)):
            about = self._named(clause) or about
            # two offices may be named together ("甲局、乙局都要求…"): then each has to say so
            for named in [about] if self._of(about) else [frozenset({name}) for name in sorted(about)]:
                rests, why = self._clause(clause, whole, cited, named)
                if why:
                    return (), why, about
                if rests is not None:
                    found[rests] = None
        if not found:
            return (), SAYS_NOTHING, about
        texts = [self._sources[i].text for i in found]
        if missing := unsupported_values(written, texts):
            return (), f"引文中没有{'、'.join(sorted(missing))}", about
        if why := self._unnamed(written, [self._sources[i].known for i in found]):
            return (), why, about
        share = self._share(whole, frozenset().union(*(self._sources[i].pairs for i in found)))
        if share < LEAST or (share < ENOUGH and self._closeness(written, texts) < CLOSE):
            return (), "原文没有这样说", about
        return tuple(sorted(found)), "", about

    def _without_lead(self, written: str) -> str:
        """The sentence without words of the model's own before a colon ("包括：", "处理方式是：")."""
        lead, _, rest = written.partition("：")
        said = canonical(lead)
        plain = len(clauses(lead)) == 1 and not any(t.kind not in ("", "name") for t in tokens(said))
        if not plain or len(canonical(rest)) < _BARE or any(said in s.words for s in self._sources):
            return written
        self._about = self._named(said) or self._about
        return rest.lstrip()

    def _own_words(self, said: str, cited: Sequence[int]) -> int | None:
        """The source in which these very words are one whole clause or several."""
        for i in sorted(self._of(self._named(said) or self._about), key=lambda i: i not in cited):
            words = f",{self._sources[i].words},"
            at = words.find(said)
            if len(said) > 1 and at > 0 and words[at - 1] in ENDS and words[at + len(said)] in ENDS:
                return i
        return None

    def _named(self, text: str) -> frozenset[str]:
        """Places and offices of a canonical text that some document is of."""
        names = [*find_places(text), *(t.form for t in tokens(text) if t.kind == "name")]
        return frozenset(name for name in names if name in self._frames)

    def _of(self, about: frozenset[str]) -> list[int]:
        """The sources that speak of all of these."""
        return [i for i, source in enumerate(self._sources) if all(name in source.known for name in about)]

    def _clause(
        self, clause: str, whole: Sequence[str], cited: Sequence[int], about: frozenset[str]
    ) -> tuple[int | None, str]:
        """The source of one clause, or what is wrong. None and "": it says nothing that needs one.

        whole: bigrams of the sentence. The clause is held against the stretches that say most of it and of the sentence:
        elsewhere the same words may be said of something else.
        """
        row, pairs = tokens(clause), matter(clause)
        if not any(t.kind for t in row) and sum(t.form.isalnum() for t in row) < 4:
            return None, ""
        if not any(t.kind in STRICT for t in row) and any(self._share(pairs, s.framed) >= _FRAMED for s in self._sources):
            return None, ""  # it only says whose document it is
        near = []
        for i in self._of(about):
            for own, said in self._sources[i].stretches:
                share = self._share(pairs, own | self._sources[i].framed)
                if share >= LEAST and self._share(pairs, own) >= LEAST / 2:
                    near.append((share + self._share(whole, own) / 2, i in cited, i, said))
        near.sort(key=lambda n: (-round(n[0], 2), not n[1], n[2]))
        first = "原文没有这样说"
        for n, (share, _, i, said) in enumerate(near[:_TRIED]):
            if share < near[0][0] - _AS_NEAR:
                break
            why = conflict(row, said, f"{self._sources[i].known}\n{self._frames}")
            if not why:
                return i, ""
            first = first if n else why
        return None, first

    def _share(self, pairs: Sequence[str], known: frozenset[str]) -> float:
        """Weighted share of the bigrams that are known."""
        total = sum(self._idf(p) for p in pairs)
        return round(sum(self._idf(p) for p in pairs if p in known) / total, 6) if total else 0.0

    @staticmethod
    def _unnamed(written: str, known: Sequence[str]) -> str:
        """People, titles and quoted terms of the sentence that no source knows."""
        text = canonical(written)
        names = {a or b for a, b in _PERSON.findall(text)} | {canonical(t) for t in _TERM.findall(readable(written))}
        missing = sorted(n for n in names if not any(n in k for k in known))
        return f"原文没有{'、'.join(missing)}" if missing else ""

    # ------------------------------------------------------------ the document's own sentence

    def _replaced(self, written: str, about: frozenset[str], why: str) -> Checked:
        """The words of the evidence that say most of it, when they say enough to be what was meant: the clauses that answer,
        else a whole sentence."""
        pairs = matter(canonical(written))
        best: tuple[float, str, int] = (LEAST, "", -1)
        for i in self._of(about):
            source = self._sources[i]
            whole = (source.text[span.start : span.end] for span in sentences(source.text))
            for own in filter(None, (source.point, *whole)):
                share = self._share(pairs, frozenset(bigrams(canonical(own + source.frame))))
                share += _AS_NEAR * (own is source.point and share >= LEAST)
                if share > best[0] and not speaks_to_model(own) and not _ACTIVE.search(own):
                    best = share, own, i
        if best[2] < 0:
            return Checked("", (), "dropped", written, why)
        return Checked(best[1], (best[2],), "replaced", written, why)
