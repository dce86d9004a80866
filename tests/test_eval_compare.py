"""Comparison: a seeded fault is flagged, equal runs are not, and the null gives no more alarms than it may."""

import json
from pathlib import Path

import numpy as np
import pytest
from eval_fakes import QUESTIONS, BigramAsker
from scipy import stats

from eval.compare import adjusted_p_values, compare, differences, holm, p_values, parse_condition, permutations
from eval.metrics import METRICS
from eval.runs import run
from eval.sets import load_set
from rag.errors import UsageError


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Sixty questions, differently worded at the end so that each is its own."""
    path = tmp_path / "many.jsonl"
    lines = [json.dumps(q | {"id": f"{q['id']}-{i}"}, ensure_ascii=False) + "\n" for i in range(7) for q in QUESTIONS]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def made(path: Path, out: Path, **named):
    asker = BigramAsker(**named)
    return run(load_set(path, asker.text_of), asker, out)


def test_a_seeded_fault_is_flagged_and_equal_runs_are_not(tmp_path, many):
    good, fault = made(many, tmp_path / "good"), made(many, tmp_path / "fault", skip=2)
    same = made(many, tmp_path / "same")
    gate = ["answer_recall drops significantly"]
    found = compare(good, fault, gate)
    assert found.failed and found.lost and not found.won
    by_name = {d.name: d for d in found.differences}
    assert by_name["answer_recall"].significant and by_name["answer_recall"].high < 0
    assert not by_name["hit@1"].significant and by_name["hit@1"].p == 1  # search was not touched
    assert found.changed == {"asker.skip": ("0", "2")}
    assert {f.id for f in found.lost} == {a.item.id for a, b in zip(good.records, fault.records, strict=True)
                                          if a.correct and not b.correct}  # fmt: skip
    back = compare(fault, good, [*gate, "answer_recall rises significantly"])
    assert [v.failed for v in back.verdicts] == [False, True] and back.won and not back.lost
    null = compare(good, same, gate)
    assert not null.failed and not null.won and not null.lost and not null.changed
    assert all(d.p == 1 and d.change == d.low == d.high == 0 for d in null.differences)


def test_comparing_repeats(tmp_path, many):
    good, fault = made(many, tmp_path / "good"), made(many, tmp_path / "fault", skip=2)
    assert compare(good, fault) == compare(good, fault)


def test_runs_of_other_questions_are_not_compared(tmp_path, many):
    good = made(many, tmp_path / "good")
    asker = BigramAsker()
    part = run(load_set(many, asker.text_of), asker, tmp_path / "part", limit=9)
    with pytest.raises(UsageError, match="不是同样的题"):
        compare(good, part)


# ---------------------------------------------------------------- the test itself

def test_null_comparisons_raise_few_alarms():
    """1,000 comparisons of two systems that are equally good: at most 6 % at p = 0.05, one metric or many."""
    draw = np.random.default_rng(11)
    alone = family = 0
    for number in range(1000):
        hard = draw.random((120, 1))
        first, second = ((draw.random((120, 5)) > hard).astype(float) for _ in range(2))
        first[:30, 4] = second[:30, 4] = np.nan  # a metric that only some questions have
        second[:, 3] = second[:, 2]  # and a near copy of another
        first[:, 3] = first[:, 2]
        observed, drawn = permutations(first, second, number, 999)
        alone += p_values(observed, drawn)[0] < 0.05
        family += adjusted_p_values(observed, drawn).min() < 0.05
    assert alone <= 60 and family <= 60
    assert alone >= 20 and family >= 20  # and it is not merely silent


def test_ratio_metrics_under_the_null():
    """Scores that one run has and the other has not (refusal precision) keep the level too."""
    draw, alarms = np.random.default_rng(12), 0
    for number in range(1000):
        unanswerable = draw.random(150) < 0.4
        runs = []
        for _ in range(2):
            refused = draw.random(150) < np.where(unanswerable, 0.7, 0.2)
            runs.append(np.where(refused, unanswerable, np.nan).astype(float)[:, None])
        alarms += p_values(*permutations(*runs, number, 499))[0] < 0.05
    assert alarms <= 60


def test_p_agrees_with_scipy():
    draw = np.random.default_rng(13)
    for _ in range(20):
        first, second = draw.random((2, 60))
        second += draw.choice([0, 0.1])
        mine = p_values(*permutations(first[:, None], second[:, None], 0, 9999))[0]
        theirs = stats.permutation_test((second - first,), np.mean, permutation_type="samples", n_resamples=9999,
                                        rng=np.random.default_rng(1)).pvalue  # fmt: skip
        assert mine == pytest.approx(theirs, abs=0.02)


def test_holm_by_hand():
    assert holm(np.array([0.04, 0.01, 0.03])).tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]
    assert len(holm(np.array([]))) == 0


def test_a_metric_that_is_always_one_but_not_always_there_hides_no_other():
    """Its differences are rounding errors, and must not be measured by their own spread."""
    draw = np.random.default_rng(15)
    first, second = (np.full((60, len(METRICS)), np.nan) for _ in range(2))
    first[:, 0], second[:, 0] = 1.0, draw.random(60) < 0.6
    for table in (first, second):
        table[:, 1] = np.where(draw.random(60) < 0.5, 0.1 + 0.2, np.nan)
    real, constant = differences(first, second)
    assert real.significant and real.adjusted < 0.01 and constant.p == 1 and constant.better == constant.worse == 0


def test_a_real_difference_is_seen():
    draw = np.random.default_rng(14)
    width = len(METRICS)
    first = np.full((200, width), np.nan)
    second = first.copy()
    first[:, 0], second[:, 0] = draw.random(200) < 0.6, draw.random(200) < 0.8
    (found,) = differences(first, second)
    assert found.name == METRICS[0].name and found.significant and found.low > 0
    assert found.better > found.worse and found.n == 200


# ---------------------------------------------------------------- gate

def test_conditions(tmp_path, many):
    good, fault = made(many, tmp_path / "good"), made(many, tmp_path / "fault", skip=2)

    def failed(condition: str) -> bool:
        return compare(good, fault, [condition]).failed

    assert failed("answer_recall drops by more than 0.01") and not failed("answer_recall drops by more than 0.9")
    assert failed("answer_recall below 0.99") and not failed("hit@1 below .1")
    assert not failed("hit@1 drops significantly") and not failed("answer_recall rises significantly")
    for bad in ("answer_recall", "answer_recall falls", "nonsense drops significantly", "hit@1 drops by more than x"):
        with pytest.raises(UsageError):
            parse_condition(bad)
    with pytest.raises(UsageError, match="没有指标"):
        compare(good, fault, ["right_year drops significantly"])
