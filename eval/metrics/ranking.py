"""Ranking: Hit@k, MRR, nDCG, Recall over the gains of a ranked list, best first.

`gains[i]` is how much rank i+1 is worth (0: nothing). Same definitions as trec_eval and `ir_measures`
(Success@k, RR@k, nDCG@k with linear gain, R@k), which the tests compare with.
"""

from collections.abc import Sequence
from math import log2


def hit(gains: Sequence[float], k: int) -> float:
    """Hit@k = 1 when any of the first k is relevant, else 0."""
    return float(any(g > 0 for g in gains[:k]))


def reciprocal_rank(gains: Sequence[float], k: int) -> float:
    """RR@k = 1 / rank of the first relevant one within k, else 0. Its mean is MRR (Voorhees, TREC-8, 1999)."""
    return next((1 / rank for rank, g in enumerate(gains[:k], 1) if g > 0), 0.0)


def recall(gains: Sequence[float], relevant: int, k: int) -> float:
    """R@k = relevant things within k / all relevant things (a gain counts them); 0 when there are none."""
    return sum(gains[:k]) / relevant if relevant else 0.0


def dcg(gains: Sequence[float], k: int) -> float:
    """DCG@k = Σ gain_r / log2(r + 1) (Järvelin and Kekäläinen, TOIS 20(4), 2002)."""
    return sum(g / log2(rank + 1) for rank, g in enumerate(gains[:k], 1))


def ndcg(gains: Sequence[float], ideal: Sequence[float], k: int) -> float:
    """nDCG@k = DCG@k / DCG@k of all gains there are, sorted; 0 when there are none. ideal: any order."""
    best = dcg(sorted(ideal, reverse=True), k)
    return dcg(gains, k) / best if best else 0.0
