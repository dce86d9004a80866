"""Expected calibration error (Naeini et al., AAAI 2015): does a confidence of 0.8 mean right four times of five?"""

from dataclasses import dataclass

import numpy as np

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers with a confidence from `low` up to `high` (1 is in the last): mean confidence, share right, count."""

    low: float
    high: float
    confidence: float
    right: float
    count: int


def bins(confidence: np.ndarray, right: np.ndarray) -> tuple[Bin, ...]:
    """The bins that hold anything. confidence, right: float64 [n]."""
    which = _which(confidence)
    return tuple(
        Bin(b / BINS, (b + 1) / BINS, float(confidence[which == b].mean()), float(right[which == b].mean()),
            int((which == b).sum()))
        for b in range(BINS) if (which == b).any()
    )  # fmt: skip


def calibration_error(confidence: np.ndarray, right: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """ECE = Σ_b |Σ right − Σ confidence| / n over ten bins of equal width; float64 [b], one for each row of weights."""
    weights = np.ones((1, len(confidence))) if weights is None else weights
    member = np.zeros((len(confidence), BINS))
    member[np.arange(len(confidence)), _which(confidence)] = right - confidence
    return np.abs(weights @ member).sum(axis=1) / weights.sum(axis=1)


def _which(confidence: np.ndarray) -> np.ndarray:
    return np.clip((confidence * BINS).astype(int), 0, BINS - 1)
