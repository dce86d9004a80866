"""Refusal by confidence: what a threshold refuses, and how well confidence tells the two kinds apart.

Precision, recall and false refusals at the system's own threshold are means of scores (see `METRICS`).
"""

from dataclasses import dataclass

import numpy as np

BUDGETS = (0.05, 0.10)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """At `threshold` (answered from there on) this share of unanswerable and of answerable questions is refused."""

    budget: float
    threshold: float
    refusal_recall: float
    false_refusals: float


def operating_points(confidence: np.ndarray, answerable: np.ndarray) -> tuple[OperatingPoint, ...]:
    """The threshold that refuses most unanswerable questions within each budget of false refusals.

    confidence: float64 [n]; answerable: bool [n], both kinds present.
    """
    good, bad = np.sort(confidence[answerable]), np.sort(confidence[~answerable])
    thresholds = np.unique(np.append(confidence, np.nextafter(confidence.max(), np.inf)))
    missed = np.searchsorted(good, thresholds, side="left") / len(good)
    refused = np.searchsorted(bad, thresholds, side="left") / len(bad)
    points = []
    for budget in BUDGETS:
        best = int(np.flatnonzero(missed <= budget)[-1])
        best = int(np.flatnonzero(refused == refused[best])[0])
        points.append(OperatingPoint(budget, float(thresholds[best]), float(refused[best]), float(missed[best])))
    return tuple(points)


def auroc(confidence: np.ndarray, answerable: np.ndarray) -> float:
    """P(an answerable question has the higher confidence), ties counting half (Mann and Whitney 1947)."""
    bad = np.sort(confidence[~answerable])
    good = confidence[answerable]
    below = np.searchsorted(bad, good, side="left") + np.searchsorted(bad, good, side="right")
    return float(below.sum() / (2 * len(good) * len(bad)))
