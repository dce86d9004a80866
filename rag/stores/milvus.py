"""Nearest passages with Milvus: one server that many Wenju processes share.

A collection holds one generation and never changes once it is whole. Its name ends in the generation's id, so whoever
searches names the generation whose row numbers it means. An alias names the generation that was published last.

    row              int64, the key: the passage's number in the generation
    document         int64: number of the document it belongs to, of which filters speak
    vector           float32 [dimension], compared by inner product
    words, bigrams   sparse: the share of each token in the passage's BM25 score (servers from 2.4 on)

Up to `EXACT` passages every vector is compared; beyond, an HNSW graph is searched.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rag.config import Settings
from rag.errors import EngineError
from rag.stores.milvus_client import WORK, Client

EXACT = 200_000
"""Passages up to which every vector is compared."""
FIELDS = ("words", "bigrams")
_BATCH = 500
_MOST = 16_384
"""Rows that the server gives out at once."""
_SPARSE_SINCE = (2, 4)
_IP = {"metric_type": "IP"}
_Ranking = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Rows:
    """Consecutive passages as a collection holds them.

    documents: int64 [n]. vectors: float32 [n, dimension]. sparse: for each of `FIELDS`, n mappings of `token_id` to
    weight; empty when the server knows no sparse vectors.
    """

    documents: np.ndarray
    vectors: np.ndarray
    sparse: Mapping[str, Sequence[Mapping[int, float]]]


class Milvus(Client):
    """A server, and the collections there whose names begin with `name`. Thread-safe.

    Every method raises EngineError when the server is away, slow or refuses.
    """

    def __init__(self, uri: str, name: str = "wenju", token: str = "") -> None:
        """token: "user:password" or a key; "" for a server that asks for none."""
        super().__init__(uri, token)
        self.name = name

    @classmethod
    def of(cls, settings: Settings) -> "Milvus":
        """The server of the settings, with the token of the environment."""
        return cls(settings.milvus_uri, settings.milvus_collection, os.environ.get("WENJU_MILVUS_TOKEN", ""))

    @property
    def sparse(self) -> bool:
        """Whether the server searches sparse vectors."""
        return self.version() >= _SPARSE_SINCE

    def ping(self, seconds: float) -> None:
        """Asks for a sign of life."""
        self.call("has_collection", self.name, seconds=seconds)

    # ------------------------------------------------------------ generations

    def collection(self, generation: str) -> str:
        """Name of the collection of a generation."""
        return f"{self.name}_{generation}"

    def fill(self, generation: str, dimension: int, total: int, made: Callable[[int, int], Rows]) -> None:
        """Puts a generation of `total` passages there. What an interrupted run has put there already stays.

        made: the rows from the first to before the second number.
        """
        name = self.collection(generation)
        if new := not self.call("has_collection", name):
            self._create(name, dimension, total)
        words = self._fitting(name, dimension)
        if not new and self._count(name) == total:
            return
        for start in range(0, total, _BATCH):
            stop = min(start + _BATCH, total)
            if new or self._count(name, f"row >= {start} and row < {stop}") < stop - start:
                self.call("upsert", name, _records(start, made(start, stop), words), seconds=WORK)
        if self._count(name) != total:
            raise EngineError(f"Milvus 没有收下全部 {total} 段。", "请再运行一次 wenju index。")

    def open(self, generation: str, dimension: int, starts: np.ndarray) -> "MilvusStore":
        """The store of a generation, once it is seen to be whole.

        starts: int64 [documents + 1], where each document's rows begin, and the number of passages.
        """
        name, total = self.collection(generation), int(starts[-1])
        if not self.call("has_collection", name):
            raise EngineError(f"Milvus 里没有版本 {generation}。", "请在保管索引的机器上运行 wenju index，它会补上。")
        words = self._fitting(name, dimension)
        if (found := self._count(name)) != total:
            raise EngineError(f"Milvus 里的版本 {generation} 只有 {found} 段，应有 {total} 段。", "请再运行一次 wenju index，它会补全。")
        return MilvusStore(self, name, starts, bool(words))

    def current(self) -> str:
        """The generation that the alias names, "" for none."""
        if not self.call("has_collection", self.name):
            return ""
        return str(self.call("describe_alias", self.name)["collection_name"]).removeprefix(f"{self.name}_")

    def point(self, generation: str) -> None:
        """Lets the alias name this generation from now on."""
        if current := self.current():
            if current != generation:
                self.call("alter_alias", self.collection(generation), self.name)
        else:
            self.call("create_alias", self.collection(generation), self.name)

    def drop(self, generation: str) -> None:
        """Removes a generation, if it is there."""
        if self.call("has_collection", self.collection(generation)):
            self.call("drop_collection", self.collection(generation), seconds=WORK)

    def vectors(self, generation: str, start: int, stop: int) -> np.ndarray:
        """Rows start…stop as they are stored there, float32 [n, dimension]; fewer when some are missing."""
        found = self.call("query", self.collection(generation), filter=f"row >= {start} and row < {stop}",
                          output_fields=["row", "vector"], consistency_level="Strong", seconds=WORK)
        rows = sorted(found, key=lambda item: item["row"])
        return np.array([item["vector"] for item in rows], np.float32)

    def _create(self, name: str, dimension: int, total: int) -> None:
        words = FIELDS if self.sparse else ()
        graph = ("FLAT", "IP", {}) if total <= EXACT else ("HNSW", "IP", {"M": 32, "efConstruction": 200})
        self.create(
            name,
            {"row": ("INT64", {"is_primary": True}), "document": ("INT64", {}), "vector": ("FLOAT_VECTOR", {"dim": dimension}),
             **{field: ("SPARSE_FLOAT_VECTOR", {}) for field in words}},
            {"vector": graph, **{field: ("SPARSE_INVERTED_INDEX", "IP", {}) for field in words}},
        )

    def _fitting(self, name: str, dimension: int) -> tuple[str, ...]:
        """Loads a collection; which of `FIELDS` it has: none, if the server was an older one when it was made.

        Raises EngineError unless it has the fields and the dimension of ours.
        """
        fields = {field["name"]: field for field in self.call("describe_collection", name)["fields"]}
        words = tuple(field for field in FIELDS if field in fields)
        if fields.keys() != {"row", "document", "vector", *words} or int(fields["vector"]["params"]["dim"]) != dimension:
            raise EngineError(f"Milvus 里的集合 {name} 与索引的字段或维数不符。", "它不是文据建的：请删去它，或换一个 milvus.collection。")
        self.call("load_collection", name, seconds=WORK)
        return words

    def _count(self, name: str, only: str = "") -> int:
        found = self.call("query", name, filter=only, output_fields=["count(*)"], consistency_level="Strong", seconds=WORK)
        return int(found[0]["count(*)"])


class MilvusStore:
    """One generation on a server. Searching is safe from several threads. sparse: whether `search_tokens` is there."""

    def __init__(self, milvus: Milvus, name: str, starts: np.ndarray, sparse: bool) -> None:
        self._milvus, self._name, self._starts, self.sparse = milvus, name, starts, sparse

    def __len__(self) -> int:
        return int(self._starts[-1])

    def search(self, vector: np.ndarray, k: int, allowed: np.ndarray | None = None) -> _Ranking:
        """See `VectorStore`. Equal scores by row."""
        params = {} if len(self) <= EXACT else {"ef": min(max(512, 8 * k), 32_768)}
        return self._ranked("vector", np.asarray(vector, np.float32).tolist(), k, allowed, params)

    def search_tokens(self, tokens: Mapping[str, float], k: int, field: str, allowed: np.ndarray | None = None) -> _Ranking:
        """Rows int64 [≤k] and BM25 scores float32 [≤k], best first, equal scores by row; only rows that have a token.

        tokens: how often each of them counts. field: one of `FIELDS`.
        """
        query = {token_id(token): float(times) for token, times in tokens.items()}
        return self._ranked(field, query, k, allowed, {}) if query else _NOTHING

    def _ranked(self, field: str, query: Any, k: int, allowed: np.ndarray | None, params: Mapping[str, Any]) -> _Ranking:
        found = min(len(self) if allowed is None else len(allowed), _MOST)
        k = min(k, found)
        if k < 1:
            return _NOTHING
        only, reach = self._filter(allowed), k
        while True:  # further while the cut falls among equal scores: the server does not say which of them it keeps
            reach = min(reach + 1, found)
            hits = self._milvus.call(
                "search", self._name, data=[query], anns_field=field, limit=reach, filter=only, output_fields=["row"],
                search_params=_IP | {"params": dict(params)}, consistency_level="Eventually",  # it does not change any more
            )[0]
            if len(hits) < reach or reach == found or hits[k - 1]["distance"] > hits[-1]["distance"]:
                break
            reach *= 4
        rows = np.array([hit["entity"]["row"] for hit in hits], np.int64)
        scores = np.array([hit["distance"] for hit in hits], np.float32)
        order = np.lexsort((rows, -scores))[:k]
        return rows[order], scores[order]

    def _filter(self, allowed: np.ndarray | None) -> str:
        """An expression that is true of these rows: by their documents, or by those left out, when they are whole ones."""
        if allowed is None or len(allowed) == len(self):
            return ""
        documents = np.unique(np.searchsorted(self._starts, allowed, side="right") - 1)
        if np.diff(self._starts)[documents].sum() != len(allowed):
            return f"row in {allowed.tolist()}"
        others = np.setdiff1d(np.arange(len(self._starts) - 1), documents)
        inside = len(documents) <= len(others)
        return f"document in {documents.tolist()}" if inside else f"document not in {others.tolist()}"


_NOTHING = np.empty(0, np.int64), np.empty(0, np.float32)
def token_id(token: str) -> int:
    """The dimension of a token in sparse vectors: 31 bits of its digest, the same in every process."""
    return int.from_bytes(hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big") >> 1


def _records(start: int, rows: Rows, words: Sequence[str]) -> list[dict[str, Any]]:
    """The rows in pymilvus's form. A sparse vector must not be empty: one without tokens gets a dimension nobody asks for."""
    return [
        {"row": start + n, "document": int(rows.documents[n]), "vector": rows.vectors[n].tolist(),
         **{field: dict(rows.sparse[field][n]) or {_NOBODYS: 1.0} for field in words}}
        for n in range(len(rows.vectors))
    ]


_NOBODYS = 2**31
"""Beyond every `token_id`."""
