"""The command line: shapes, exit codes, and clear words for every mistake."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rag.text import compact
from ui.cli import main

ROOT = Path(__file__).parents[1]


@pytest.fixture
def wenju(home: Path, pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs one command in the project's folder, on the index of the test session; gives exit code, out, err."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("WENJU_HOME", str(home))
    monkeypatch.setenv("WENJU_TODAY", "2023-01-10")
    monkeypatch.setattr("rag.pipeline.Pipeline.open", lambda settings: pipeline)

    def run(*args: str) -> tuple[int, str, str]:
        code = main(list(args))
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_help_loads_no_heavy_library() -> None:
    code = "import sys; from ui.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'faiss', 'gradio', 'fastapi', 'transformers', 'tantivy'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("index", "ask", "search", "docs", "serve", "verify", "check", "backup"))


def test_ask_prints_one_json_document_in_the_agreed_shape(wenju) -> None:
    code, out, _ = wenju("ask", "兰州市民政局值班室电话是多少？", "--json")
    answer = json.loads(out)
    assert code == 0 and answer["status"] == "answered" and "reason" not in answer
    assert set(answer) == {"question", "status", "answer", "claims", "citations", "confidence", "generator", "generation",
                           "interpreted", "timings_ms"}
    assert set(answer["citations"][0]) == {
        "id", "document_id", "source", "title", "issuer", "document_number", "issued_on", "section_path", "quote", "start",
        "end", "page", "score"}
    text = (ROOT / answer["citations"][0]["source"]).read_text(encoding="utf-8")
    for citation in answer["citations"]:
        assert compact(text[citation["start"] : citation["end"]]) == compact(citation["quote"])


def test_refusal_is_exit_code_3_with_a_reason(wenju) -> None:
    code, out, _ = wenju("ask", "2025年端午节怎么放假？", "--json")
    answer = json.loads(out)
    assert code == 3 and answer["status"] == "no_evidence" and answer["reason"] and answer["citations"] == []


def test_explain_shows_slots_stages_and_features(wenju) -> None:
    code, out, err = wenju("ask", "兰州市民政局值班室电话是多少？", "--json", "--explain")
    why = json.loads(err)
    assert code == 0 and json.loads(out)["status"] == "answered"
    assert why["form"] == "phone" and why["interpreted"]["filters"]["place"] == "兰州"
    assert why["confidence"] >= why["min_confidence"] and "late" in why["hits"][0]["features"]


def test_many_questions_on_standard_input(wenju, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", iter(["值班室电话是多少？\n", "红烧肉怎么做？\n", "？\n"]))
    code, out, _ = wenju("ask", "-", "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [a["status"] for a in answers] == ["answered", "no_evidence", "error"]
    assert [a["question"] for a in answers] == ["值班室电话是多少？", "红烧肉怎么做？", "？"]


def test_search_traces_every_stage(wenju) -> None:
    code, out, _ = wenju("search", "值班室电话", "-k", "3", "--json")
    found = json.loads(out)
    assert code == 0 and [h["rank"] for h in found["hits"]] == [1, 2, 3]
    stages = {t["stage"] for h in found["hits"] for t in h["trace"]}
    assert {"dense", "bigrams", "words", "late_interaction", "fused"} <= stages
    for hit in found["hits"]:
        text = (ROOT / hit["source"]).read_text(encoding="utf-8")
        assert compact(text[hit["start"] : hit["end"]]) == compact(hit["text"])


def test_docs_lists_shows_and_prints(wenju) -> None:
    _, out, _ = wenju("docs", "--json")
    documents = json.loads(out)["documents"]
    assert [d["source"] for d in documents] == sorted(f"seeds/{p.name}" for p in (ROOT / "seeds").iterdir())
    lanzhou = documents[1]
    assert (lanzhou["title"], lanzhou["issuer"], lanzhou["document_number"]) == (None, "兰州市民政局", "兰民发〔2021〕239号")
    for entry in documents:
        code, out, _ = wenju("docs", entry["id"])
        assert code == 0 and out.count("–") >= 4, entry["source"]
    _, out, _ = wenju("docs", lanzhou["id"], "--json")
    assert any(s["path"][-1].startswith("七、") for s in json.loads(out)["sections"])
    _, out, _ = wenju("docs", lanzhou["id"], "--text")
    assert out == (ROOT / lanzhou["source"]).read_text(encoding="utf-8")


def test_verify_accepts_a_true_answer_and_names_a_changed_number(wenju, tmp_path: Path) -> None:
    _, out, _ = wenju("ask", "值班室电话是多少？", "--json")
    saved = tmp_path / "answer.json"
    saved.write_text(out, encoding="utf-8")
    assert wenju("verify", str(saved))[0] == 0
    saved.write_text(out.replace("0931-8826009", "0931-8826008"), encoding="utf-8")
    code, out, _ = wenju("verify", str(saved), "--json")
    assert code == 1 and json.loads(out)["problems"]


def test_check_backup_restore(wenju, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wenju("check")[0] == 0
    backup = tmp_path / "wenju.backup"
    assert wenju("backup", str(backup))[0] == 0 and backup.stat().st_size > 10_000
    before = json.loads(wenju("docs", "--json")[1])
    monkeypatch.setenv("WENJU_HOME", str(tmp_path / "other"))
    assert wenju("restore", str(backup))[0] == 0
    assert json.loads(wenju("docs", "--json")[1]) == before


@pytest.mark.parametrize(("args", "code", "said"), [
    (["frage"], 2, "frage"), (["ask"], 2, "缺少"), (["ask", "值"], 2, "太短"), (["ask", "长" * 100_000], 2, "太长"),
    (["ask", "值班", "--filter", "year"], 2, "名=值"), (["ask", "值班", "--filter", "colour=red"], 2, "不认识的筛选"),
    (["ask", "值班", "--generator", "magic"], 2, "generator"), (["search", "值班", "-k", "0"], 2, "-k"),
    (["search", "值班", "-k", "zwei"], 2, "整数"), (["docs", "nichts"], 2, "没有编号"),
    (["index", "nirgendwo"], 2, "nirgendwo"), (["verify", "nirgendwo.json"], 2, "nirgendwo.json"),
])
def test_mistakes_are_explained(wenju, args: list[str], code: int, said: str) -> None:
    got, out, err = wenju(*args)
    assert (got, out) == (code, "")
    assert said in err and err.startswith("错误：") and "Traceback" not in err and len(err.splitlines()) == 1


def test_a_taken_port_is_explained(wenju) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, err = wenju("serve", "--port", str(taken.getsockname()[1]))
    assert code == 1 and "--port" in err and len(err.splitlines()) == 1


def test_without_an_index_the_next_step_is_named(wenju, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENJU_HOME", str(tmp_path))
    code, _, err = wenju("ask", "值班要求")
    assert code == 1 and "wenju index" in err


def test_unknown_setting_lists_the_known_ones(wenju, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENJU_COLOUR", "red")
    code, _, err = wenju("check")
    assert code == 2 and "colour" in err and "embedder" in err


def test_names_of_other_engines_in_the_environment_do_no_harm(wenju, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENJU_OPENAI_API_KEY", "geheim")
    code, out, err = wenju("check")
    assert code == 0 and "geheim" not in out + err


def test_bad_files_fail_alone_and_nothing_is_lost(wenju, embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.embedding.SentenceEmbedder.load", lambda settings: embedder)
    monkeypatch.setenv("WENJU_HOME", str(tmp_path / "home"))
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "好.txt").write_text("关于值班的通知\n各单位：\n一、值班。24小时专人值班。", encoding="utf-8")
    (papers / "空.txt").write_bytes(b"")
    (papers / "图.txt").write_bytes(bytes(range(256)) * 40)
    code, out, _ = wenju("index", str(papers), "--json")
    report = json.loads(out)
    assert code == 0 and report["new"] == ["papers/好.txt"]
    assert {f["source"] for f in report["failed"]} == {"papers/空.txt", "papers/图.txt"}
    assert all(f["reason"] for f in report["failed"])
    again = json.loads(wenju("index", str(papers), "--json")[1])
    assert again["unchanged"] == ["papers/好.txt"] and again["embedded"] == 0
    assert wenju("check")[0] == 0
