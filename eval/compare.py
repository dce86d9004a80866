"""Two runs of one set side by side: is the difference real, which questions were won and lost, does a gate close."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.aggregate import table
from eval.bootstrap import LEVEL, resamples
from eval.metrics import BY_NAME, METRICS
from eval.records import Record, Stage
from eval.runs import Run
from rag.errors import UsageError

ALPHA = 1 - LEVEL
PERMUTATIONS = 9999
_CHUNK = 2_000_000
_ALIKE = 1e-9
"""Sums of the same numbers in another order differ by less."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric in both runs: `change` = second − first with its paired interval.

    p: two-sided, of this metric alone; adjusted: for looking at all metrics at once; `significant` goes by the
    adjusted one. better, worse: how many questions have a higher and a lower score, of those with one in both. n: questions
    with a score in either.
    """

    name: str
    first: float
    second: float
    change: float
    low: float
    high: float
    p: float
    adjusted: float
    significant: bool
    better: int
    worse: int
    n: int


@dataclass(frozen=True, slots=True)
class Flip:
    """A question that only one of the runs answered rightly. lost_at: the stage that lost it in the other."""

    id: str
    question: str
    lost_at: Stage | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One `--fail-if` condition and whether it came true."""

    condition: str
    failed: bool
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """won: right in the second run only; lost: right in the first only. changed: what differs in `run.json`."""

    questions: int
    differences: tuple[Difference, ...]
    won: tuple[Flip, ...]
    lost: tuple[Flip, ...]
    changed: Mapping[str, tuple[Any, Any]]
    verdicts: tuple[Verdict, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether any condition came true."""
        return any(v.failed for v in self.verdicts)


def compare(first: Run, second: Run, conditions: Sequence[str] = (), seed: int = 0) -> Comparison:
    """The comparison of two finished runs. conditions: see `parse_condition`.

    Raises UsageError when the runs asked different questions or a condition cannot be read.
    """
    parsed = [parse_condition(c) for c in conditions]
    ones, others = _paired(first.records, second.records)
    found = differences(table(ones), table(others), seed)
    pairs = list(zip(ones, others, strict=True))
    return Comparison(
        questions=len(pairs),
        differences=found,
        won=tuple(Flip(b.item.id, b.item.question, a.lost_at) for a, b in pairs if b.correct and not a.correct),
        lost=tuple(Flip(a.item.id, a.item.question, b.lost_at) for a, b in pairs if a.correct and not b.correct),
        changed=_changed(first.decides, second.decides),
        verdicts=judge(parsed, found),
    )


def _paired(first: Sequence[Record], second: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    by_id = {r.item.id: r for r in second}
    known = [by_id[r.item.id].item for r in first if r.item.id in by_id]
    if [r.item for r in first] != known or len(by_id) != len(first):
        raise UsageError("两次评测问的不是同样的题，不能比较。", "请用同一个评测集（和同样的 --limit）各运行一次。")
    return list(first), [by_id[r.item.id] for r in first]


def _changed(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    def flat(value: Mapping[str, Any], before: str = "") -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, content in value.items():
            out |= flat(content, f"{before}{key}.") if isinstance(content, Mapping) else {before + key: content}
        return out

    one, other = flat(first), flat(second)
    return {k: (one.get(k), other.get(k)) for k in sorted(one | other) if one.get(k) != other.get(k)}


# ---------------------------------------------------------------- is it real

def differences(first: np.ndarray, second: np.ndarray, seed: int = 0) -> tuple[Difference, ...]:
    """Every metric that both runs have. first, second: float64 [n, metrics] (`aggregate.table`), rows paired."""
    usable = [i for i in range(len(METRICS)) if not (np.isnan(first[:, i]).all() or np.isnan(second[:, i]).all())]
    first, second = first[:, usable], second[:, usable]
    observed, drawn = permutations(first, second, seed, PERMUTATIONS)
    p, adjusted = p_values(observed, drawn), adjusted_p_values(observed, drawn)
    low, high = _intervals(first, second, seed)
    one, other = np.nanmean(first, axis=0), np.nanmean(second, axis=0)
    rise = np.nan_to_num(second - first)
    n = (~np.isnan(first) | ~np.isnan(second)).sum(axis=0)
    return tuple(
        Difference(METRICS[m].name, float(one[i]), float(other[i]), float(other[i] - one[i]), float(low[i]),
                   float(high[i]), float(p[i]), float(adjusted[i]), bool(adjusted[i] < ALPHA),
                   int((rise[:, i] > 0).sum()), int((rise[:, i] < 0).sum()), int(n[i]))
        for i, m in enumerate(usable)
    )  # fmt: skip


def permutations(first: np.ndarray, second: np.ndarray, seed: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """The differences of means, |·|, as observed, float64 [m], and with the runs swapped at random, float64 [draws, m].

    first, second: float64 [n, m], NaN where a run has no score for the question. Under the null hypothesis the two
    scores of a question could as well be the other way round (Fisher 1935; for retrieval: Smucker et al., CIKM 2007).
    All metrics of a question are swapped together. A swap that leaves a run without any score counts as observed.
    """
    alike = ((first == second) | (np.isnan(first) & np.isnan(second))).all(axis=1)
    has_one, has_other = ~np.isnan(first), ~np.isnan(second)
    one, other = np.where(has_one, first, 0), np.where(has_other, second, 0)
    sums, counts = (one.sum(axis=0), other.sum(axis=0)), (has_one.sum(axis=0), has_other.sum(axis=0))
    observed = np.abs(sums[1] / counts[1] - sums[0] / counts[0])
    move, shift = (other - one)[~alike], (has_other.astype(float) - has_one)[~alike]
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // max(len(move), 1))
    blocks = []
    for start in range(0, draws, step):
        swap = rng.integers(0, 2, size=(min(step, draws - start), len(move)), dtype=np.int8).astype(np.float64)
        moved, shifted = swap @ move, swap @ shift
        with np.errstate(invalid="ignore", divide="ignore"):
            blocks.append(np.abs((sums[1] - moved) / (counts[1] - shifted) - (sums[0] + moved) / (counts[0] + shifted)))
    drawn = np.concatenate(blocks)
    return observed, np.where(np.isfinite(drawn), drawn, observed)


def p_values(observed: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Two-sided p of each metric alone, float64 [m].

    p = (1 + draws at least as extreme) / (1 + draws), which never is too small (Phipson and Smyth 2010).
    """
    return (1 + (drawn >= observed - _ALIKE).sum(axis=0)) / (1 + len(drawn))


def adjusted_p_values(observed: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """p adjusted for looking at all m metrics, float64 [m]: step-down max-T (Westfall and Young 1993, algorithm 4.1).

    Unlike Holm's it knows from the draws how alike the metrics are, and loses little to near copies.
    """
    spread = drawn.std(axis=0)
    scale = np.where(spread > _ALIKE, spread, 1)  # rounding alone is no spread to be measured by
    order = np.argsort(-observed / scale, kind="stable")
    seen, permuted = (observed / scale)[order], (drawn / scale)[:, order]
    highest = np.maximum.accumulate(permuted[:, ::-1], axis=1)[:, ::-1]
    adjusted = np.empty_like(observed)
    adjusted[order] = np.maximum.accumulate(p_values(seen, highest))
    return adjusted


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment (Scandinavian Journal of Statistics 6, 1979), float64 [m]."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def _intervals(first: np.ndarray, second: np.ndarray, seed: int, draws: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Paired percentile bootstrap of second − first: both runs are resampled with the same questions."""
    drawn = []
    for weights in resamples(len(first), draws, seed):
        with np.errstate(invalid="ignore", divide="ignore"):
            means = [(weights @ np.nan_to_num(v)) / (weights @ ~np.isnan(v)) for v in (first, second)]
        drawn.append(means[1] - means[0])
    return tuple(np.nanpercentile(np.concatenate(drawn), [50 * (1 - LEVEL), 50 * (1 + LEVEL)], axis=0))


# ---------------------------------------------------------------- gate

_CONDITION = re.compile(
    r"(?P<name>[\w@]+)\s+"
    r"(?:(?P<way>drops|rises)\s+(?:significantly|by more than\s+(?P<by>\d*\.?\d+))|below\s+(?P<floor>\d*\.?\d+))"
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed `--fail-if`. way: "drops", "rises" or "below"; bound: None means significance."""

    text: str
    name: str
    way: str
    bound: float | None


def parse_condition(text: str) -> Condition:
    """Reads "METRIC drops|rises significantly", "METRIC drops|rises by more than X" or "METRIC below X"."""
    found = _CONDITION.fullmatch(text.strip())
    if not found:
        hint = "可写“指标 drops significantly”（或 rises）、“指标 drops by more than 0.02”、“指标 below 0.9”。"
        raise UsageError(f"看不懂条件“{text}”。", hint)
    if found["name"] not in BY_NAME:
        raise UsageError(f"没有名为 {found['name']} 的指标。", f"可用的指标有：{'、'.join(BY_NAME)}。")
    bound = found["by"] or found["floor"]
    return Condition(text.strip(), found["name"], found["way"] or "below", float(bound) if bound else None)


def judge(conditions: Sequence[Condition], found: Sequence[Difference]) -> tuple[Verdict, ...]:
    """Whether each condition came true. Several tests of significance share the 5 % among them (Holm)."""
    by_name = {d.name: d for d in found}
    if missing := [c.name for c in conditions if c.name not in by_name]:
        raise UsageError(f"这两次评测没有指标 {'、'.join(missing)}。", f"有的是：{'、'.join(by_name)}。")
    tested = [c for c in conditions if c.bound is None]
    p = holm(np.array([by_name[c.name].p for c in tested]))
    level = dict(zip((id(c) for c in tested), p, strict=True))
    return tuple(_verdict(c, by_name[c.name], level.get(id(c))) for c in conditions)


def _verdict(condition: Condition, found: Difference, p: float | None) -> Verdict:
    said = f"{found.first:.4f} → {found.second:.4f}，变化 {found.change:+.4f}"
    if condition.way == "below":
        return Verdict(condition.text, found.second < condition.bound, said)
    fall = -found.change if condition.way == "drops" else found.change
    if p is None:
        return Verdict(condition.text, fall > condition.bound, said)
    return Verdict(condition.text, bool(fall > 0 and p < ALPHA), f"{said}，p = {p:.4f}")
