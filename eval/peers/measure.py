"""Quality and speed of all peers in one run: indexing one after the other, questions in turns."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eval.bootstrap import Estimate, means, resamples, statistic
from eval.locate import Locator
from eval.peers.base import DEPTH, Peer, Stretch
from eval.sets import EvalItem

METRICS = ("文件居首", "首段含答案", "前五段含答案")
DRAWS, SEED = 2000, 0


@dataclass(frozen=True, slots=True)
class Indexed:
    """A peer that is ready. length: mean characters of a passage, white space included."""

    peer: Peer
    passages: int
    length: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """A peer's figures. quality and ahead follow `METRICS`; ahead: the first peer's lead over it, None for the first.

    pace: passages indexed a second. median, slow: milliseconds a question, 50th and 95th percentile.
    """

    name: str
    passages: int
    length: float
    quality: tuple[Estimate, ...]
    ahead: tuple[Estimate, ...] | None
    pace: float
    median: float
    slow: float


def comparable(items: Sequence[EvalItem]) -> list[EvalItem]:
    """The questions that plain retrieval can be asked: answerable, without history and filters."""
    return [item for item in items if item.answerable and not item.history and not item.filters]


def indexed(peer: Peer, index: Callable[[], Sequence[Stretch]]) -> Indexed:
    """Indexes and times it."""
    began = time.perf_counter()
    stretches = index()
    seconds = time.perf_counter() - began
    return Indexed(peer, len(stretches), float(np.mean([s.end - s.start for s in stretches])), seconds)


def asked(ready: Sequence[Indexed], items: Sequence[EvalItem], locator: Locator) -> tuple[Row, ...]:
    """Asks every question of every peer, each question of all before the next, another one first each time.

    The first of `ready` is the one the others are compared with.
    """
    scores = np.zeros((len(ready), len(items), len(METRICS)))
    spent = np.zeros((len(ready), len(items)))
    for one in ready:
        one.peer.search(items[0].question)  # what is done once only is done before the clock starts
    for number, item in enumerate(items):
        for turn in range(len(ready)):
            who = (turn + number) % len(ready)
            began = time.perf_counter()
            found = ready[who].peer.search(item.question)
            spent[who, number] = 1000 * (time.perf_counter() - began)
            scores[who, number] = scored(item, found, locator)
    return tuple(_row(one, scores[i], scores[0] if i else None, spent[i]) for i, one in enumerate(ready))


def scored(item: EvalItem, found: Sequence[Stretch], locator: Locator) -> tuple[float, float, float]:
    """The scores of `METRICS`, by the same rules as `doc_hit@1`, `hit@1` and `hit@5` of a run."""
    targets = locator.targets(item)
    holds = [any(locator.touched(t, s.source, s.start, s.end) for t in targets) for s in found[:DEPTH]]
    first = bool(found) and locator.is_gold(item, found[0].source)
    return float(first), float(any(holds[:1])), float(any(holds))


def _row(one: Indexed, scores: np.ndarray, best: np.ndarray | None, spent: np.ndarray) -> Row:
    ahead = None if best is None else _paired(best - scores)
    median, slow = np.percentile(spent, [50, 95])
    return Row(one.peer.name, one.passages, one.length, tuple(means(scores, DRAWS, SEED)), ahead,
               one.passages / one.seconds, float(median), float(slow))  # fmt: skip


def _paired(differences: np.ndarray) -> tuple[Estimate, ...]:
    """Mean differences, each with the interval over resampled questions; differences: float64 [n, m]."""
    n = len(differences)
    drawn = np.concatenate([w @ differences for w in resamples(n, DRAWS, SEED)]) / n
    return tuple(statistic(float(differences[:, m].mean()), drawn[:, m], n) for m in range(differences.shape[1]))
