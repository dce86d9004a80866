"""Fits which sentences of a passage stay in an answer (`rag.relevance`).

    python -m eval.fit_sentences SET HOME [SET HOME ...]

Each SET is an eval set, HOME the WENJU_HOME whose index holds its documents; only development sets belong here. Logistic
regression of the sentences that hold gold against the others of the passages that answers are made of; a sentence stays unless its sum is
among the lowest `LOST` of those that hold gold. Renews the member "sentence" of rag/fitted.json; five-fold cross-validated
figures, questions kept apart, go to standard error.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict

from eval.fit import store
from eval.locate import Locator
from eval.sets import EvalItem, load_set
from rag import relevance
from rag.citations import original_span
from rag.config import load_settings
from rag.evidence import heading_asks, heard, telling
from rag.pipeline import Pipeline

LOST = {"one": 0.03, "several": 0.05}
"""Share of the sentences with gold that may be left out, by how many sentences answer."""


@dataclass(frozen=True, slots=True)
class Example:
    """One passage of one question: its sentences' features, which hold gold, and how many characters they have."""

    question: int
    part: str
    features: np.ndarray
    gold: np.ndarray
    length: np.ndarray


def examples(name: str, home: str, first: int) -> Iterator[Example]:
    """The passages found for the answerable questions of a set. first: number of the first question."""
    pipeline = Pipeline.open(replace(load_settings(), home=Path(home)))
    locator = Locator(pipeline.text_of)
    for n, item in enumerate(load_set(Path(name), pipeline.text_of).items, first):
        if item.answerable and not item.history:
            yield from _of_question(pipeline, locator, item, n)


def _of_question(pipeline: Pipeline, locator: Locator, item: EvalItem, number: int) -> Iterator[Example]:
    found, targets = pipeline.asking.found(item.question), locator.targets(item)
    for hit, nth in heard(found, pipeline.retriever):
        spans = telling(found.query, hit)
        if not spans:
            continue
        texts = [hit.passage.text[s.start : s.end] for s in spans]
        titled = heading_asks(found, pipeline.retriever, hit)
        where = [original_span(hit.document, hit.passage, s) for s in spans]
        gold = [any(locator.touched(t, hit.document.source, w.start, w.end) for t in targets) for w in where]
        values = relevance.features(found.query, texts, *pipeline.retriever.worth(found, hit, spans), nth, titled)
        yield Example(number, relevance.part(found.query), values, np.array(gold), np.array([len(t) for t in texts]))


def main() -> None:
    """Reads the sets, fits, stores."""
    data = [e for n, (name, home) in enumerate(zip(sys.argv[1::2], sys.argv[2::2], strict=True)) for e in examples(name, home, n * 100_000)]
    x, y = np.concatenate([e.features for e in data]), np.concatenate([e.gold for e in data])
    question = np.concatenate([np.full(len(e.gold), e.question) for e in data])
    part, length = np.concatenate([np.full(len(e.gold), e.part) for e in data]), np.concatenate([e.length for e in data])
    spread = np.maximum(x.std(axis=0), 1e-6)
    model = LogisticRegression(C=0.3, max_iter=10_000, fit_intercept=False)
    held_out = cross_val_predict(model, x / spread, y, groups=question, cv=GroupKFold(5), method="decision_function")
    least = {name: float(np.quantile(held_out[y & (part == name)], lost)) for name, lost in LOST.items()}
    for name, value in least.items():
        mine = part == name
        stays = mine & (held_out >= value)
        print(f"{name}: {stays.sum() / mine.sum():.3f} of the sentences stay, {length[stays].sum() / length[mine].sum():.3f} of the characters; "
              f"{len(set(question[stays & y]))} of {len(set(question[mine & y]))} questions keep gold", file=sys.stderr)
    fitted = model.fit(x / spread, y).coef_[0] / spread
    store({"sentence": {"weights": [round(float(w), 4) for w in fitted]} | {name: [round(v, 4)] for name, v in least.items()}})


if __name__ == "__main__":
    main()
