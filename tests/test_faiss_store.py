"""Searching many rows through codes: what is found, in what order, with which scores; and which files are taken for codes."""

import json
from pathlib import Path

import faiss
import numpy as np
import pytest
from fakes import BruteStore
from index_fakes import forge, generations, index_of, notices, whole, write

from rag.errors import IndexDamaged
from rag.index import Index, check
from rag.stores import faiss as store
from rag.stores.faiss import FaissStore, encoded


def cloud(count: int, dimension: int = 384, seed: int = 0) -> np.ndarray:
    """Unit rows in a few hundred heaps, spread in fewer directions than there are and all leaning one way, as those of a
    language model are."""
    fixed, draw = np.random.default_rng(9), np.random.default_rng(seed)
    middles, ways = fixed.standard_normal((300, dimension)), fixed.standard_normal((40, dimension))
    rows = middles[draw.integers(0, 300, count)] + 0.2 * draw.standard_normal((count, 40)) @ ways + 1.0
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


ROWS = cloud(12_000)
ASKED = cloud(60, seed=1)


@pytest.fixture(scope="module")
def coded() -> FaissStore:
    return FaissStore(ROWS, encoded(ROWS), exact=500)


def recall(found: FaissStore, k: int, allowed: np.ndarray | None = None) -> float:
    """Share of the k nearest that are found; what is found is allowed, in order, and has the exact score."""
    brute, hit = BruteStore(ROWS), 0
    for query in ASKED:
        rows, scores = found.search(query, k, allowed)
        assert rows.dtype == np.int64 and scores.dtype == np.float32 and len(set(rows.tolist())) == len(rows) == k
        assert allowed is None or np.isin(rows, allowed).all()
        assert np.allclose(scores, ROWS[rows] @ query, atol=1e-6) and (np.diff(scores) <= 0).all()
        assert scores.tolist() == found.score(query, rows).tolist()
        hit += len(np.intersect1d(rows, brute.search(query, k, allowed)[0]))
    return hit / (k * len(ASKED))


def test_codes_lead_to_the_nearest(coded: FaissStore) -> None:
    assert coded._near(ASKED[0], 10, None, len(ROWS)) is not None, "else everything is compared and nothing is tried"
    assert recall(coded, 10) >= 0.99 and recall(coded, 60) >= 0.98


@pytest.mark.parametrize("share", [0.0005, 0.01, 0.05, 0.3, 0.9])
def test_a_filter_is_inside_the_search(coded: FaissStore, share: float) -> None:
    allowed = np.flatnonzero(np.random.default_rng(2).random(len(ROWS)) < share)
    k = min(10, len(allowed))
    assert recall(coded, k, allowed) == 1 if len(allowed) <= len(ROWS) // 8 else recall(coded, k, allowed) >= 0.99


def test_a_filter_that_keeps_only_what_is_far_away(coded: FaissStore) -> None:
    brute = BruteStore(ROWS)
    for query in ASKED[:10]:
        allowed = np.sort(np.argsort(ROWS @ query)[: len(ROWS) // 2])
        rows, scores = coded.search(query, 10, allowed)
        wanted = brute.search(query, 10, allowed)
        assert rows.tolist() == wanted[0].tolist() and np.allclose(scores, wanted[1], atol=1e-6)


def test_of_equal_rows_the_lower_ones_are_found(coded: FaissStore) -> None:
    """Thousands of documents end with the same sentence: more of them than candidates are looked at."""
    rows = ROWS.copy()
    same = np.sort(np.random.default_rng(3).choice(len(rows), 3_000, replace=False))
    rows[same] = ASKED[0]
    found = FaissStore(rows, encoded(rows), exact=500)
    assert found.search(ASKED[0], 10)[0].tolist() == same[:10].tolist()
    allowed = np.setdiff1d(np.arange(len(rows)), same[:5])
    assert found.search(ASKED[0], 10, allowed)[0].tolist() == same[5:15].tolist()


def test_few_rows_are_compared_even_when_there_are_codes() -> None:
    assert recall(FaissStore(ROWS, encoded(ROWS), exact=len(ROWS)), 60) == 1


def test_equal_rows_have_equal_codes() -> None:
    assert np.array_equal(encoded(ROWS), encoded(ROWS.copy()))
    grown = np.concatenate([ROWS[:5_000], ROWS[7_000:]])  # a document withdrawn: no trace of it is left
    assert np.array_equal(encoded(np.delete(ROWS, range(5_000, 7_000), axis=0)), encoded(grown))


def test_rows_that_are_not_there_are_not_read(coded: FaissStore) -> None:
    for rows in ([len(ROWS)], [-1], [0, 2**62]):
        with pytest.raises(IndexError):
            coded.score(ASKED[0], np.array(rows))


def foreign(kind: str) -> bytes:
    """Something else that FAISS can read."""
    rows = ROWS[:2_000]
    index = faiss.index_factory(384, kind, faiss.METRIC_INNER_PRODUCT)
    index.train(rows)
    index.add(rows)
    return faiss.serialize_index(index).tobytes()


@pytest.mark.parametrize("planted", [
    *("Flat", "HNSW8", "IVF16,Flat", "SQ8", "RaBitQ", "PQ48x4fs"), "pickle", "empty", "fewer", "wider", "grown", "cut",
])
def test_no_other_file_is_taken_for_codes(planted: str) -> None:
    rows = ROWS[:2_000]
    own = encoded(rows).tobytes()
    data = {
        "pickle": b"cos\nsystem\n(S'id'\ntR.", "empty": b"", "fewer": encoded(rows[:1_900]).tobytes(), "cut": own[:-40],
        "wider": encoded(cloud(2_000, 392)).tobytes(), "grown": own[:8] + (1 << 40).to_bytes(8, "little") + own[16:],
    }.get(planted) or (b"" if planted == "empty" else foreign(planted))
    with pytest.raises(IndexDamaged, match="向量编码"):
        FaissStore(rows, np.frombuffer(data, np.uint8))
    FaissStore(rows, np.frombuffer(own, np.uint8))


# ---------------------------------------------------------------- in an index

@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Three notices of six passages each."""
    return notices(tmp_path / "docs")


def listed(folder: Path) -> set[str]:
    return set(json.loads((generations(folder)[-1] / "manifest.json").read_bytes())["files"])


def test_size_alone_decides_whether_there_are_codes(docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "home" / "index"
    monkeypatch.setattr(store, "EXACT", 18)
    index_of(folder, docs)
    assert "vectors.codes" not in listed(folder)
    write(docs / "d.txt", "第四份通知")
    index_of(folder, docs)
    assert "vectors.codes" in listed(folder) and check(folder) == []
    (docs / "d.txt").unlink()
    index_of(folder, docs)
    assert "vectors.codes" not in listed(folder) and check(folder) == []


def test_an_index_brought_up_to_date_is_the_one_built_anew(
    docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "EXACT", 4)
    folder = tmp_path / "home" / "index"
    index_of(folder, docs)
    write(docs / "0.txt", "放在最前面的通知\n一、要求\n逐户核对。")
    (docs / "b.txt").unlink()
    grown = index_of(folder, docs)
    assert grown.reused == 12 and "vectors.codes" in listed(folder)
    anew = index_of(tmp_path / "home" / "other" / ".." / "anew", docs)
    assert anew.generation == grown.generation and anew.reused == 0


def test_vectors_of_an_earlier_generation_are_read_and_written_anew(docs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "index"
    index_of(folder, docs)
    now = Index.open(folder)
    rows = now.vectors.vectors(0, 18).copy()
    index = faiss.IndexFlatIP(64)
    index.add(rows)
    own = faiss.serialize_index(index).tobytes()

    def earlier(data: bytes) -> None:
        files = json.loads((generations(folder)[-1] / "manifest.json").read_bytes())["files"]
        for name in (new := {"vectors.float32", "wholes.txt", "wholes.offsets"}):
            (generations(folder)[-1] / name).unlink(missing_ok=True)
        forge(folder, {"vectors.faiss": data}, files={name: file for name, file in files.items() if name not in new})

    expected = whole(now)
    earlier(own)
    assert whole(Index.open(folder)) == expected and check(folder) == []
    write(docs / "d.txt", "第四份通知")
    report = index_of(folder, docs)
    assert (report.reused, report.embedded) == (18, 1) and "vectors.float32" in listed(folder)
    assert np.array_equal(Index.open(folder).vectors.vectors(0, 18), rows)
    for data in (own[:-4], own[:20], b"IxF2" + own[4:], own[:8] + b"\xff" * 8 + own[16:], b""):
        earlier(data)
        assert any("内容读不出来" in problem for problem in check(folder))
