"""Late interaction: how well each token of the question is met by some token of a passage.

ColBERT's MaxSim (Khattab & Zaharia 2020, https://arxiv.org/abs/2004.12832) over the token vectors of the
embedder itself, averaged over the question's tokens by their weight so that scores of different questions compare.
"""

import numpy as np

from rag.threads import single_thread


def best_matches(question: np.ndarray, tokens: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Best cosine of every question token within each part.

    question: float32 [q, dimension]; tokens: float32 [n, dimension], unit rows, those of one part after those of another;
    counts: int64 [parts], how many each part has. Returns float32 [parts, q]; a part without tokens gets zeros.
    """
    best = np.zeros((len(counts), len(question)), np.float32)
    filled = np.flatnonzero(counts)
    if len(filled) and len(question):
        starts = (np.cumsum(counts) - counts)[filled]
        best[filled] = np.maximum.reduceat(tokens @ question.T, starts, axis=0)
    return best


def best_stored_matches(
    question: np.ndarray, tokens: np.ndarray, lengths: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """`best_matches` of token rows as they are stored: int8 [n, dimension], and their lengths float32 [n].

    The question's rows are written as two int8 digits each, so that the products are of whole numbers, exact and on any
    processor the same; within 2e-5 of those of its float rows.
    """
    import torch

    best = np.zeros((len(counts), len(question)), np.float32)
    filled = np.flatnonzero(counts)
    if len(filled) and len(question):
        scale = np.maximum(np.abs(question).max(axis=1), 1e-12) / (127 * 128)
        whole = np.rint(question / scale[:, None]).astype(np.int32)
        high = (whole + 64) >> 7
        digits = np.concatenate([high, whole - (high << 7)]).astype(np.int8)
        with single_thread():
            products = torch._int_mm(torch.from_numpy(tokens), torch.from_numpy(digits).T).numpy()
        cosines = products[:, : len(question)] * np.float32(128) + products[:, len(question) :]
        cosines *= scale
        cosines /= lengths[:, None]
        best[filled] = np.maximum.reduceat(cosines, (np.cumsum(counts) - counts)[filled], axis=0)
    return best


def late_interaction(best: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over question tokens: float32 [parts]. best: `best_matches`; weights: float32 [q]."""
    total = weights.sum()
    return best @ weights / total if total > 0 else np.zeros(len(best), np.float32)


def weakest_fifth(best: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the worst-met fifth (at least one) of the tokens that matter: what a near miss cannot meet.

    Those of at least half the mean weight matter. float32 [parts].
    """
    if not best.shape[1]:
        return np.zeros(len(best), np.float32)
    matters = weights >= weights.mean() / 2
    best = best[:, matters]
    few = max(1, best.shape[1] // 5)
    return np.partition(best, few - 1, axis=1)[:, :few].mean(axis=1)
