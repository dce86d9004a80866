"""Fits what supports a written sentence (`rag.verification`): how many of its words the evidence has, how close it is.

    python -m eval.fit_support HOME DOCUMENTS [DOCUMENTS ...]

HOME: a WENJU_HOME, for its embedder. DOCUMENTS: text files of development documents only, one document each, or one a line
in JSON Lines with a member "text". Sentences that are supported: paraphrases of sentences of the evidence (`eval.mutations`),
and two sentences of it run together. Sentences that are not: those of other passages of the same document, and halves of two
passages put together, one of them foreign. Prints the three figures, and what they do to sentences left out of the fitting.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eval.mutations import paraphrased
from rag.config import load_settings
from rag.embedding import SentenceEmbedder
from rag.passages import cut
from rag.reranking import best_matches
from rag.schema import Document, Metadata, Span
from rag.text import bigrams, clauses, readable, sentences
from rag.verification import Source, matter
from rag.wording import canonical

_PASSAGES = 4
"""Of each document that sentences are taken from."""
_LOST, _LET_THROUGH = 0.01, 0.005
"""Shares of supported sentences below `LEAST`, and of unsupported ones above `ENOUGH`."""


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
        if len(own) > 1:
            yield True, own[0].rstrip("。") + "，" + own[-1], passage
        if other == passage:
            continue
        for one in foreign[:2]:
            yield False, one, passage
        if own and foreign and len(clauses(foreign[0])) > 1:
            yield False, own[0].rstrip("。") + "，" + "".join(clauses(foreign[0])[1:]), passage


def examples(documents: Sequence[str], embedder: SentenceEmbedder) -> list[Example]:
    """What is measured of every sentence."""
    chance, counts, all_passages = random.Random(0), Counter[str](), []
    for text in documents:
        document = Document("d", "d.txt", "", text, Metadata(), (), body=(Span(0, len(text)),))
        all_passages.append([readable(p.text) for p in cut(document)])
        for passage in all_passages[-1]:
            counts.update(set(bigrams(canonical(passage))))
    total = sum(map(len, all_passages))

    def share(said: str, evidence: str) -> float:
        weights = [(np.log1p((total - counts[p] + 0.5) / (counts[p] + 0.5)), p) for p in matter(canonical(said))]
        known = Source(evidence).pairs
        return float(sum(w for w, p in weights if p in known) / (sum(w for w, _ in weights) or 1))

    out = []
    for passages in all_passages:
        for supported, said, evidence in sentences_over(passages, chance):
            one, other = embedder.embed_queries([said, evidence])
            out.append(Example(supported, share(said, evidence), float(best_matches(one.tokens, other.tokens, np.array([len(other.tokens)])).mean())))
    return out


def fitted(data: Sequence[Example]) -> tuple[float, float, float]:
    """ENOUGH, LEAST and CLOSE: the closeness that parts the rest best, both kinds weighing the same."""
    yes, no = (np.array([e.share for e in data if e.supported is kind]) for kind in (True, False))
    least, enough = float(np.quantile(yes, _LOST)), float(np.quantile(no, 1 - _LET_THROUGH))
    between = [e for e in data if least <= e.share < enough]
    tried = sorted({round(e.closeness, 3) for e in between}) or [1.0]

    def worth(close: float) -> float:
        kinds = [[(e.closeness >= close) == e.supported for e in between if e.supported is kind] for kind in (True, False)]
        return sum(float(np.mean(kind)) for kind in kinds if kind)

    return max(enough, least), least, max(tried, key=worth)


def main() -> None:
    """Fits on every other sentence, tells of the rest."""
    embedder = SentenceEmbedder.load(replace(load_settings(), home=Path(sys.argv[1])))
    documents = [text for name in sys.argv[2:] for text in texts_of(Path(name))]
    data = examples(documents, embedder)
    enough, least, close = fitted(data[::2])
    print(f"ENOUGH = {enough:.3f}  LEAST = {least:.3f}  CLOSE = {close:.3f}")
    for kind in (True, False):
        rest = [e for e in data[1::2] if e.supported is kind]
        kept = [e.share >= enough or (e.share >= least and e.closeness >= close) for e in rest]
        print(f"{'supported' if kind else 'unsupported'}: {np.mean(kept):.3f} of {len(rest)} let through")


if __name__ == "__main__":
    main()
