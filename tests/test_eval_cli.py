"""`wenju eval`: one JSON document on stdout with --json, exit codes, files where they were asked for."""

import argparse
import json
from pathlib import Path

import pytest
from eval_fakes import QUESTIONS, BigramAsker

from eval.cli import _crew, register
from eval.crew import Crew
from rag.errors import SettingError, UsageError
from ui.cli import _settings


@pytest.fixture
def questions(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "little.jsonl"
    path.write_text("".join(json.dumps(q) + "\n" for q in QUESTIONS), encoding="utf-8")
    return path


def wenju(*arguments: object, **asker) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(), lambda parsed: BigramAsker(**asker))
    parsed = parser.parse_args(["eval", *map(str, arguments)])
    return parsed.run(parsed)


def test_run_prints_one_document_and_writes_the_files(questions, capsys):
    assert wenju("run", questions, "--out", "out", "--json") == 0
    said = capsys.readouterr()
    summary = json.loads(said.out)
    assert summary["questions"] == 9 and summary["out"] == "out" and 0 < summary["overall"]["correct"]["value"] < 1
    assert "9/9" in said.err
    assert {p.name for p in Path("out").iterdir()} == {
        "run.json", "questions.jsonl", "summary.json", "timings.json", "report.html", "report.md", "report.csv",
    }  # fmt: skip


def test_run_for_people_with_a_folder_of_its_own(questions, capsys):
    assert wenju("run", questions, "--limit", 4) == 0
    said = capsys.readouterr().out
    (out,) = Path(".wenju/runs").iterdir()
    assert "4 题" in said and "答对" in said and out.as_posix() in said and out.name.startswith("little-")
    assert wenju("run", questions, "--limit", 4) == 0 and len(list(Path(".wenju/runs").iterdir())) == 1
    assert wenju("run", questions) == 0 and len(list(Path(".wenju/runs").iterdir())) == 2


def test_compare_gives_the_exit_code_of_its_gate(questions, capsys):
    wenju("run", questions, "--out", "a")
    wenju("run", questions, "--out", "b", threshold=2.0)
    capsys.readouterr()
    assert wenju("compare", "a", "b") == 0
    said = capsys.readouterr().out
    assert "改错的题" in said and "答对 correct" in said and "asker.threshold" in said
    assert wenju("compare", "a", "b", "--fail-if", "answered drops by more than 0.5", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["verdicts"][0]["failed"] and found["lost"]
    assert wenju("compare", "a", "a", "--fail-if", "answered drops significantly", "--fail-if", "hit@1 below 0.1") == 0
    with pytest.raises(UsageError):
        wenju("compare", "a", "nowhere")


def test_import_writes_a_set_and_its_documents(tmp_path, questions, capsys):
    source = tmp_path / "given"
    source.mkdir()
    (source / "corpus.jsonl").write_text(json.dumps({"id": "d1", "title": "", "text": "共12人。"}) + "\n")
    (source / "queries.jsonl").write_text(json.dumps({"id": "q1", "text": "几人？", "answers": ["12人"]}) + "\n")
    (source / "qrels.tsv").write_text("q1\td1\t1\n")
    assert wenju("import", "shared", source, "made", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"questions": 1, "set": "made/given.jsonl", "documents": 1}
    assert Path("made/docs/d1.txt").read_text() == "共12人。"
    texts = {"made/docs/d1.txt": "共12人。"}
    assert wenju("run", "made/given.jsonl", "--out", "out", "--json", texts=texts, threshold=0.0) == 0
    assert json.loads(capsys.readouterr().out)["overall"]["answer_recall"]["value"] == 1


def test_generate(questions, capsys):
    for kind in ("traditional", "typos", "near-misses"):
        if kind == "near-misses":
            extra = {"id": "y", "question": "2023年春节谁值班？", "gold": [{"source": "docs/a.txt", "quote": "值班"}]}
            questions.write_text(json.dumps(extra) + "\n")
        assert wenju("generate", questions, "--kind", kind, "--out", f"out/{kind}.jsonl", "--json") == 0
        said = json.loads(capsys.readouterr().out)
        assert said["questions"] == len(Path(said["set"]).read_text().splitlines()) > 0
    with pytest.raises(UsageError, match="索引里没有文件"):
        wenju("generate", questions, "--kind", "near-misses", "--out", "out/none.jsonl", texts={})
    with pytest.raises(UsageError, match="没有得到任何题目"):
        wenju("generate", questions, "--kind", "follow-ups", "--out", "out/none.jsonl")


def test_wrong_use(questions, capsys):
    for wrong in (["run"], ["run", questions, "--limit", "0"], ["import", "odd", "a", "b"], ["generate", questions], []):
        with pytest.raises(SystemExit) as stopped:
            wenju(*wrong)
        assert stopped.value.code == 2
    with pytest.raises(UsageError):
        wenju("run", "no_such_set")


def test_settings_of_a_run_win_over_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("WENJU_MIN_CONFIDENCE", "0.2")
    monkeypatch.setenv("WENJU_THREADS", "1")
    (tmp_path / "strict.toml").write_text("min_confidence = 0.9\n")
    settings = _settings(argparse.Namespace(config=tmp_path / "strict.toml"))
    assert settings.min_confidence == 0.9 and settings.threads == 1
    (tmp_path / "odd.toml").write_text("min_confidense = 0.9\n")
    for name, said in (("odd.toml", "min_confidense"), ("none.toml", "没有设置文件")):
        with pytest.raises(SettingError, match=said):
            _settings(argparse.Namespace(config=tmp_path / name))


@pytest.mark.parametrize(("generator", "several"), [("extractive", True), ("openai", True), ("transformers", False)])
def test_a_language_model_of_this_machine_is_loaded_once(generator: str, several: bool) -> None:
    class Writer(BigramAsker):
        def describe(self):
            return {**super().describe(), "generator": generator}

    arguments = argparse.Namespace(one_by_one=False, jobs=3)
    assert isinstance(_crew(arguments, BigramAsker, Writer(), 600), Crew) is several
