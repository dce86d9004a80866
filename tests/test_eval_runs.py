"""Runs repeat byte for byte, survive a kill, and say what decided them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from eval_fakes import QUESTIONS, BigramAsker, cite

from eval.bootstrap import means
from eval.crew import Crew, hands
from eval.locate import Locator
from eval.runs import Progress, load_run, run
from eval.scoring import score
from eval.sets import EvalItem, EvalSet, Gold, load_set
from rag.errors import UsageError
from rag.schema import Answer, Interpreted

HERE = Path(__file__).parent
SAME = ("run.json", "questions.jsonl", "summary.json")


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "little.jsonl"
    path.write_text("".join(json.dumps(q, ensure_ascii=False) + "\n" for q in QUESTIONS), encoding="utf-8")
    return path


def loaded(path: Path) -> EvalSet:
    return load_set(path, BigramAsker().text_of)


def many(path: Path, times: int) -> Path:
    lines = [json.dumps(q | {"id": f"{q['id']}-{i}"}, ensure_ascii=False) + "\n" for i in range(times) for q in QUESTIONS]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def same_files(one: Path, other: Path) -> None:
    for name in SAME:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_two_runs_are_the_same_bytes(tmp_path, questions):
    seen: list[Progress] = []
    first = run(loaded(questions), BigramAsker(), tmp_path / "one", progress=seen.append)
    run(loaded(questions), BigramAsker(), tmp_path / "two")
    same_files(tmp_path / "one", tmp_path / "two")
    assert [p.done for p in seen] == list(range(1, len(QUESTIONS) + 1)) and seen[-1].left == 0
    assert load_run(tmp_path / "one").summary == first.summary
    assert {p.name for p in (tmp_path / "one").iterdir()} == {*SAME, "timings.json"}
    timings = json.loads((tmp_path / "one" / "timings.json").read_text())
    assert [t["id"] for t in timings["questions"]] == [q["id"] for q in QUESTIONS]
    for name in SAME:
        text = (tmp_path / "one" / name).read_text()
        assert str(tmp_path) not in text and "_ms\": {\"total" not in text


def test_an_asker_is_told_in_windows_and_the_files_stay_the_same(tmp_path, questions):
    told, alone = BigramAsker(), BigramAsker()
    run(loaded(questions), told, tmp_path / "told", ahead=4)
    run(loaded(questions), alone, tmp_path / "alone", ahead=1)
    same_files(tmp_path / "told", tmp_path / "alone")
    assert told.told == [(q["question"], tuple(q.get("history", ()))) for q in QUESTIONS] and not alone.told


def test_figures_by_hand(tmp_path, questions):
    done = run(loaded(questions), BigramAsker(), tmp_path / "out")
    by_id = {r.item.id: r for r in done.records}
    assert by_id["q2"].correct and by_id["q2"].scores["answer_recall"] == 1 and by_id["q2"].scores["hit@1"] == 1
    assert by_id["q8"].correct and by_id["q8"].scores["refusal_recall"] == 1 and "cited" not in by_id["q8"].scores
    assert not by_id["q9"].correct and by_id["q9"].lost_at == "gate"  # answered what has no answer
    assert not by_id["q7"].correct  # only one of two documents was cited
    assert by_id["q6"].answer.interpreted.standalone_question.startswith("领导干部") and by_id["q6"].correct
    figures, records = done.summary.overall, done.records
    right = [r.correct for r in records]
    assert figures["correct"].value == pytest.approx(sum(right) / 9) and figures["correct"].n == 9
    refused = [r for r in records if not r.answered]
    assert figures["refusal_precision"].value == pytest.approx(sum(not r.item.answerable for r in refused) / len(refused))
    assert figures["refusal_recall"].value == 0.5 and figures["refusal_recall"].n == 2
    assert figures["citation_validity"].value == 1
    assert set(done.summary.by_tag) == {"duty", "phone"} and done.summary.by_type["count"]["correct"].n == 2
    assert sum(done.summary.lost_at.values()) == len(done.summary.wrong) == 9 - sum(right)


def test_an_unanswered_question_counts_at_the_default(tmp_path, questions):
    silent = run(loaded(questions), BigramAsker(threshold=2.0), tmp_path / "out").summary.overall
    assert silent["answer_recall"].value == silent["cited"].value == silent["must_include"].value == 0
    assert silent["answer_recall"].n == silent["token_f1"].n == 7
    assert silent["false_refusals"].value == 1 and silent["refusal_recall"].value == 1
    assert silent["hit@1"].value > 0  # search is judged by itself


def test_a_question_the_asker_refuses_is_an_unanswered_question(tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text('{"id": "x", "question": "！！", "gold": [{"source": "docs/a.txt", "quote": "值班"}]}\n')
    record = run(loaded(path), BigramAsker(), tmp_path / "out").records[0]
    assert record.answer.status == "no_evidence" and record.answer.reason == "问题是空的。" and not record.hits
    assert record.scores["hit@1"] == 0 and record.lost_at == "retrieval"


def test_several_processes_give_the_same_bytes_and_go_on_where_a_run_stopped(tmp_path):
    path = many(tmp_path / "many.jsonl", 40)  # three windows
    run(loaded(path), BigramAsker(), tmp_path / "alone")
    stopped = BigramAsker()
    with pytest.raises(KeyboardInterrupt):
        run(loaded(path), Killed(), tmp_path / "crew")
    with Crew(BigramAsker, 2) as crew:
        run(loaded(path), stopped, tmp_path / "crew", crew=crew)
    assert 0 < len(stopped.asked) < 40 * len(QUESTIONS)  # this process asks some, another the others
    same_files(tmp_path / "alone", tmp_path / "crew")
    assert len(json.loads((tmp_path / "crew" / "timings.json").read_text())["questions"]) == 40 * len(QUESTIONS)


LONG = """
import sys
sys.path.insert(0, {here!r})
from test_eval_runs import Slow, loaded
from eval.crew import Crew
from eval.runs import run
from pathlib import Path

if __name__ == "__main__":
    with Crew(Slow, 3) as crew:
        def pids(progress):
            print(*(process.pid for process in crew._processes), flush=True)

        run(loaded(Path({set!r})), Slow(), Path({out!r}), crew=crew, progress=pids)
"""


def test_the_processes_end_when_the_one_that_started_them_is_killed(tmp_path):
    script = tmp_path / "long.py"
    script.write_text(LONG.format(here=str(HERE), set=str(many(tmp_path / "many.jsonl", 100)), out=str(tmp_path / "out")))
    process = subprocess.Popen([sys.executable, str(script)], cwd=HERE.parent, env=os.environ | {"PYTHONPATH": str(HERE.parent)},
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
    pids = [int(pid) for pid in process.stdout.readline().split()]
    process.kill()
    process.communicate()
    assert len(pids) == 2
    for _ in range(600):
        if not any(running(pid) for pid in pids):
            break
        time.sleep(0.05)
    else:
        pytest.fail("they go on")


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def dying() -> BigramAsker:
    os._exit(1)


def refusing() -> BigramAsker:
    raise UsageError("还没有索引。")


@pytest.mark.parametrize(("opener", "why"), [(dying, "中途退出"), (refusing, "还没有索引")])
def test_a_process_that_ends_or_cannot_open_is_told(tmp_path, opener, why):
    path = many(tmp_path / "many.jsonl", 40)
    with Crew(opener, 2) as crew, pytest.raises(UsageError, match=why):
        run(loaded(path), BigramAsker(), tmp_path / "out", crew=crew)


def test_another_process_is_started_only_when_it_pays(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert [hands(n) for n in (1, 511, 512, 2000, 9000)] == [1, 1, 2, 7, 8]


class Slow(BigramAsker):
    """Takes a while."""

    def ask(self, *arguments, **named):
        time.sleep(0.02)
        return super().ask(*arguments, **named)


class Killed(BigramAsker):
    """Stops after a number of questions."""

    def ask(self, *arguments, **named):
        if len(self.asked) == 5:
            raise KeyboardInterrupt
        return super().ask(*arguments, **named)


def test_an_interrupted_run_goes_on(tmp_path, questions):
    run(loaded(questions), BigramAsker(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(loaded(questions), Killed(), tmp_path / "broken")
    with (tmp_path / "broken" / "questions.jsonl").open("a", encoding="utf-8") as out:
        out.write('{"item": {"id": "q6", "quest')
    with pytest.raises(UsageError, match="没有跑完"):
        load_run(tmp_path / "broken")
    rest = BigramAsker()
    run(loaded(questions), rest, tmp_path / "broken")
    assert len(rest.asked) == len(QUESTIONS) - 5
    same_files(tmp_path / "whole", tmp_path / "broken")
    assert len(json.loads((tmp_path / "broken" / "timings.json").read_text())["questions"]) == len(QUESTIONS)
    again = BigramAsker()
    run(loaded(questions), again, tmp_path / "broken")
    assert not again.asked  # nothing is asked twice


SLOW = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_eval_runs import Slow, loaded
from eval.runs import run

run(loaded(Path({set!r})), Slow(), Path({out!r}))
"""


def test_a_killed_process_resumed_gives_the_same_bytes(tmp_path):
    path, out = many(tmp_path / "many.jsonl", 12), tmp_path / "killed"
    script = SLOW.format(here=str(HERE), set=str(path), out=str(out))
    process = subprocess.Popen([sys.executable, "-c", script], cwd=HERE.parent, env=os.environ)
    lines = out / "questions.jsonl"
    while process.poll() is None and (not lines.exists() or lines.read_bytes().count(b"\n") < 20):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    written = lines.read_bytes().count(b"\n")
    assert 20 <= written < 12 * len(QUESTIONS)
    rest = BigramAsker()
    run(loaded(path), rest, out)
    assert len(rest.asked) == 12 * len(QUESTIONS) - written
    run(loaded(path), BigramAsker(), tmp_path / "whole")
    same_files(tmp_path / "whole", out)


def test_a_folder_is_not_used_for_another_run(tmp_path, questions):
    run(loaded(questions), BigramAsker(), tmp_path / "out")
    before = (tmp_path / "out" / "questions.jsonl").read_bytes()
    with pytest.raises(UsageError, match="asker"):
        run(loaded(questions), BigramAsker(threshold=0.1), tmp_path / "out")
    with pytest.raises(UsageError, match="set"):
        run(loaded(questions), BigramAsker(), tmp_path / "out", limit=3)
    assert (tmp_path / "out" / "questions.jsonl").read_bytes() == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "questions.jsonl").write_text("mine\n")
    with pytest.raises(UsageError):
        run(loaded(questions), BigramAsker(), tmp_path / "other")


def test_an_index_that_changes_meanwhile_stops_the_run(tmp_path, questions):
    class Changing(BigramAsker):
        def describe(self):
            return {"generation": "g0"}

    with pytest.raises(UsageError, match="换了版本"):
        run(loaded(questions), Changing(), tmp_path / "out")


def test_a_damaged_record_is_named(tmp_path, questions):
    run(loaded(questions), BigramAsker(), tmp_path / "out")
    path = tmp_path / "out" / "questions.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"correct"', b'"korrect"', 1))
    with pytest.raises(UsageError, match=r"questions\.jsonl"):
        load_run(tmp_path / "out")
    with pytest.raises(UsageError, match="不是一次评测的结果"):
        load_run(tmp_path)


# ---------------------------------------------------------------- where it was lost

def diagnose(item: EvalItem, answer: Answer, order: list[str], traces: dict[str, int] | None = None) -> str | None:
    """The stage, for hits that are the passages (by text) in this order."""
    from dataclasses import replace

    from rag.schema import Trace

    asker = BigramAsker()
    every = {h.passage.text: h for h in asker.search(item.question, 50).hits}
    hits = [replace(every[t], trace=(Trace("dense", (traces or {}).get(t, 50), 0.0), Trace("rerank", r, 0.0)))
            for r, t in enumerate(order, 1)]  # fmt: skip
    return score(item, answer, hits, Locator(asker.text_of), asker.passages).lost_at


def answered(*citations) -> Answer:
    return Answer("?", "answered", "答", (), citations, 0.9, "", "", Interpreted("?"), {})


def test_each_stage_is_told_apart():
    item = EvalItem("x", "值班室电话是多少？", gold=(Gold("docs/a.txt", "值班室电话是0931-8826009"),))
    gold = "值班室电话是0931-8826009。"
    others = ["春节期间实行24小时专人值班。", "领导干部外出要报备。", "防火工作通知", "加强烟花爆竹安全监管。", "养老服务安排"]
    silent = Answer("?", "no_evidence", "", (), (), 0.1, "", "", Interpreted("?"), {}, "没有")
    wrong = answered(cite(BigramAsker(), "docs/b.txt", "防火"))
    assert diagnose(item, answered(cite(BigramAsker(), "docs/a.txt", gold)), [gold]) is None
    assert diagnose(item, wrong, [gold]) == "composition"
    assert diagnose(item, silent, [gold]) == "gate"
    assert diagnose(item, wrong, others) == "retrieval"
    assert diagnose(item, wrong, [*others, gold], {gold: 2}) == "reranking"
    assert diagnose(item, wrong, [*others, gold]) == "retrieval"


def test_a_gold_that_no_passage_holds_was_lost_in_parsing():
    item = EvalItem("x", "值班？", gold=(Gold("docs/a.txt", "领导干部外出要报备"),))
    asker = BigramAsker()
    wrong = answered(cite(asker, "docs/b.txt", "防火"))

    def without(source: str):
        return [p for p in asker.passages(source) if "报备" not in p.text]

    assert score(item, wrong, (), Locator(asker.text_of), without).lost_at == "parsing"


# ---------------------------------------------------------------- intervals

def test_bootstrap_intervals():
    import numpy as np

    draw = np.random.default_rng(7)
    values = np.column_stack([draw.normal(0.5, 0.1, 400), np.full(400, np.nan), np.ones(400), np.r_[np.ones(3), np.full(397, np.nan)]])
    normal, missing, ones, few = means(values, 2000, 0)
    spread = 1.96 * values[:, 0].std() / 20
    assert normal.low == pytest.approx(normal.value - spread, abs=0.002)
    assert normal.high == pytest.approx(normal.value + spread, abs=0.002)
    assert missing is None
    assert (ones.value, ones.high) == (1, 1) and ones.low == pytest.approx(0.025 ** (1 / 400))
    assert few.n == 3 and few.low == pytest.approx(0.025 ** (1 / 3))
    assert means(values, 500, 3)[0] == means(values, 500, 3)[0] != means(values, 500, 4)[0]


def test_bootstrap_intervals_cover_the_truth():
    import numpy as np

    draw = np.random.default_rng(8)
    samples = draw.random((120, 300)) < 0.8
    covered = sum(e.low <= 0.8 <= e.high for row in samples for e in means(row[:, None].astype(float), 400, 1))
    assert covered >= 0.9 * 120
