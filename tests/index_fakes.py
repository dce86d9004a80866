"""A loader and a cutter of a few lines each, so that tests of the index need no other step; they compute, nothing is canned."""

import hashlib
import itertools
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from fakes import HashEmbedder

from rag.errors import DocumentError
from rag.index import Index, Report, refresh
from rag.schema import Document, Metadata, Passage, Section, Span
from rag.stores.faiss import encoded


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A temporary folder in memory where there is one, used for passing files too: no test here needs a real disk to sync."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before


def load(path: Path, source: str) -> list[Document]:
    """The first line is the title, "发：" names the issuer, each line with "、" among its first three characters a heading."""
    data = path.read_bytes()
    if data.startswith(b"BAD"):
        raise DocumentError("不是文本文件。", "请检查文件。")
    text = data.decode("utf-8")
    sha256 = hashlib.sha256(data).hexdigest()
    lines = [(m.start(), m.end(), m[0]) for m in re.finditer(r"[^\n]+", text)]
    heads = [(start, line) for start, _, line in lines if "、" in line[:3]]
    ends = [*(start for start, _ in heads), len(text)][1:]
    sections = tuple(
        Section((line,), line[: line.index("、") + 1], 1, start, end) for (start, line), end in zip(heads, ends, strict=True)
    )
    issuers = tuple(re.findall(r"发：(\S+)", text))
    title = lines[0][2] if lines and heads[:1] != [(0, lines[0][2])] else None
    meta = Metadata(title=title, issuers=issuers, years=(2023,), proof={"title": Span(0, len(title))} if title else {})
    return [Document(sha256[:16], source, sha256, text, meta, sections, body=(Span(0, len(text)),), pages=(0,))]


def cut(document: Document) -> list[Passage]:
    """Each line is a passage."""
    out = []
    for found in re.finditer(r"\S[^\n]*", document.text):
        inside = [n for n, s in enumerate(document.sections) if s.start <= found.start() < s.end]
        section = inside[-1] if inside else -1
        path = document.sections[section].path if inside else ()
        out.append(Passage(document.id, section, path, found.start(), found.end(), found[0].rstrip()))
    return out


class CountingEmbedder(HashEmbedder):
    """Remembers what it was asked to embed, and the largest batch."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.largest = 0

    def embed_passages(self, texts, contexts):
        self.texts += texts
        self.largest = max(self.largest, len(texts))
        return super().embed_passages(texts, contexts)


def index_of(folder: Path, *roots: Path, **more: object) -> Report:
    """A refresh with these parts."""
    embedder = more.pop("embedder", None) or HashEmbedder()
    return refresh(folder, roots, load, more.pop("cut", cut), embedder, **more)


def whole(index: Index) -> list[tuple]:
    """All that an index gives out, for comparing two of them."""
    return [
        (index.document(id), [(index.passage(r), index.tokens(r)[0].tobytes(), index.vectors.vectors(r, r + 1).tobytes())
                              for r in entry.rows])
        for id, entry in index.metas.items()
    ]


# ---------------------------------------------------------------- files and folders of tests

_clock = itertools.count(1_600_000_000)


def write(path: Path, text: str) -> None:
    """A file whose time stamp lies safely in the past, each time another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    stamp = next(_clock)
    os.utime(path, (stamp, stamp))


def notices(folder: Path) -> Path:
    """Three notices of six passages each: a.txt, b.txt, c.txt."""
    for name, what in (("a", "值班"), ("b", "消防"), ("c", "采购")):
        lines = (f"关于做好{what}工作的通知", f"发：某市{what}办", f"一、{what}要求", f"严格落实{what}制度。", "二、其他", "按时报送。")
        write(folder / f"{name}.txt", "\n".join(lines) + "\n")
    return folder


def generations(folder: Path) -> list[Path]:
    """The folders of all generations of an index, oldest first."""
    return sorted((folder / "generations").iterdir())


def sources(folder: Path) -> list[str]:
    """The labels of all documents, in the order of the index."""
    return [entry.source for entry in Index.open(folder).metas.values()]


# ---------------------------------------------------------------- indexes that lie

def forge(folder: Path, changes: dict[str, bytes], **manifest_changes: object) -> None:
    """The current generation with other contents, all digests made to fit: what digests alone cannot tell."""
    current = generations(folder)[-1]
    manifest = json.loads((current / "manifest.json").read_bytes()) | manifest_changes
    for name, data in changes.items():
        (current / name).write_bytes(data)
        manifest["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    data = json.dumps(manifest).encode()
    (current / "manifest.json").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    current.rename(named := current.with_name(f"{current.name[:7]}{digest[:16]}"))
    (folder / "CURRENT").write_text(f"{named.name} {digest}\n")


def forgeries(current: Path) -> dict[str, tuple[dict[str, bytes], dict, str]]:
    vectors = np.fromfile(current / "vectors.float32", "<f4").reshape(18, 64)
    longer = vectors * np.array([2.0] + [1.0] * 17, np.float32)[:, None]
    def read(name: str) -> bytes:
        return (current / name).read_bytes()

    import faiss

    hnsw = faiss.IndexHNSWFlat(64, 4)
    hnsw.add(vectors)
    foreign = faiss.serialize_index(hnsw).tobytes()
    own = encoded(vectors).tobytes()
    files = json.loads((current / "manifest.json").read_bytes())["files"]
    coded = {"files": {**files, "vectors.codes": {}}}
    documents = json.loads(read("documents.json"))
    twice = json.dumps([documents[0], {**documents[1], "id": documents[0]["id"]}, documents[2]]).encode()
    spans = np.frombuffer(read("spans.int32"), "<i4").copy()
    spans[1] = 1000
    return {
        "passage": ({"passages.jsonl": read("passages.jsonl").replace("严格落实消防".encode(), "严格落实防火".encode())}, {}, "与原文不符"),
        "words": ({"passages.jsonl": read("passages.jsonl").replace("一、消防要求".encode(), "一、防消要求".encode())}, {}, "词索引"),
        "text": ({"texts.jsonl": read("texts.jsonl").replace("按时".encode(), "限时".encode())}, {}, "与原文不符"),
        "whole": ({"wholes.txt": read("wholes.txt").replace("按时".encode(), "限时".encode())}, {}, "供比对"),
        "length": ({"documents.json": read("documents.json").replace(b'"length":', b'"length":1')}, {}, "长度"),
        "ids": ({"documents.json": twice}, {}, "document count"),
        "files": ({"files.json": read("files.json").replace(b'docs/b.txt"', b'docs/q.txt"')}, {}, "文件表"),
        "norm": ({"vectors.float32": longer.tobytes()}, {}, "向量长度"),
        "fewer": ({"vectors.float32": vectors[:17].tobytes()}, {}, "读不出来"),
        "torn": ({"vectors.float32": read("vectors.float32")[:-3]}, {}, "读不出来"),
        "kind": ({"vectors.codes": foreign}, coded, "种类"),
        "fewer codes": ({"vectors.codes": encoded(vectors[:17]).tobytes()}, coded, "行数"),
        "torn codes": ({"vectors.codes": own[:200]}, coded, "向量编码"),
        "huge codes": ({"vectors.codes": own[:8] + b"\xff" * 7 + own[15:]}, coded, "向量编码"),
        "spans": ({"spans.int32": spans.tobytes()}, {}, "词元"),
        "offsets": ({"tokens.offsets": read("tokens.offsets")[:-8] + b"\xff" * 8}, {}, "offsets"),
        "lexical": ({f"lexical/{p.name}": read(f"document_lexical/{p.name}") for p in (current / "lexical").iterdir()}, {}, "lexical count"),
        "json": ({"documents.json": b"[" * 100_000}, {}, "读不出来"),
        "shape": ({"documents.json": b'[{"rows":[0,18],"also_at":[],"meta":{}}]'}, {}, "读不出来"),
        "counts": ({}, {"counts": {"documents": 3, "passages": 17, "tokens": 9}}, "offsets"),
        "schema": ({}, {"schema": 99}, "schema"),
        "unsafe": ({}, {"files": {"../x": {"size": 0, "sha256": ""}}}, "manifest"),
        "manifest": ({}, {"files": []}, "清单"),
    }
