"""What every vector store must do, whichever it is: one suite, inherited by each; the measure is to compare with every row."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from fakes import BruteStore

from rag.protocols import VectorStore
from rag.stores.faiss import FaissStore, encoded
from rag.stores.milvus import Milvus, Rows

ROWS, DIMENSION = 700, 32
STARTS = np.array([0, 0, 3, 40, 41, 200, 200, 520, 699, 700])
"""Nine documents, two of them without passages."""
_number = itertools.count()
Maker = Callable[[np.ndarray, np.ndarray], VectorStore]


def vectors() -> np.ndarray:
    """Unit vectors; every row from 500 on is one of the first 20 again, so that many scores are equal."""
    drawn = np.random.default_rng(5).standard_normal((ROWS, DIMENSION)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    drawn[500:] = drawn[np.arange(ROWS - 500) % 20]
    return drawn


def on(milvus: Milvus, rows: np.ndarray, starts: np.ndarray) -> VectorStore:
    """A generation of these rows on a server."""
    owners, id = np.repeat(np.arange(len(starts) - 1), np.diff(starts)), f"contract{next(_number)}"
    sparse = {field: [{}] * len(rows) for field in ("words", "bigrams") if milvus.sparse}
    milvus.fill(id, rows.shape[1], len(rows), lambda a, b: Rows(owners[a:b], rows[a:b], {f: s[a:b] for f, s in sparse.items()}))
    return milvus.open(id, rows.shape[1], starts)


class Contract:
    """Inherited with a fixture `maker`: makes a store of vectors, of documents that begin at given rows."""

    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, maker: Maker) -> VectorStore:
        return maker(vectors(), STARTS)

    @pytest.fixture(scope="class")
    @classmethod
    def brute(cls) -> BruteStore:
        return BruteStore(vectors())

    @pytest.mark.parametrize("k", [1, 10, 60, 699, 700, 5000])
    def test_finds_the_nearest_best_first(self, store: VectorStore, brute: BruteStore, k: int) -> None:
        for row in (0, 7, 333):
            rows, scores = store.search(brute.vectors[row], k)
            wanted, exact = brute.search(brute.vectors[row], k)
            assert rows.dtype == np.int64 and scores.dtype == np.float32 and len(rows) == min(k, ROWS)
            assert np.allclose(scores, exact, atol=1e-5) and (np.diff(scores) <= 0).all()
            assert np.allclose(brute.vectors[rows] @ brute.vectors[row], exact, atol=1e-5)  # the same but for ties of rounding
            assert len(set(rows.tolist())) == len(rows) and set(rows[:5]) == set(wanted[:5])

    def test_equal_scores_come_by_row_and_the_lower_rows_are_kept(self, store: VectorStore, brute: BruteStore) -> None:
        same = [3, *range(503, ROWS, 20)]
        for k in (2, 5, len(same)):
            assert store.search(brute.vectors[3], k)[0].tolist() == same[:k]

    @pytest.mark.parametrize("documents", [(2,), (3,), (0, 1), (2, 4, 8), (0, 1, 2, 3, 4, 5, 6, 7), (7, 8), ()])
    def test_finds_only_in_the_allowed_documents(self, store: VectorStore, brute: BruteStore, documents: tuple[int, ...]) -> None:
        allowed = np.concatenate([np.empty(0, np.int64), *(np.arange(STARTS[d], STARTS[d + 1]) for d in documents)])
        rows, scores = store.search(brute.vectors[11], 60, allowed)
        wanted, exact = brute.search(brute.vectors[11], 60, allowed)
        assert len(rows) == len(wanted) and set(rows.tolist()) <= set(allowed.tolist())
        assert np.allclose(scores, exact, atol=1e-5)

    def test_allowed_rows_need_not_be_whole_documents(self, store: VectorStore, brute: BruteStore) -> None:
        allowed = np.array([1, 2, 39, 40, 150, 503, 523, 699])
        rows, _ = store.search(brute.vectors[3], 3, allowed)
        assert rows[:2].tolist() == [503, 523] and set(rows.tolist()) <= set(allowed.tolist())
        assert len(store.search(brute.vectors[3], 100, allowed)[0]) == len(allowed)

    def test_everything_allowed_is_no_filter(self, store: VectorStore, brute: BruteStore) -> None:
        with_all = store.search(brute.vectors[20], 30, np.arange(ROWS))
        assert [x.tolist() for x in with_all] == [x.tolist() for x in store.search(brute.vectors[20], 30)]

    def test_an_empty_store_finds_nothing(self, maker: Maker) -> None:
        empty = maker(np.empty((0, DIMENSION), np.float32), np.array([0, 0]))
        for allowed in (None, np.empty(0, np.int64)):
            rows, scores = empty.search(np.ones(DIMENSION, np.float32), 5, allowed)
            assert (rows.dtype, scores.dtype, len(rows), len(scores)) == (np.int64, np.float32, 0, 0)

    def test_asking_for_nothing_gives_nothing(self, store: VectorStore, brute: BruteStore) -> None:
        assert len(store.search(brute.vectors[0], 0)[0]) == 0


class TestBrute(Contract):
    @pytest.fixture(scope="class")
    @classmethod
    def maker(cls) -> Maker:
        return lambda rows, starts: BruteStore(rows)


class TestFaiss(Contract):
    @pytest.fixture(scope="class")
    @classmethod
    def maker(cls) -> Maker:
        return lambda rows, starts: FaissStore(rows)


class TestFaissThroughCodes(Contract):
    @pytest.fixture(scope="class")
    @classmethod
    def maker(cls) -> Maker:
        return lambda rows, starts: FaissStore(rows, encoded(rows) if len(rows) else None, exact=0)


class TestMilvusLite(Contract):
    @pytest.fixture(scope="class")
    @classmethod
    def maker(cls, tmp_path_factory: pytest.TempPathFactory) -> Maker:
        milvus = Milvus(str(tmp_path_factory.mktemp("lite") / "milvus.db"))
        return lambda rows, starts: on(milvus, rows, starts)


class TestMilvusServer(Contract):
    @pytest.fixture(scope="class")
    @classmethod
    def maker(cls, milvus_address: str) -> Maker:
        return lambda rows, starts: on(Milvus(milvus_address, "contract"), rows, starts)
