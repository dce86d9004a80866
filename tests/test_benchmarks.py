"""How the benchmarks count: turns, ratios, bars, the table."""

import numpy as np

from eval.benchmarks.__main__ import table
from eval.benchmarks.measure import Family, Figure, figure, in_turns, medians


def test_every_side_has_every_round_and_each_begins_as_often():
    calls = []
    spent = in_turns({name: lambda n, name=name: calls.append((n, name)) for name in "abc"}, 6)
    assert [len(values) for values in spent.values()] == [6, 6, 6]
    assert sorted(calls) == [(n, name) for n in range(6) for name in "abc"]
    assert [name for _, name in calls[::3]] == list("abcabc")


def test_a_figure_is_the_median_of_the_rounds_ratios():
    made = figure("x", "≤ 0.5", [1, 2, 3, 40, 5], [2, 4, 6, 8, 10])
    assert (made.ratio, made.rounds) == (0.5, 5) and made.low == 0.5 and made.high > 1
    assert made.holds() and not figure("x", "≥ 3", [2], [1]).holds() and figure("x", "", [1], [1]).holds() is None
    assert medians({"a": np.array([0.001, 0.003, 0.2])}) == {"a": 3.0}


def test_the_table_says_what_was_met_what_was_not_and_what_was_left_out():
    said = table({"ask": Family((Figure("快", "≤ 1.0", 0.5, 0.4, 0.6, 9), Figure("慢", "≥ 3", 2.0, 1.0, 3.0, 9)), {"encode": 22.0}),
                  "peers": Family(notes=("没有安装 txtai，未比较",))})
    assert "| 快 | 0.50 | 0.40–0.60 | 9 | ≤ 1.0 | 达到 |" in said and "| ≥ 3 | **未达到** |" in said
    assert "encode 22.00" in said and "没有安装 txtai" in said
