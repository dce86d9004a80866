"""zip: an archive of documents. Nothing is unpacked to disk under a name that the archive chose."""

import io
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from rag.errors import DocumentError
from rag.files import odd_name, printable
from rag.loading.package import ZIP_ERRORS

_MOST = 2000
_LARGEST = 256 << 20
_NESTED = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")
_LITTER = ("__MACOSX", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: its path there, and its bytes or why they are refused."""

    name: str
    data: bytes = b""
    refusal: DocumentError | None = None


def members(data: bytes, name: str, most: int) -> Iterator[Member]:
    """The files in an archive, in its own order. most: bytes in one of them.

    Hidden files are left out. Raises DocumentError for an archive that is damaged, or dangerous as a whole: one that
    unpacks to too much, or names files outside itself.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except ZIP_ERRORS as error:
        raise DocumentError(f"“{name}”已损坏，或不是 zip 文件。", "请重新压缩后再试。") from error
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > _MOST or sum(info.file_size for info in infos) > _LARGEST:
        raise DocumentError(f"“{name}”解压后超过 {_MOST} 个文件或 {_LARGEST >> 20} MB，像是压缩炸弹，已拒绝读取。", "请解压后把文件夹加入索引。")
    named = [(_name(info), info) for info in infos]
    for path, _ in named:
        if path.startswith("/") or ".." in path.split("/") or path[1:2] == ":":
            raise DocumentError(f"“{name}”里有指向压缩包之外的路径，已拒绝读取。", "请确认文件来源，重新压缩后再试。")
    for path, info in named:
        if not any(part.startswith(".") or part in _LITTER for part in path.split("/")):
            yield _member(archive, info, path, most)


def _name(info: zipfile.ZipInfo) -> str:
    """A member's path. Names that are not marked as UTF-8 are GB18030 where that is possible: so Windows writes them."""
    path = info.orig_filename
    if not info.flag_bits & 0x800:
        try:
            path = path.encode("cp437").decode("gb18030")
        except UnicodeError:
            path = info.orig_filename
    return path.replace("\\", "/")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str, most: int) -> Member:
    if reason := odd_name(path):
        return Member(printable(path)[:120], refusal=DocumentError(f"文件名{reason}。", "请改名后重新压缩再试。"))
    if stat.S_ISLNK(info.external_attr >> 16):
        return Member(path, refusal=DocumentError("是符号链接，未跟随。", "请换成它所指的文件。"))
    if PurePosixPath(path).suffix.lower() in _NESTED:
        return Member(path, refusal=DocumentError("是压缩包里的压缩包，没有打开。", "请先解压一层，再加入索引。"))
    if info.flag_bits & 1:
        return Member(path, refusal=DocumentError("设有密码。", "请去掉密码后重新压缩再试。"))
    if info.file_size > most:
        return Member(path, refusal=DocumentError(f"超过了 {most / 1024 / 1024:g} MB 的上限。", "请拆分文件，或调大设置 max_file_mb。"))
    try:
        with archive.open(info) as file:
            data = file.read(most + 1)
    except ZIP_ERRORS:
        return Member(path, refusal=DocumentError("在压缩包里已损坏。", "请重新压缩后再试。"))
    return Member(path, data)
