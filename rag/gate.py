"""Is there evidence? How sure it is that the best passages answer the question.

A logistic regression over the retrieval features of the first hits; fitted by `python -m eval.fit` on development
data only. Its risk-coverage curve is in eval/README.md.
"""

import numpy as np

from rag.fitted import FEATURES, weights
from rag.query import Query

_FOLLOWS = 1.5
"""Log odds by which a question asked of the document just answered from is likelier to have its answer there."""
CONSIDERED = 3
"""First hits that are looked at."""


def signals(evident: np.ndarray) -> np.ndarray:
    """float64 [1 + features]: 1, then the best of each feature over the first hits, float64 [hits, features].

    Best is the largest, but of what is missing the smallest.
    """
    first, missing = evident[:CONSIDERED], FEATURES.index("missing")
    best = first.max(axis=0)
    best[missing] = first[:, missing].min()
    return np.concatenate([[1.0], best])


def confidence(query: Query, evident: np.ndarray, passages: int) -> float:
    """How sure it is that the hits hold the answer, in [0, 1]; 0.5 is the fitted operating point; 0 without hits.

    passages: size of the collection. In a small one few words are known at all, so the same features mean more:
    the operating point moves with the logarithm of the size, within the sizes that were fitted.
    """
    if not len(evident):
        return 0.0
    intercept, slope, smallest, largest = weights("size", query.language)
    point = intercept + slope * np.clip(np.log10(max(passages, 1)), smallest, largest) - _FOLLOWS * bool(query.within)
    return float(1 / (1 + np.exp(point - signals(evident) @ weights("gate", query.language))))
