"""Proves an index: every byte, every count, every passage against its document, every passage findable by itself."""

from collections.abc import Container, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from rag.errors import IndexDamaged
from rag.index.builder import joined, passage_context
from rag.index.engine import Engine
from rag.index.entries import whole_of
from rag.index.generation import Index
from rag.index.publish import current_candidates
from rag.index.scan import below
from rag.index.verified import read_manifest, verify
from rag.protocols import Embedder
from rag.text import bigrams, compact

_BLOCK, _SAMPLE, _SEARCHED = 256, 16, 20_000
_CLOSE = 1e-4
"""Bearable difference of inner products: float32 sums depend on their order."""


def check(folder: Path, embedder: Embedder | None = None, engine: Engine | None = None) -> list[str]:
    """What is wrong with the index, one Chinese sentence each; empty when all is well.

    embedder: given, it must be the one that was used, and a sample of passages is embedded again.
    engine: given, the server must hold the same vectors and find the same passages.
    Raises IndexMissing when there is none.
    """
    index: Index | None = None
    problems: list[str] = []
    for path, digest in current_candidates(folder, problems):
        try:
            if index is None:
                index = Index(path, digest)
            else:
                verify(path, read_manifest(path, digest))
        except (IndexDamaged, ValueError) as error:
            problems.append(str(getattr(error, "message", error)))
    if index is None:
        return problems or ["没有一个版本能够打开。"]
    problems.extend(prove(index))
    if embedder is not None:
        problems.extend(_embeddings(index, embedder))
    if engine is not None:
        problems.extend(engine.problems(index))
    return problems


def prove(index: Index) -> list[str]:
    """What is wrong with an opened generation: all that digests do not tell."""
    parts = (_strays, _documents, _passages, _tokens, _self_search)
    return [problem for part in parts for problem in part(index)]


def _strays(index: Index) -> Iterator[str]:
    known = {"manifest.json", *index.manifest.files}
    for path in sorted(index.folder.rglob("*")):
        name = path.relative_to(index.folder).as_posix()
        if name not in known and not path.is_dir():
            yield f"版本 {index.folder.name} 中有清单之外的文件 {name}。"


def _documents(index: Index) -> Iterator[str]:
    labels = {entry.id: (entry.source, *entry.also_at) for entry in index.metas.values()}
    table = {file.source: file.documents for file in index.files}
    if {id for ids in table.values() for id in ids} != set(labels):
        yield "文件表列出的文件与索引中的不同。"
    listed = all(_listed(label, table) for own in labels.values() for label in own)
    borne = all(any(below(label, source) for label in labels[id]) for source, ids in table.items() for id in ids)
    if len(table) != len(index.files) or not listed or not borne:
        yield "文件表中的名称重复或缺失。"
    for entry in index.metas.values():
        document = index.document(entry.id)
        length = len(document.text)
        if index.whole(entry.id) != whole_of(document.meta, document.text):
            yield f"文件 {entry.source} 供比对的文字与原文不符。"
        said = (relation.span for relation in document.meta.relations)
        spans = [*document.sections, *document.body, *document.meta.proof.values(), *said]
        if length != entry.length or any(not 0 <= span.start <= span.end <= length for span in spans):
            yield f"文件 {entry.source} 的长度或章节位置不对。"
        if any(not -1 <= s.parent < number for number, s in enumerate(document.sections)):
            yield f"文件 {entry.source} 的章节层次不对。"


def _listed(label: str, table: Container[str]) -> bool:
    """Whether a label is that of a file, or of a member of an archive that is one."""
    return label in table or any(above.as_posix() in table for above in PurePosixPath(label).parents)


def _passages(index: Index) -> Iterator[str]:
    for entry in index.metas.values():
        document = index.document(entry.id)
        for row in entry.rows:
            passage = index.passage(row)
            where = f"第 {row} 段（{entry.source}）"
            if not 0 <= passage.start < passage.end <= len(document.text):
                yield f"{where}的位置超出了原文。"
            elif compact(document.text[passage.start : passage.end]) != compact(passage.text):
                yield f"{where}与原文不符。"
            if not -1 <= passage.section < len(document.sections):
                yield f"{where}的章节不存在。"
            if index.lexical.terms(row)["bigrams"] != joined(bigrams, (*passage.section_path, passage.text)):
                yield f"{where}在词索引中的内容不符。"


def _tokens(index: Index) -> Iterator[str]:
    for row in range(len(index)):
        _, spans = index.tokens(row)
        if len(spans) and (spans.min() < 0 or spans.max() > len(index.passage(row).text) or (spans[:, 0] > spans[:, 1]).any()):
            yield f"第 {row} 段的词元位置超出了段落。"


def _self_search(index: Index) -> Iterator[str]:
    """Every vector's length; and that a passage's own vector finds it first, or another one that is just as near.

    Of more than `_SEARCHED` passages so many are searched for, spread over all: the time would grow with the square.
    """
    every = len(index) // _SEARCHED + 1
    for start in range(0, len(index), _BLOCK * every):
        vectors = index.vectors.vectors(start, min(start + _BLOCK * every, len(index)))
        own = (vectors * vectors).sum(axis=1)
        for row in np.flatnonzero(~(np.abs(np.sqrt(own) - 1) < 1e-3)):
            yield f"第 {start + row} 段的向量长度不是 1。"
        for row in np.flatnonzero(~(np.abs(own[::every] - index.vectors.best(vectors[::every])) < _CLOSE)):
            yield f"第 {start + row * every} 段不能由自己的向量找到。"


def _embeddings(index: Index, embedder: Embedder) -> Iterator[str]:
    if embedder.digest != index.embedder_digest:
        yield f"索引用的是向量模型 {index.embedder_name}，与现在的 {embedder.name} 不同，请重新运行 wenju index。"
        return
    rows = sorted({int(row) for row in np.linspace(0, len(index) - 1, min(_SAMPLE, len(index)))})
    passages = [index.passage(row) for row in rows]
    contexts = [passage_context(index.document(p.document_id), p) for p in passages]
    for row, encoded in zip(rows, embedder.embed_passages([p.text for p in passages], contexts), strict=True):
        if float(encoded.vector @ index.vectors.vectors(row, row + 1)[0]) < 0.999:
            yield f"第 {row} 段重新计算的向量与存下的不同。"
