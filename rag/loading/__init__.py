"""Files to documents. One file here for each format, and one line in `_read`."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.errors import DocumentError
from rag.loading.blocks import Block
from rag.loading.decode import decode
from rag.loading.metadata import metadata
from rag.loading.plain import read_md, read_txt
from rag.loading.structure import sections
from rag.loading.web import read_html
from rag.schema import Document, Span

SUFFIXES = (".txt", ".md", ".html", ".htm")
"""What `load` reads, in lower case."""

MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """What a format's reader hands on: the text offsets refer to, its blocks, and what the format states of itself."""

    text: str
    blocks: list[Block]
    wrapped: bool = False
    given: Mapping[str, tuple[str, Span]] | None = None


def load(path: Path, source: str, max_bytes: int = MAX_BYTES) -> list[Document]:
    """The documents in a file (one, but for archives).

    source: the name under which the file is known, kept in every citation. max_bytes: larger files are refused.
    Raises DocumentError when the file is missing, empty, too large, of an unknown kind or not what its name says.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        known = "、".join(s[1:] for s in SUFFIXES)
        raise DocumentError(f"不支持“{path.name}”的格式。", f"目前支持：{known}。请转换成其中一种格式后再试。")
    data = _bytes(path, max_bytes)
    content = _read(suffix, data, path.name)
    if not any(b.content for b in content.blocks):
        raise DocumentError(f"“{path.name}”里没有正文。", "请检查文件内容；如果是扫描件，请先做文字识别。")
    return [_document(data, source, content)]


def _read(suffix: str, data: bytes, name: str) -> Content:
    match suffix:
        case ".txt":
            text = decode(data, name)
            return Content(text, *read_txt(text))
        case ".md":
            text = decode(data, name)
            return Content(text, read_md(text))
        case ".html" | ".htm":
            text, blocks, given = read_html(data, name)
            return Content(text, blocks, given=given)
        case _:
            raise DocumentError(f"不支持“{name}”的格式。")


def _bytes(path: Path, max_bytes: int) -> bytes:
    try:
        if not path.is_file():
            problem = "是一个文件夹" if path.is_dir() else "不是普通文件" if path.exists() else "不存在"
            raise DocumentError(f"文件“{path}”{problem}。", "请检查路径是否写对。")
        size = path.stat().st_size
        if size > max_bytes:
            limit = max_bytes / 1024 / 1024
            raise DocumentError(f"“{path.name}”有 {size / 1024 / 1024:.1f} MB，超过了 {limit:g} MB 的上限。", "请拆分文件，或调大设置 max_file_mb。")
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(f"“{path.name}”读不出来：{error.strerror or error}。", "请检查文件权限。") from error
    if not data.strip():
        raise DocumentError(f"“{path.name}”是空文件。", "请换一个有内容的文件。")
    return data


def _document(data: bytes, source: str, content: Content) -> Document:
    digest = hashlib.sha256(data).hexdigest()
    found = sections(content.text, content.blocks, content.wrapped)
    meta = metadata(content.text, content.blocks, found, content.given)
    body = _body(content.blocks, meta.proof.get("title"))
    return Document("d" + digest[:16], source, digest, content.text, meta, found, body)


def _body(blocks: Sequence[Block], title: Span | None) -> tuple[Span, ...]:
    """The spans of the content, the lines of a broken title as one."""
    out: list[Span] = []
    for found in blocks:
        if not found.content:
            continue
        if title and out and title.start <= out[-1].start and found.start < title.end and found.start > title.start:
            out[-1] = Span(out[-1].start, found.end)
        else:
            out.append(found.span)
    return tuple(out)
