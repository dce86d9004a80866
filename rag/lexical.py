"""Lexical search with tantivy: BM25 over words and character bigrams.

A lexical index is a folder with one segment, in which row n is document n. Tokens are made by
`rag.text` and joined by blanks; tantivy only splits them again, so its own tokenizers, which know
no Chinese, never see a sentence. Queries are built from tokens, never parsed from what a person typed.
"""

import errno
import json
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from rag.errors import IndexDamaged, IndexUnwritable
from rag.files import of_the_machine

FIELDS = ("words", "bigrams")
_LINKS = "wenju-links-"
_SEGMENT = "0" * 31 + "1"
_HEAP = 4_293_000_000
"""Upper bound of the writer's memory, used as needed: one flush, hence one segment and row = document number. It is the
most that tantivy takes; a million passages need less than half of it."""


_FEW, _SPARE, _MOST = 5_000, 4, 10_000
"""A filter of so few rows is quick. Else so many times the expected number of hits are looked through, and at most so many:
that takes 5 ms."""


class LexicalWriter:
    """Writes a lexical index, row by row; `folder` comes to be when it is finished. Equal rows give equal bytes.

    Raises OSError when the disk does not take it.
    """

    def __init__(self, folder: Path) -> None:
        import tantivy

        self._folder, self._rows = folder, 0
        self._work = folder.with_name(folder.name + "-building")
        self._work.mkdir()
        with _os_errors():
            index = tantivy.Index(_schema(), path=str(self._work))
            index.config_reader("manual")
            self._writer = index.writer(heap_size=_HEAP, num_threads=1)

    def add(self, terms: Mapping[str, str]) -> None:
        """The next row; for each field its tokens joined by blanks."""
        with _os_errors():
            self._writer.add_document(_row(self._rows, terms))
        self._rows += 1

    def finish(self) -> None:
        """Writes everything; the folder then is there, and holds only what is needed to open it."""
        with _os_errors():
            self._writer.commit()
            self._writer.wait_merging_threads()
        self._work.rename(self._folder)  # out of reach of tantivy's threads, which put lock files there
        self._name_segment()
        for lock in self._folder.glob(".tantivy-*.lock"):
            lock.unlink()

    def abandon(self) -> None:
        """Stops writing and lets go of the folder."""
        self._writer = None

    def _name_segment(self) -> None:
        """Gives the segment a fixed name instead of tantivy's random one: nothing else differs between builds."""
        path = self._folder / "meta.json"
        meta = json.loads(path.read_bytes())
        if len(meta["segments"]) > 1:
            raise OSError(errno.EFBIG, "more text than one segment of the lexical index can hold")
        for segment in meta["segments"]:
            old = segment["segment_id"].replace("-", "")
            for file in self._folder.glob(f"{old}.*"):
                file.rename(file.with_name(_SEGMENT + file.name[len(old) :]))
            segment["segment_id"] = f"{_SEGMENT[:8]}-{_SEGMENT[8:12]}-{_SEGMENT[12:16]}-{_SEGMENT[16:20]}-{_SEGMENT[20:]}"
        path.write_text(json.dumps(meta, indent=2), encoding="utf-8")
        managed = sorted(f.name for f in self._folder.iterdir() if not f.name.startswith("."))
        (self._folder / ".managed.json").write_text(json.dumps(managed), encoding="utf-8")


@contextmanager
def _os_errors() -> Iterator[None]:
    """Turns what tantivy says of the system only in words ("No space left on device (os error 28)", "Os { code: 24, …")
    into OSError; its panics, too, which are no Exception."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, ValueError) and type(error).__name__ != "PanicException":
            raise
        if "writer was killed" in str(error):  # its thread met an error that is told nobody
            raise OSError(None, "写词索引的线程中断了，多半是磁盘空间、内存或可以打开的文件不足") from error
        named = re.search(r"\(os error (\d+)\)|Os \{ code: (\d+)", str(error))
        raise OSError(int(named[1] or named[2]) if named else errno.EIO, str(error)) from error


def _schema():
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", stored=False, indexed=True, fast=True)
    for field in FIELDS:
        builder.add_text_field(field, stored=True, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _row(number: int, terms: Mapping[str, str]):
    import tantivy

    document = tantivy.Document()
    document.add_unsigned("row", number)
    for field in FIELDS:
        document.add_text(field, terms[field])
    return document


class LexicalIndex:
    """An opened lexical index, read-only; may be searched from several threads.

    Memory-mapped, and independent of the folder's name once open. Raises IndexDamaged when it cannot be opened, OSError when
    the machine has no memory, space or descriptor left.
    """

    def __init__(self, folder: Path) -> None:
        import tantivy

        with _links_to(folder) as links:
            try:
                with _os_errors():
                    index = tantivy.Index.open(str(links))
                    index.config_reader("manual")
                    self._take(index)
            except OSError as error:
                if of_the_machine(error):
                    raise
                raise IndexDamaged(f"词索引打不开：{error.strerror}。", "请运行 wenju check。") from error

    def _take(self, index) -> None:
        self._schema, self._searcher = index.schema, index.searcher()
        if self._searcher.num_segments > 1:
            raise IndexDamaged("词索引应只有一个分段。", "请运行 wenju index 重建。")

    def subset(self, rows: Iterable[int]) -> "LexicalIndex":
        """An index in memory of these rows alone, numbered anew in their order, with statistics of its own."""
        import tantivy

        index = tantivy.Index(_schema())
        index.config_reader("manual")
        writer = index.writer(heap_size=_HEAP, num_threads=1)
        for number, row in enumerate(rows):
            writer.add_document(_row(number, self.terms(int(row))))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        out = object.__new__(LexicalIndex)
        out._take(index)
        return out

    def __len__(self) -> int:
        return self._searcher.num_docs

    def document_frequency(self, field: str, token: str) -> int:
        """In how many rows the token occurs."""
        return self._searcher.doc_freq(field, token)

    def terms(self, row: int) -> dict[str, str]:
        """The tokens of a row as `LexicalWriter.add` took them."""
        import tantivy

        document = self._searcher.doc(tantivy.DocAddress(0, row))
        return {field: document.get_first(field) for field in FIELDS}

    def search(
        self, tokens: Sequence[str], k: int, field: str, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows int64 [≤k] and BM25 scores float32 [≤k], best first, equal scores by row.

        tokens: any of them may match; a repeated one counts as often as it is repeated.
        field: "words" or "bigrams". allowed: sorted int64 rows that may be found; None: all.
        Formula: Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009),
        k1 = 1.2, b = 0.75, with tantivy's one-byte document lengths.
        """
        import tantivy

        if not tokens or k < 1 or (allowed is not None and not len(allowed)):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        should = []
        for token, times in Counter(tokens).items():
            term = tantivy.Query.term_query(self._schema, field, token, "freq")
            should.append((tantivy.Occur.Should, tantivy.Query.boost_query(term, times) if times > 1 else term))
        query = tantivy.Query.boolean_query(should)
        if allowed is None:
            return self._best(query, k)
        if (among := self._among(query, k, allowed)) is not None:
            return among
        must = (self._only(allowed), query)
        return self._best(tantivy.Query.boolean_query([(tantivy.Occur.Must, part) for part in must]), k)

    def _best(self, query, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores of the k best hits."""
        hits = self._searcher.search(query, limit=min(k, max(len(self), 1)), count=False).hits
        rows = self._searcher.fast_field_values("row", [address for _, address in hits])
        return np.array(rows, np.int64), np.array([score for score, _ in hits], np.float32)

    def _among(self, query, k: int, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The k best hits that are allowed, looked for among the best of all; None when that would take too many.

        The same rows and scores as with a filter: but a filter of 100,000 rows takes tantivy a fifth of a second.
        """
        if len(allowed) < _FEW or allowed[-1] - allowed[0] + 1 == len(allowed):
            return None
        reach = _SPARE * k * len(self) // len(allowed)
        inside = np.zeros(len(self), bool)
        inside[allowed] = True
        while reach <= _MOST:
            rows, scores = self._best(query, reach)
            kept = inside[rows]
            if len(rows) < reach or kept.sum() >= k:
                return rows[kept][:k], scores[kept][:k]
            reach *= _SPARE
        return None

    def containing(self, tokens: Sequence[str], field: str) -> np.ndarray:
        """Rows that have every one of these tokens, int64, in no order; none for no tokens."""
        import tantivy

        if not tokens or any(not self.document_frequency(field, token) for token in tokens):
            return np.empty(0, np.int64)
        terms = [(tantivy.Occur.Must, tantivy.Query.term_query(self._schema, field, token, "freq")) for token in tokens]
        hits = self._searcher.search(tantivy.Query.boolean_query(terms), limit=max(len(self), 1), count=False).hits
        return np.array(self._searcher.fast_field_values("row", [address for _, address in hits]), np.int64)

    def _only(self, allowed: np.ndarray):
        """A filter that adds nothing to the score. One run of rows (one document) is much faster as a range."""
        import tantivy

        first, last = int(allowed[0]), int(allowed[-1])
        if last - first + 1 == len(allowed):
            rows = tantivy.Query.range_query(self._schema, "row", tantivy.FieldType.Unsigned, first, last)
        else:
            rows = tantivy.Query.term_set_query(self._schema, "row", allowed.tolist())
        return tantivy.Query.const_score_query(rows, 0.0)


@contextmanager
def _links_to(folder: Path) -> Iterator[Path]:
    """A passing folder of links to the files of another: tantivy puts a lock file beside what it opens, and a generation
    is never written to, nor need it be writable."""
    _sweep()
    try:
        links = Path(tempfile.mkdtemp(prefix=_LINKS))
    except OSError as error:  # says nothing about the index
        raise IndexUnwritable("没有可用的临时文件夹。", "请检查它的空间和权限，或用环境变量 TMPDIR 另指一处。") from error
    try:
        for file in folder.resolve().iterdir():
            (links / file.name).symlink_to(file)
        yield links
    finally:
        # tantivy watches the folder from a thread that may put its lock file back; under another name it finds nothing
        gone = links.rename(links.with_name(links.name + "-gone"))
        shutil.rmtree(gone, ignore_errors=True)
        shutil.rmtree(gone, ignore_errors=True)  # for a file that came while the first was at work


def _sweep() -> None:
    """Removes passing folders that killed processes have left: they live for milliseconds, these are hours old."""
    with suppress(OSError):
        for path in Path(tempfile.gettempdir()).glob(f"{_LINKS}*"):
            status = path.lstat()
            if status.st_uid == os.geteuid() and status.st_mtime < time.time() - 3600 and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
