"""Passing folders: what a file is unpacked or converted in. They hold what documents say, so none may stay behind.

A folder is locked by the process that uses it, by the kernel. What a killed process has left has no lock, and goes when the
next folder is made; no clock is asked.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "wenju-passing-"


@contextmanager
def passing_folder() -> Iterator[Path]:
    """A new, empty folder, removed on leaving with all it holds. Raises OSError."""
    _sweep()
    folder, lock = _locked_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError, BlockingIOError):  # somebody who sweeps was quicker: another one
            lock = _lock(folder)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _lock(folder: Path) -> int:
    """A descriptor that holds the folder's lock. Raises OSError when another process does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _sweep() -> None:
    """Removes our folders that nobody uses any more."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if path.lstat().st_uid != os.geteuid():
                continue
            lock = _lock(path)
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)
