"""Nearest passages with FAISS over memory-mapped unit vectors, so that inner product is cosine.

Few rows are compared one by one. For many there is a code of one bit a dimension beside each vector (RaBitQ: Gao & Long,
"RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for Approximate Nearest Neighbor Search", 2024).
All codes are scanned, 32 at a time in the processor's registers, and the best of them are scored from the vectors
themselves: what is found has exact scores, and what is missed is measured in eval/benchmarks/scale.md.

A code depends on its vector and on the mean of all vectors, on nothing learnt or drawn: equal rows give equal bytes,
whatever was added or withdrawn before, and coding a million rows anew takes three seconds. Inverted lists and graphs were
tried: of the neighbours of real questions, lists that hold a sixteenth of the rows have 92 %, and a graph is neither
equal from build to build nor does it forget a withdrawn row.
"""

import threading

import numpy as np

from rag.errors import IndexDamaged

EXACT = 20_000
"""Up to so many rows are compared one by one: 2 ms, a tenth of what embedding the question takes; codes take 0.5 ms."""
_SHARE = 8
"""Nor is it worth scanning the codes when only one row in so many may be found: a product costs as much as ten codes, and
so many more candidates have to be kept."""
REACH = 800
"""So many rows are scored for what their codes promise: 0.1 ms. Of the ten nearest among a million, 99.7 % are there."""
_SAMPLE, _BLOCK = 1 << 16, 1 << 16
_PARSING = threading.Lock()


def worth_coding(rows: int) -> bool:
    """Whether so many rows are better searched through codes."""
    return rows > EXACT


def encoded(vectors: np.ndarray) -> np.ndarray:
    """The codes of float32 [n, dimension] as FAISS writes them, uint8 [bytes]; a function of the vectors alone."""
    import faiss

    index = faiss.IndexRaBitQFastScan(vectors.shape[1], faiss.METRIC_INNER_PRODUCT)
    index.train(np.ascontiguousarray(vectors[:: len(vectors) // _SAMPLE + 1]))  # takes the mean, nothing else
    for start in range(0, len(vectors), _BLOCK):
        index.add(vectors[start : start + _BLOCK])
    return faiss.serialize_index(index)


class FaissStore:
    """Rows 0…n-1. Safe to use from several threads."""

    def __init__(self, vectors: np.ndarray, codes: np.ndarray | None = None, exact: int | None = None) -> None:
        """vectors: float32 [n, dimension], unit rows, perhaps of a file; not copied. codes: what `encoded` gave for them,
        its digest checked by the caller; None: every row is compared. exact: up to how many rows are, in any
        case; None: `EXACT`.

        Raises IndexDamaged for codes of another kind, dimension or number.
        """
        self._vectors, self._exact = np.ascontiguousarray(vectors, np.float32), EXACT if exact is None else exact
        self._codes = None if codes is None else _parsed(codes, self._vectors.shape)

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._vectors.shape[1]

    def vectors(self, start: int, end: int) -> np.ndarray:
        """Rows start…end as they were given, float32 [end - start, dimension]; not a copy."""
        return self._vectors[start : max(start, end)]

    def score(self, vector: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Inner products float32 [n] of these rows, int64 [n], in their order; a row's is the same in any company.

        Raises IndexError.
        """
        import faiss

        rows = np.ascontiguousarray(rows, np.int64)
        out = np.empty(len(rows), np.float32)
        if len(rows):
            if rows.min() < 0 or rows.max() >= len(self):  # FAISS reads wherever it is told to
                raise IndexError("no such row")
            query = np.ascontiguousarray(vector, np.float32)
            pointers = [faiss.swig_ptr(array) for array in (out, query, self._vectors, rows)]
            faiss.fvec_inner_products_by_idx(*pointers, self.dimension, 1, len(rows))
        return out

    def best(self, vectors: np.ndarray) -> np.ndarray:
        """For each of float32 [m, dimension] the largest inner product that `search` finds, float32 [m]."""
        import faiss

        if self._codes is None:
            return faiss.knn(vectors, self._vectors, 1, faiss.METRIC_INNER_PRODUCT)[0][:, 0]
        return np.array([self.search(vector, 1)[1][0] for vector in vectors], np.float32)

    def search(self, vector: np.ndarray, k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows int64 [≤k] and inner products float32 [≤k], best first, equal scores by row; see `VectorStore`.

        Exact when so few rows may be found that all of them are compared.
        """
        found = len(self) if allowed is None else len(allowed)
        k = min(k, found)
        if k < 1:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        query = np.ascontiguousarray(vector, np.float32)
        if self._codes is not None and found > max(self._exact, len(self) // _SHARE):
            near = self._near(query, k, allowed, found)
            if near is not None:
                return near
        rows = np.arange(len(self)) if allowed is None else np.asarray(allowed, np.int64)
        return _best(rows, self.score(query, rows), k)

    def _near(self, query: np.ndarray, k: int, allowed: np.ndarray | None, found: int) -> tuple[np.ndarray, np.ndarray] | None:
        """What the codes lead to; None when it would take as long to compare all that may be found."""
        assert self._codes is not None
        inside = None
        if allowed is not None:
            inside = np.zeros(len(self), bool)
            inside[allowed] = True
        wanted = max(REACH, 20 * k)
        reach = wanted * len(self) // found
        while reach < len(self) // 2:
            estimates, rows = (array[0] for array in self._codes.search(query.reshape(1, -1), reach))
            last = estimates[-1]
            if inside is not None:
                kept = inside[rows]
                estimates, rows = estimates[kept], rows[kept]
            if 2 * len(rows) >= wanted:
                best, scores = _best(rows, self.score(query, rows), k)
                # equal rows have equal codes: while the cut falls among those of a hit, others like it may lie beyond
                if not (estimates[np.isin(rows, best)] == last).any():
                    return best, scores
            reach *= 4
        return None


def _best(rows: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best of these rows, int64 and float32, equal scores by row."""
    if k < len(rows):
        kept = scores >= np.partition(scores, -k)[-k]
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))[:k]
    return rows[order].astype(np.int64), scores[order]


def _parsed(codes: np.ndarray, shape: tuple[int, int]):
    """FAISS's index of the codes of vectors of this shape.

    FAISS's own limit on what a file may make it allocate is set to the size of the data.
    """
    import faiss

    if codes[:4].tobytes() != b"Irfn":  # no other kind is ever handed to FAISS's parser
        raise IndexDamaged("向量编码的种类不对。", "请运行 wenju check。")
    with _PARSING:  # the limit is one global of the library
        before = faiss.get_deserialization_vector_byte_limit()
        faiss.set_deserialization_vector_byte_limit(len(codes))
        try:
            index = faiss.deserialize_index(codes)
        except RuntimeError as error:
            raise IndexDamaged("向量编码无法解析。", "请运行 wenju check。") from error
        finally:
            faiss.set_deserialization_vector_byte_limit(before)
    whole = -(-shape[0] // 32) * 32 * index.code_size  # FAISS scans as many blocks of 32 as there are rows
    if type(index) is not faiss.IndexRaBitQFastScan or (index.ntotal, index.d) != shape or index.codes.size() != whole:
        raise IndexDamaged("向量编码的种类、维数或行数与清单不符。", "请运行 wenju check。")
    return index
