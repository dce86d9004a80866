"""How the files of a generation are read: mapped into memory, found by position, checked for what would lead astray."""

import gc
import mmap
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np

from rag.files import contents, read_small
from rag.index import entries
from rag.index.entries import DocumentEntry, Manifest
from rag.index.verified import CODES, EARLIER, VECTORS, damaged
from rag.schema import Document, Passage
from rag.stores.faiss import FaissStore, encoded, worth_coding

_HEADER = struct.Struct("<4siqqqBiQ")
"""Of an inner-product index in FAISS's own format: kind, dimension, rows, two unused, trained, metric, numbers that follow."""


def mapped(path: Path) -> memoryview:
    """A file's bytes, memory-mapped: they stay readable when the file is deleted."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if not os.fstat(descriptor).st_size:
            return memoryview(b"")
        return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
    finally:
        os.close(descriptor)


def store_of(folder: Path, manifest: Manifest) -> FaissStore:
    """The vectors; those of earlier generations are read into memory, and coded there if they are many."""
    shape = (manifest.passages, manifest.dimension)
    if EARLIER not in manifest.files:
        codes = np.frombuffer(contents(folder / CODES), np.uint8) if CODES in manifest.files else None
        return FaissStore(array(folder / VECTORS, np.dtype("<f4"), shape), codes)
    kind, dimension, rows, _, _, _, metric, numbers = _HEADER.unpack(read_small(folder / EARLIER, _HEADER.size))
    if (kind, rows, dimension, metric, numbers) != (b"IxFI", *shape, 0, rows * dimension):
        raise ValueError("vectors of another kind")
    vectors = np.fromfile(folder / EARLIER, "<f4", offset=_HEADER.size).reshape(shape)
    return FaissStore(vectors, encoded(vectors) if worth_coding(len(vectors)) else None)


def array(path: Path, kind: np.dtype | type, shape: tuple[int, int]) -> np.ndarray:
    """A file's numbers, mapped. Raises ValueError when there are more or fewer."""
    return np.frombuffer(mapped(path), kind).reshape(shape)


def offsets(path: Path, count: int, total: int) -> np.ndarray:
    """int64 [count + 1], from 0 to `total`, never falling. Raises ValueError."""
    offsets = np.frombuffer(mapped(path), np.dtype("<i8"))
    if len(offsets) != count + 1 or offsets[0] != 0 or offsets[-1] != total or (np.diff(offsets) < 0).any():
        raise ValueError(f"{path.name}: impossible offsets")
    return offsets


def token_lengths(tokens: np.ndarray, starts: np.ndarray, row: int) -> np.ndarray:
    """Lengths of a passage's token rows, float32 [n], never 0."""
    rows = tokens[starts[row] : starts[row + 1]].astype(np.float32)
    return np.maximum(np.sqrt(np.einsum("ij,ij->i", rows, rows)), 1.0)


def unit(rows: np.ndarray) -> np.ndarray:
    """float32 [n, dimension] with its rows brought to unit length, in place."""
    rows /= np.maximum(np.sqrt(np.einsum("ij,ij->i", rows, rows)), 1e-12)[:, None]
    return rows


@contextmanager
def uncollected() -> Iterator[None]:
    """Holds Python's search for cycles off: there are none in what is parsed, and walking through all of it again and again
    takes longer than parsing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Lines:
    """Lines found by number; all but those of wholes.txt are JSON values."""

    def __init__(self, folder: Path, name: str, count: int, kind: str = "jsonl") -> None:
        """The lines of `name`.`kind`, which begin and end where `name`.offsets says. Raises ValueError."""
        self._data = mapped(folder / f"{name}.{kind}")
        self._offsets = offsets(folder / f"{name}.offsets", count, len(self._data))

    def lines(self, start: int, stop: int) -> list[bytes]:
        """As they stand in the file, line ends included."""
        ends = self._offsets[start : stop + 1].tolist()
        return [bytes(self._data[a:b]) for a, b in pairwise(ends)]

    def __getitem__(self, number: int) -> object:
        return entries.parse(self._data[self._offsets[number] : self._offsets[number + 1]])


class Outlined(Document):
    """A document of which the light part is there; text, sections, body and pages are read when first looked at."""

    __slots__ = ("_read", "_whole")

    def __init__(self, entry: DocumentEntry, read: Callable[[str], Document]) -> None:
        """read: gives the whole document of an id."""
        for name in ("id", "source", "sha256", "meta", "also_at"):
            object.__setattr__(self, name, getattr(entry, name))
        object.__setattr__(self, "_read", read)
        object.__setattr__(self, "_whole", None)

    def _all(self) -> Document:
        if self._whole is None:
            object.__setattr__(self, "_whole", self._read(self.id))
        return self._whole

    text = property(lambda self: self._all().text)
    sections = property(lambda self: self._all().sections)
    body = property(lambda self: self._all().body)
    pages = property(lambda self: self._all().pages)


def read_document(lines: Lines, metas: Mapping[str, DocumentEntry], numbers: Mapping[str, int], id: str) -> Document:
    """A document. Raises KeyError, IndexDamaged."""
    entry = metas[id]
    try:
        with uncollected():
            return entries.document_from_json(entry, lines[numbers[id]])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(f"文件 {entry.source} 的正文读不出来（{error}）") from error


def read_text(lines: Lines, metas: Mapping[str, DocumentEntry], numbers: Mapping[str, int], id: str) -> str:
    """A document's text. Raises KeyError, IndexDamaged."""
    try:
        return entries.text_from_json(lines[numbers[id]])
    except (ValueError, AttributeError) as error:
        raise damaged(f"文件 {metas[id].source} 的正文读不出来（{error}）") from error


def read_passage(lines: Lines, documents: list[DocumentEntry], bounds: np.ndarray, row: int) -> Passage:
    """The passage of a row; bounds: int64, first row of each document. Raises IndexError, IndexDamaged."""
    if not 0 <= row < (documents[-1].rows.stop if documents else 0):
        raise IndexError(row)
    document = documents[int(np.searchsorted(bounds, row, side="right")) - 1]
    try:
        return entries.passage_from_json(document.id, lines[row])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(f"第 {row} 段读不出来（{error}）") from error
