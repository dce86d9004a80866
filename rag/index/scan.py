"""Which files there are: walking the paths that were named, digests, and the labels people see.

Nothing outside a named path is ever read: symbolic links below it are not followed, and only
regular files are opened. Hidden files and folders are left out.
"""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rag.errors import UsageError
from rag.files import DISK, Disk, digest_of, odd_name, printable, read_small, replace_file
from rag.index import entries
from rag.loading.overrides import MAX_BYTES, SUFFIX

_FRESH = 2_000_000_000
"""A file changed less than this many nanoseconds ago may change again without a new time stamp."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file below a named path. `key`: see `Anchor`; `error`: why it cannot be indexed; `sha256` is "" then.

    sidecar: the content of the corrections that lie beside it, b"" for none.
    """

    path: Path
    key: str
    size: int = 0
    mtime_ns: int = 0
    inode: int = 0
    ctime_ns: int = 0
    sha256: str = ""
    error: str | None = None
    sidecar: bytes = b""


@dataclass(frozen=True, slots=True)
class Anchor:
    """How paths are written down: relative to the folder that holds WENJU_HOME when inside it, else absolute.

    So a project folder can be moved or copied with its index, and the working directory does not matter.
    """

    folder: Path

    def key(self, path: Path) -> str:
        """The stored form of an absolute path."""
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else path.as_posix()

    def path(self, key: str) -> Path:
        """The reverse of `key`."""
        return self.folder / key


def absolute(path: Path) -> Path:
    """Absolute and free of "..", links kept: a link that is named itself is followed."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would replace links


def below(key: str, root: str) -> bool:
    """Whether a stored path is, or lies inside, another one."""
    return key == root or (root == "." and not key.startswith("/")) or key.startswith(root.rstrip("/") + "/")


def outermost(roots: Iterable[str]) -> tuple[str, ...]:
    """The roots without those that lie inside another one, sorted."""
    unique = sorted(set(roots))
    return tuple(r for r in unique if not any(r != other and below(r, other) for other in unique))


# ---------------------------------------------------------------- walking

def walk(root: Path, anchor: Anchor, skip: Path) -> Iterator[Found]:
    """All files of a root that exists, in order of their paths, not yet read. `skip`: the index's own folder."""
    if not root.is_dir():
        yield _with_sidecar(replace(_examined(root, root.stat(), anchor), path=root.resolve()), root)
        return
    real = root.resolve()
    stack = [root]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(folder) as listing:
                names = sorted(listing, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            yield Found(folder, anchor.key(folder), error=f"文件夹读不出来：{error.strerror}。请检查权限。")
            continue
        there = {entry.name for entry in names}
        for entry in reversed(names):
            path = Path(entry.path)
            if entry.name.startswith(".") or path == skip:
                continue
            if entry.is_symlink():
                if not _leads_inside(path, real):
                    yield Found(path, anchor.key(path), error="是指向文件夹之外（或已失效）的符号链接，未跟随。请换成它所指的文件。")
            elif entry.is_dir(follow_symlinks=False):
                stack.append(path)
            elif entry.name.endswith(SUFFIX):
                if entry.name.removesuffix(SUFFIX) not in there:
                    yield Found(path, anchor.key(path), error="是更正文件，但旁边没有它要更正的文件")
            else:
                with suppress(FileNotFoundError):
                    found = _examined(path, entry.stat(follow_symlinks=False), anchor)
                    yield _with_sidecar(found, path) if entry.name + SUFFIX in there else found


def _with_sidecar(found: Found, path: Path) -> Found:
    """The file with the corrections beside it."""
    sidecar = path.with_name(path.name + SUFFIX)
    if found.error or not os.path.lexists(sidecar):
        return found
    try:
        return replace(found, sidecar=read_small(sidecar, MAX_BYTES + 1) or b"\n")
    except OSError as error:
        return replace(found, error=f"更正文件 {sidecar.name} 读不出来：{error.strerror}")


def _leads_inside(link: Path, root: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):
        return False


def _examined(path: Path, status: os.stat_result, anchor: Anchor) -> Found:
    try:
        path.as_posix().encode("utf-8")
    except UnicodeEncodeError:
        shown = Path(os.fsencode(path).decode("utf-8", "replace"))
        return Found(shown, anchor.key(shown), error="文件名不是 UTF-8 编码。请改名后再试。")
    if reason := odd_name(anchor.key(path)):
        shown = Path(printable(path.as_posix()))
        return Found(shown, anchor.key(shown), error=f"文件名{reason}。请改名后再试。")
    if not stat.S_ISREG(status.st_mode):
        return Found(path, anchor.key(path), error="不是普通文件。请换成普通文件后再试。")
    return Found(path, anchor.key(path), status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


def find(
    named: Mapping[str, Path], known: Callable[[str], bool], anchor: Anchor, skip: Path
) -> list[Found]:
    """The files below all named paths (stored form → path), each once, by stored path.

    known: whether a path that is gone was indexed before. Raises UsageError for one that never was there.
    """
    found: dict[str, Found] = {}
    for key, path in named.items():
        try:
            there = path.exists()
        except OSError as error:
            found[key] = Found(path, key, error=f"读不出来：{error.strerror}")
            continue
        if there:
            found |= {file.key: file for file in walk(path, anchor, skip)}
        elif not known(key):
            raise UsageError(f"找不到 {path}。", "请检查路径是否写对。")
    return [found[key] for key in sorted(found)]


# ---------------------------------------------------------------- digests

class Seen:
    """Remembers the digest of files that have not been touched since. A cache: losing it costs reading them again."""

    def __init__(self, path: Path, disk: Disk = DISK) -> None:
        self._path, self._disk = path, disk
        self._now = time.time_ns()
        self._known: dict[str, list] = {}
        with suppress(OSError, ValueError, AttributeError):
            digest, data = path.read_bytes().split(b"\n", 1)
            if hashlib.sha256(data).hexdigest().encode() == digest:
                self._known = entries.parse(data)
        self._next = dict(self._known)

    def digest(self, file: Found) -> str:
        """SHA-256 of a found file; not read again when size, time stamps and inode are the recorded ones. Raises OSError."""
        stamp = [file.size, file.mtime_ns, file.inode, file.ctime_ns]  # the last one whatever sets the others does not set
        known = self._known.get(file.key)
        if known and known[:-1] == stamp:
            return known[-1]
        self._next.pop(file.key, None)
        sha256 = digest_of(file.path)
        if file.mtime_ns < self._now - _FRESH:
            self._next[file.key] = [*stamp, sha256]
        return sha256

    def save(self, keys: Iterable[str]) -> None:
        """Keeps what is known of these files. A failure is not worth an error."""
        kept = {key: self._next[key] for key in sorted(keys) if key in self._next}
        if kept != self._known:
            data = entries.dump(kept)
            with suppress(OSError):
                replace_file(self._path, hashlib.sha256(data).hexdigest().encode() + b"\n" + data, self._disk)


# ---------------------------------------------------------------- labels

def label(path: Path, roots: Sequence[Path], taken: set[str]) -> str:
    """What people call a file: its path in the working directory, else the named folder's name and the path below.

    A label that another file bears is made longer by further folders until it is its own.
    """
    here, parts = Path.cwd(), path.parts[1:]
    if path.is_relative_to(here):
        depth = len(path.relative_to(here).parts)
    else:
        root = next((r for r in roots if path.is_relative_to(r)), path)
        depth = len(path.relative_to(root.parent).parts) if root != path else 2
    while "/".join(parts[-depth:]) in taken and depth < len(parts):
        depth += 1
    wanted = name = "/".join(parts[-depth:])
    number = 2
    while wanted in taken:
        wanted, number = f"{name}#{number}", number + 1
    return wanted
