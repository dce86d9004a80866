"""The files behind the index as administrators handle them: uploads, new versions, and the corrections beside a file."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rag.errors import DocumentError, PartlyRead, UsageError
from rag.files import (
    contents,
    digest_of,
    inside,
    make_folders,
    odd_name,
    read_small,
    remove_tree,
    replace_file,
    typed_errors,
)
from rag.index import DocumentEntry, FileEntry, Index
from rag.index.scan import Anchor, absolute, walk
from rag.loading import load
from rag.loading.overrides import MAX_BYTES, SUFFIX
from rag.loading.passing import passing_folder
from ui.api import corrections
from ui.api.corrections import Correction, Value
from ui.api.service import Service

_LONGEST = 200
"""Bytes of a file's name; the sidecar's name is longer."""


@dataclass(frozen=True, slots=True)
class Received:
    """An uploaded file that could be read. name: in the folder of uploads; titles: of the documents in it; refused: members
    of an archive that could not be read, and why."""

    name: str
    bytes: int
    titles: tuple[str, ...]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loose:
    """A file that holds no document of the index: withdrawn or not indexed yet; of the uploaded ones also those that cannot
    be read (`reason`). name: of an uploaded file its name, of others the path as the index writes it down."""

    name: str
    bytes: int
    uploaded: bool
    reason: str = ""


class Library:
    """The files of one service. Methods raise UsageError for what the administrator can put right, IndexUnwritable for what
    the disk does not take."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()

    @property
    def index(self) -> Index:
        """The generation that is served now."""
        return self._service.pipeline.index

    @property
    def folder(self) -> Path:
        """Where uploads are kept; there after the first one."""
        return self._service.pipeline.settings.uploads

    @property
    def roots(self) -> list[Path]:
        """The indexed files and folders that are there. One that is not (a network drive) is left alone: naming it would
        drop its documents."""
        return [path for path in self._all_roots() if path.exists()]

    @property
    def absent(self) -> list[str]:
        """Indexed files and folders that are not there now."""
        return [path.name for path in self._all_roots() if not path.exists()]

    # ------------------------------------------------------------ uploads

    def receive(self, name: str, data: bytes, replaces: str | None = None) -> Received:
        """Keeps an uploaded file, once it has been read as a document. It is indexed by the next run that names it.

        replaces: the document of which this is a new version: it hands on who may see it, and nothing else. A new version
        never takes the old file's place, so that the old one can be brought back.
        """
        _checked_name(name)
        documents, refused = self._tried(name, data)
        old = self._entry(replaces) if replaces else None
        if old and any(document.sha256 == old.sha256 for document in documents):
            raise UsageError("这就是现在的版本，内容一字不差。", "请确认选对了文件。")
        with self._lock, typed_errors("保存上传的文件"):
            make_folders(self.folder)
            path = self._place(name, data, new_version=old is not None)
            if old and old.meta.groups:  # first: nobody may see the new version who may not see the old one
                replace_file(_sidecar(path), corrections.written({"groups": old.meta.groups}, {}, "", ""))
            replace_file(path, data)
        return Received(path.name, len(data), tuple(d.name for d in documents), tuple(refused))

    def upload(self, name: str) -> Path:
        """The path of an uploaded file. Raises UsageError when there is none of that name."""
        try:
            path = inside(self.folder, name)
        except ValueError as error:
            raise UsageError("没有这个上传的文件。", "请刷新页面后从列表里选。") from error
        if "/" in name or not path.is_file() or path.is_symlink():
            raise UsageError(f"没有上传过“{name}”。", "它可能已被删除，请刷新页面。")
        return path

    def loose(self) -> list[Loose]:
        """Files below the indexed folders, and uploads, that hold no document of the index."""
        known = {file.path: file for file in self.index.files}
        folder, own = absolute(self.folder), self._service.pipeline.settings.index
        out: dict[str, Loose] = {}
        for root in dict.fromkeys([*([folder] if folder.is_dir() else []), *self.roots]):
            for file in walk(root, self._anchor, absolute(own)):
                entry, uploaded = known.get(file.key), file.path.parent == folder
                if (entry is None and not file.error) or (uploaded and (entry is None or not entry.documents)):
                    name = file.path.name if uploaded else file.key
                    out[file.key] = Loose(name, file.size, uploaded, file.error or (entry.error if entry else None) or "")
        return sorted(out.values(), key=lambda found: (not found.uploaded, found.name))

    def named(self, name: str) -> Path:
        """The path of an uploaded file, or of one that `loose` names. Raises UsageError."""
        if "/" not in name:
            return self.upload(name)
        if name not in {file.name for file in self.loose() if not file.uploaded}:
            raise UsageError(f"没有叫“{name}”的文件等着编入。", "请刷新页面后从列表里选。")
        return self._anchor.path(name)

    def discard(self, name: str) -> None:
        """Deletes an uploaded file that holds no document of the index."""
        path = self.upload(name)
        if name not in {file.name for file in self.loose() if file.uploaded}:
            raise UsageError(f"“{name}”还在索引里。", "请先撤下它的文件。")
        with typed_errors("删除上传的文件"):
            remove_tree(path)
            remove_tree(_sidecar(path))

    def originals(self, id: str) -> list[Path]:
        """The uploaded files, and their sidecars, that hold this document and no other: what clearing it away deletes."""
        own = [file for file in self._files(id) if self._path(file).is_relative_to(absolute(self.folder))]
        for file in own:
            if len(file.documents) > 1:
                raise UsageError(f"这份文件在上传的压缩包“{file.source}”里，不能单独清除。", "请先用不含它的压缩包换下整个压缩包，或只撤下它。")
        return [path for file in own for path in (self._path(file), _sidecar(self._path(file)))]

    # ------------------------------------------------------------ corrections

    def corrections(self, id: str) -> Mapping[str, Correction]:
        """What administrators have set for a document, by field; what cannot be read counts as nothing."""
        for file in self._files(id):
            sidecar = _sidecar(self._path(file))
            try:
                return corrections.read(read_small(sidecar, MAX_BYTES + 1), sidecar.name)
            except (OSError, DocumentError):
                continue
        return {}

    def correct(self, id: str, values: Mapping[str, Value], who: str, at: str) -> list[Path]:
        """Writes the corrections beside every file that holds the document; the paths to index again."""
        files = self._files(id)
        shared = any(len(file.documents) > 1 for file in files)
        if shared and (values.get("title") or values.get("document_number")):
            raise UsageError("这份文件在压缩包里，标题和文号不能为它单独更正。", "请解压后把它单独上传，再更正。")
        if len({file.sha256 for file in files}) > 1:
            raise UsageError(f"这份文件既在压缩包里，也单独收着：{'、'.join(file.source for file in files)}。", "请先撤下其中一份。")
        paths = [self._path(file) for file in files]
        for path in paths:  # indexing a path whose file has gone would drop the document
            try:
                same = digest_of(path) == files[0].sha256
            except OSError:
                same = False
            if not same:
                raise UsageError(f"原文件“{path.name}”已变动或移走。", "请先重新索引，再更正。")
        data = corrections.written(values, self.corrections(id), who, at)
        with self._lock, typed_errors("保存更正"):
            for path in paths:
                replace_file(_sidecar(path), data) if data else remove_tree(_sidecar(path))
        return paths

    # ------------------------------------------------------------ inside

    @property
    def _anchor(self) -> Anchor:
        return Anchor(absolute(self._service.pipeline.settings.index).parent.parent)

    def _all_roots(self) -> list[Path]:
        return [self._anchor.path(root) for root in self.index.roots]

    def _path(self, file: FileEntry) -> Path:
        return self._anchor.path(file.path)

    def _entry(self, id: str) -> DocumentEntry:
        if id not in self.index.metas:
            raise UsageError("没有这份文件，它可能已被撤下。", "请刷新页面后从列表里选。")
        return self.index.metas[id]

    def _files(self, id: str) -> list[FileEntry]:
        self._entry(id)
        return [file for file in self.index.files if id in file.documents]

    def _tried(self, name: str, data: bytes) -> tuple[Sequence, list[str]]:
        """The documents in the file, and of an archive the members that cannot be read."""
        most = self._service.pipeline.settings.max_file_mb * 2**20
        with typed_errors("读上传的文件"), passing_folder() as folder:
            path = folder / name
            path.write_bytes(data)
            try:
                return load(path, name, most), []
            except PartlyRead as error:
                if error.documents:
                    return error.documents, [f"{member}：{why.message}" for member, why in error.refused]
                raise UsageError(error.message, error.hint) from error
            except DocumentError as error:
                raise UsageError(error.message, error.hint) from error

    def _place(self, name: str, data: bytes, new_version: bool) -> Path:
        """Where the file is kept: under its own name, or for a new version under the first free one."""
        path = inside(self.folder, name)
        if not path.exists() or (not new_version and contents(path) == data):
            return path
        if not new_version:
            raise UsageError(f"已经有叫“{name}”的文件。", "是它的新版本，就在列表里点“换新版”；是另一份文件，请改名后再上传。")
        parts, number = PurePosixPath(name), 2
        while (path := inside(self.folder, f"{parts.stem}（{number}）{parts.suffix}")).exists():
            number += 1
        return path


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX)


def _checked_name(name: str) -> None:
    """Raises UsageError unless the name can be that of an uploaded document."""
    try:
        inside(Path(), name)
    except ValueError as error:
        raise UsageError("文件名不能用。", "文件名里不能有 / \\ : 和控制符，也不能太长。请改名后再上传。") from error
    reason = odd_name(name)
    if reason is None and ("/" in name or name.startswith(".") or name != name.strip()):
        reason = "不能带路径，也不能以点或空格开头、以空格结尾"
    if reason is None and (name.endswith((SUFFIX, ".new")) or len(name.encode()) > _LONGEST):
        reason = "过长，或者是留给系统用的"
    if reason:
        raise UsageError(f"文件名{reason}。", "请改名后再上传。")
