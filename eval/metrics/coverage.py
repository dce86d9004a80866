"""Answer-span recall: how much of the gold answer lies inside the quotes that were cited.

coverage(target) = kept characters of the target's best place inside some citation / its kept characters;
answer_coverage is its mean over the targets, answer_recall the share of targets with coverage 1.
The idea is that of the answer-span recall of open-domain question answering (Karpukhin et al., EMNLP 2020),
with cited quotes in place of retrieved passages.
"""

from collections.abc import Sequence


def answer_coverage(coverages: Sequence[float]) -> float:
    """Mean coverage over the targets (at least one)."""
    return sum(coverages) / len(coverages)


def answer_recall(coverages: Sequence[float]) -> float:
    """Share of targets (at least one) that lie wholly inside the cited quotes."""
    return sum(c >= 1 for c in coverages) / len(coverages)
