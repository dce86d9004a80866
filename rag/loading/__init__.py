"""Files to documents. One file here for each format, and one line for it in `readers`."""

import atexit
import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from rag.errors import DocumentError, PartlyRead, Scanned
from rag.files import of_the_machine
from rag.loading import kinds, ocr, office
from rag.loading.blocks import Block
from rag.loading.content import Content
from rag.loading.decode import decode
from rag.loading.metadata import metadata
from rag.loading.passing import passing_folder
from rag.loading.plain import read_md, read_txt
from rag.loading.sandbox import Sandbox
from rag.loading.stated import with_header
from rag.loading.structure import sections
from rag.schema import Document, Span

SUFFIXES = (".txt", ".md", ".html", ".htm", ".docx", *office.TEXTS, ".pdf", ".ofd", ".xlsx", *office.TABLES, ".csv", ".zip")
"""What `load` reads, in lower case."""

MAX_BYTES = 64 * 1024 * 1024

_sandbox = Sandbox()
atexit.register(_sandbox.close)


def load(path: Path, source: str, max_bytes: int = MAX_BYTES) -> list[Document]:
    """The documents in a file: one, but for archives.

    source: the name under which the file is known, kept in every citation; members of an archive add their own path
    to it. max_bytes: larger files are refused. Raises DocumentError when the file is missing, empty, too large, of an
    unknown kind or not what its name says; PartlyRead when some members of an archive are; OSError when the machine has
    no memory, space or descriptor left.
    """
    _known(path.name)
    data = _bytes(path, max_bytes)
    suffix = kinds.settled(path.suffix.lower(), data, path.name)
    return _archive(data, path.name, source, max_bytes) if suffix == ".zip" else [_one(suffix, data, path.name, source)]


def _known(name: str) -> None:
    if PurePosixPath(name).suffix.lower() not in SUFFIXES:
        known = "、".join(s[1:] for s in SUFFIXES)
        raise DocumentError(f"不支持“{name}”的格式。", f"目前支持：{known}。请转换成其中一种格式后再试。")


def _one(suffix: str, data: bytes, name: str, source: str) -> Document:
    """The document in the bytes of one file. suffix: see `kinds.settled`."""
    content = _content(suffix, data, name)
    if not any(b.content for b in content.blocks):
        raise DocumentError(f"“{name}”里没有正文。", "请检查文件内容；如果是扫描件，请先做文字识别。")
    return _document(data, source, content)


def _content(suffix: str, data: bytes, name: str) -> Content:
    match suffix:
        case ".txt":
            return read_txt(decode(data, name))
        case ".md":
            return read_md(decode(data, name))
        case _ if suffix in (*office.TEXTS, *office.TABLES):
            return _sandbox.read(*office.modern(data, suffix, name), name)
        case _:
            try:
                return _sandbox.read(suffix, data, name)
            except Scanned:
                if not ocr.installed():
                    raise
                return _recognised(data, name)


def _recognised(data: bytes, name: str) -> Content:
    """The text of a scanned file. Recognising takes more memory and time than reading: it has a process of its own."""
    reader = Sandbox(ocr.MEMORY, ocr.SECONDS)
    try:
        return reader.read(".pdf scanned", data, name)
    finally:
        reader.close()


def abilities() -> str:
    """What else is installed and decides which files can be read: after a change, files are read again."""
    return f"office={office.program() is not None} ocr={ocr.installed()}"


def _archive(data: bytes, name: str, source: str, max_bytes: int) -> list[Document]:
    """The documents in an archive, in order of their paths; members with the same bytes are one document."""
    found: dict[str, Document] = {}
    refused: list[tuple[str, DocumentError]] = []
    with passing_folder() as folder:
        kept: list[tuple[str, Path]] = []

        def keep(member: str, content: bytes, refusal: DocumentError | None) -> None:
            if refusal is not None:
                refused.append((f"{source}/{member}", refusal))
                return
            kept.append((member, folder / str(len(kept))))
            kept[-1][1].write_bytes(content)

        _sandbox.unpack(data, name, max_bytes, keep)
        for member, path in sorted(kept):
            try:
                document = _member(path.read_bytes(), member, f"{source}/{member}")
            except DocumentError as error:
                refused.append((f"{source}/{member}", error))
                continue
            first = found.setdefault(document.id, document)
            if first is not document:
                found[document.id] = replace(first, also_at=(*first.also_at, document.source))
    if refused:
        raise PartlyRead(list(found.values()), sorted(refused, key=lambda pair: pair[0]))
    if not found:
        raise DocumentError(f"“{name}”里没有文件。", "请换一个有内容的压缩包。")
    return list(found.values())


def _member(data: bytes, member: str, source: str) -> Document:
    name = PurePosixPath(member).name
    _known(name)
    if not data.strip():
        raise DocumentError(f"“{name}”是空文件。", "请换一个有内容的文件。")
    return _one(kinds.settled(PurePosixPath(name).suffix.lower(), data, name), data, name, source)


def _bytes(path: Path, max_bytes: int) -> bytes:
    """What a regular file holds; a pipe or a device is never waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise DocumentError(f"文件“{path}”{'是一个文件夹' if stat.S_ISDIR(status.st_mode) else '不是普通文件'}。", "请检查路径是否写对。")
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(min(status.st_size, max_bytes) + 1)  # room is made for as much as is asked for
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise DocumentError(f"文件“{path}”不存在。", "请检查路径是否写对。") from error
    except OSError as error:
        if of_the_machine(error):
            raise
        raise DocumentError(f"“{path.name}”读不出来：{error.strerror or error}。", "请检查文件权限。") from error
    if len(data) > max_bytes:
        limit = max_bytes / 1024 / 1024
        raise DocumentError(f"“{path.name}”有 {status.st_size / 1024 / 1024:.1f} MB，超过了 {limit:g} MB 的上限。", "请拆分文件，或调大设置 max_file_mb。")
    if not data.strip():
        raise DocumentError(f"“{path.name}”是空文件。", "请换一个有内容的文件。")
    return data


def _document(data: bytes, source: str, content: Content) -> Document:
    digest = hashlib.sha256(data).hexdigest()
    blocks, given = with_header(content.text, content.blocks, content.given)
    found = sections(content.text, blocks, content.wrapped)
    meta = metadata(content.text, blocks, found, given)
    body = _body(blocks, meta.proof.get("title"))
    return Document("d" + digest[:16], source, digest, content.text, meta, found, body, content.pages)


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
