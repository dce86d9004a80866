"""Risk-coverage curve and the area under it (El-Yaniv and Wiener, JMLR 2010; Geifman et al., ICLR 2019).

Questions sorted by confidence, highest first: risk(c) is the share of wrong ones among the most confident share c.
AURC = mean of that risk over all questions; questions of equal confidence count together, at the end of their
tie. A question that was not answered has no answer to be right with, so it is wrong wherever the curve reaches it.
"""

import numpy as np


def risk_coverage(confidence: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and risk, float64 [t] each, one point for each distinct confidence. confidence, wrong: float64 [n]."""
    ends, order = _ties(confidence)
    covered = (ends + 1).astype(np.float64)
    return covered / len(confidence), np.cumsum(wrong[order])[ends] / covered


def aurc(confidence: np.ndarray, wrong: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """AURC, float64 [b], one for each row of `weights` (float64 [b, n], how often each question counts; None: once)."""
    weights = np.ones((1, len(confidence))) if weights is None else weights
    ends, order = _ties(confidence)
    weights = weights[:, order]
    covered = np.cumsum(weights, axis=1)[:, ends]
    lost = np.cumsum(weights * wrong[order], axis=1)[:, ends]
    risk = np.divide(lost, covered, out=np.zeros_like(lost), where=covered > 0)
    return (np.diff(covered, axis=1, prepend=0) * risk).sum(axis=1) / covered[:, -1]


def _ties(confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-confidence, kind="stable")
    return np.flatnonzero(np.append(np.diff(confidence[order]) != 0, True)), order
