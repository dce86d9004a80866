"""What an index holds, and how it is brought up to date."""

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import BruteStore, HashEmbedder
from index_fakes import (
    CountingEmbedder,
    cut,
    index_of,
    load,
    memory_folder,
    notices,
    sources,
    whole,
    write,
)

from rag.index import Index, check, refresh
from rag.stores.faiss import FaissStore


@pytest.fixture(autouse=True, scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Passing files are kept in memory."""
    tmp_path_factory.getbasetemp()  # pytest's own folder stays where it belongs
    with memory_folder():
        yield


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Three notices in a folder beside the index."""
    return notices(tmp_path / "docs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the index lies."""
    return tmp_path / "home" / "index"


# ---------------------------------------------------------------- what an index holds

def test_what_went_in_comes_out(docs: Path, folder: Path) -> None:
    report = index_of(folder, docs)
    index = Index.open(folder)
    assert report.new == ("docs/a.txt", "docs/b.txt", "docs/c.txt") == tuple(sources(folder))
    assert (report.documents, report.passages, report.embedded) == (3, len(index), len(index)) and index.fallback is None
    assert report.generation == index.generation and len(index.generation) == 16
    assert (index.embedder_name, index.embedder_digest) == ("hash", HashEmbedder.digest)
    row = 0
    for path, (id, entry) in zip(sorted(docs.iterdir()), index.metas.items(), strict=True):
        (original,) = load(path, f"docs/{path.name}")
        assert index.document(id) == original and (entry.length, entry.sha256) == (len(original.text), original.sha256)
        assert entry.rows == range(row, row := row + len(cut(original)))
        for number, passage in zip(entry.rows, cut(original), strict=True):
            assert index.passage(number) == passage
            (wanted,) = HashEmbedder().embed_passages([passage.text], [" ".join((original.name, *passage.section_path))])
            assert np.array_equal(index.vectors.vectors(number, number + 1)[0], wanted.vector)
            tokens, spans = index.tokens(number)
            assert (tokens.dtype, spans.dtype) == (np.float32, np.int32) and np.array_equal(spans, wanted.spans)
            assert (np.sum(tokens * wanted.tokens, axis=1) > 0.999).all()
            np.testing.assert_allclose(np.linalg.norm(tokens, axis=1), 1, rtol=1e-5)
    assert check(folder, HashEmbedder()) == []


def test_rows_of_documents(docs: Path, folder: Path) -> None:
    index_of(folder, docs)
    index = Index.open(folder)
    first, _, third = index.metas
    rows = index.rows_of([third, first, third])
    assert rows.dtype == np.int64 and rows.tolist() == [*index.metas[first].rows, *index.metas[third].rows]
    assert index.rows_of([]).tolist() == []
    with pytest.raises(KeyError):
        index.rows_of(["nobody"])
    with pytest.raises(IndexError):
        index.passage(len(index))


def test_both_lexical_indexes_know_their_rows(docs: Path, folder: Path) -> None:
    index_of(folder, docs)
    index = Index.open(folder)
    found, _ = index.lexical.search(["消防"], 9, "words")
    assert {index.passage(row).document_id for row in found} == {list(index.metas)[1]} and len(found) == 4
    assert index.document_lexical.search(["消防"], 9, "words")[0].tolist() == [1]
    assert index.document_lexical.search(["报送"], 9, "bigrams")[0].tolist() == [0, 1, 2]


# ---------------------------------------------------------------- refreshing

def test_nothing_changed_embeds_and_writes_nothing(docs: Path, folder: Path) -> None:
    first = index_of(folder, docs)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    embedder = CountingEmbedder()
    again = index_of(folder, docs, embedder=embedder)
    assert (again.unchanged, again.generation) == (first.new, first.generation) and not again.new
    assert not embedder.texts and {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


def test_only_what_changed_is_embedded(docs: Path, folder: Path) -> None:
    index_of(folder, docs)
    write(docs / "b.txt", (docs / "b.txt").read_text().replace("按时报送。", "每天报送。"))
    (docs / "c.txt").unlink()
    write(docs / "d.txt", "关于新事项的通知")
    embedder = CountingEmbedder()
    report = index_of(folder, docs, embedder=embedder)
    assert (report.new, report.changed, report.unchanged, report.removed) == (
        ("docs/d.txt",), ("docs/b.txt",), ("docs/a.txt",), ("docs/c.txt",),
    )
    assert embedder.texts == ["每天报送。", "关于新事项的通知"] and report.embedded == 2
    assert report.embedded + report.reused == report.passages
    assert check(folder, HashEmbedder()) == []


def test_a_history_of_changes_ends_where_a_fresh_index_begins(tmp_path: Path) -> None:
    draw, docs = random.Random(3), tmp_path / "docs"
    docs.mkdir()
    for step in range(12):
        path = docs / f"{draw.randint(0, 7)}.txt"
        if path.exists() and draw.random() < 0.4:
            path.unlink()
        else:
            lines = [f"{draw.choice('一二三')}、{draw.choice(('值班', '消防', '采购'))}{draw.randint(0, 9)}" for _ in range(5)]
            write(path, f"通知{path.stem} {step}\n" + "\n".join(lines))
        index_of(tmp_path / "old" / "index", docs)
    index_of(tmp_path / "new" / "index", docs)
    old, new = Index.open(tmp_path / "old" / "index"), Index.open(tmp_path / "new" / "index")
    assert old.generation == new.generation and whole(old) == whole(new)
    for field, token in (("words", "值班"), ("bigrams", "消防")):
        assert old.lexical.search([token], 50, field)[1].tolist() == new.lexical.search([token], 50, field)[1].tolist()


def test_files_are_read_again_only_when_size_or_time_changed(
    docs: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag.index import scan

    read: list[str] = []
    digest_of = scan.digest_of
    monkeypatch.setattr(scan, "digest_of", lambda path: read.append(path.name) or digest_of(path))
    first = index_of(folder, docs)
    assert read == ["a.txt", "b.txt", "c.txt"]
    index_of(folder, docs)
    assert len(read) == 3
    os.utime(docs / "a.txt")
    assert index_of(folder, docs).generation == first.generation and read[3:] == ["a.txt"]
    text = (docs / "a.txt").read_text()
    stamp = (docs / "a.txt").stat().st_mtime_ns
    (docs / "a.txt").write_text(text.replace("报送", "上报"))  # as long, and within the clock's tick
    os.utime(docs / "a.txt", ns=(stamp, stamp))
    assert index_of(folder, docs).changed == ("docs/a.txt",)
    (folder / "seen").write_bytes(b"torn")
    assert index_of(folder, docs).unchanged == first.new


def test_failures_do_not_stop_the_others(docs: Path, folder: Path) -> None:
    index_of(folder, docs)
    write(docs / "a.txt", "BAD")
    write(docs / "e.txt", "BAD too")
    write(docs / "f.txt", "新的通知")
    report = index_of(folder, docs)
    assert [f.source for f in report.failed] == ["docs/a.txt", "docs/e.txt"] and "不是文本文件" in report.failed[0].reason
    assert report.new == ("docs/f.txt",) and sources(folder) == ["docs/b.txt", "docs/c.txt", "docs/f.txt"]
    again = index_of(folder, docs)
    assert again.failed == report.failed and again.generation == report.generation
    write(docs / "a.txt", "又好了的通知")
    assert index_of(folder, docs).new == ("docs/a.txt",)


def test_a_failure_may_heal_without_a_change_of_the_file(docs: Path, folder: Path) -> None:
    write(docs / "a.txt", "BAD")
    index_of(folder, docs)

    def milder(path: Path, source: str):
        return load(path if path.name != "a.txt" else docs / "b.txt", source) if path.name == "a.txt" else load(path, source)

    (docs / "b.txt").unlink()
    write(docs / "b.txt", "别的通知")
    report = refresh(folder, [docs], milder, cut, HashEmbedder())
    assert report.new == ("docs/a.txt",)


def test_passages_that_do_not_hold_are_refused(docs: Path, folder: Path) -> None:
    def wrong(document):
        passages = cut(document)
        return [replace(passages[0], text="改过的话"), *passages[1:]] if document.source.endswith("b.txt") else passages

    report = index_of(folder, docs, cut=wrong)
    assert [f.source for f in report.failed] == ["docs/b.txt"] and report.documents == 2


def test_two_files_must_not_yield_the_same_id(docs: Path, folder: Path) -> None:
    def same(path: Path, source: str):
        return [replace(document, id="same") for document in load(path, source)]

    report = refresh(folder, [docs], same, cut, HashEmbedder())
    assert report.documents == 1 and [f.source for f in report.failed] == ["docs/b.txt", "docs/c.txt"]


def test_a_file_may_hold_several_documents(docs: Path, folder: Path) -> None:
    def split(path: Path, source: str):
        (document,) = load(path, source)
        return [replace(document, id=f"{document.id}-{n}") for n in range(2)]

    report = refresh(folder, [docs], split, cut, HashEmbedder())
    assert report.documents == 6 and report.reused == 18 and check(folder, HashEmbedder()) == []
    assert sources(folder) == [s for s in ("docs/a.txt", "docs/b.txt", "docs/c.txt") for _ in range(2)]
    first = next(iter(Index.open(folder).metas))
    assert refresh(folder, [], split, cut, HashEmbedder(), remove=[first]).documents == 4, "a file goes as a whole"


def test_a_file_that_changes_while_it_is_read_waits_for_the_next_time(docs: Path, folder: Path) -> None:
    def moving(path: Path, source: str):
        documents = load(path, source)
        if path.name == "b.txt":
            write(path, "已经变了的通知")
        return documents

    report = refresh(folder, [docs], moving, cut, HashEmbedder())
    assert [f.source for f in report.failed] == ["docs/b.txt"] and "变动" in report.failed[0].reason
    assert index_of(folder, docs).new == ("docs/b.txt",)


def test_another_recipe_reads_again_and_another_model_embeds_again(docs: Path, folder: Path) -> None:
    index_of(folder, docs)

    def twice(document):
        return cut(document)[:2]

    assert index_of(folder, docs, cut=twice).passages == 18, "an unchanged file is not cut again"
    report = index_of(folder, docs, cut=twice, recipe="2")
    assert (report.passages, report.embedded, len(report.unchanged)) == (6, 0, 3)
    other = CountingEmbedder()
    other.digest = "other"
    report = index_of(folder, docs, cut=twice, recipe="2", embedder=other)
    assert report.embedded == 6 and Index.open(folder).embedder_digest == "other"
    assert len(check(folder, HashEmbedder())) == 1


def test_new_passages_are_embedded_in_bounded_batches(tmp_path: Path, folder: Path) -> None:
    write(tmp_path / "docs" / "long.txt", "\n".join(f"第{n}条要求" for n in range(700)))
    write(tmp_path / "docs" / "same.txt", "\n".join(["同一句话"] * 5000))
    embedder, seen = CountingEmbedder(), []
    report = index_of(folder, tmp_path / "docs", embedder=embedder, progress=seen.append)
    assert embedder.largest <= 128 and report.embedded == len(embedder.texts) and report.passages == 5700
    assert report.embedded + report.reused == 5700 and report.embedded < 710
    assert next(p.stage for p in seen) == "scan" and seen[-1].stage == "publish" and seen[-1].embedded == report.embedded
    assert any(p.stage == "build" and 0 < p.embedded < 700 for p in seen)


def test_everything_may_go(docs: Path, folder: Path) -> None:
    index_of(folder, docs)
    for path in docs.iterdir():
        path.unlink()
    report = index_of(folder, docs)
    assert (len(report.removed), report.documents, report.passages) == (3, 0, 0)
    index = Index.open(folder)
    assert len(index) == 0 and not index.metas and check(folder) == []
    assert len(index.vectors.search(np.ones(64, np.float32), 5)[0]) == len(index.lexical.search(["值班"], 5, "words")[0]) == 0


# ---------------------------------------------------------------- vectors

def test_exact_search_agrees_with_brute_force() -> None:
    draw = np.random.default_rng(0)
    for trial in range(60):
        count, k = int(draw.integers(0, 200)), int(draw.integers(0, 30))
        vectors = draw.integers(-2, 3, (count, 8)).astype(np.float32)  # small whole numbers: many exact ties
        store, brute = FaissStore(vectors), BruteStore(vectors)
        allowed = np.flatnonzero(draw.random(count) < 0.4) if trial % 2 else None
        query = draw.integers(-2, 3, 8).astype(np.float32)
        for found, wanted in zip(store.search(query, k, allowed), brute.search(query, k, allowed), strict=True):
            assert found.dtype == wanted.dtype and found.tolist() == wanted.tolist()
        rows = draw.integers(0, max(count, 1), 5 if count else 0)
        assert store.score(query, rows).tolist() == (vectors[rows] @ query).tolist()
