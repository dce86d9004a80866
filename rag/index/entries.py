"""What a generation says of itself: documents, files, manifest, and the report of a refresh.

All of it is stored as JSON; the `from_json` functions raise KeyError, TypeError or ValueError on
anything that is not of the expected shape, which the caller turns into IndexDamaged.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rag.schema import Document, Metadata, Passage, Relation, Section, Span, to_json

SCHEMA = 1
"""Version of the layout on disk."""


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """A document without its text: light enough to keep all of them in memory. See `Document` for `source` and `also_at`.

    length: of the text, in code points. rows: its passages' numbers in the generation.
    """

    id: str
    source: str
    also_at: tuple[str, ...]
    sha256: str
    meta: Metadata
    length: int
    rows: range


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be indexed, and why, in Chinese."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file that was seen. `path`: see `scan.Anchor`; `source`: what people call it; `error`: why it has no documents.

    recipe: of the refresh that read it. sidecar: digest of the corrections beside it, "" for none; corrected: of those that
    its documents bear, which a copy of the file may have brought.
    refused: of an archive, the members that could not be read. withheld: how many of its documents stay out, withdrawn one by
    one; their names are not kept.
    """

    path: str
    source: str
    size: int
    sha256: str
    recipe: str = ""
    documents: tuple[str, ...] = ()
    error: str | None = None
    sidecar: str = ""
    corrected: str = ""
    refused: tuple[Failure, ...] = ()
    withheld: int = 0


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A file that was taken out on purpose. It, and every copy of it, stays out until it is named itself.

    Digests of the path and of the bytes' digest: enough to know the file again, and no trace of what it was.
    member: `content` is one document of the archive at `path`; the others stay in.
    """

    path: str
    content: str
    member: bool = False

    @classmethod
    def of(cls, path: str, sha256: str, member: bool = False) -> "Withdrawn":
        """The mark of a file: its stored path and its SHA-256."""
        return cls(*(hashlib.sha256(f"withdrawn\0{part}".encode()).hexdigest() for part in (path, sha256)), member)


@dataclass(frozen=True, slots=True)
class Listed:
    """Size and digest of one file of a generation."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The table of contents of a generation. The digest of its bytes is the generation's id."""

    files: Mapping[str, Listed]
    documents: int
    passages: int
    tokens: int
    embedder: str
    embedder_digest: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a refresh is. `done` of `total` files; `source`: the file at hand.

    passages: written so far, of which `embedded` had to be computed. read_bytes of to_read_bytes: the files that are new or
    changed, which is where the time goes.
    """

    stage: Literal["scan", "build", "publish"]
    done: int
    total: int
    source: str = ""
    embedded: int = 0
    passages: int = 0
    read_bytes: int = 0
    to_read_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A file with the same bytes as another one, and the path under which they are kept."""

    source: str
    kept: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a refresh did. The lists name files below the paths that were given (and those asked to be removed);
    `documents` and `passages` count the whole generation; `embedded` + `reused` = `passages` unless nothing was written.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    duplicate: tuple[Duplicate, ...]
    failed: tuple[Failure, ...]
    withdrawn: tuple[str, ...]
    """Files that are there but were taken out before, and stay out; and how many documents of an archive do."""
    documents: int
    passages: int
    embedded: int
    reused: int
    generation: str
    seconds: float
    """How long it took."""
    warning: str | None = None
    """In Chinese, when the last generation was damaged and an earlier one had to be built upon."""


# ---------------------------------------------------------------- JSON

def dump(value: Any) -> bytes:
    """Compact JSON with a fixed order of keys. A lone surrogate, which some formats yield, survives."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def parse(data: bytes | memoryview) -> Any:
    """The reverse of `dump`. Raises ValueError."""
    try:
        return json.loads(bytes(data).decode("utf-8", "surrogatepass"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def metadata_from_json(value: Mapping[str, Any]) -> Metadata:
    """The reverse of `schema.to_json`."""
    lists = {name: tuple(value[name]) for name in ("issuers", "addressees", "years", "festivals", "places")}
    lists |= {name: tuple(value.get(name, ())) for name in ("groups", "copied_to")}  # older generations know of none
    lists["relations"] = tuple(Relation(**{**r, "span": Span(**r["span"])}) for r in value.get("relations", ()))
    proof = {name: Span(span["start"], span["end"]) for name, span in value["proof"].items()}
    return Metadata(**{**value, **lists, "proof": proof})


def document_from_json(entry: DocumentEntry, value: Mapping[str, Any]) -> Document:
    """A document from its entry and the rest: `text`, `sections`, `body`, `pages`."""
    return Document(
        id=entry.id, source=entry.source, sha256=entry.sha256, text=value["text"], meta=entry.meta, also_at=entry.also_at,
        sections=tuple(map(_section_from_json, value["sections"])),
        body=tuple(Span(**s) for s in value["body"]), pages=tuple(value["pages"]),
    )


def text_from_json(value: Mapping[str, Any]) -> str:
    """The text of a document from what `document_from_json` takes. Raises ValueError, AttributeError."""
    if not isinstance(text := value.get("text"), str):
        raise ValueError("no text")
    return text


def _section_from_json(value: Mapping[str, Any]) -> Section:
    """Field by field: a law has hundreds of them."""
    return Section(tuple(value["path"]), value["label"], value["level"], value["start"], value["end"], value["parent"],
                   value["kind"])


def document_to_json(document: Document) -> dict[str, Any]:
    """The part of a document that `DocumentEntry` leaves out."""
    return {"text": document.text, "sections": to_json(document.sections), "body": to_json(document.body),
            "pages": to_json(document.pages)}


def entry_from_json(value: Mapping[str, Any]) -> DocumentEntry:
    """The reverse of `schema.to_json`, rows as [start, end]."""
    start, end = value["rows"]
    also_at, meta = tuple(value["also_at"]), metadata_from_json(value["meta"])
    return DocumentEntry(**{**value, "also_at": also_at, "meta": meta, "rows": range(start, end)})


def file_from_json(value: Mapping[str, Any]) -> FileEntry:
    """The reverse of `schema.to_json`."""
    refused = tuple(Failure(**failure) for failure in value.get("refused", ()))  # older generations know of none
    return FileEntry(**{**value, "documents": tuple(value["documents"]), "refused": refused})


def passage_from_json(document_id: str, value: list[Any]) -> Passage:
    """The reverse of `passage_to_json`."""
    section, path, start, end, text = value
    return Passage(document_id, section, tuple(path), start, end, text)


def passage_to_json(passage: Passage) -> list[Any]:
    """Everything but the document's id, which its row tells."""
    return [passage.section, passage.section_path, passage.start, passage.end, passage.text]


def manifest_from_json(value: Mapping[str, Any]) -> Manifest:
    """The reverse of `manifest_to_json`. Raises ValueError for another schema version."""
    if value["schema"] != SCHEMA:
        raise ValueError(f"schema version {value['schema']!r}")
    files = {str(name): Listed(int(f["size"]), str(f["sha256"])) for name, f in value["files"].items()}
    counts, embedder = value["counts"], value["embedder"]
    return Manifest(
        files, int(counts["documents"]), int(counts["passages"]), int(counts["tokens"]),
        str(embedder["name"]), str(embedder["digest"]), int(embedder["dimension"]),
    )


def manifest_to_json(manifest: Manifest) -> dict[str, Any]:
    """As stored in `manifest.json`."""
    return {
        "schema": SCHEMA,
        "files": {name: {"size": f.size, "sha256": f.sha256} for name, f in manifest.files.items()},
        "counts": {"documents": manifest.documents, "passages": manifest.passages, "tokens": manifest.tokens},
        "embedder": {"name": manifest.embedder, "digest": manifest.embedder_digest, "dimension": manifest.dimension},
    }
