"""A loader and a cutter of a few lines each, so that tests of the index need no other step; they compute, nothing is canned."""

import hashlib
import re
from pathlib import Path

from fakes import HashEmbedder

from rag.errors import DocumentError
from rag.index import Index, Report, refresh
from rag.schema import Document, Metadata, Passage, Section, Span


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
    title = lines[0][2] if lines and not heads[:1] == [(0, lines[0][2])] else None
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
