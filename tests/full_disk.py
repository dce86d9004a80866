"""Indexes on a small disk of its own that fills up: `python full_disk.py FOLDER STEP`, in a namespace where it may mount one.

For each room left, from none upwards, one line of JSON: what the indexer said, what is served, and what the next run with
room enough finds.
"""

import ctypes
import gc
import json
import os
import sys
import time
from pathlib import Path

from index_fakes import index_of, notices

from rag.errors import IndexUnwritable
from rag.index import Index, check

_libc = ctypes.CDLL(None, use_errno=True)
_READ_ONLY, _REMOUNT = 1, 32


def mount(folder: Path, flags: int = 0) -> None:
    """A disk in memory at `folder`. Raises OSError."""
    for _ in range(100):
        if not _libc.mount(b"none", os.fsencode(folder), b"tmpfs", flags, b"size=4m"):
            return
        gc.collect()  # what failed may still hold a file open, and a thread of tantivy's its last one
        time.sleep(0.1)
    raise OSError(ctypes.get_errno(), "mount")


def tell(**seen: object) -> None:
    """One line."""
    sys.stdout.write(json.dumps(seen) + "\n")


def attempt(docs: Path, folder: Path, number: int) -> str:
    """What the indexer says of a changed file; "" when all is well."""
    (docs / "a.txt").write_text(f"第 {number} 次通知\n" * 30, encoding="utf-8")
    try:
        index_of(folder, docs)
    except IndexUnwritable as error:
        return str(error)
    return ""


def main(place: Path, step: int) -> None:
    """See above."""
    docs, disk = notices(place / "docs"), place / "disk"
    disk.mkdir()
    mount(disk)
    folder = disk / "home" / "index"
    index_of(folder, docs)
    for number, room in enumerate(range(0, 600 << 10, step)):
        before = Index.open(folder).generation
        filler = disk / "filler"
        free = os.statvfs(disk)
        filler.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - room)))
        said = attempt(docs, folder, number)
        now = Index.open(folder)
        filler.unlink()
        again = attempt(docs, folder, number)
        left = sorted({path.name for path in folder.iterdir()} - {"CURRENT", "generations", "lock", "seen"})
        tell(room=room, said=said, kept=now.generation == before, fallback=now.fallback, again=again, left=left, problems=check(folder))
        if not said:
            break
    mount(disk, _REMOUNT | _READ_ONLY)
    before = Index.open(folder).generation
    tell(said=attempt(docs, folder, -1), kept=Index.open(folder).generation == before)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
