"""Withdraws documents without loading a model, and proves that nothing of one is left.

What is searched is every file below WENJU_HOME but the model's weights: text files byte by byte, for each sentence in
every form in which one is written down; the lexical indexes by asking them; vectors and token rows by the digests of what
they were computed from. A sentence that another document has too is no trace of this one.
"""

import json
import mmap
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import IndexDamaged, UsageError
from rag.files import DISK, Disk, overwrite, remove_tree, typed_errors
from rag.index.builder import joined
from rag.index.engine import Engine
from rag.index.entries import Report
from rag.index.generation import Index
from rag.index.refresh import refresh
from rag.protocols import Encoded
from rag.schema import Document, Passage
from rag.text import bigrams, clauses, compact, readable, sentences

_LEAST = 8
"""Shorter sentences (a heading's "一、总则", a date) tell nobody which document they come from."""
_STOPS = "。，；：！？、,.;:!?"
_GONE = "（原文已清除）"
_BLANKS = "\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_NUMBERS = (".int8", ".int32", ".offsets", ".sha256", ".float32", ".codes", ".faiss")


@dataclass(frozen=True, slots=True)
class Trace:
    """A sentence that was found where it must not be, and the file, below WENJU_HOME."""

    file: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Purged:
    """What was removed and what the search for remains came to. `shared`: sentences that other documents have too."""

    document_id: str
    sources: tuple[str, ...]
    generation: str
    backups_removed: tuple[str, ...]
    cleaned: tuple[str, ...]
    sentences: int
    shared: int
    files_searched: int
    bytes_searched: int
    found: tuple[Trace, ...] = field(default=())


class KeptModel:
    """Stands in for the model of a generation when nothing is to be embedded."""

    def __init__(self, index: Index) -> None:
        self.name, self.digest, self.dimension = index.embedder_name, index.embedder_digest, index.dimension

    def embed_passages(self, texts: Sequence[str], contexts: Sequence[str]) -> Iterator[Encoded]:
        """Raises IndexDamaged: whatever remains has its embeddings."""
        raise IndexDamaged("索引中缺少已算过的向量。", "请运行 wenju index 重新编入文件夹。")

    def embed_query(self, text: str) -> Encoded:
        """Raises IndexDamaged."""
        raise IndexDamaged("这里没有载入模型。")


def withdraw(folder: Path, remove: Sequence[str], disk: Disk = DISK, engine: Engine | None = None) -> Report:
    """Takes documents (ids or sources) out of the index in `folder`; loads no model. See `refresh`."""
    def unread(*_: object) -> list:
        raise AssertionError("nothing is read when documents are only removed")

    return refresh(folder, (), unread, unread, KeptModel(Index.open(folder)), remove=remove, disk=disk, engine=engine)


def purge(
    home: Path, folder: Path, id: str, disk: Disk = DISK, originals: Sequence[Path] = (), engine: Engine | None = None
) -> Purged:
    """Removes a document from the index in `folder`, from backups and records below `home`, and looks for what is left.

    originals: files of the document that go too (those that were uploaded lie below `home`). Raises UsageError for an
    unknown id, and what `refresh` raises.
    """
    index = Index.open(folder)
    if id not in index.metas:
        raise UsageError(f"没有编号为“{id}”的文件。", "用 wenju docs 查看所有编号。")
    document, rows = index.document(id), index.metas[id].rows
    passages = [index.passage(row) for row in rows]
    keys = {index.keys[row].tobytes() for row in rows}
    del index
    withdraw(folder, [id], disk, engine)
    now = Index.open(folder)
    wanted, shared = _telling(_sentences(document, passages), now)
    with typed_errors("清除"):
        for path in originals:
            remove_tree(path, disk)
        backups = tuple(_drop_backups(home, id, disk))
        pieces, _ = _telling(_long_enough(clause for sentence in wanted for clause in clauses(sentence)), now)
        cleaned = tuple(_clean_records(home, folder, id, pieces | wanted))
        found, files, size = _search(home, now, wanted, keys)
    return Purged(id, (document.source, *document.also_at), now.generation, backups, cleaned, len(wanted) + shared, shared,
                  files, size, tuple(found))


# ---------------------------------------------------------------- what to look for

def _sentences(document: Document, passages: Sequence[Passage]) -> set[str]:
    """The sentences of the document, without white space and the stop at their end."""
    whole = [readable(document.text[s.start : s.end]) for s in document.body] + [p.text for p in passages]
    return _long_enough(text[s.start : s.end] for text in whole for s in sentences(text))


def _long_enough(texts: Iterable[str]) -> set[str]:
    return {bare for text in texts if len(bare := compact(text).strip(_STOPS)) >= _LEAST}


def _telling(wanted: set[str], now: Index) -> tuple[set[str], int]:
    """Those that no remaining document has, and how many others there are."""
    left = set(wanted)
    for id in now.metas:
        if not left:
            break
        text = compact(now.document(id).text)
        left = {sentence for sentence in left if sentence not in text}
    return left, len(wanted) - len(left)


# ---------------------------------------------------------------- backups and records

def _files(home: Path) -> Iterator[Path]:
    """All files below `home` but the model's weights, in order."""
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.relative_to(home).parts[0] != "models":
            yield path


def _drop_backups(home: Path, id: str, disk: Disk) -> Iterator[str]:
    """Removes backups that hold the document."""
    for path in _files(home):
        if _holds(path, id):
            remove_tree(path, disk)
            yield path.relative_to(home).as_posix()


def _holds(path: Path, id: str) -> bool:
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return False
    try:
        with zipfile.ZipFile(path) as archive:
            return "CURRENT" in archive.namelist() and f'"{id}"'.encode() in archive.read("documents.json")
    except (zipfile.BadZipFile, KeyError, OSError, NotImplementedError):
        return False


def _clean_records(home: Path, folder: Path, id: str, wanted: set[str]) -> Iterator[str]:
    """Takes quotes of the document out of what services have written down: feedback, audit (one JSON a line).

    Lines keep their length: a service may be appending to the file meanwhile.
    """
    for path in _files(home):
        if path.suffix != ".jsonl" or path.is_relative_to(folder):
            continue
        at, changed = 0, False
        for line in path.read_bytes().splitlines(keepends=True):
            if (new := _cleaned_line(line, id, wanted)) != line:
                overwrite(path, at, new)
                changed = True
            at += len(line)
        if changed:
            yield path.relative_to(home).as_posix()


def _cleaned_line(line: bytes, id: str, wanted: set[str]) -> bytes:
    """The line without the document's words, as long as it was."""
    try:
        value = json.loads(line)
    except ValueError:
        return line
    end = b"\n" if line.endswith(b"\n") else b""
    for instead in (_GONE, ""):
        cleaned = _cleaned(value, id, wanted, instead)
        if cleaned == value:
            break
        written = json.dumps(cleaned, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        if len(written) + len(end) <= len(line):
            return written.ljust(len(line) - len(end)) + end
    return line


def _cleaned(value: Any, id: str, wanted: set[str], instead: str) -> Any:
    match value:
        case str():
            bare = compact(value)
            return instead if any(piece in bare for piece in wanted) else value
        case list():
            return [_cleaned(item, id, wanted, instead) for item in value]
        case dict():
            own = value.get("document_id") == id
            return {k: instead if own and k == "quote" else _cleaned(v, id, wanted, instead) for k, v in value.items()}
    return value


# ---------------------------------------------------------------- the search

def _search(home: Path, now: Index, wanted: set[str], keys: set[bytes]) -> tuple[list[Trace], int, int]:
    """What is found, and how many files and bytes were searched."""
    found: list[Trace] = []
    files = size = 0
    needles = {form: sentence for sentence in sorted(wanted) for form in _forms(sentence)}
    for path in _files(home):
        files, size, name = files + 1, size + path.stat().st_size, path.relative_to(home).as_posix()
        if path.suffix == ".sha256":
            rows = np.fromfile(path, np.uint8)
            stored = {row.tobytes() for row in rows[: len(rows) // 32 * 32].reshape(-1, 32)}
            found += [Trace(name, "向量")] * len(stored & keys)
        elif path.suffix not in _NUMBERS and path.stat().st_size:
            found += [Trace(name, sentence) for sentence in _in_file(path, needles)]
    for name, lexical in (("lexical", now.lexical), ("document_lexical", now.document_lexical)):
        for sentence in sorted(wanted):
            pairs = joined(bigrams, [sentence])
            rows = lexical.containing(list(dict.fromkeys(pairs.split())), "bigrams")
            if any(pairs in lexical.terms(int(row))["bigrams"] for row in rows):
                found.append(Trace(name, sentence))
    return found, files, size


def _forms(sentence: str) -> set[bytes]:
    """How the middle of a sentence may be written: as text, as JSON, as JSON in ASCII."""
    texts = (sentence, json.dumps(sentence, ensure_ascii=False)[1:-1], json.dumps(sentence)[1:-1])
    return {text.encode("utf-8", "surrogatepass") for text in texts}


def _in_file(path: Path, needles: dict[bytes, str]) -> list[str]:
    """Sentences that occur in a file, white space aside."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        bare = _without_blanks(data)
    return sorted({sentence for needle, sentence in needles.items() if needle in bare})


def _without_blanks(data: mmap.mmap) -> bytes:
    """The bytes without white space, written out or as a JSON escape."""
    out = bytes(data).translate(None, b" \t\r\n\x0b\x0c")
    for blank in (b"\\n", b"\\r", b"\\t", *(form for c in _BLANKS for form in (c.encode(), f"\\u{ord(c):04x}".encode()))):
        out = out.replace(blank, b"")
    return out
