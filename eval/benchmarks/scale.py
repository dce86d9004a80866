"""`python -m eval.benchmarks.scale`: what searching costs from a thousand to a million passages.

`make HOME WORK N` builds an index of N passages below WORK/N from the index in HOME, by rule; `measure WORK N` prints its
figures as one line of JSON, `beside WORK N M …` those of the same questions asked of several indexes in turn. What was
seen: scale.md beside this file.

The rule. Round 0 is the index itself. In round r every document comes again, with a title of its own. A passage's vector v
becomes v + w(a - b), brought to unit length, a and b being two drawn passages and w drawn from 0.2…0.6: as near to v as
neighbours in the collection are to one another, and the cloud keeps its shape. A tenth of a passage's words and bigrams
are those of another drawn passage. Of token rows each passage keeps `_TOKENS`: 26 KB a passage would be 26 GB, and a search
touches only those of its candidates. Texts are those of the original. All draws are seeded.
"""

import argparse
import datetime as dt
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from rag.candidates import POOL
from rag.config import Settings, load_settings
from rag.files import locked, make_folders
from rag.index import Index
from rag.index.builder import Builder, Prepared, passage_context
from rag.index.entries import DocumentEntry, FileEntry
from rag.index.publish import lock_path, publish, staging
from rag.protocols import Encoded
from rag.query import Query, understand
from rag.retrieval import Retriever
from rag.stores.faiss import FaissStore
from rag.text import bigrams, clauses, words

_TOKENS = 4
_QUESTIONS, _WARM = 200, 20
T = TypeVar("T")
_ENDS = ("有什么规定？", "怎么办？", "是什么要求？", "由谁负责？")


# ---------------------------------------------------------------- an index by rule

class _Perturbed:
    """Stands in for the model: embeddings made from those of `index`."""

    def __init__(self, index: Index) -> None:
        self.name, self.digest, self.dimension = index.embedder_name, index.embedder_digest, index.dimension
        self._index, self._draw = index, np.random.default_rng(7)
        self.rows: dict[tuple[str, str], tuple[int, int]] = {}
        """Row in `index` and round of each context and text to come."""

    def embed_passages(self, texts: Sequence[str], contexts: Sequence[str]) -> Iterator[Encoded]:
        """See `Embedder`."""
        for text, context in zip(texts, contexts, strict=True):
            row, number = self.rows[context, text]
            vector = self._index.vectors.vectors(row, row + 1)[0]
            if number:
                a, b = (self._index.vectors.vectors(r, r + 1)[0] for r in self._draw.integers(0, len(self._index), 2).tolist())
                vector = vector + np.float32(self._draw.uniform(0.2, 0.6)) * (a - b)
                vector = vector / np.linalg.norm(vector)
            tokens, spans = self._index.tokens(row)
            yield Encoded(vector.astype(np.float32), tokens[:_TOKENS], spans[:_TOKENS])


def make(source: Index, folder: Path, count: int) -> None:
    """An index of `count` passages in `folder`."""
    make_folders(folder)
    embedder, draw, files = _Perturbed(source), np.random.default_rng(11), []
    with locked(lock_path(folder)):
        built = staging(folder)
        builder = Builder(built, embedder, None)  # type: ignore[arg-type]
        try:
            while builder.passages < count:
                number = builder.passages // len(source)
                for entry in source.metas.values():
                    left = count - builder.passages
                    if left < 1:
                        break
                    item, name = _again(source, entry, number, left, draw)
                    embedder.rows |= {(passage_context(item.document, p), p.text): (row, number)
                                      for p, row in zip(item.passages, entry.rows, strict=False)}
                    builder.add(item)
                    files.append(FileEntry(name, name, 0, item.document.sha256, documents=(item.document.id,)))
            digest = builder.finish((), files, ())
        finally:
            builder.close()
        publish(folder, built, digest, None)


def _again(
    source: Index, entry: DocumentEntry, number: int, most: int, draw: np.random.Generator
) -> tuple[Prepared, str]:
    """The document of an entry as it comes in a round, cut off after `most` passages, and its name."""
    document, rows = source.document(entry.id), entry.rows[:most]
    name = f"{number}/{entry.source}"
    meta = document.meta if not number else replace(document.meta, title=f"{document.meta.title or ''}（第{number}版）")
    document = replace(document, id=f"{entry.id}-{number}", source=name, sha256=f"{number:02x}{entry.sha256[2:]}", meta=meta)
    passages = [replace(source.passage(row), document_id=document.id) for row in rows]
    terms = [_mixed(source, row, draw) if number else source.lexical.terms(row) for row in rows]
    return Prepared(document, passages, terms, source.document_lexical.terms(source.number_of(entry.id))), name


def _mixed(source: Index, row: int, draw: np.random.Generator) -> dict[str, str]:
    own, other = source.lexical.terms(row), source.lexical.terms(int(draw.integers(len(source))))
    out = {}
    for field, said in own.items():
        tokens, strange = said.split(), other[field].split()
        for at in np.flatnonzero(draw.random(len(tokens)) < 0.1) if strange else ():
            tokens[at] = strange[at % len(strange)]
        out[field] = " ".join(tokens)
    return out


# ---------------------------------------------------------------- questions

def questions(index: Index, count: int) -> list[str]:
    """Questions by rule: a clause of a drawn passage and an asking end."""
    draw, out = np.random.default_rng(3), []
    while len(out) < count:
        found = [c for c in clauses(index.passage(int(draw.integers(len(index)))).text) if 8 <= len(c.strip()) <= 30]
        if found:
            out.append(found[int(draw.integers(len(found)))].strip("。，；：\n ") + _ENDS[len(out) % len(_ENDS)])
    return out


# ---------------------------------------------------------------- measures

def _spread(milliseconds: Sequence[float]) -> dict[str, float]:
    return {"median": round(float(np.median(milliseconds)), 3), "p95": round(float(np.quantile(milliseconds, 0.95)), 3)}


def _timed(call: Callable[[], T], into: list[float], clock: Callable[[], float] = time.perf_counter) -> T:
    began = clock()
    out = call()
    into.append(1000 * (clock() - began))
    return out


def opening(home: Path) -> dict[str, float]:
    """Seconds: of opening when all is read, of opening when it was read before, and of reading the files once."""
    def opened(thorough: bool) -> float:
        began = time.perf_counter()
        Index.open(home / "index", thorough)
        return time.perf_counter() - began

    def read() -> float:
        began = time.perf_counter()
        for path in sorted((home / "index" / "generations").rglob("*")):
            if path.is_file():
                with path.open("rb", buffering=0) as file:
                    while file.read(1 << 24):
                        pass
        return time.perf_counter() - began

    opened(False)
    rounds = [(opened(True), opened(False), read()) for _ in range(3)]
    whole, again, files = (float(np.median(column)) for column in zip(*rounds, strict=True))
    return {"whole_s": round(whole, 3), "again_s": round(again, 3), "read_s": round(files, 3), "ratio": round(again / files, 3)}


def beside(homes: Sequence[Path], models: Settings) -> dict[str, object]:
    """Milliseconds of processor time of the same questions on several indexes, asked in turn: it hardly depends on what
    else the machine does."""
    from rag.embedding import SentenceEmbedder

    embedder = SentenceEmbedder.load(models)
    indexes = [Index.open(home / "index") for home in homes]
    retrievers = [Retriever(index, embedder) for index in indexes]
    asked = questions(indexes[0], _QUESTIONS)
    vectors = np.array([e.vector for e in embedder.embed_queries(asked)], np.float32)
    times: dict[str, list[list[float]]] = {name: [[] for _ in homes] for name in ("dense", "lexical", "retrieval")}
    for number, (text, vector) in enumerate(zip(asked, vectors, strict=True)):
        tokens = bigrams(text)
        for at, (index, retriever) in enumerate(zip(indexes, retrievers, strict=True)):
            retriever.prepare([text])
            own = {name: [] if number < _WARM else times[name][at] for name in times}
            _timed(partial(index.vectors.search, vector, POOL), own["dense"], time.process_time)
            _timed(partial(index.lexical.search, tokens, POOL, "bigrams"), own["lexical"], time.process_time)
            _timed(partial(retriever.retrieve, _query(text)), own["retrieval"], time.process_time)
    return {f"{name}_ms": {str(len(index)): _spread(own) for index, own in zip(indexes, lists, strict=True)}
            for name, lists in times.items()}


def memory() -> dict[str, int]:
    """Resident bytes of this process: its own; and those of files it has mapped, which the kernel maps 64 KB around each
    touch as far as they are in its cache, and takes away again when memory is short."""
    lines = Path("/proc/self/status").read_text().splitlines()
    sizes = {line.split(":")[0]: 1024 * int(line.split()[1]) for line in lines if line.startswith("Rss")}
    return {"own": sizes["RssAnon"], "mapped": sizes["RssFile"]}


def measure(home: Path, models: Settings) -> dict[str, object]:
    """All figures of the index below `home`."""
    from rag.embedding import SentenceEmbedder

    embedder = SentenceEmbedder.load(models)
    embedder.embed_query("预热")
    before = memory()
    index = Index.open(home / "index")
    asked = questions(index, _QUESTIONS)
    retriever = Retriever(index, embedder)
    retriever.prepare(asked)
    vectors = np.array([e.vector for e in embedder.embed_queries(asked)], np.float32)
    whole: list[float] = []
    opened = memory()
    for text in asked[:_WARM]:
        retriever.retrieve(_query(text))
    for text in asked:
        _timed(partial(retriever.retrieve, _query(text)), whole)
    after = memory()
    return {
        "passages": len(index), "documents": len(index.metas), "bytes": sum(f.size for f in index.manifest.files.values()),
        "opened": {name: opened[name] - before[name] for name in opened},
        "asked": {name: after[name] - before[name] for name in after},
        "retrieval_ms": _spread(whole), **_stages(index, asked, vectors), "opening": opening(home),
    }


def _query(text: str) -> Query:
    return understand(text, dt.date(2023, 1, 10))


def _stages(index: Index, asked: Sequence[str], vectors: np.ndarray) -> dict[str, object]:
    """Dense and lexical search by themselves, all rows and some of them, against comparing every row."""
    exact = FaissStore(index.vectors.vectors(0, len(index)))
    draw, every = np.random.default_rng(5), np.arange(len(index))
    some = {f"{share}%": np.sort(draw.choice(every, len(index) * share // 100, replace=False)) for share in (1, 10, 50)}
    times: dict[str, list[float]] = {}
    shares: dict[str, list[float]] = {}
    for text, vector in zip(asked, vectors, strict=True):
        pairs, terms = bigrams(text), words(text)
        found = _timed(partial(index.vectors.search, vector, POOL), times.setdefault("dense_ms", []))[0]
        wanted = _timed(partial(exact.search, vector, POOL), times.setdefault("exact_ms", []))[0]
        for field, tokens in (("bigrams", pairs), ("words", terms)):
            _timed(partial(index.lexical.search, tokens, POOL, field), times.setdefault(f"{field}_ms", []))
        shares.setdefault("recall_10", []).append(_recall(found[:10], wanted[:10]))
        shares.setdefault("recall_60", []).append(_recall(found, wanted))
        for name, allowed in some.items():
            few = _timed(partial(index.vectors.search, vector, 10, allowed), times.setdefault(f"dense_of_{name}_ms", []))[0]
            shares.setdefault(f"recall_10_of_{name}", []).append(_recall(few, exact.search(vector, 10, allowed)[0]))
    return {name: _spread(values) for name, values in times.items()} | {n: round(float(np.mean(v)), 4) for n, v in shares.items()}


def _recall(found: np.ndarray, wanted: np.ndarray) -> float:
    return len(set(found.tolist()) & set(wanted.tolist())) / max(len(wanted), 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Builds an index, or prints the figures of one."""
    parser = argparse.ArgumentParser(prog="python -m eval.benchmarks.scale", description="检索的开销怎样随段数增长。")
    commands = parser.add_subparsers(required=True, dest="command")
    build = commands.add_parser("make", help="从 HOME 的索引按规则造出 N 段的索引，放在 WORK/N")
    build.add_argument("home", type=Path)
    for command in (build, commands.add_parser("measure", help="测 WORK/N，打印一行 JSON")):
        command.add_argument("work", type=Path)
        command.add_argument("count", type=int)
    several = commands.add_parser("beside", help="同样的问题轮流问 WORK/N、WORK/M……，打印一行 JSON")
    several.add_argument("work", type=Path)
    several.add_argument("counts", type=int, nargs="+")
    given = parser.parse_args(arguments)
    if given.command == "beside":
        sys.stdout.write(json.dumps(beside([given.work / str(count) for count in given.counts], load_settings())) + "\n")
        return
    home = given.work / str(given.count)
    if given.command == "make":
        began = time.process_time()
        make(Index.open(given.home / "index"), home / "index", given.count)
        sys.stderr.write(f"{given.count} 段：处理器时间 {time.process_time() - began:.0f} 秒\n")
    else:
        sys.stdout.write(json.dumps(measure(home, load_settings())) + "\n")


if __name__ == "__main__":
    main()
