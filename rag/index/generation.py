"""One opened generation: what searching and answering read.

A generation is a folder of immutable files:

    manifest.json                      every other file's size and SHA-256, counts, embedder (entries.Manifest)
    documents.json                     the light part of every document, in order of source (entries.DocumentEntry)
    files.json                         roots, files that were seen (entries.FileEntry), files that stay out (Withdrawn)
    texts.jsonl, texts.offsets         the heavy part of document n in line n
    wholes.txt, wholes.offsets         its words as they are compared (entries.whole_of), in line n
    passages.jsonl, passages.offsets   passage n in line n; n is the row of vectors, tokens and lexical index
    vectors.float32                    one unit vector a passage
    vectors.codes                      one bit of it a dimension, when there are many passages (stores/faiss.py)
    tokens.int8, spans.int32, tokens.offsets   a direction for each token, and where it lies in the passage's text
    keys.sha256                        32 bytes a passage: what its embedding was computed from
    lexical/, document_lexical/        tantivy

Offsets are little-endian int64 [n + 1]. Digests are checked before anything is parsed. What is only ever read by position
(`verified.is_raw`) may have been checked at an earlier opening: see `verified`.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property, lru_cache, partial
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from rag.errors import IndexDamaged
from rag.files import DISK, Disk, contents, of_the_machine, typed_errors
from rag.index import entries, verified
from rag.index.entries import DocumentEntry, FileEntry, Manifest, Withdrawn
from rag.index.publish import current_candidates, read_pointers
from rag.index.reading import (
    Lines,
    Outlined,
    array,
    mapped,
    offsets,
    read_document,
    read_passage,
    read_text,
    store_of,
    token_lengths,
    uncollected,
    unit,
)
from rag.index.scan import Anchor
from rag.index.verified import DOCUMENT_LEXICAL, EARLIER, LEXICAL, damaged
from rag.lexical import LexicalIndex
from rag.schema import Document, Passage
from rag.validity import Collection

_PIECE = 1 << 24
"""Bytes that are read again at a time: a hundredth of a second."""


class Index:
    """One generation, read-only. Safe to use from several threads; stays usable after its files are deleted."""

    def __init__(self, folder: Path, digest: str, fallback: str | None = None, thorough: bool = True) -> None:
        """Opens the generation in `folder` whose manifest has this SHA-256. See `open`.

        thorough: every byte is read; else see `verified`.
        Raises IndexDamaged, and OSError when it is the machine that has no memory, space or descriptor left.
        """
        self.generation = digest[:16]
        self.digest = digest
        self.folder = folder
        self.fallback = fallback
        self.manifest = verified.read_manifest(folder, digest)
        known = verified.remembered(folder.parents[1], digest) if verified.large(self.manifest) and not thorough else {}
        try:
            self._found = verified.verify(folder, self.manifest, known)
            with uncollected():
                self._open()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
            if isinstance(error, OSError) and of_the_machine(error):
                raise
            raise damaged(f"{folder.name} 的内容读不出来（{error}）") from error

    def _open(self) -> None:
        folder, manifest = self.folder, self.manifest
        self.embedder_name, self.embedder_digest = manifest.embedder, manifest.embedder_digest
        self.dimension = manifest.dimension
        documents = [entries.entry_from_json(e) for e in entries.parse(mapped(folder / "documents.json"))]
        self.metas: Mapping[str, DocumentEntry] = MappingProxyType({entry.id: entry for entry in documents})
        self._files_json = mapped(folder / "files.json")
        self._texts = texts = Lines(folder, "texts", manifest.documents)
        self._wholes = Lines(folder, "wholes", manifest.documents, "txt") if EARLIER not in manifest.files else None
        self._passages = passages = Lines(folder, "passages", manifest.passages)
        self.vectors = store_of(folder, manifest)
        self.lexical = LexicalIndex(folder / LEXICAL)
        self.document_lexical = LexicalIndex(folder / DOCUMENT_LEXICAL)
        self._starts = offsets(folder / "tokens.offsets", manifest.passages, manifest.tokens)
        self._tokens = array(folder / "tokens.int8", np.int8, (manifest.tokens, manifest.dimension))
        self._spans = array(folder / "spans.int32", np.dtype("<i4"), (manifest.tokens, 2))
        self.keys = array(folder / "keys.sha256", np.uint8, (manifest.passages, 32))
        _agree(manifest, documents, self.lexical, self.document_lexical)
        bounds = np.array([entry.rows.start for entry in documents], np.int64)
        # the caches hold the parts they need, not self: no cycle, so an index is freed as soon as it is let go
        self._numbers = numbers = {entry.id: n for n, entry in enumerate(documents)}
        self._document = lru_cache(256)(partial(read_document, texts, self.metas, numbers))
        self._text = partial(read_text, texts, self.metas, numbers)
        self._passage = lru_cache(4096)(partial(read_passage, passages, documents, bounds))
        self._lengths = lru_cache(16384)(partial(token_lengths, self._tokens, self._starts))

    @classmethod
    def open(cls, folder: Path, thorough: bool = False) -> "Index":
        """The current generation of the index in `folder`, or the last good one before it; then `fallback` says why.

        thorough: every byte of it is read; else what is known to have been read before is not, see `verified`.
        Raises IndexMissing when nothing has been indexed, IndexDamaged when no generation is whole, IndexUnwritable when the
        machine has too little memory or too few descriptors left to tell.
        """
        while True:
            pointers = read_pointers(folder)
            with typed_errors("打开索引"):
                index, problems = cls._first_good(folder, thorough)
            if not problems or read_pointers(folder) == pointers:  # else a writer has moved on meanwhile: look again
                if index is None:
                    raise IndexDamaged(f"{'；'.join(problems)}。", verified.HINT)
                return index

    @staticmethod
    def published(folder: Path) -> str:
        """Id of the generation that CURRENT names, "" when it names none."""
        pointers = read_pointers(folder)
        return pointers[0].digest[:16] if pointers else ""

    @classmethod
    def _first_good(cls, folder: Path, thorough: bool) -> "tuple[Index | None, list[str]]":
        """The best generation that opens, and what was wrong with those before it."""
        problems: list[str] = []
        for path, digest in current_candidates(folder, problems):
            reason = f"{'；'.join(problems)}。现在用的是完好的版本 {path.name}。" if problems else None
            try:
                index = cls(path, digest, reason, thorough)
            except IndexDamaged as error:
                problems.append(error.message.rstrip("。"))
                continue
            with suppress(OSError):  # of a folder that may only be read, all is read each time
                index.remember()
            return index, problems
        return None, problems

    def remember(self, folder: Path | None = None, disk: Disk = DISK) -> None:
        """Writes down what need not be read at the next opening, if there is news. Raises OSError.

        folder: where the generation lies now, if it was moved since it was opened.
        """
        if self._found.news:
            folder = folder or self.folder
            verified.remember(folder.parents[1], folder, self.digest, self._found.stamps, disk)

    def proving(self) -> Iterator[None]:
        """Reads what was taken on trust, so much at each step. Raises IndexDamaged; then the next opening reads all."""
        for name in self._found.trusted:
            digest = hashlib.sha256()
            try:
                with (self.folder / name).open("rb") as file:
                    while piece := file.read(_PIECE):
                        digest.update(piece)
                        yield
            except FileNotFoundError:
                return  # another generation has taken the place of this one, which is served to its end
            if digest.hexdigest() != self.manifest.files[name].sha256:
                verified.forget(self.folder.parents[1])
                raise damaged(f"{self.folder.name} 的 {name} 与清单不符")

    def __len__(self) -> int:
        """Number of passages."""
        return self.manifest.passages

    @cached_property
    def _seen(self) -> Mapping[str, Any]:
        try:
            return entries.parse(self._files_json)
        except ValueError as error:
            raise damaged(f"{self.folder.name} 的 files.json 读不出来（{error}）") from error

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The paths that were named to be indexed."""
        return tuple(self._seen["roots"])

    @cached_property
    def files(self) -> tuple[FileEntry, ...]:
        """The files that were seen. Answering needs none of them: they are parsed when they are first asked for."""
        return tuple(entries.file_from_json(f) for f in self._seen["files"])

    @cached_property
    def withdrawn(self) -> tuple[Withdrawn, ...]:
        """The files that stay out."""
        return tuple(Withdrawn(**w) for w in self._seen.get("withdrawn", ()))

    def document(self, id: str) -> Document:
        """A document with its text. Raises KeyError."""
        return self._document(id)

    def outlined(self, id: str) -> Document:
        """A document whose text is read when first looked at: of most that are found only the name is. Raises KeyError."""
        return Outlined(self.metas[id], self._document)

    def text(self, id: str) -> str:
        """A document's text alone, much cheaper than the whole of it. Raises KeyError."""
        return self._text(id)

    def whole(self, id: str) -> str:
        """A document's words in the form in which texts are compared: see `entries.whole_of`. Raises KeyError."""
        return self.stored_whole(id).decode("utf-8", "surrogatepass").rstrip("\n")

    def original(self, id: str) -> bytes:
        """The file that a document was read from, byte for byte as it was indexed.

        Raises KeyError for an unknown document, FileNotFoundError when the file has gone, has changed, or is not one
        document by itself (a member of an archive).
        """
        entry = self.metas[id]
        anchor = Anchor(self.folder.absolute().parents[3])
        for file in self.files:
            if id in file.documents and file.sha256 == entry.sha256:
                with suppress(OSError):
                    data = contents(anchor.path(file.path))
                    if hashlib.sha256(data).hexdigest() == entry.sha256:
                        return data
        raise FileNotFoundError(id)

    def passage(self, row: int) -> Passage:
        """The passage of a row. Raises IndexError."""
        return self._passage(int(row))

    @cached_property
    def collection(self) -> Collection:
        """Which document speaks of which: for `rag.validity.status_of`."""
        return Collection(self.metas.values())

    def number_of(self, id: str) -> int:
        """The row of a document in `document_lexical`. Raises KeyError."""
        return self._numbers[id]

    def rows_of(self, ids: Iterable[str]) -> np.ndarray:
        """Rows of all passages of these documents, sorted int64. Raises KeyError."""
        ranges = sorted((self.metas[id].rows for id in set(ids)), key=lambda r: r.start)
        return np.concatenate([np.empty(0, np.int64), *(np.arange(r.start, r.stop, dtype=np.int64) for r in ranges)])

    def tokens(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Token embeddings of a passage, float32 unit rows [n, dimension], and spans int32 [n, 2] into its text.

        Stored as int8 scaled to each row's largest value; unit length brings the scale back.
        """
        start, end = self._starts[row], self._starts[row + 1]
        return unit(self._tokens[start:end].astype(np.float32)), np.array(self._spans[start:end], np.int32)

    def stored_tokens_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The tokens of several passages one after another as they are stored, int8 [n, dimension], their lengths, float32
        [n], and how many each passage has, int64 [rows]."""
        starts, ends = self._starts[rows], self._starts[rows + 1]
        parts = [self._tokens[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        lengths = [np.empty(0, np.float32), *(self._lengths(row) for row in rows.tolist())]
        return np.concatenate([self._tokens[:0], *parts]), np.concatenate(lengths), ends - starts

    # ------------------------------------------------------------ as stored, for copying into another generation

    def stored_tokens(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens int8 [n, dimension] and spans int32 [n, 2] of a passage."""
        start, end = self._starts[row], self._starts[row + 1]
        return self._tokens[start:end], self._spans[start:end]

    def stored_text(self, id: str) -> list[bytes]:
        """The line of a document in texts.jsonl."""
        number = self._numbers[id]
        return self._texts.lines(number, number + 1)

    def stored_whole(self, id: str) -> bytes:
        """The line of a document in wholes.txt."""
        number = self._numbers[id]
        if self._wholes is None:
            return entries.dump_whole(self.metas[id].meta, self.text(id))
        return self._wholes.lines(number, number + 1)[0]

    def stored_passages(self, rows: range) -> list[bytes]:
        """The lines of passages in passages.jsonl."""
        return self._passages.lines(rows.start, rows.stop)

    def stored_embeddings(self, rows: range) -> tuple[bytes, bytes, np.ndarray]:
        """The bytes of the tokens and spans of passages, and the number of tokens of each, int64 [rows].

        Read from the files, not through the maps: what is copied once need not fill the memory.
        """
        starts = self._starts[rows.start : rows.stop + 1]
        first, count, width = int(starts[0]), int(starts[-1] - starts[0]), self.dimension
        tokens = np.fromfile(self.folder / "tokens.int8", np.int8, count * width, offset=first * width)
        spans = np.fromfile(self.folder / "spans.int32", "<i4", count * 2, offset=first * 8)
        return tokens.tobytes(), spans.tobytes(), np.diff(starts)


def _agree(
    manifest: Manifest, documents: list[DocumentEntry], lexical: LexicalIndex, document_lexical: LexicalIndex
) -> None:
    """Rows follow one another without a gap, and all counts are equal. Raises ValueError."""
    starts = [0, *(entry.rows.stop for entry in documents)]
    if [entry.rows.start for entry in documents] != starts[:-1] or starts[-1] != manifest.passages:
        raise ValueError("rows do not follow one another")
    if any(a > b for a, b in pairwise(starts)) or len({entry.id for entry in documents}) != manifest.documents:
        raise ValueError("document count")
    if (len(lexical), len(document_lexical)) != (manifest.passages, manifest.documents):
        raise ValueError("lexical count")
