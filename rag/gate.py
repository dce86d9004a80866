"""Is there evidence? A calibrated probability that the best passages answer the question.

A logistic regression over the retrieval features of the first hits; fitted by `python -m eval.fit` on development
data only. Its risk-coverage curve is in eval/README.md.
"""

import numpy as np

from rag.fitted import weights
from rag.query import Query


def signals(evident: np.ndarray) -> np.ndarray:
    """float64 [1 + features]: 1, then the best of each feature over the first hits, float64 [hits, features].

    Best is the largest, but for the last one, what is missing, the smallest.
    """
    best = evident.max(axis=0)
    best[-1] = evident[:, -1].min()
    return np.concatenate([[1.0], best])


def confidence(query: Query, evident: np.ndarray) -> float:
    """Probability in [0, 1] that the hits hold the answer; 0 without hits."""
    if not len(evident):
        return 0.0
    return float(1 / (1 + np.exp(-(signals(evident) @ weights("gate", query.language)))))
