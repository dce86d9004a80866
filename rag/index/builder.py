"""Writes the files of a generation, document by document, in bounded memory."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rag import text
from rag.files import DISK, Disk, NewFile, digest_of, sync_tree
from rag.index import entries
from rag.index.entries import DocumentEntry, FileEntry, Listed, Manifest, Withdrawn
from rag.index.generation import Index
from rag.index.verified import CODES, DOCUMENT_LEXICAL, LEXICAL, VECTORS
from rag.lexical import LexicalWriter
from rag.protocols import Embedder
from rag.schema import Document, Passage, to_json
from rag.stores.faiss import encoded, worth_coding

_NEW, _ROWS = 128, 4096
"""Passages are embedded when so many new ones, or so many in all, are waiting."""
Terms = dict[str, str]
Stored = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Vector float32, tokens int8, spans int32: one embedding as it is written."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready to be written: its passages and, if known from an earlier generation, their lexical terms."""

    document: Document
    passages: Sequence[Passage]
    terms: Sequence[Terms] | None = None
    document_terms: Terms | None = None


@dataclass(frozen=True, slots=True)
class _Waiting:
    key: bytes
    text: str
    context: str


def passage_context(document: Document, passage: Passage) -> str:
    """What the embedder reads before a passage: the document's name and the headings above the passage.

    Never the file's name: a file that is renamed keeps its embeddings.
    """
    meta = document.meta
    named = meta.title or meta.issuers or meta.document_number
    return " ".join((*([document.name] if named else []), *passage.section_path))


def key_of(embedder: Embedder, passage: str, context: str) -> bytes:
    """What an embedding was computed from: 32 bytes."""
    parts = (embedder.digest, context, passage)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()


def embedded(embedder: Embedder, passages: Mapping[bytes, tuple[str, str]]) -> Iterator[tuple[bytes, Stored]]:
    """The embeddings of passages (text and context by key), as they are written, in order."""
    texts, contexts = [text for text, _ in passages.values()], [context for _, context in passages.values()]
    for key, made in zip(passages, embedder.embed_passages(texts, contexts), strict=True):
        yield key, (made.vector, quantised(made.tokens), made.spans)


def terms_of(*parts: str | None) -> Terms:
    """The lexical fields of a text given in parts: tokens joined by blanks; no bigram spans two parts."""
    return {"words": joined(text.words, parts), "bigrams": joined(text.bigrams, parts)}


def joined(tokens: Callable[[str], list[str]], parts: Sequence[str | None]) -> str:
    """The tokens of all parts, joined by blanks."""
    return " ".join(token for part in parts if part for token in tokens(part))


class Builder:
    """Builds a generation in an empty folder. Add documents in order of source, then `finish`; `close` in any case.

    Embeddings computed from the same model, context and text are taken from `base`.
    """

    def __init__(
        self, folder: Path, embedder: Embedder, base: Index | None, disk: Disk = DISK,
        embedded: Callable[[int], None] = lambda total: None,
        taken: Callable[[Sequence[bytes]], Mapping[bytes, Stored]] = lambda keys: {},
    ) -> None:
        """embedded: told how many passages have been embedded so far, each time more have. taken: what others have computed
        for some of these keys."""
        self._folder, self._embedder, self._disk, self._told, self._taken = folder, embedder, disk, embedded, taken
        self.embedded = self.reused = 0
        self._base = base if base is not None and base.dimension == embedder.dimension else None
        self._known = {key.tobytes(): row for row, key in enumerate(self._base.keys)} if self._base is not None else {}
        self._entries: dict[str, DocumentEntry] = {}
        self._waiting: list[_Waiting | range] = []
        self._pending = 0
        self._new: dict[bytes, _Waiting] = {}
        self._listed: dict[str, Listed] = {}
        self._ends: dict[str, list[int]] = {"texts": [0], "wholes": [0], "passages": [0], "tokens": [0]}
        self._files: dict[str, NewFile] = {}
        for name in ("texts.jsonl", "wholes.txt", "passages.jsonl", VECTORS, "tokens.int8", "spans.int32", "keys.sha256"):
            self._files[name] = NewFile(folder / name, disk)
        self._lexical, self._document_lexical = LexicalWriter(folder / LEXICAL), LexicalWriter(folder / DOCUMENT_LEXICAL)

    def add(self, item: Prepared) -> None:
        """The next document with its passages."""
        document = item.document
        rows = range(self.passages, self.passages + len(item.passages))
        self._entries[document.id] = DocumentEntry(
            document.id, document.source, document.also_at, document.sha256, document.meta, len(document.text), rows,
        )
        self._line("texts", entries.dump(entries.document_to_json(document)) + b"\n")
        self._line("wholes", entries.dump_whole(document.meta, document.text), "txt")
        meta = document.meta
        self._document_lexical.add(
            item.document_terms or terms_of(meta.title, meta.issuer, meta.document_number, document.text)
        )
        for number, passage in enumerate(item.passages):
            self._line("passages", entries.dump(entries.passage_to_json(passage)) + b"\n")
            self._lexical.add(item.terms[number] if item.terms else terms_of(*passage.section_path, passage.text))
            context = passage_context(document, passage)
            self._wait(_Waiting(key_of(self._embedder, passage.text, context), passage.text, context))

    @property
    def keeps(self) -> bool:
        """Whether what `base` holds was computed by the same model, so that documents can be kept."""
        return self._base is not None and self._base.embedder_digest == self._embedder.digest

    def keep(self, entry: DocumentEntry) -> None:
        """The next document, taken from `base` as it stands there, known by what `entry` says now."""
        base, rows = self._base, entry.rows
        assert base is not None and self.keeps
        self._entries[entry.id] = replace(entry, rows=range(self.passages, self.passages + len(rows)))
        for line in base.stored_text(entry.id):
            self._line("texts", line)
        self._line("wholes", base.stored_whole(entry.id), "txt")
        self._document_lexical.add(base.document_lexical.terms(base.number_of(entry.id)))
        for row, line in zip(rows, base.stored_passages(rows), strict=True):
            self._line("passages", line)
            self._lexical.add(base.lexical.terms(row))
        self._wait(rows)

    def label(self, id: str, labels: Sequence[str]) -> None:
        """More labels for a document that is there already: another file has the same bytes, or holds them."""
        entry = self._entries[id]
        self._entries[id] = replace(entry, also_at=(*entry.also_at, *labels))

    @property
    def passages(self) -> int:
        """How many passages have been added."""
        return len(self._ends["passages"]) - 1

    def finish(self, roots: Sequence[str], files: Sequence[FileEntry], withdrawn: Sequence[Withdrawn]) -> str:
        """Writes and syncs the rest; the digest of the manifest, which is the generation's id."""
        self._embed()
        for name, file in self._files.items():
            with file:
                pass
            self._listed[name] = Listed(file.size, file.sha256)
        self._plain("documents.json", entries.dump([
            {**to_json(entry), "rows": [entry.rows.start, entry.rows.stop]} for entry in self._entries.values()
        ]))
        self._plain("files.json", entries.dump(
            {"roots": list(roots), "files": to_json(list(files)), "withdrawn": to_json(list(withdrawn))}))
        for name, ends in self._ends.items():
            self._plain(f"{name}.offsets", np.array(ends, "<i8").tobytes())
        if worth_coding(self.passages):
            shape = (self.passages, self._embedder.dimension)
            self._plain(CODES, encoded(np.memmap(self._folder / VECTORS, "<f4", "r", shape=shape)).tobytes())
        for name, writer in ((LEXICAL, self._lexical), (DOCUMENT_LEXICAL, self._document_lexical)):
            self._foreign(name, writer)
        embedder, ends = self._embedder, self._ends
        manifest = Manifest(
            dict(sorted(self._listed.items())), len(self._entries), len(ends["passages"]) - 1, ends["tokens"][-1],
            embedder.name, embedder.digest, embedder.dimension,
        )
        with NewFile(self._folder / "manifest.json", self._disk) as file:
            file.write(entries.dump(entries.manifest_to_json(manifest)))
        self._disk.sync_folder(self._folder)
        return file.sha256

    def close(self) -> None:
        """Lets go of all files, finished or not."""
        for file in self._files.values():
            file.abandon()
        for writer in (self._lexical, self._document_lexical):
            writer.abandon()

    # ------------------------------------------------------------ files

    def _line(self, name: str, line: bytes, kind: str = "jsonl") -> None:
        self._files[f"{name}.{kind}"].write(line)
        self._ends[name].append(self._ends[name][-1] + len(line))

    def _plain(self, name: str, data: bytes) -> None:
        with NewFile(self._folder / name, self._disk) as file:
            file.write(data)
        self._listed[name] = Listed(file.size, file.sha256)

    def _foreign(self, name: str, writer: LexicalWriter) -> None:
        folder = self._folder / name
        self._disk.foreign(folder, writer.finish)
        sync_tree(folder, self._disk)
        for path in folder.iterdir():
            self._listed[f"{name}/{path.name}"] = Listed(path.stat().st_size, digest_of(path))

    # ------------------------------------------------------------ embeddings

    def _wait(self, waiting: "_Waiting | range") -> None:
        self._waiting.append(waiting)
        self._pending += len(waiting) if isinstance(waiting, range) else 1
        if isinstance(waiting, _Waiting) and waiting.key not in self._known:
            self._new[waiting.key] = waiting
        if len(self._new) >= _NEW or self._pending >= _ROWS:
            self._embed()

    def _embed(self) -> None:
        """Embeds the waiting passages that are new and writes all of them, in order."""
        done = dict(self._taken(list(self._new)))
        if new := {key: (w.text, w.context) for key, w in self._new.items() if key not in done}:
            done |= embedded(self._embedder, new)
            self.embedded += len(new)
            self._told(self.embedded)
        self.reused += self._pending - len(new)
        for waiting in self._waiting:
            if isinstance(waiting, range):
                self._copy(waiting)
                continue
            vector, tokens, spans = done.get(waiting.key) or self._earlier(waiting.key)
            self._files[VECTORS].write(np.ascontiguousarray(vector, "<f4").tobytes())
            self._files["keys.sha256"].write(waiting.key)
            self._files["tokens.int8"].write(tokens.tobytes())
            self._files["spans.int32"].write(np.ascontiguousarray(spans, "<i4").tobytes())
            self._ends["tokens"].append(self._ends["tokens"][-1] + len(tokens))
        self._waiting, self._new, self._pending = [], {}, 0

    def _copy(self, rows: range) -> None:
        """Vectors, keys, tokens and spans of these rows of `base`."""
        base = self._base
        assert base is not None
        if not rows:
            return
        tokens, spans, counts = base.stored_embeddings(rows)
        self._files[VECTORS].write(base.vectors.vectors(rows.start, rows.stop).tobytes())
        self._files["keys.sha256"].write(base.keys[rows.start : rows.stop].tobytes())
        self._files["tokens.int8"].write(tokens)
        self._files["spans.int32"].write(spans)
        last = self._ends["tokens"][-1]
        self._ends["tokens"].extend((last + np.cumsum(counts)).tolist())

    def _earlier(self, key: bytes) -> Stored:
        assert self._base is not None
        row = self._known[key]
        return self._base.vectors.vectors(row, row + 1)[0], *self._base.stored_tokens(row)


def quantised(tokens: np.ndarray) -> np.ndarray:
    """Rows [n, dimension] as int8, each scaled so that its largest value becomes ±127."""
    largest = np.abs(tokens).max(axis=1, keepdims=True, initial=1e-12)
    return np.rint(tokens * (127 / largest)).astype(np.int8)
