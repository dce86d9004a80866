"""`python -m eval.benchmarks.milvus HOME URI`: what Milvus finds and how long it takes, beside the same index searched here.

The index in HOME is put on the server under a name of its own, and taken away again. Questions are made of the titles and
headings of its documents. For each, the 60 nearest passages are asked for: among all, among those of one document in a
hundred, of every second document. Recall is the share of the ten nearest, found by comparing with every vector, that are
among the first ten. One line of JSON for each, times in milliseconds.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rag.candidates import POOL
from rag.config import load_settings
from rag.embedding import SentenceEmbedder
from rag.index import Engine, Index
from rag.protocols import Embedder, VectorStore
from rag.stores.milvus import Milvus

_DEPTH, _BLOCK = 10, 50_000
_NAME = "wenju_benchmark"


def questions(index: Index, many: int) -> list[str]:
    """Of documents spread over the index."""
    ids = list(index.metas)
    chosen = [ids[int(n)] for n in np.linspace(0, len(ids) - 1, min(many, len(ids)))]
    first = [index.passage(index.metas[id].rows[len(index.metas[id].rows) // 2]) for id in chosen if index.metas[id].rows]
    return [f"{index.metas[p.document_id].meta.title or ''}{' '.join(p.section_path[-1:])}有什么规定？" for p in first]


def nearest(index: Index, vectors: np.ndarray, allowed: np.ndarray | None) -> np.ndarray:
    """The inner product of the tenth nearest for each question, float32 [questions], every row compared."""
    best = np.full((len(vectors), _DEPTH), -2.0, np.float32)
    for start in range(0, len(index), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(index)))
        inside = np.ones(len(rows), bool) if allowed is None else np.isin(rows, allowed)
        scores = vectors @ index.vectors.vectors(start, start + len(rows))[inside].T
        best = np.sort(np.concatenate([best, scores], axis=1), axis=1)[:, -_DEPTH:]
    return best[:, 0]


def measured(store: VectorStore, index: Index, vectors: np.ndarray, allowed: np.ndarray | None, tenth: np.ndarray) -> dict[str, float]:
    """Recall@10, and the median and 95th percentile of a search."""
    shares, spent = [], []
    for vector, least in zip(vectors, tenth, strict=True):
        began = time.perf_counter()
        rows, _ = store.search(vector, POOL, allowed)
        spent.append((time.perf_counter() - began) * 1000)
        shares.append(float((index.vectors.score(vector, rows[:_DEPTH]) >= least - 1e-6).mean()))
    p50, p95 = np.quantile(spent, [0.5, 0.95])
    return {"recall": round(float(np.mean(shares)), 4), "p50": round(float(p50), 1), "p95": round(float(p95), 1)}


def figures(index: Index, embedder: Embedder, milvus: Milvus, many: int) -> Iterator[dict[str, object]]:
    """One for filling, one for each filter."""
    asked = np.array([encoded.vector for encoded in embedder.embed_queries(questions(index, many))])
    starts = np.array([*(entry.rows.start for entry in index.metas.values()), len(index)], np.int64)
    try:
        began = time.perf_counter()
        with TemporaryDirectory(prefix="wenju-benchmark-") as record:
            Engine(milvus, Path(record)).fill(index)
        yield {"passages": len(index), "fill_seconds": round(time.perf_counter() - began, 1)}
        store, ids = milvus.open(index.generation, index.dimension, starts), list(index.metas)
        for name, some in (("all", None), ("1 %", ids[::100]), ("50 %", ids[::2])):
            allowed = None if some is None else index.rows_of(some)
            tenth = nearest(index, asked, allowed)
            yield {"among": name, "milvus": measured(store, index, asked, allowed, tenth),
                   "here": measured(index.vectors, index, asked, allowed, tenth)}
    finally:
        milvus.drop(index.generation)


def main(argv: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m eval.benchmarks.milvus")
    parser.add_argument("home", type=Path)
    parser.add_argument("uri")
    parser.add_argument("--questions", type=int, default=200)
    args = parser.parse_args(argv)
    settings = load_settings()
    index, embedder = Index.open(replace(settings, home=args.home).index), SentenceEmbedder.load(settings)
    for line in figures(index, embedder, Milvus(args.uri, _NAME), args.questions):
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
