"""Fits what supports a written sentence (`rag.verification`): how many of its words the evidence has, how close it is.

    python -m eval.fit_support HOME DOCUMENTS [DOCUMENTS ...]

HOME: a WENJU_HOME, for its embedder. DOCUMENTS: text files of development documents only, one document each, or one a line
in JSON Lines with a member "text". Sentences that are supported: paraphrases of sentences of the evidence (`eval.mutations`),
two sentences of it run together, and its sentences with a word of courtesy left out or put in. Sentences that are not:
those of other passages of the same document, halves of two passages put together, one of them foreign, and sentences of the
evidence with one word of another passage in place of their own. The verifier's other rules come first: what they catch needs no figure.
Renews the member "support" of rag/fitted.json; what the figures do to sentences left out of the fitting goes to standard error.
"""

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eval.fit import store
from eval.mutations import paraphrased
from rag.config import load_settings
from rag.contradictions import matter
from rag.embedding import SentenceEmbedder
from rag.passages import cut
from rag.reranking import best_matches
from rag.schema import Document, Metadata, Span
from rag.text import HAN, bigrams, clauses, readable, sentences, words
from rag.verification import Source, Verifier
from rag.wording import canonical

_DOCUMENTS, _PASSAGES = 100, 3
"""Documents, spread evenly over those given, and passages of each that sentences are taken from."""
_WORD = re.compile(f"[{HAN}]{{2,4}}")
_COURTESY = ("切实", "认真", "进一步", "全面", "严格", "积极", "及时", "有效", "充分", "各项", "相关", "有关", "工作")
"""Words that offices put in or leave out without saying anything else."""
_LET_THROUGH, _LOST = 0.01, 0.05
"""Shares of all unsupported sentences above `ENOUGH`, and of the supported ones, which the other rules let through, below `CLOSE`."""


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence over its evidence: whether it is supported, the share of its words that is known, its closeness."""

    supported: bool
    share: float
    closeness: float


def texts_of(file: Path) -> Iterator[str]:
    """The documents of a file."""
    text = file.read_text(encoding="utf-8")
    yield from (json.loads(line)["text"] for line in text.splitlines()) if file.suffix == ".jsonl" else [text]


def sentences_over(passages: Sequence[str], chance: random.Random) -> Iterator[tuple[bool, str, str]]:
    """(supported, sentence, evidence) over the passages of one document."""
    for passage in chance.sample(passages, min(_PASSAGES, len(passages))):
        own = [passage[s.start : s.end] for s in sentences(passage) if s.end - s.start >= 12]
        other = chance.choice(passages)
        foreign = [other[s.start : s.end] for s in sentences(other) if s.end - s.start >= 12]
        for one in own[:2]:
            yield from ((True, said, passage) for _, said in paraphrased(one))
        yield from ((True, said, passage) for one in own[:2] for said in reworded(one))
        if len(own) > 1:
            yield True, own[0].rstrip("。") + "，" + own[-1], passage
        if other == passage:
            continue
        for one in foreign[:2]:
            yield False, one, passage
        yield from ((False, said, passage) for one in own[:2] if (said := of_another(one, passage, other, chance)))
        if own and foreign and len(clauses(foreign[0])) > 1:
            yield False, own[0].rstrip("。") + "，" + "".join(clauses(foreign[0])[1:]), passage


def reworded(sentence: str) -> Iterator[str]:
    """The sentence without one of its words of courtesy, with another one at its end, and announced."""
    for word in _COURTESY:
        if word in sentence:
            yield sentence.replace(word, "", 1)
            break
    yield sentence.rstrip("。") + "等有关工作。"
    yield "文件要求，" + sentence


def of_another(sentence: str, passage: str, other: str, chance: random.Random) -> str:
    """The sentence with one of its words exchanged for one that only the other passage has; "" when there is none."""
    mine = [w for w in dict.fromkeys(words(sentence)) if _WORD.fullmatch(w) and sentence.count(w) == 1]
    theirs = [w for w in dict.fromkeys(words(other)) if _WORD.fullmatch(w) and w not in passage]
    return sentence.replace(chance.choice(mine), chance.choice(theirs)) if mine and theirs else ""


def examples(documents: Sequence[str], embedder: SentenceEmbedder) -> list[Example]:
    """What is measured of every sentence."""
    chance, counts, all_passages = random.Random(0), Counter[str](), []
    for text in documents:
        document = Document("d", "d.txt", "", text, Metadata(), (), body=(Span(0, len(text)),))
        all_passages.append([readable(p.text) for p in cut(document)])
        for passage in all_passages[-1]:
            counts.update(set(bigrams(canonical(passage))))
    total = sum(map(len, all_passages))

    def idf(pair: str) -> float:
        return float(np.log1p((total - counts[pair] + 0.5) / (counts[pair] + 0.5)))

    def share(said: str, evidence: str) -> float:
        weights = [(idf(p), p) for p in matter(canonical(said))]
        known = Source(evidence).pairs
        return float(sum(w for w, p in weights if p in known) / (sum(w for w, _ in weights) or 1))

    out = []
    for passages in all_passages:
        for supported, said, evidence in sentences_over(passages, chance):
            held = Verifier([Source(evidence)], idf, lambda *_: 1.0).check(said, [0]).outcome == "kept"
            if held or not supported:
                known = share(said, evidence) if held else 0.0
                out.append(Example(supported, known, closeness(embedder, said, evidence) if 0 < known < 1 else known))
    return out


def closeness(embedder: SentenceEmbedder, sentence: str, text: str) -> float:
    """Mean over the sentence's tokens of the best cosine with any token of the text."""
    own, other = embedder.embed_queries([sentence, text])
    return float(best_matches(own.tokens, other.tokens, np.array([len(other.tokens)])).mean())


def fitted(data: Sequence[Example]) -> tuple[float, float]:
    """ENOUGH and CLOSE: as much is let through, and as much is lost, as the two shares above allow."""
    enough = float(np.quantile([e.share for e in data if not e.supported], 1 - _LET_THROUGH))
    said = [e.closeness if e.share < enough else 1.0 for e in data if e.supported]
    return enough, float(np.quantile(said, _LOST))


def main() -> None:
    """Fits on every other sentence, tells of the rest."""
    embedder = SentenceEmbedder.load(replace(load_settings(), home=Path(sys.argv[1])))
    documents = [text for name in sys.argv[2:] for text in texts_of(Path(name))]
    data = examples(documents[:: max(1, len(documents) // _DOCUMENTS)], embedder)
    enough, close = fitted(data[::2])
    store({"support": {"enough": [round(enough, 3)], "close": [round(close, 3)]}})
    for kind in (True, False):
        rest = [e for e in data[1::2] if e.supported is kind]
        kept = [e.share >= enough or e.closeness >= close for e in rest]
        print(f"{'supported' if kind else 'unsupported'}: {np.mean(kept):.3f} of {len(rest)} let through", file=sys.stderr)


if __name__ == "__main__":
    main()
