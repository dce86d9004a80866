"""From records to figures: overall, by type and by tag, with intervals; curves; where answers were lost."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.bootstrap import Estimate, means, resamples, statistic
from eval.metrics import METRICS
from eval.metrics.calibration import Bin, bins, calibration_error
from eval.metrics.refusal import OperatingPoint, auroc, operating_points
from eval.metrics.risk import aurc, risk_coverage
from eval.records import STAGES, Record

CURVE_POINTS = 200

Figures = Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Summary:
    """All figures of a run.

    aurc, curve, calibration: of sets with answerable questions; without any there is nothing to be right with.
    curve: (coverage, risk) pairs. lost_at: how many wrong questions each stage lost. wrong: their ids.
    """

    questions: int
    answerable: int
    overall: Figures
    by_type: Mapping[str, Figures]
    by_tag: Mapping[str, Figures]
    aurc: Estimate | None
    curve: tuple[tuple[float, float], ...]
    calibration_error: Estimate | None
    calibration: tuple[Bin, ...]
    auroc: float | None
    operating_points: tuple[OperatingPoint, ...]
    lost_at: Mapping[str, int]
    wrong: tuple[str, ...]


def summarise(records: Sequence[Record], seed: int, draws: int) -> Summary:
    """The figures of at least one record. seed, draws: of the bootstrap; the same inputs give the same figures."""
    confidence = np.array([r.answer.confidence for r in records])
    answerable = np.array([r.item.answerable for r in records])
    answered = np.array([r.answered for r in records])
    right = np.array([float(r.correct) for r in records])
    wrong = 1 - right * answered
    coverage, risk = risk_coverage(confidence, wrong)
    both = answerable.any() and not answerable.all()
    stages = Counter(r.lost_at for r in records)
    return Summary(
        questions=len(records),
        answerable=int(answerable.sum()),
        overall=figures(records, seed, draws),
        by_type=_groups(records, [(r.item.type,) for r in records], seed, draws),
        by_tag=_groups(records, [r.item.tags for r in records], seed, draws),
        aurc=_resampled(aurc, confidence, wrong, seed, draws) if answerable.any() else None,
        curve=_thinned(coverage, risk) if answerable.any() else (),
        calibration_error=_resampled(calibration_error, confidence[answered], right[answered], seed, draws)
        if answered.any() and answerable.any() else None,
        calibration=bins(confidence[answered], right[answered]) if answerable.any() else (),
        auroc=auroc(confidence, answerable) if both else None,
        operating_points=operating_points(confidence, answerable) if both else (),
        lost_at={s: stages[s] for s in STAGES},
        wrong=tuple(r.item.id for r in records if not r.correct),
    )  # fmt: skip


def table(records: Sequence[Record]) -> np.ndarray:
    """float64 [n, metrics] in the order of `METRICS`; NaN where a question has no such score."""
    return np.array([[r.scores.get(m.name, np.nan) for m in METRICS] for r in records], dtype=np.float64)


def figures(records: Sequence[Record], seed: int, draws: int) -> Figures:
    """Each metric that any record has, with its interval."""
    found = means(table(records), draws, seed)
    return {m.name: e for m, e in zip(METRICS, found, strict=True) if e is not None}


def _groups(
    records: Sequence[Record], names: Sequence[Sequence[str]], seed: int, draws: int
) -> Mapping[str, Figures]:
    """Figures of each group; names: the groups that each record belongs to."""
    pairs = list(zip(records, names, strict=True))
    known = sorted({n for some in names for n in some})
    return {name: figures([r for r, some in pairs if name in some], seed, draws) for name in known}


def _resampled(
    measure: Callable[..., np.ndarray], confidence: np.ndarray, outcome: np.ndarray, seed: int, draws: int
) -> Estimate:
    drawn = [measure(confidence, outcome, w) for w in resamples(len(confidence), draws, seed)]
    return statistic(float(measure(confidence, outcome)[0]), np.concatenate(drawn), len(confidence))


def _thinned(coverage: np.ndarray, risk: np.ndarray) -> tuple[tuple[float, float], ...]:
    keep = np.unique(np.linspace(0, len(coverage) - 1, min(len(coverage), CURVE_POINTS)).astype(int))
    return tuple((float(coverage[i]), float(risk[i])) for i in keep)
