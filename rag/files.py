"""The few file operations through which every change to the index goes.

One small class, so that tests can record each operation, replay what a power failure would leave
of it, and make any of them fail. Path safety, digests and the writer's lock live here too.
"""

import errno
import fcntl
import hashlib
import io
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from rag.errors import IndexBusy, IndexUnwritable

_BUFFER = 1 << 20


class Disk:
    """The real operations. A test's subclass records them or makes them fail with OSError."""

    def create(self, path: Path) -> int:
        """A descriptor of a new, empty file; an existing one is an error."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)

    def write(self, descriptor: int, data: bytes) -> int:
        """How many bytes were taken; may be fewer than given."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int, path: Path) -> None:
        """The file's content is on the medium afterwards (not yet its name: see `sync_folder`)."""
        os.fsync(descriptor)

    def sync_folder(self, path: Path) -> None:
        """The names in a folder are on the medium afterwards."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_folder(self, path: Path) -> None:
        """One new folder; its parent exists."""
        path.mkdir()

    def rename(self, old: Path, new: Path) -> None:
        """Atomic within one folder; replaces a file of the new name."""
        old.rename(new)

    def remove(self, path: Path) -> None:
        """Unlinks a file (of a symbolic link, the link)."""
        path.unlink()

    def remove_folder(self, path: Path) -> None:
        """Removes an empty folder."""
        path.rmdir()

    def foreign(self, folder: Path, write: Callable[[], None]) -> None:
        """Lets a library make `folder` and the files in it by itself; follow with `sync_tree`."""
        write()


DISK = Disk()


class Output(io.RawIOBase):
    """A new file being written; `size` and `sha256` describe the bytes that were meant, not those that arrived."""

    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__()
        self._path, self._disk, self._hash, self.size = path, disk, hashlib.sha256(), 0
        self._descriptor = disk.create(path)

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Writes what the disk takes; the buffer above offers the rest again."""
        taken = self._disk.write(self._descriptor, bytes(data))
        self._hash.update(data[:taken])
        self.size += taken
        return taken

    def sync(self) -> None:
        """See `Disk.sync`."""
        self._disk.sync(self._descriptor, self._path)

    def close(self) -> None:
        """Closes without syncing."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of all bytes so far."""
        return self._hash.hexdigest()


class NewFile:
    """A buffered new file, synced when finished.

    `with NewFile(path, disk) as file: file.write(…)`; leaving normally flushes and syncs, leaving by an
    error only closes. Afterwards `size` and `sha256` tell what was written.
    """

    def __init__(self, path: Path, disk: Disk = DISK) -> None:
        self._raw = Output(path, disk)
        self._buffer = io.BufferedWriter(self._raw, _BUFFER)
        self.write, self.flush = self._buffer.write, self._buffer.flush

    def __enter__(self) -> "NewFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._buffer.flush()
                self._raw.sync()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Closes without writing what is still buffered."""
        self._raw.close()
        with suppress(ValueError, OSError):  # the buffer cannot flush into a closed file, and need not
            self._buffer.close()

    @property
    def size(self) -> int:
        """Bytes written."""
        return self._raw.size

    @property
    def sha256(self) -> str:
        """Digest of the bytes written."""
        return self._raw.sha256


def replace_file(path: Path, data: bytes, disk: Disk = DISK) -> None:
    """The file holds either its old content or `data`, whatever happens; durable on return."""
    new = path.with_name(path.name + ".new")
    if os.path.lexists(new):
        disk.remove(new)
    with NewFile(new, disk) as file:
        file.write(data)
    disk.rename(new, path)
    disk.sync_folder(path.parent)


def overwrite(path: Path, at: int, data: bytes) -> None:
    """Puts `data` in the place of as many bytes of a file that others may append to. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        while data:
            taken = os.pwrite(descriptor, data, at)
            data, at = data[taken:], at + taken
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folders(path: Path, disk: Disk = DISK) -> None:
    """The folder and its missing parents, each made durable in its own parent."""
    if path.is_dir():
        return
    make_folders(path.parent, disk)
    with suppress(FileExistsError):
        disk.make_folder(path)
    disk.sync_folder(path.parent)


def sync_tree(folder: Path, disk: Disk = DISK) -> None:
    """Syncs every file below `folder`, then the folders."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            sync_tree(entry, disk)
        else:
            descriptor = os.open(entry, os.O_RDONLY | os.O_CLOEXEC)
            try:
                disk.sync(descriptor, entry)
            finally:
                os.close(descriptor)
    disk.sync_folder(folder)


def remove_tree(path: Path, disk: Disk = DISK) -> None:
    """Removes a file or a folder with all it holds; nothing happens when it is not there."""
    if path.is_dir() and not path.is_symlink():
        for entry in sorted(path.iterdir()):
            remove_tree(entry, disk)
        disk.remove_folder(path)
    elif os.path.lexists(path):
        disk.remove(path)


def inside(folder: Path, name: str) -> Path:
    """The path of `name` in `folder`: the one way from a name found in a file to a path.

    Raises ValueError unless the name is a plain relative POSIX path that stays inside.
    """
    parts = PurePosixPath(name).parts
    plain = all(part not in ("..", ".") and "/" not in part and len(part.encode("utf-8", "surrogatepass")) <= 255 for part in parts)
    if not parts or name != "/".join(parts) or not plain or any(c in name for c in "\\:\0\n\r"):
        raise ValueError(f"unsafe name: {name!r}")
    return folder.joinpath(*parts)


_STEERING = re.compile(r"[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


def odd_name(name: str) -> str | None:
    """Why a file's name (or path) is not to be trusted, in Chinese; None for an ordinary one.

    Marks of direction make "公告\\u202etxt.exe" look like another name; control characters break lists and logs.
    """
    if _STEERING.search(name):
        return "含有看不见的文字方向控制符"
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name):
        return "含有控制字符"
    if any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in name.split("/")):
        return "过长"
    return None


def printable(name: str) -> str:
    """A name as it may be shown: a replacement character for all that is invisible or steers a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name)


def _opened(path: Path) -> io.FileIO:
    """A regular file for reading. Raises OSError; never waits for a pipe or follows a link."""
    return io.FileIO(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK))


def read_small(path: Path, most: int) -> bytes:
    """The first `most` bytes of a regular file. Raises OSError as `digest_of` does."""
    with _opened(path) as file:
        return file.read(most)


def digest_of(path: Path) -> str:
    """SHA-256 of a regular file, in hexadecimal. Raises OSError; never waits for a pipe or follows a link."""
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def contents(path: Path) -> bytes:
    """A regular file's bytes. Raises OSError; never waits for a pipe or follows a link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with io.FileIO(descriptor) as file:
        return file.readall()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the one writer's lock. The kernel lets go of it when the process dies, however it dies.

    Raises IndexBusy when another process or thread holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise IndexBusy("索引正在被另一个进程更新。", "请等它完成后再试。") from error
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked child may still hold the descriptor
    finally:
        os.close(descriptor)


def of_the_machine(error: OSError) -> bool:
    """Whether an error is about the machine (no memory, space or descriptor left), not about the file at hand."""
    return error.errno in _MACHINE


_MACHINE = {errno.ENOMEM, errno.EAGAIN, errno.ENFILE, errno.EMFILE, errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_NO_MEMORY = ("内存不足", "请关闭其他程序，或换一台内存更大的机器。")
_REASONS = {
    errno.ENOMEM: _NO_MEMORY,
    errno.EAGAIN: ("系统资源（内存或线程）不足", _NO_MEMORY[1]),
    errno.EMFILE: ("打开的文件过多", "请调大 ulimit -n 后再试。"),
    errno.ENFILE: ("整台机器打开的文件过多", "请关闭其他程序后再试。"),
    errno.ENOSPC: ("磁盘空间不足", "请腾出空间后再试。"),
    errno.EDQUOT: ("磁盘配额已用完", "请腾出空间后再试。"),
    errno.EACCES: ("没有写权限", "请检查索引文件夹的权限。"),
    errno.EPERM: ("没有写权限", "请检查索引文件夹的权限。"),
    errno.EROFS: ("磁盘是只读的", "请换到可写的位置，或设置 WENJU_HOME。"),
    errno.EIO: ("磁盘读写出错", "请检查磁盘是否损坏。"),
}


@contextmanager
def typed_errors(what: str) -> Iterator[None]:
    """Turns an OSError of the body, or that there is no memory, into IndexUnwritable; `what` names the work in Chinese
    ("更新索引")."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "start new thread" not in str(error):
            raise
        raise IndexUnwritable(f"{what}失败：{_NO_MEMORY[0]}。", _NO_MEMORY[1]) from error
    except OSError as error:
        reason, hint = _REASONS.get(error.errno or 0, (f"系统错误：{error.strerror or error}", "请稍后再试。"))
        raise IndexUnwritable(f"{what}失败：{reason}。", hint) from error
