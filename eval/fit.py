"""Fits the two small linear models of Wenju: ranking (`rag.retrieval`) and gate (`rag.gate`).

    python -m eval.fit SET HOME [SET HOME ...]

Each SET is an eval set, HOME the WENJU_HOME whose index holds its documents. Only development sets belong here.
Ranking: listwise softmax (Cao et al. 2007, ListNet top one) over the candidates of each answerable question.
Gate: logistic regression, answerable against unanswerable, each set weighing the same. Both with L2; figures
are from ten-fold cross-validation. Prints the JSON of `rag/weights.json`; redirect it there.
"""

import sys
from dataclasses import replace
from pathlib import Path

from eval.sets import load_set
from rag.config import load_settings
from rag.pipeline import Pipeline


def main() -> None:
    """Reads the sets, fits, prints."""
    pairs = list(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    lists, rows, labels, weights = [], [], [], []
    for name, home in pairs:
        pipeline = Pipeline.open(replace(load_settings(), home=Path(home)))
        items = load_set(Path(name), pipeline.text_of).items
        examples = [_example(pipeline, item) for item in items]
        examples = [e for e in examples if e is not None]
        for item_answerable, features, gains in examples:
            if item_answerable and gains.any():
                lists.append((features, gains / gains.sum()))
    print(len(lists), len(rows), labels, weights)
