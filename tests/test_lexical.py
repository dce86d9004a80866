"""The lexical index against an independent BM25, its filter, its order, and what it leaves on disk."""

import hashlib
import math
import os
import random
import tempfile
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rag import lexical
from rag.errors import IndexDamaged
from rag.lexical import LexicalIndex, LexicalWriter

VOCABULARY = ["值班", "春节", "通知", "安全", "值", "2023", "0931-8826009", "market", "要求", "𠮷野"]


def written(folder: Path, rows: list[list[str]]) -> LexicalIndex:
    writer = LexicalWriter(folder)
    for tokens in rows:
        writer.add({"words": " ".join(tokens), "bigrams": " ".join(tokens[:2])})
    writer.finish()
    return LexicalIndex(folder)


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    draw = random.Random(7)
    return [[draw.choice(VOCABULARY) for _ in range(draw.randint(0, 30))] for _ in range(300)]


@pytest.fixture(scope="module")
def index(rows: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    return written(tmp_path_factory.mktemp("lexical") / "index", rows)


def bm25(rows: list[list[str]], query: list[str]) -> list[float]:
    """Written from the formula, not from tantivy; lengths below 40 are exact in tantivy's one byte."""
    mean = sum(map(len, rows)) / len(rows)
    scores = []
    for row in rows:
        total = 0.0
        for token, times in Counter(query).items():
            df = sum(token in other for other in rows)
            idf = math.log(1 + (len(rows) - df + 0.5) / (df + 0.5))
            tf = row.count(token)
            total += times * idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(row) / mean))
        scores.append(total)
    return scores


@pytest.mark.parametrize("query", [["值班"], ["春节", "值班", "要求"], ["春节", "春节", "2023"], ["market", "没有的词"]])
def test_scores_are_those_of_the_formula(index: LexicalIndex, rows: list[list[str]], query: list[str]) -> None:
    found, scores = index.search(query, len(rows), "words")
    expected = bm25(rows, query)
    assert set(found.tolist()) == {n for n, score in enumerate(expected) if score > 0}
    np.testing.assert_allclose(scores, [expected[n] for n in found], rtol=1e-5)
    assert (np.diff(scores) <= 0).all()
    assert (found.dtype, scores.dtype) == (np.int64, np.float32)


@pytest.mark.parametrize("allowed", [range(40, 90), range(0, 300, 7), [5], [5, 299], range(300)])
def test_filter_keeps_scores_and_loses_nothing(index: LexicalIndex, rows: list[list[str]], allowed) -> None:
    allowed = np.array(allowed, np.int64)
    every, scores = index.search(["值班", "通知"], len(rows), "words")
    wanted = [(row, score) for row, score in zip(every.tolist(), scores.tolist(), strict=True) if row in set(allowed.tolist())]
    found, kept = index.search(["值班", "通知"], 10, "words", allowed)
    assert found.tolist() == [row for row, _ in wanted[:10]]
    np.testing.assert_allclose(kept, [score for _, score in wanted[:10]], rtol=1e-5)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_wide_filter_gives_what_a_narrow_one_does(
    index: LexicalIndex, rows: list[list[str]], share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many allowed rows are looked for among the best of all; that is never to be seen."""
    allowed = np.flatnonzero(np.random.default_rng(4).random(len(rows)) < share)
    asked = [(["春节", "值班"], k) for k in (1, 5, 40, 300)] + [(["没有的词"], 5), (["𠮷野", "market"], 10)]
    narrow = [index.search(tokens, k, "words", allowed) for tokens, k in asked]
    monkeypatch.setattr(lexical, "_FEW", 0)
    assert index._among(None, 1, np.arange(3, 9)) is None, "one run is quicker as a range"
    for spare, most in ((2, 10_000), (4, 10_000), (2, 20)):
        monkeypatch.setattr(lexical, "_SPARE", spare)
        monkeypatch.setattr(lexical, "_MOST", most)
        for (tokens, k), (found, scores) in zip(asked, narrow, strict=True):
            wide = index.search(tokens, k, "words", allowed)
            assert wide[0].tolist() == found.tolist() and np.allclose(wide[1], scores, rtol=1e-6)


def test_nothing_allowed_or_asked_finds_nothing(index: LexicalIndex) -> None:
    for result in (
        index.search([], 5, "words"), index.search(["值班"], 0, "words"), index.search(["值班"], 5, "words", np.empty(0, np.int64)),
        index.search(["无此词"], 5, "words"),
    ):
        assert [len(part) for part in result] == [0, 0]


def test_equal_scores_come_in_order_of_rows(tmp_path: Path) -> None:
    index = written(tmp_path / "index", [["甲", "乙"] if n % 3 else ["丙"] for n in range(1000)])
    found, scores = index.search(["甲"], 25, "words")
    assert found.tolist() == [n for n in range(1000) if n % 3][:25] and len(set(scores.tolist())) == 1
    found, _ = index.search(["甲", "乙"], 25, "words", np.arange(500, 900))
    assert found.tolist() == [n for n in range(500, 900) if n % 3][:25]


def test_fields_are_apart(index: LexicalIndex, rows: list[list[str]]) -> None:
    expected = [n for n, row in enumerate(rows) if "通知" in row[:2]]
    assert sorted(index.search(["通知"], 300, "bigrams")[0].tolist()) == expected
    assert index.document_frequency("bigrams", "通知") == len(expected)
    assert index.document_frequency("words", "通知") == sum("通知" in row for row in rows)
    assert index.document_frequency("words", "无此词") == 0
    assert index.terms(17) == {"words": " ".join(rows[17]), "bigrams": " ".join(rows[17][:2])}


@pytest.mark.parametrize("token", ['"', "a AND b", "words:x", "*", "[1 TO 9]", "\\", "值班)", "x" * 70_000, "", "\0"])
def test_tokens_are_never_parsed(index: LexicalIndex, token: str) -> None:
    assert not len(index.search([token], 5, "words")[0])
    assert len(index.search([token, "值班"], 5, "words")[0]) == 5


def test_equal_rows_give_equal_bytes(rows: list[list[str]], tmp_path: Path) -> None:
    def content(name: str) -> dict[str, str]:
        written(tmp_path / name, rows)
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (tmp_path / name).iterdir()}

    assert content("a") == content("b")


def test_opening_and_searching_write_nothing_and_outlive_the_files(rows: list[list[str]], tmp_path: Path) -> None:
    index = written(tmp_path / "index", rows)
    assert not [p.name for p in (tmp_path / "index").iterdir() if "lock" in p.name]
    before = index.search(["值班"], 10, "words")[0].tolist()
    for path in (tmp_path / "index").iterdir():
        path.unlink()
    (tmp_path / "index").rmdir()
    assert index.search(["值班"], 10, "words")[0].tolist() == before
    assert index.terms(3)["words"] == " ".join(rows[3])


def test_what_killed_readers_left_is_swept_up(rows: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = tmp_path / "kept"
    kept.write_text("not mine")
    for name in ("wenju-links-old", "wenju-links-young", "other-old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "link").symlink_to(kept)
        if name.endswith("old"):
            os.utime(tmp_path / name, (0, 0))
    written(tmp_path / "index", rows[:3])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index", "kept", "other-old", "wenju-links-young"]


def test_many_threads_get_the_same(index: LexicalIndex) -> None:
    expected = index.search(["值班", "通知"], 50, "words")[0].tolist()
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(100):
            if (found := index.search(["值班", "通知"], 50, "words")[0].tolist()) != expected:
                wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_empty_and_long(tmp_path: Path) -> None:
    assert len(written(tmp_path / "none", [])) == 0
    long = written(tmp_path / "long", [["值班"] * 300_000, ["值班"]])
    assert sorted(long.search(["值班"], 5, "words")[0].tolist()) == [0, 1]


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text("{}")
    with pytest.raises(IndexDamaged):
        LexicalIndex(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["meta.json"]
