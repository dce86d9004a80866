"""The part of an index that lives in Milvus: a copy of each generation's vectors and words, which the server searches.

The generation on disk stays the whole truth, the same whichever store is set: documents, passages, digests, vectors. What
the server holds is made from it and can be made again. Order of a publication: the collection is filled → CURRENT names
the generation → the alias does → collections of generations that are gone are dropped. Whenever the writer dies, CURRENT
and the alias name whole collections; the next writer goes on filling where it stopped, or drops what nobody names.

`collections` in the index's folder lists the generations whose collections this index has made, each written down before
its collection comes to be: nothing else is ever dropped.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

from rag.errors import EngineError
from rag.files import DISK, Disk, read_small, replace_file
from rag.index import entries
from rag.index.generation import Index
from rag.index.parts import Filling
from rag.lexical import LexicalIndex
from rag.protocols import Embedder
from rag.stores.faiss import FaissStore
from rag.stores.milvus import FIELDS, Milvus, MilvusStore, Rows, token_id
from rag.stores.milvus_parts import Parts

_K1, _B = 1.2, 0.75
_RECORD = "collections"
_SAMPLE, _DEPTH, _BLOCK = 32, 10, 1000


class Engine:
    """An index and the server that searches it. Methods raise EngineError when the server does not do its part."""

    def __init__(self, milvus: Milvus, folder: Path, disk: Disk = DISK) -> None:
        """folder: of the index."""
        self.milvus, self._record, self._disk = milvus, folder / _RECORD, disk

    def attach(self, index: Index) -> Index:
        """The same index, searched by the server from now on: passages by vector and, where it knows how, by words."""
        store = self.milvus.open(index.generation, index.dimension, _starts(index))
        index.vectors = SearchedVectors(index.vectors, store)
        if store.sparse:
            index.lexical = SearchedLexical(index.lexical, store)
        return index

    def fill(self, index: Index) -> None:
        """Puts a generation on the server; quick when it is there already."""
        made = self._made()
        if index.generation not in made:
            self._keep([*made, index.generation])
        owners = np.repeat(np.arange(len(index.metas)), np.diff(_starts(index)))

        @cache  # all terms are read for it, so not when there is nothing to do
        def weights() -> Mapping[str, Callable[[int], Mapping[int, float]]]:
            return {field: _weights(index.lexical, field) for field in FIELDS if self.milvus.sparse}

        def rows(start: int, stop: int) -> Rows:
            sparse = {field: [of(row) for row in range(start, stop)] for field, of in weights().items()}
            return Rows(owners[start:stop], index.vectors.vectors(start, stop), sparse)

        self.milvus.fill(index.generation, index.dimension, len(index), rows)

    def settle(self, current: str, keep: Collection[str]) -> None:
        """After CURRENT names it: the alias does too, and the collections of generations not to be kept are dropped."""
        made = self._made()
        kept = [generation for generation in made if generation in (current, *keep)]
        try:
            self.milvus.point(current)
            for generation in set(made).difference(kept):
                self.milvus.drop(generation)
        except EngineError as error:
            raise EngineError(f"新版本已经启用，但旧版本在 Milvus 里没有清理完：{error.message}", "请再运行一次 wenju index。") from error
        if kept != made:
            self._keep(kept)

    def problems(self, index: Index) -> Iterator[str]:
        """How what the server holds differs from the generation on disk: rows, vectors, hits, alias."""
        starts = _starts(index)
        try:
            store = self.milvus.open(index.generation, index.dimension, starts)
            for start in range(0, len(index), _BLOCK):
                wanted = index.vectors.vectors(start, min(start + _BLOCK, len(index)))
                if not np.array_equal(self.milvus.vectors(index.generation, start, start + len(wanted)), wanted):
                    yield f"Milvus 里第 {start}–{start + len(wanted) - 1} 段的向量与索引不同。"
            sample = sorted({int(row) for row in np.linspace(0, len(index) - 1, min(_SAMPLE, len(index)))})
            shares = [_shared(index.vectors, store, row) for row in sample]
            if shares and (share := sum(shares) / len(shares)) < 0.99:
                yield f"Milvus 找到的段落只有 {share:.1%} 与逐一比较的相同。"
            if (current := self.milvus.current()) != index.generation:
                yield f"Milvus 的别名 {self.milvus.name} 指着{'版本 ' + current if current else '空处'}，不是 {index.generation}。请运行 wenju index。"
        except EngineError as error:
            yield str(error)

    def filling(self, embedder: Embedder) -> Filling:
        """Where parts of an index leave their embeddings of this model."""
        return Filling(self._parts(embedder), embedder)

    def filled(self, embedder: Embedder) -> Filling | None:
        """What parts have left there, if anything."""
        return self.filling(embedder) if self._parts(embedder).there() else None

    def _parts(self, embedder: Embedder) -> Parts:
        return Parts(self.milvus, f"{self.milvus.name}_parts_{embedder.digest[:16]}")

    def _made(self) -> list[str]:
        with suppress(OSError, ValueError):
            made = entries.parse(read_small(self._record, 1 << 20))
            return [generation for generation in made if isinstance(generation, str)] if isinstance(made, list) else []
        return []

    def _keep(self, generations: Sequence[str]) -> None:
        replace_file(self._record, entries.dump(list(generations)), self._disk)


class SearchedVectors:
    """The vectors of a generation, searched by a server; single ones are read from disk."""

    def __init__(self, stored: FaissStore, store: MilvusStore) -> None:
        self._stored, self.search = stored, store.search

    def __getattr__(self, name: str):
        return getattr(self._stored, name)


class SearchedLexical:
    """The lexical index of a generation, whose passages a server ranks; terms and frequencies are read from disk."""

    def __init__(self, stored: LexicalIndex, store: MilvusStore) -> None:
        self._stored, self._store = stored, store

    def __len__(self) -> int:
        return len(self._stored)

    def __getattr__(self, name: str):
        return getattr(self._stored, name)

    def search(
        self, tokens: Sequence[str], k: int, field: str, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `LexicalIndex.search`."""
        return self._store.search_tokens(Counter(tokens), k, field, allowed)


def _starts(index: Index) -> np.ndarray:
    """Where each document's rows begin, and the number of rows: int64 [documents + 1]."""
    return np.array([*(entry.rows.start for entry in index.metas.values()), len(index)], np.int64)


def _shared(exact: FaissStore, store: MilvusStore, row: int) -> float:
    """The share of a passage's nearest ones that the server finds too; equally near ones count as the same."""
    vector = exact.vectors(row, row + 1)[0]
    wanted = exact.search(vector, _DEPTH)[1]
    found = exact.score(vector, store.search(vector, _DEPTH)[0])
    return float((found >= wanted[-1] - 1e-5).sum() / max(len(wanted), 1))


# ---------------------------------------------------------------- BM25 as an inner product

def _weights(lexical: LexicalIndex, field: str) -> Callable[[int], Mapping[int, float]]:
    """For a row, the share of each of its tokens in the row's BM25 score, by `token_id`.

    Summed over the tokens of a question this is `LexicalIndex.search`'s score: same formula, same rounded lengths.
    """
    total = len(lexical)
    mean = sum(len(lexical.terms(row)[field].split()) for row in range(total)) / max(total, 1)
    known = cache(token_id)

    @cache
    def idf(token: str) -> float:
        n = lexical.document_frequency(field, token)
        return math.log1p((total - n + 0.5) / (n + 0.5))

    def of(row: int) -> Mapping[int, float]:
        tokens = Counter(lexical.terms(row)[field].split())
        norm = _K1 * (1 - _B + _B * _rounded(tokens.total()) / (mean or 1.0))
        out: dict[int, float] = {}
        for token, times in tokens.items():
            weight = idf(token) * times * (_K1 + 1) / (times + norm)
            out[known(token)] = out.get(known(token), 0.0) + weight
        return out

    return of


def _rounded(length: int) -> int:
    """A length as the lexical index keeps it in one byte: exact below 40, then to four significant binary digits."""
    over = length - 24
    shift = max(over.bit_length() - 4, 0) if over > 0 else 0
    return 24 + (over >> shift << shift) if over > 0 else length
