"""From a reader's thumb down to a question of a set: nothing enters unread, and no quote that is not in a source."""

import argparse
import json
from pathlib import Path

import pytest
from eval_fakes import TEXTS, BigramAsker

from eval.cli import register
from eval.cli_upkeep import interview
from eval.review import Review
from eval.sets import load_set
from rag.errors import UsageError
from ui.api.feedback import FeedbackBook

PHONE = "值班室电话是0931-8826009"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Feedback as the page writes it: two complaints, a praise, and a line that a crash cut off."""
    path = tmp_path / "feedback.jsonl"
    start = TEXTS["docs/a.txt"].index("领导干部")
    feedback = FeedbackBook(path)
    said = {"comment": "", "generation": "g1", "history": [], "citations": [], "answer": ""}
    feedback.add(said | {"rating": "wrong_citation", "question": "值班室电话是多少？", "comment": "引的不是电话", "answer": "外出要报备[1]",
                         "citations": [{"document_id": "docs/a.txt", "start": start, "end": start + 10}]})  # fmt: skip
    feedback.add(said | {"rating": "up", "question": "谁值班？"})
    feedback.add(said | {"rating": "down", "question": "高铁票多少钱？", "history": ["怎么出差？"],
                         "citations": [{"document_id": "gone", "start": 0, "end": 3}]})  # fmt: skip
    with path.open("a", encoding="utf-8") as out:
        out.write('{"id": "x", "rating": "down"}\n{"id": "half')
    return path


def wenju(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(), lambda parsed: BigramAsker())
    parsed = parser.parse_args(["eval", "review", *map(str, arguments)])
    return parsed.run(parsed)


def test_complaints_become_candidates_with_their_answer_and_index(book):
    phone, train = Review(book, BigramAsker()).candidates()
    assert (phone.question, phone.rating, phone.answer, phone.generation) == ("值班室电话是多少？", "wrong_citation", "外出要报备[1]", "g1")
    assert phone.cited[0].quote == "领导干部外出要报备。" and phone.cited[0].source == "docs/a.txt"
    assert train.history == ("怎么出差？",) and train.cited[0].quote == ""
    assert [c.rating for c in Review(book, BigramAsker()).candidates(("up",))] == ["up"]


def test_accepting_writes_a_set_that_loads_and_rejecting_does_not(book, tmp_path):
    into, asker = tmp_path / "mine" / "mine.jsonl", BigramAsker()
    phone, train = Review(book, asker).candidates()
    for wrong in ("值班室电话是110", "  "):
        with pytest.raises(UsageError):
            Review(book, asker).accept(phone.id, into, [wrong])
    assert not into.exists() and len(Review(book, asker).candidates()) == 2
    Review(book, asker).accept(phone.id, into, [PHONE], "市民政局值班室电话？", ["0931-8826009"])
    Review(book, asker).accept(train.id, into, [])
    first, second = load_set(into, asker.text_of).items
    assert first.gold[0].source == "docs/a.txt" and first.question == "市民政局值班室电话？" and first.must_include
    assert "g1" in first.note and "引的不是电话" in first.note and "feedback" in first.tags
    assert not second.answerable and second.history == ("怎么出差？",)
    assert Review(book, asker).candidates() == []
    with pytest.raises(UsageError, match="没有编号"):
        Review(book, asker).reject(phone.id)


def test_for_programs(book, tmp_path, capsys):
    assert wenju("--feedback", book, "--json") == 0
    phone, train = json.loads(capsys.readouterr().out)["candidates"]
    assert wenju("--feedback", book, "--accept", phone["id"], "--into", tmp_path / "s.jsonl", "--gold", PHONE, "--json") == 0
    assert json.loads(capsys.readouterr().out)["accepted"]["gold"] == [{"source": "docs/a.txt", "quote": PHONE}]
    assert wenju("--feedback", book, "--reject", train["id"]) == 0 and wenju("--feedback", book) == 0
    assert "没有待审" in capsys.readouterr().out
    for wrong in (["--accept", "x"], ["--accept", "x", "--into", "s.jsonl"],
                  ["--accept", "x", "--into", "s.jsonl", "--gold", "a", "--unanswerable"]):  # fmt: skip
        with pytest.raises(UsageError):
            wenju("--feedback", book, *wrong)


def test_for_people(book, tmp_path, capsys):
    waiting, into = Review(book, BigramAsker()), tmp_path / "s.jsonl"
    typed = iter(["?", "a", "", "值班室电话是110", "a", "电话？", PHONE, "n", ""])
    assert interview(waiting, waiting.candidates(), into, lambda prompt: next(typed)) == 0
    assert "不在任何文件里" in capsys.readouterr().out
    assert [i.question for i in load_set(into, BigramAsker().text_of).items] == ["电话？", "高铁票多少钱？"]
    assert next(typed, None) is None
