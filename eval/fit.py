"""Fits the small linear models of Wenju: ranking (`rag.retrieval`), gate and its operating point (`rag.gate`).

    python -m eval.fit SET HOME [SET HOME ...]

Each SET is an eval set, HOME the WENJU_HOME whose index holds its documents. Only development sets belong here.
Ranking: listwise softmax (Cao et al. 2007, ListNet top one) over the candidates of each answerable question, each set
weighing the same. Gate: logistic regression of answerable against unanswerable questions, balanced within each set; a set weighs as the
square root of its size.
Renews its members of rag/fitted.json; ten-fold cross-validated figures go to standard error.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from eval.locate import Locator
from eval.sets import EvalItem, load_set
from rag import gate
from rag.config import load_settings
from rag.fitted import FEATURES, FITTED
from rag.pipeline import Pipeline

CANDIDATES = 150
FALSE_REFUSALS = 0.08
"""Share of answerable questions that the operating point gives up."""
_STRENGTH = {"zh": 1e-3, "other": 1e-5}
"""How strongly the ranking's weights are kept small: across languages cosines differ little, so that theirs must be large."""
_RANKED = [FEATURES.index(name) for name in ("late", "weakest", "coverage", "bigrams", "words", "dense", "document")]
"""What tells passages apart; the last two features speak of documents and serve the gate."""


@dataclass(frozen=True, slots=True)
class Example:
    """One question: features and gains of its candidates, what the gate looks at, and its set's number."""

    answerable: bool
    language: str
    features: np.ndarray
    evident: np.ndarray
    gains: np.ndarray
    group: int
    passages: int


def examples(name: str, home: str, group: int) -> list[Example]:
    """The questions of one set, searched for in one index; those without candidates are left out."""
    pipeline = Pipeline.open(replace(load_settings(), home=Path(home)))
    locator = Locator(pipeline.text_of)
    found = (_example(pipeline, locator, item, group) for item in load_set(Path(name), pipeline.text_of).items)
    return [e for e in found if e is not None]


def _example(pipeline: Pipeline, locator: Locator, item: EvalItem, group: int) -> Example | None:
    if item.history:
        return None
    result = pipeline.asking.found(item.question, k=CANDIDATES)
    if not result.hits:
        return None
    gains = np.zeros(len(result.hits))
    for target in locator.targets(item) if item.answerable else ():
        for n, hit in enumerate(result.hits):
            gains[n] += locator.touched(target, hit.document.source, hit.passage.start, hit.passage.end)
    return Example(item.answerable, result.query.language, result.features, result.evident, gains, group, len(pipeline.index))


def listwise(sets: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]], strength: float) -> np.ndarray:
    """Weights float [features] that minimise the listwise loss (ListNet top one) plus `strength` times their square.

    sets: lists of (features float [candidates, features], gains float [candidates] adding up to 1); each set weighs the same.
    """
    lists = [(x, gains, 1 / len(one)) for one in sets for x, gains in one]

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = strength * float(w @ w), 2 * strength * w
        for x, gains, share in lists:
            sums = x @ w
            p = np.exp(sums - sums.max())
            p /= p.sum()
            value -= share * float(gains @ np.log(p + 1e-12))
            slope = slope + share * (x.T @ (p - gains))
        return value, slope

    return minimize(loss, np.zeros(lists[0][0].shape[1]), jac=True, method="L-BFGS-B").x


def fit_ranking(data: list[Example], strength: float) -> np.ndarray:
    """Weights float [len(FEATURES)] that minimise the listwise loss plus `strength` times their square."""
    found = [e for e in data if e.gains.any()]
    sets = [[(e.features[:, _RANKED], e.gains / e.gains.sum()) for e in found if e.group == g] for g in sorted({e.group for e in found})]
    out = np.zeros(len(FEATURES))
    out[_RANKED] = listwise(sets, strength)
    return out


def fit_gate(data: list[Example]) -> tuple[np.ndarray, np.ndarray]:
    """Weights [1 + len(FEATURES)] with the intercept first, and cross-validated logits in the order of `data`."""
    x = np.array([gate.signals(e.evident)[1:] for e in data])
    y = np.array([e.answerable for e in data])
    groups = np.array([e.group for e in data])
    balance = np.array([
        (groups == g).sum() ** 0.5 / ((y == a) & (groups == g)).sum() for a, g in zip(y, groups, strict=True)
    ])
    balance *= len(data) / balance.sum()
    mean, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    model = LogisticRegression(C=0.1, max_iter=10_000)
    held_out = cross_val_predict(
        model, (x - mean) / spread, y, cv=10, method="predict_proba", params={"sample_weight": balance}
    )[:, 1]
    model.fit((x - mean) / spread, y, sample_weight=balance)
    slope = model.coef_[0] / spread
    return np.concatenate([[model.intercept_[0] - slope @ mean], slope]), np.log(held_out / (1 - held_out))


def fit_size(data: list[Example], held_out: np.ndarray) -> np.ndarray:
    """Operating point by size: [intercept, slope, smallest, largest], sizes as log10 of passages.

    A line through the logits below which FALSE_REFUSALS of each set's answerable questions fall.
    """
    sizes, points = [], []
    for group in sorted({e.group for e in data}):
        mine = [n for n, e in enumerate(data) if e.group == group and e.answerable]
        sizes.append(np.log10(data[mine[0]].passages))
        points.append(np.quantile(held_out[mine], FALSE_REFUSALS))
    slope, intercept = np.polyfit(sizes, points, 1) if len(sizes) > 1 else (0.0, points[0])
    return np.array([intercept, slope, min(sizes), max(sizes)])


def _tell(data: list[Example], held_out: np.ndarray, ranking: np.ndarray) -> None:
    for group in sorted({e.group for e in data}):
        mine = [n for n, e in enumerate(data) if e.group == group]
        lists = [data[n] for n in mine if data[n].gains.any()]
        first = np.mean([e.gains[np.argmax(e.features @ ranking)] > 0 for e in lists])
        five = np.mean([e.gains[np.argsort(-(e.features @ ranking))[:5]].any() for e in lists])
        y, p = np.array([data[n].answerable for n in mine]), held_out[mine]
        at = {s: round(float((p[~y] < np.quantile(p[y], s)).mean()), 3) for s in (0.05, 0.10)}
        print(f"set {group}: hit@1 {first:.3f} hit@5 {five:.3f} gate AUC {roc_auc_score(y, p):.3f} refused at false "
              f"refusals {at}", file=sys.stderr)


def store(members: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Renews members of rag/fitted.json."""
    text = json.dumps(json.loads(FITTED.read_text(encoding="utf-8")) | dict(members), indent=1)
    FITTED.write_text(f"{text}\n", encoding="utf-8")


def main() -> None:
    """Reads the sets, fits, stores."""
    data = [e for n, (name, home) in enumerate(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
            for e in examples(name, home, n)]
    fitted: dict[str, dict[str, list[float]]] = {"ranking": {}, "gate": {}, "size": {}}
    for language, strength in _STRENGTH.items():
        mine = [e for e in data if e.language == language]
        ranking = fit_ranking(mine, strength)
        model, held_out = fit_gate(mine)
        _tell(mine, held_out, ranking)
        for name, values in (("ranking", ranking), ("gate", model), ("size", fit_size(mine, held_out))):
            fitted[name][language] = [round(float(x), 4) for x in values]
    store(fitted)


if __name__ == "__main__":
    main()
