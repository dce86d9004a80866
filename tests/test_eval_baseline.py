"""The shipped sets with the real model, held against the committed baselines; and the gate itself, seen to close."""

from dataclasses import replace

import pytest

from eval import baseline
from eval.cli_upkeep import said_of
from eval.holidays import questions
from eval.runs import run
from eval.sets import EvalItem, find_set, load_set
from rag.errors import UsageError


def test_every_shipped_set_has_a_baseline():
    assert {p.stem for p in baseline.FOLDER.glob("*.jsonl")} == set(baseline.names())
    for name in baseline.names():
        assert list(baseline.load(name).scores) == [i.id for i in load_set(find_set(name)).items]


def test_no_set_falls_below_its_baseline(evaluated):
    """Renew with `wenju eval baseline` when a fall is meant."""
    found = baseline.falls([(baseline.load(name), evaluated(name).records) for name in baseline.names()])
    assert not found, "\n".join(map(said_of, found))


def test_a_second_run_one_question_at_a_time_gives_the_same_bytes(evaluated, pipeline, tmp_path):
    whole = evaluated("confusion")
    again = run(load_set(find_set("confusion"), pipeline.text_of), pipeline, tmp_path, ahead=1)
    assert again.records == whole.records
    for name in ("run.json", "questions.jsonl", "summary.json"):
        assert (tmp_path / name).read_bytes() == (whole.folder / name).read_bytes(), name


def test_what_is_saved_holds_against_itself_and_a_fault_does_not(evaluated, tmp_path):
    done = evaluated("confusion")
    path = baseline.save(done, tmp_path)
    text = path.read_text(encoding="utf-8")
    assert not any(r.item.question in text for r in done.records)
    base = baseline.load("confusion", tmp_path)
    assert baseline.falls([(base, done.records)]) == []
    worse = [replace(r, correct=False, scores={**r.scores, "correct": 0.0}) if i % 4 == 0 else r for i, r in enumerate(done.records)]
    found = baseline.falls([(base, worse), (base, done.records)])
    assert {(f.set, f.metric) for f in found} == {("confusion", "correct"), (baseline.TOGETHER, "correct")}
    assert found[0].lost == tuple(r.item.id for r in done.records[::4] if r.correct)
    with pytest.raises(UsageError, match="对不上"):
        baseline.falls([(base, done.records[1:])])
    with pytest.raises(UsageError, match="没有评测集"):
        baseline.load("refusal", tmp_path)


def test_holiday_questions_come_from_the_notices(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text(
        "关于2013年部分节假日安排的通知\n一、元旦：1月1日至3日放假调休，共3天。1月5日（星期六）上班。\n二、“五一”：5月1日放假。\n"
        "三、国庆节、中秋节：10月1日至8日放假调休，共8天。\n", encoding="utf-8")  # fmt: skip
    (tmp_path / "docs" / "b.txt").write_text("别的通知\n", encoding="utf-8")
    made = {i.question: i for i in questions(tmp_path.joinpath("docs").relative_to(tmp_path))}
    first: EvalItem = made["2013年元旦放假几天？"]
    assert first.gold[0].quote == "一、元旦：1月1日至3日放假调休，共3天。" and first.must_include == ("3天",)
    assert first.gold[0].source == "docs/a.txt" and "generated" in first.tags
    assert made["2013年元旦调休，哪几天要上班？"].gold[0].quote == "1月5日（星期六）上班。"
    assert not made["2013年春节放假几天？"].answerable and not made["2014年元旦放假几天？"].answerable
    assert not {"2013年劳动节放假几天？", "2013年中秋节放假几天？"} & set(made)
    with pytest.raises(UsageError, match="放假通知"):
        list(questions(tmp_path))
