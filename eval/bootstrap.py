"""Bootstrap intervals (Efron and Tibshirani 1993, percentile method) over questions, seeded and vectorised."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
_CHUNK = 2_000_000
"""Entries of one block of resampling weights, to bound memory."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval over `n` questions."""

    value: float
    low: float
    high: float
    n: int


def resamples(n: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of float64 [b, n]: how often each of the n questions is drawn; `draws` rows in all."""
    rng = np.random.default_rng(seed)
    step = max(1, min(draws, _CHUNK // max(n, 1)))
    for start in range(0, draws, step):
        yield rng.multinomial(n, np.full(n, 1 / n), size=min(step, draws - start)).astype(np.float64)


def means(values: np.ndarray, draws: int, seed: int) -> list[Estimate | None]:
    """An estimate for each column of float64 [n, m]; NaN: the question has no such score. None: no question has it.

    A resample that draws no question with the score is left out of that column's interval. Where all values are 0
    or all are 1, resampling cannot see what did not happen: there the bound is the exact binomial one
    (Clopper and Pearson 1934).
    """
    present = ~np.isnan(values)
    filled = np.where(present, values, 0.0)
    totals = [(w @ filled, w @ present) for w in resamples(len(values), draws, seed)]
    sums, counts = (np.concatenate(part) for part in zip(*totals, strict=True))
    out: list[Estimate | None] = []
    for column in range(values.shape[1]):
        n = int(present[:, column].sum())
        if not n:
            out.append(None)
            continue
        some = counts[:, column] > 0
        drawn = sums[some, column] / counts[some, column]
        out.append(_estimate(filled[:, column].sum() / n, drawn, n, shares=True))
    return out


def statistic(value: float, drawn: np.ndarray, n: int) -> Estimate:
    """The estimate of any statistic from its values over resamples, float64 [draws]."""
    return _estimate(value, drawn, n, shares=False)


def _estimate(value: float, drawn: np.ndarray, n: int, shares: bool) -> Estimate:
    low, high = np.percentile(drawn, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    if shares and value in (0.0, 1.0) and low == high:
        bound = ((1 - LEVEL) / 2) ** (1 / n)
        low, high = (bound, 1.0) if value else (0.0, 1 - bound)
    return Estimate(float(value), float(low), float(high), n)
