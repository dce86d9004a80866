"""One-file backups.

A backup is a zip file of one generation, stored without compression, so that it cannot unpack to more than it is:
CURRENT, which names the manifest's digest, `manifest.json`, and the files that the manifest lists. Nothing in a
backup is believed until it has been proved, in a child process, by everything `wenju check` looks at.
"""

import hashlib
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from rag.errors import IndexDamaged, IndexMissing, UsageError
from rag.files import DISK, Disk, NewFile, inside, locked, make_folders, remove_tree, typed_errors
from rag.index.engine import Engine
from rag.index.entries import Manifest
from rag.index.generation import Index
from rag.index.publish import Pointer, collect_garbage, lock_path, parse_pointers, publish, read_pointers, staging, tidy
from rag.index.trial import try_in_child
from rag.index.verified import DOCUMENT_LEXICAL, LEXICAL, MANIFEST_LIMIT, listed_paths, parse_manifest

_PIECE = 1 << 20
_DAY = (1980, 1, 1, 0, 0, 0)
_CURRENT, _MANIFEST = "CURRENT", "manifest.json"


# ---------------------------------------------------------------- backup

def backup(folder: Path, file: Path, disk: Disk = DISK) -> str:
    """Saves the current generation in `file`, which is replaced only by a whole backup; the generation's id.

    Equal generations give equal files. Readers and a writer may go on meanwhile.
    Raises IndexMissing, IndexDamaged (then nothing is saved), IndexUnwritable, UsageError.
    """
    if not file.absolute().parent.is_dir() or file.is_dir():
        raise UsageError(f"不能写到 {file}。", "请给出一个现有文件夹中的文件名。")
    with typed_errors("备份"):
        while True:
            index = Index.open(folder)
            if index.fallback:
                raise IndexDamaged(index.fallback, "请先运行 wenju index 修复，再做备份。")
            pointers = read_pointers(folder)
            try:
                _save(index, file.absolute(), disk)
                return index.generation
            except (FileNotFoundError, IndexDamaged):
                if read_pointers(folder) == pointers:
                    raise  # else the generation was replaced and removed meanwhile: save the new one


def _save(index: Index, file: Path, disk: Disk) -> None:
    part = file.with_name(file.name + ".part")
    remove_tree(part, disk)
    try:
        with NewFile(part, disk) as new, zipfile.ZipFile(new, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[arg-type]
            current = Pointer(index.folder.name, index.digest)
            archive.writestr(zipfile.ZipInfo(_CURRENT, _DAY), current.line())
            archive.writestr(zipfile.ZipInfo(_MANIFEST, _DAY), (index.folder / _MANIFEST).read_bytes())
            for name, listed in index.manifest.files.items():
                info = zipfile.ZipInfo(name, _DAY)
                info.file_size = listed.size
                if _copied(inside(index.folder, name), archive, info) != listed.sha256:
                    raise IndexDamaged(f"索引已损坏：{name} 与清单不符。", "请运行 wenju check。")
        disk.rename(part, file)
        disk.sync_folder(file.parent)
    except BaseException:
        with suppress(OSError):
            remove_tree(part, disk)
        raise


def _copied(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as source, archive.open(info, "w") as target:
        while piece := source.read(_PIECE):
            digest.update(piece)
            target.write(piece)
    return digest.hexdigest()


# ---------------------------------------------------------------- restore

def restore(
    file: Path, folder: Path, disk: Disk = DISK, trial: Callable[[Path, str], list[str]] = try_in_child,
    engine: Engine | None = None,
) -> str:
    """Makes the generation saved in `file` the current one; its id. The one that was current is kept to fall back to.

    trial: proves an unpacked generation; what is wrong with it, in Chinese. engine: see `refresh`.
    Raises IndexDamaged for a file that is no whole and honest backup, IndexBusy, IndexUnwritable, EngineError, UsageError;
    the current generation is then what it was.
    """
    if not file.is_file():
        raise UsageError(f"找不到备份文件 {file}。", "请检查路径是否写对。")
    with typed_errors("恢复"):
        make_folders(folder, disk)
        with locked(lock_path(folder)), closing(_opened(file)) as archive:
            digest, manifest = _contents(archive, file.stat().st_size)
            keep = _good(folder)
            tidy(folder, keep.name if keep else None, disk)
            if keep and keep.digest == digest:
                return digest[:16]
            _unpacked(archive, digest, manifest, folder, keep, disk, trial, engine)
            return digest[:16]


def _unpacked(
    archive: zipfile.ZipFile, digest: str, manifest: Manifest, folder: Path, keep: Pointer | None, disk: Disk,
    trial: Callable[[Path, str], list[str]], engine: Engine | None,
) -> None:
    """Unpacks, proves and publishes."""
    built = staging(folder, disk)
    try:
        for name in (LEXICAL, DOCUMENT_LEXICAL):
            disk.make_folder(built / name)
        for name in (_MANIFEST, *manifest.files):
            with NewFile(inside(built, name), disk) as new:
                for piece in _pieces(archive, name):
                    new.write(piece)
        for name in (LEXICAL, DOCUMENT_LEXICAL):
            disk.sync_folder(built / name)
        disk.sync_folder(built)
        if problems := trial(built, digest):
            raise _refused("；".join(problem.rstrip("。") for problem in problems[:3]))
        if engine:
            engine.fill(Index(built, digest))
        current = publish(folder, built, digest, keep, disk)
    except BaseException:
        with suppress(OSError):
            remove_tree(built, disk)
        raise
    with suppress(OSError):  # what cannot be removed now, the next writer removes
        collect_garbage(folder, [p.name for p in (current, keep) if p], disk)
    if engine:
        engine.settle(digest[:16], [keep.digest[:16]] if keep else [])


def _good(folder: Path) -> Pointer | None:
    """The generation that is served now."""
    try:
        index = Index.open(folder)
    except (IndexMissing, IndexDamaged):
        return None
    return Pointer(index.folder.name, index.digest)


# ---------------------------------------------------------------- reading what others wrote

@contextmanager
def _distrust() -> Iterator[None]:
    """Whatever goes wrong while a backup is read is the backup's fault."""
    try:
        yield
    except (zipfile.BadZipFile, zipfile.LargeZipFile, struct.error, ValueError, KeyError, TypeError, AttributeError,
            IndexError, EOFError, RuntimeError, NotImplementedError, OverflowError, OSError) as error:
        raise _refused(f"文件不完整或不是文据的备份（{error}）") from error


def _refused(why: str) -> IndexDamaged:
    return IndexDamaged(f"这个备份不能用：{why}。", "请换一个完好的备份文件。")


def _opened(file: Path) -> zipfile.ZipFile:
    with _distrust():
        return zipfile.ZipFile(file)


def _contents(archive: zipfile.ZipFile, size: int) -> tuple[str, Manifest]:
    """The manifest's digest and the manifest, once every member's name and size agree with it."""
    with _distrust():
        members = {info.filename: info for info in archive.infolist()}
        if len(members) != len(archive.infolist()) or sum(info.file_size for info in members.values()) > size:
            raise ValueError("重名或过大的内容")
        if any(i.compress_type != zipfile.ZIP_STORED or i.flag_bits & 1 or i.compress_size != i.file_size
               for i in members.values()):
            raise ValueError("压缩或加密的内容")
        if members[_CURRENT].file_size > 4096 or members[_MANIFEST].file_size > MANIFEST_LIMIT:
            raise ValueError("清单过大")
        (pointer,) = parse_pointers(archive.read(_CURRENT))
        data = archive.read(_MANIFEST)
        if hashlib.sha256(data).hexdigest() != pointer.digest:
            raise ValueError("清单与摘要不符")
        manifest = parse_manifest(data)
        listed_paths(Path(), manifest)
        sizes = {name: listed.size for name, listed in manifest.files.items()}
        if {name: i.file_size for name, i in members.items() if name not in (_CURRENT, _MANIFEST)} != sizes:
            raise ValueError("内容与清单不符")
    return pointer.digest, manifest


def _pieces(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with _distrust():
        source = archive.open(name)
    with source:
        while True:
            with _distrust():
                piece = source.read(_PIECE)
            if not piece:
                return
            yield piece
