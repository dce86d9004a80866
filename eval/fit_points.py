"""Fits which clauses make the first line of an answer (`rag.points`).

    python -m eval.fit_points SET HOME [SET HOME ...]

Each SET is an eval set, HOME the WENJU_HOME whose index holds its documents; only development sets belong here. Listwise
softmax over the runs of clauses of all evidence of a question; a run gains by what it says of the answer (else of the gold
quote) and loses by its length. Each set weighs the same. Renews the member "point" of rag/fitted.json; five-fold
cross-validated figures go to standard error: how often the first line says the answer, and its length.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eval.fit import listwise, store
from eval.metrics.inclusion import SAID, says
from eval.sets import EvalItem, load_set
from rag.answering import select
from rag.config import load_settings
from rag.fitted import POINT
from rag.pipeline import Pipeline
from rag.points import beside, runs
from rag.text import clauses

_HALF = 0.5
"""Share of the answer said, from which a run gains at all."""
_SHORTER = 0.3
"""How much a run loses by a hundred characters, as a power of e."""
_ONE = 0.3
"""The same, by each sentence that ends inside it: a first line is one sentence."""
_STRENGTH = 2e-3
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Example:
    """The runs of one question: features, share of the answer that each says, and lengths in characters."""

    features: np.ndarray
    said: np.ndarray
    length: np.ndarray

    @property
    def gains(self) -> np.ndarray:
        """What each run is worth, adding up to 1."""
        cost = _SHORTER * self.length / 100 + _ONE * self.features[:, POINT.index("stops")]
        gains = np.where(self.said >= _HALF, self.said * np.exp(-cost), 0.0) ** 2
        return gains / gains.sum()


def examples(name: str, home: str) -> Iterator[Example]:
    """The answerable questions of a set whose evidence says the answer, and that no list answers."""
    pipeline = Pipeline.open(replace(load_settings(), home=Path(home)))
    for item in load_set(Path(name), pipeline.text_of).items:
        if item.answerable and not item.history and (found := _of_question(pipeline, item)):
            yield found


def _of_question(pipeline: Pipeline, item: EvalItem) -> Example | None:
    found = pipeline.asking.found(item.question)
    chosen = select(found, pipeline.retriever, 0.0) if found.hits else None
    gold = list(item.answers) or [g.quote for g in item.gold if g.quote]
    if not chosen or chosen.listing or not any(says(e.text, gold) >= SAID for e in chosen.evidence):
        return None
    rows, texts = [], list[str]()
    for evidence, against in zip(chosen.evidence, beside(chosen.evidence), strict=True):
        if not (parts := clauses(evidence.text)):
            continue
        mine = runs(found.query, parts, *pipeline.retriever.said(found, evidence.document.id, parts))
        rows.append(np.hstack([mine.features, np.tile(against, (len(mine.texts), 1))]))
        texts += mine.texts
    shares = np.array([says(text, gold) for text in texts])
    return Example(np.concatenate(rows), shares, np.array([len(t) for t in texts])) if (shares >= _HALF).any() else None


def fit(sets: Sequence[Sequence[Example]], spread: np.ndarray) -> np.ndarray:
    """Weights of the features over their spread."""
    return listwise([[(e.features / spread, e.gains) for e in examples] for examples in sets if examples], _STRENGTH)


def main() -> None:
    """Reads the sets, fits, stores."""
    sets = [list(examples(*pair)) for pair in zip(sys.argv[1::2], sys.argv[2::2], strict=True)]
    spread = np.maximum(np.concatenate([e.features for data in sets for e in data]).std(axis=0), 1e-6)
    for name, data in zip(sys.argv[1::2], sets, strict=True):
        folds = np.random.default_rng(0).integers(0, _FOLDS, len(data))
        said, length = [], []
        for fold in range(_FOLDS):
            others = [[e for e, f in zip(mine, folds, strict=True) if f != fold] if mine is data else mine for mine in sets]
            w = fit(others, spread)
            for e in (e for e, f in zip(data, folds, strict=True) if f == fold):
                at = int(np.argmax(e.features / spread @ w))
                said.append(e.said[at] >= SAID)
                length.append(e.length[at])
        print(f"{name}: {len(data)} questions, {np.mean(said):.3f} of the first lines say the answer, {np.mean(length):.0f} characters", file=sys.stderr)
    fitted = [round(float(w), 4) for w in fit(sets, spread) / spread]
    store({"point": {"weights": fitted[: len(POINT)], "beside": fitted[len(POINT) :]}})


if __name__ == "__main__":
    main()
