"""How figures are measured: side by side, in turns, as ratios to a baseline."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np


@dataclass(frozen=True, slots=True)
class Figure:
    """A ratio over the rounds of one run: its median, and between which values four fifths of the rounds lie.

    bar: what it should be ("≤ 0.45"), "" when there is none.
    """

    name: str
    bar: str
    ratio: float
    low: float
    high: float
    rounds: int

    def holds(self) -> bool | None:
        """Whether the bar is met; None without one."""
        if not self.bar:
            return None
        sign, value = self.bar.split()
        return self.ratio <= float(value) if sign == "≤" else self.ratio >= float(value)


@dataclass(frozen=True, slots=True)
class Family:
    """What one benchmark gives: figures, milliseconds by name (medians; they are of this machine), and what was left out."""

    figures: tuple[Figure, ...] = ()
    milliseconds: Mapping[str, float] | None = None
    notes: tuple[str, ...] = ()


def seconds(action: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def in_turns(sides: Mapping[str, Callable[[int], object]], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each side in each round, float64 [rounds]; another side begins each time.

    sides: called with the round's number. What is done only once should have been done before.
    """
    spent = {name: np.zeros(rounds) for name in sides}
    names = list(sides)
    for number in range(rounds):
        for turn in range(len(names)):
            name = names[(turn + number) % len(names)]
            spent[name][number] = seconds(partial(sides[name], number))
    return spent


def figure(name: str, bar: str, over: Sequence[float] | np.ndarray, under: Sequence[float] | np.ndarray) -> Figure:
    """The ratio of two measurements of the same rounds."""
    ratios = np.asarray(over, float) / np.asarray(under, float)
    low, middle, high = (round(float(x), 3) for x in np.percentile(ratios, [10, 50, 90]))
    return Figure(name, bar, middle, low, high, len(ratios))


def medians(spent: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Milliseconds."""
    return {name: round(1000 * float(np.median(values)), 2) for name, values in spent.items()}
