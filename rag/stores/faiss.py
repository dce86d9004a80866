"""Exact nearest passages with FAISS: `IndexFlatIP` over unit vectors, so inner product is cosine."""

import threading
from collections.abc import Callable

import numpy as np

from rag.errors import IndexDamaged

_PARSING = threading.Lock()


class FaissStore:
    """Vectors float32 [n, dimension] in rows 0…n-1. Searching is safe from several threads; adding is not."""

    def __init__(self, dimension: int) -> None:
        import faiss

        self._index = faiss.IndexFlatIP(dimension)

    @classmethod
    def parse(cls, data: bytes, dimension: int, rows: int) -> "FaissStore":
        """The store in `data`, whose digest the caller has checked already.

        FAISS's own limit on what a file may make it allocate is set to the size of the data.
        Raises IndexDamaged unless it is a flat inner-product index of exactly these dimensions.
        """
        import faiss

        if data[:4] != b"IxFI":  # no other kind is ever handed to FAISS's parser
            raise IndexDamaged("向量文件的种类不对。", "请运行 wenju check。")
        with _PARSING:  # the limit is one global of the library
            before = faiss.get_deserialization_vector_byte_limit()
            faiss.set_deserialization_vector_byte_limit(len(data))
            try:
                index = faiss.deserialize_index(np.frombuffer(data, np.uint8))
            except RuntimeError as error:
                raise IndexDamaged("向量文件无法解析。", "请运行 wenju check。") from error
            finally:
                faiss.set_deserialization_vector_byte_limit(before)
        if type(index) is not faiss.IndexFlatIP or (index.d, index.ntotal) != (dimension, rows):
            raise IndexDamaged("向量文件的种类、维数或行数与清单不符。", "请运行 wenju check。")
        store = cls.__new__(cls)
        store._index = index
        return store

    def write(self, write: Callable[[bytes], int]) -> None:
        """Hands the store to `write` piece by piece, in FAISS's own format."""
        import faiss

        writer = faiss.PyCallbackIOWriter(write)
        faiss.write_index(self._index, writer)

    def __len__(self) -> int:
        return self._index.ntotal

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._index.d

    def add(self, vectors: np.ndarray) -> None:
        """Appends float32 [n, dimension] unit vectors."""
        self._index.add(np.ascontiguousarray(vectors, np.float32))

    def vectors(self, start: int, end: int) -> np.ndarray:
        """Rows start…end as they were added, float32 [end - start, dimension]."""
        if end <= start:
            return np.empty((0, self.dimension), np.float32)
        return self._index.reconstruct_n(start, end - start)

    def score(self, vector: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Inner products float32 [n] of these rows, int64 [n], in their order."""
        if not len(rows):
            return np.empty(0, np.float32)
        return self._index.reconstruct_batch(np.ascontiguousarray(rows, np.int64)) @ np.asarray(vector, np.float32)

    def best(self, vectors: np.ndarray) -> np.ndarray:
        """For each of float32 [m, dimension] the largest inner product with any row, float32 [m]."""
        return self._index.search(np.ascontiguousarray(vectors, np.float32), 1)[0][:, 0]

    def search(self, vector: np.ndarray, k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows int64 [≤k] and inner products float32 [≤k], best first, equal scores by row; see `VectorStore`."""
        import faiss

        found = len(self) if allowed is None else len(allowed)
        k = min(k, found)
        if k < 1:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        selector = None
        if allowed is not None:
            bits = np.zeros(len(self), bool)
            bits[allowed] = True
            selector = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little")))
        query = np.ascontiguousarray(vector, np.float32).reshape(1, -1)
        reach = k
        while True:  # further while the cut falls among equal scores: FAISS does not say which of them it keeps
            reach = min(reach + 1, found)
            scores, rows = self._index.search(query, reach, params=selector)
            if reach == found or scores[0, k - 1] > scores[0, -1]:
                break
            reach *= 4
        order = np.lexsort((rows[0], -scores[0]))[:k]
        return rows[0][order].astype(np.int64), scores[0][order].astype(np.float32)
