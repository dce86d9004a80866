"""Is there evidence? A calibrated probability that the best passage answers the question, and the reason when not.

A logistic regression over the retrieval features of the best hits; fitted by `python -m eval.fit` on development
data only. Its risk-coverage curve is in eval/README.md.
"""

import numpy as np

from rag.fitted import weights
from rag.query import Query

CONSIDERED = 3
"""Hits whose features are looked at."""


def signals(features: np.ndarray) -> np.ndarray:
    """float [1 + len(FEATURES)]: 1, then the best of each feature over the first hits. features: [hits, n]."""
    return np.concatenate([[1.0], features[:CONSIDERED].max(axis=0)])


def confidence(query: Query, features: np.ndarray) -> float:
    """Probability in [0, 1] that the hits hold the answer; 0 without hits."""
    if not len(features):
        return 0.0
    return float(1 / (1 + np.exp(-(signals(features) @ weights("gate", query.language)))))
